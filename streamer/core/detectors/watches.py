"""Watches of one endpoint: its keys share one budget of false alarms.

The mean of their evidence is an e-detector as each is, whatever hangs together: all of them together
stay under the threshold for as many panes in the mean as one alone. So a new version or variant
raises no more false alarms, and a drift that all of them suffer is found as soon as one alone finds it.
"""

from collections.abc import Sequence

from streamer.core.detectors.watch import Watch
from streamer.core.rounding import rounded
from streamer.core.types import Finding, Key


def budget_used(watches: Sequence[Watch]) -> float | None:
    """Part of what raises the alarm that the evidence of all keys together has reached, to three digits.

    At 1 it is raised; ``None`` where nobody looks for drift.
    """
    return rounded(sum(watch.level for watch in watches) / len(watches), 3) if watches else None


def accuse(watches: Sequence[tuple[Key, Watch]], start_at: int, end_at: int) -> list[Finding]:
    """What the evidence of all keys together proves.

    Parameters
    ----------
    watches : sequence of (Key, Watch)
        Of all keys that have traffic.
    start_at, end_at : int
        The pane or window the findings are of, milliseconds since the epoch.

    Returns
    -------
    list of Finding
        The strongest feature, and those that would raise the alarm alone; none below the threshold.
    """
    keys = len(watches)
    for _, watch in watches:
        watch.share(keys)
    # The first is quick, and hardly ever passed.
    if not keys or sum(watch.bound for _, watch in watches) < keys:
        return []
    if sum(watch.level for _, watch in watches) < keys:
        return []
    strongest = max(float(watch.parts.max(initial=0.0)) for _, watch in watches)
    least = min(strongest, float(keys))
    return [finding for key, watch in watches for finding in watch.findings(key, start_at, end_at, least)]
