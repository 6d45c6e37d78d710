"""Unreadable records: too large a share of an endpoint's records can't be decoded."""

from collections.abc import Mapping
from typing import Final

from streamer.core.evidence import shares_z
from streamer.core.rules.view import percent, state_of
from streamer.core.settings import Rules
from streamer.core.types import Cause, Finding, Key, State

# Fewer than this are shown, but wake nobody.
_LEAST_RECORDS: Final = 5
# A share is significant when it is certainly more than this part of the limit, which is taken as
# what clients send on any day.
_USUAL_PART: Final = 0.2
# More reasons than this say no more.
_NAMED_REASONS: Final = 3
# "Known exactly": rows of the past side of the comparison.
_MANY: Final = 1e12


def unreadable(
    key: Key,
    rules: Rules,
    start_at: int,
    end_at: int,
    records: int,
    invalid: int,
    partial: int,
    reasons: Mapping[str, int],
) -> Finding | None:
    """Judge a window's unreadable records, and those one side of which can't be read.

    A client that sends one column more makes every input unreadable while scores still come.

    Parameters
    ----------
    key : Key
        The endpoint's; variant and version are empty.
    rules : Rules
        Thresholds.
    start_at, end_at : int
        The window, milliseconds since the epoch.
    records, invalid, partial : int
        On-time records that were read, those that could not be, and how many of the first could
        be on one side only.
    reasons : mapping of str to int
        Why, and how often.

    Returns
    -------
    Finding or None
        ``None``: nothing to say.
    """
    bad = invalid + partial
    if not bad:
        return None
    total = records + invalid
    share = bad / total
    usual = rules.unreadable_share * _USUAL_PART
    z = shares_z(bad, total, usual * _MANY, _MANY)
    state = state_of(
        large=share >= rules.unreadable_share,
        significant=z >= rules.significant_deviations and bad >= _LEAST_RECORDS,
    )
    if state is State.OK:
        return None
    sides = f", {partial:,} of them on one side only" if partial else ""
    often = sorted(reasons.items(), key=lambda reason: (-reason[1], reason[0]))[:_NAMED_REASONS]
    why = f": {', '.join(f'{reason} {count:,}' for reason, count in often)}" if often else ""
    return Finding(
        key=key,
        rule="unreadable",
        cause=Cause.UNREADABLE,
        state=state,
        since_at=start_at,
        until_at=end_at,
        live=share,
        expected=0.0,
        size=share,
        unit="points",
        weight=z,
        rows=total,
        words=f"{bad:,} of {total:,} records can't be read ({percent(share)}){sides}{why}",
    )
