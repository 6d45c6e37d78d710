"""What a rule is shown of one feature in one window, and how its two keys make a state."""

from typing import NamedTuple

import msgspec

from streamer.core.settings import Rules
from streamer.core.statistics import FeatureStatistics
from streamer.core.types import Cause, Finding, Key, State


class Run(msgspec.Struct, frozen=True):
    """Windows in a row in which a share was as large as trouble is.

    What comes in clumps can't be proven by one window; that it goes on is what tells a dead feed
    from an outage like those in the baseline.

    Attributes
    ----------
    since_at : int
        Start of the first, milliseconds since the epoch.
    rows, bad : int
        Rows of all of them, and those without a usable value.
    """

    since_at: int
    rows: int
    bad: int


class FeatureView(NamedTuple):
    """One feature of one closed window.

    Attributes
    ----------
    key : Key
        Whose window it is.
    rules : Rules
        Thresholds.
    start_at, end_at : int
        The window, milliseconds since the epoch.
    statistics : FeatureStatistics
        On-time rows beside the baseline.
    expected_shift : float
        What the hour-of-day profile adds to the baseline's mean in this window, in deviations.
    expected_missing : float or None
        Missing share of the baseline at this window's hours; ``None``: the same at all.
    run : Run or None
        Windows just before this one in which values were missing, too.
    baseline_ms : int or None
        Time the baseline's rows span, milliseconds; ``None`` where it is not known.
    """

    key: Key
    rules: Rules
    start_at: int
    end_at: int
    statistics: FeatureStatistics
    expected_shift: float
    expected_missing: float | None = None
    run: Run | None = None
    baseline_ms: int | None = None

    def finding(
        self,
        rule: str,
        cause: Cause,
        state: State,
        *,
        live: float,
        expected: float,
        size: float,
        unit: str,
        weight: float,
        words: str,
        since_at: int | None = None,
    ) -> Finding:
        """The rule's word on this feature and window."""
        return Finding(
            key=self.key,
            rule=rule,
            cause=cause,
            feature=self.statistics.name,
            state=state,
            since_at=self.start_at if since_at is None else since_at,
            until_at=self.end_at,
            live=live,
            expected=expected,
            size=size,
            unit=unit,
            weight=weight,
            rows=self.statistics.rows,
            words=words,
        )


def state_of(*, large: bool, significant: bool) -> State:
    """Two keys: broken only when practically large *and* significant."""
    if large:
        return State.BROKEN if significant else State.NOT_ENOUGH
    return State.SMALL if significant else State.OK


def percent(share: float) -> str:
    """A share in words: ``12 %``, ``0.3 %``."""
    points = share * 100
    digits = 0 if abs(points) >= 10 or points == round(points) else 1 if abs(points) >= 1 else 2
    return f"{points:.{digits}f} %"
