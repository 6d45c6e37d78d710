"""Traffic volume against the same weekday and hour of the past weeks."""

from streamer.core.rules.history import Expectation
from streamer.core.rules.view import state_of
from streamer.core.settings import Rules
from streamer.core.types import Cause, Finding, Key, State


def volume(
    key: Key, rules: Rules, start_at: int, end_at: int, rows: int, past: Expectation, *, of: str = ""
) -> Finding | None:
    """Judge the rows of a window, or of several together.

    Parameters
    ----------
    key : Key
        The variant's; the version is empty, since versions share its traffic.
    rules : Rules
        Thresholds.
    start_at, end_at : int
        The time judged, milliseconds since the epoch.
    rows : int
        On-time rows of all its versions.
    past : Expectation
        What the past weeks had.
    of : str
        What time it is, in words, where it is not one window.

    Returns
    -------
    Finding or None
        ``None``: nothing to say. Where there is no row at all, the cause is *silence*.
    """
    change = rows - past.rows
    z = past.deviations(rows)
    # A few rows more or less at night are no matter beside a day's traffic.
    large = abs(change) >= rules.volume_change * max(past.rows, past.typical) and rows != past.rows
    state = state_of(large=large, significant=abs(z) >= rules.volume_deviations)
    if state is State.OK:
        return None
    relative = f" ({change / past.rows * 100:+.0f} %)" if past.rows else ""
    return Finding(
        key=key,
        rule="volume",
        cause=Cause.VOLUME if rows else Cause.SILENCE,
        state=state,
        since_at=start_at,
        until_at=end_at,
        live=float(rows),
        expected=past.rows,
        size=rows / past.rows if past.rows else float(rows),
        unit="ratio",
        weight=abs(z),
        rows=rows,
        words=f"{rows:,} rows{of}, {past.rows:,.0f} expected by the past weeks{relative}",
    )
