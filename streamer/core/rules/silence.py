"""Silence: no records where there used to be some, before the past weeks can say how many."""

from streamer.core.evidence import chance_z
from streamer.core.rules.history import VolumeHistory
from streamer.core.rules.view import state_of
from streamer.core.settings import Rules
from streamer.core.types import Cause, Finding, Key, State


def silence(key: Key, rules: Rules, window_ms: int, end_at: int, history: VolumeHistory) -> Finding | None:
    """Judge the run of windows without a record that ends at a time.

    Parameters
    ----------
    key : Key
        The variant's.
    rules : Rules
        Thresholds.
    window_ms : int
        Length of a window, milliseconds.
    end_at : int
        End of the last window, which ``history`` has noted.
    history : VolumeHistory
        The variant's traffic.

    Returns
    -------
    Finding or None
        ``None``: a record came, or the run is as long as others were.
    """
    run = history.empty_run
    if not run:
        return None
    z = chance_z(history.surprise)
    longest = history.longest_gap
    state = state_of(
        large=run >= rules.silence_windows and run > longest, significant=z >= rules.significant_deviations
    )
    if state in (State.OK, State.SMALL):
        return None
    windows = "window" if run == 1 else "windows"
    return Finding(
        key=key,
        rule="silence",
        cause=Cause.SILENCE,
        state=state,
        since_at=end_at - run * window_ms,
        until_at=end_at,
        live=0.0,
        expected=1.0,
        size=float(run),
        unit="windows",
        weight=z,
        rows=0,
        words=f"no record in {run} {windows} (longest gap before: {longest})",
    )
