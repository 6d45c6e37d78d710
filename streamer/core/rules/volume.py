"""Traffic volume against the same weekday and hour of the past weeks."""

from typing import Final

from streamer.core.evidence import count_z
from streamer.core.rules.history import Expectation, log_ratio
from streamer.core.rules.view import state_of
from streamer.core.settings import Rules
from streamer.core.types import Cause, Finding, Key, State

# The weeks' own scatter is the measure, and holds the noise of counting, too; but of a handful of
# rows that happened to repeat it knows nothing, so chance alone must not explain the change either.
_CHANCE_DEVIATIONS: Final = 3.0


def volume(key: Key, rules: Rules, start_at: int, end_at: int, rows: int, past: Expectation) -> Finding | None:
    """Judge a window's rows.

    Parameters
    ----------
    key : Key
        The variant's; the version is empty, since versions share its traffic.
    rules : Rules
        Thresholds.
    start_at, end_at : int
        The window, milliseconds since the epoch.
    rows : int
        On-time rows of all its versions.
    past : Expectation
        What the past weeks had.

    Returns
    -------
    Finding or None
        ``None``: nothing to say. A window without any row belongs to the cause *silence*.
    """
    change = rows / past.rows - 1 if past.rows else 0.0
    z = log_ratio(rows, past.rows) / past.deviation
    chance = count_z(rows, max(past.rows, 1e-9))
    state = state_of(
        large=abs(change) >= rules.volume_change,
        significant=abs(z) >= rules.volume_deviations and abs(chance) >= _CHANCE_DEVIATIONS,
    )
    if state is State.OK:
        return None
    return Finding(
        key=key,
        rule="volume",
        cause=Cause.VOLUME if rows else Cause.SILENCE,
        state=state,
        since_at=start_at,
        until_at=end_at,
        live=float(rows),
        expected=past.rows,
        size=rows / past.rows if past.rows else 0.0,
        unit="ratio",
        weight=abs(z),
        rows=rows,
        words=f"{rows:,} rows, {past.rows:,.0f} expected by the last {past.weeks} weeks ({change * 100:+.0f} %)",
    )
