"""Rehearsal: how often a named detector would fire where nothing changes, tried on panes made from the baseline.

A baseline file holds no rows, so panes are drawn from its cells, at its own rows a pane. Where it knows
how its hours vary, each step of time gets a shock that makes blocks of every length vary as much; the
shocks are normal, so tails heavier than that are not in the figure, and neither is any drift the
baseline itself has. Features of whole rows are drawn as if none had to do with another.
"""

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.core.baseline.model import Dispersion
from streamer.core.detectors.anomalies import PER_PANE, Anomalies
from streamer.core.detectors.post import Post
from streamer.core.detectors.roster import Roster
from streamer.core.layout import FeatureCells, Layout
from streamer.core.sample import SAMPLE_ROWS
from streamer.core.settings import DetectorSettings, EndpointSettings
from streamer.core.types import Key, State

MONTH_SECONDS: Final = 2_592_000
# Rows of a pane where the baseline has no time column to count them by.
UNKNOWN_ROWS: Final = 50.0
# Numbers, or rows, a detector is shown at most, and panes: about 3 s.
_NUMBERS: Final = {"kswin": 4_000, "hddm_a": 40_000, "hddm_w": 100_000, "half_space_trees": 100_000}
_OTHERS: Final = 200_000
_MOST_PANES: Final = 100_000
_MOST_PANES_OF_ROWS: Final = 2_000
_KEY: Final = Key("", "", "")


class Rehearsal(NamedTuple):
    """What came of it.

    Attributes
    ----------
    panes : int
        Drawn; those of a stream's warm-up included, those that trees learn not.
    rows : float
        Of one, in the mean.
    alarms : int
        Windows with a finding.
    clustered : bool
        Whether the hours varied as the baseline's did; else records were independent.
    pane_seconds : int
        Length of a pane.
    """

    panes: int
    rows: float
    alarms: int
    clustered: bool
    pane_seconds: int

    @property
    def monthly(self) -> float:
        """Alarms in 30 days."""
        return self.alarms * self._months

    @property
    def at_most(self) -> float:
        """Alarms in 30 days, upper 95 % limit where there was none."""
        return 3.0 * self._months

    @property
    def _months(self) -> float:
        return MONTH_SECONDS / (self.panes * self.pane_seconds)


def rehearse(settings: EndpointSettings, detector: DetectorSettings, layout: Layout, seed: int = 1) -> Rehearsal | None:
    """Try one detector; ``None`` where it does not fit the baseline. The same for a seed.

    Parameters
    ----------
    settings : EndpointSettings
        The endpoint's: its spans.
    detector : DetectorSettings
        Which.
    layout : Layout
        Cells of the baseline.
    seed : int
        Of what is drawn.
    """
    alone = EndpointSettings(name="", spans=settings.spans, rules=settings.rules, detectors=(detector,))
    posts = Roster(alone, layout).posts
    if not posts:
        return None
    chance = np.random.Generator(np.random.PCG64(seed))
    pane, per_window = settings.spans.pane, settings.spans.window // settings.spans.pane
    rows = _rows(layout, pane)
    shown = min(rows, SAMPLE_ROWS) if detector.watches in ("values", "rows") else 1.0
    most = _MOST_PANES_OF_ROWS if detector.watches == "rows" else _MOST_PANES
    panes = int(min(_NUMBERS.get(detector.kind, _OTHERS) / max(shown, 1.0), most))
    post = posts[0]
    if isinstance(post, Anomalies):
        alarms, clustered = _of_rows(post, layout, rows, panes, per_window, chance), False
    else:
        dispersion = post.cells.baseline.dispersion_of("missing" if detector.watches == "missing" else "value")
        shocks = _shocks(dispersion, panes, pane, layout, chance)
        alarms = _of_numbers(post, shocks, rows, per_window, chance)
        clustered = bool(dispersion.rows)
    return Rehearsal(panes, rows, alarms, clustered, pane)


def _rows(layout: Layout, pane_seconds: int) -> float:
    timeline = layout.baseline.timeline
    if timeline is None:
        return UNKNOWN_ROWS
    return layout.baseline.rows * pane_seconds / (timeline.steps * timeline.step_seconds)


def _of_numbers(
    post: Post, shocks: NDArray[np.float64], rows: float, per_window: int, chance: np.random.Generator
) -> int:
    """Windows in which a detector of one feature fires."""
    f = post.cells.baseline
    several = chance.poisson(rows, len(shocks))
    usual = (f.missing + f.mistyped) / max(f.rows, 1)
    scores, shares = _law(post.cells) if post.cells.is_number else (np.zeros(1), np.ones(1))
    fired: set[int] = set()
    for i, (n, shock) in enumerate(zip(several.tolist(), shocks.tolist(), strict=True)):
        if not n:
            continue
        match post.settings.watches:
            case "missing":
                share = min(max(usual + shock * math.sqrt(usual * (1 - usual)), 0.0), 1.0)
                values = [chance.binomial(n, share) / n]
            case "mean":
                valued = chance.binomial(n, 1 - usual)
                values = [float(chance.multinomial(valued, shares) @ scores) / valued + shock] if valued else []
            case _:
                drawn = chance.choice(scores, min(n, SAMPLE_ROWS), p=shares) + shock
                values = drawn.tolist()
        if post.feed(values):
            fired.add(i // per_window)
    return len(fired)


def _of_rows(
    post: Anomalies, layout: Layout, rows: float, panes: int, per_window: int, chance: np.random.Generator
) -> int:
    """Windows in which the rate of odd rows is broken."""
    cells = {c.baseline.feature: c for c in layout.features}
    laws = [_places(cells[f.feature]) for f in post.features]
    while not post.is_ready:
        post.feed(post.placed(_drawn(laws, PER_PANE, chance)))
    alarms = 0
    for i, n in enumerate(chance.poisson(rows, panes).tolist()):
        drawn = min(n, SAMPLE_ROWS)
        if drawn:
            post.feed(post.placed(_drawn(laws, drawn, chance)))
        if (i + 1) % per_window == 0:
            found, _ = post.close(_KEY, 0, 0)
            alarms += found is not None and found.state is State.BROKEN
    return alarms


def _drawn(
    laws: list[tuple[NDArray[np.float64], NDArray[np.float64]]], rows: int, chance: np.random.Generator
) -> NDArray[np.float64]:
    """Rows of values, each of the laws' middles with its share; shape (features, rows)."""
    drawn = chance.random((len(laws), rows))
    return np.array(
        [values[reached.searchsorted(row, side="right")] for row, (values, reached) in zip(drawn, laws, strict=True)]
    )


def _middles(cells: FeatureCells) -> NDArray[np.float64]:
    f = cells.baseline
    bounds = np.array([f.minimum or 0.0, *f.edges, f.maximum or 0.0])
    middles: NDArray[np.float64] = bounds[1:] / 2 + bounds[:-1] / 2
    return middles


def _law(cells: FeatureCells) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Middles of the value cells with mean 0 and variance 1, as a detector is fed, and their shares."""
    shares = np.array(cells.baseline.counts, np.float64)
    shares /= max(shares.sum(), 1.0)
    middles = _middles(cells)
    middles = middles / max(float(np.abs(middles).max()), 1e-300)
    middles = middles - shares @ middles
    deviation = math.sqrt(float(shares @ np.square(middles)))
    return middles / deviation if deviation > 0 else np.zeros(len(middles)), shares


def _places(cells: FeatureCells) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Values of a feature, none of them among these, and the share of all up to each."""
    f = cells.baseline
    reached = np.cumsum([*f.counts, f.missing + f.mistyped]) / max(f.rows, 1)
    reached[-1] = 1.0
    return np.append(_middles(cells), np.nan), reached


def shock_variances(dispersion: Dispersion) -> NDArray[np.float64]:
    """Variance of a shock shared by all rows of a block of 1, 2, 4 ... steps, in deviations of a row.

    A block's mean varies by ``(ratio - 1) / rows`` more than that of independent rows. Shocks of
    shorter blocks average out in it, those of longer ones it has whole.
    """
    if not dispersion.rows:
        return np.empty(0)
    excess = np.maximum((np.array(dispersion.ratio) - 1) / np.array(dispersion.rows), 0.0)
    variances = np.zeros(len(excess))
    averaged = 0.0
    for i in range(len(excess)):
        # ``averaged`` is what the shorter shocks leave of themselves in a block of this length.
        averaged /= 2
        following = excess[i + 1] if i + 1 < len(excess) else averaged + (excess[i] - averaged) / 2
        last = i + 1 == len(excess)
        variances[i] = max(excess[i] - averaged if last else 2 * (excess[i] - following) - averaged, 0.0)
        averaged += variances[i]
    return variances


def _shocks(
    dispersion: Dispersion, panes: int, pane_seconds: int, layout: Layout, chance: np.random.Generator
) -> NDArray[np.float64]:
    """What all rows of each pane share, shape (panes,)."""
    timeline = layout.baseline.timeline
    if timeline is None or not dispersion.rows:
        return np.zeros(panes)
    step = timeline.step_seconds
    steps = panes * pane_seconds // step + 2
    shock = np.zeros(steps)
    for level, variance in enumerate(shock_variances(dispersion).tolist()):
        length = 2**level
        drawn = chance.normal(0.0, math.sqrt(variance), steps // length + 1)
        shock += np.repeat(drawn, length)[:steps]
    # A pane longer than a step has the mean of its steps.
    before = np.append(0.0, np.cumsum(shock))
    first = np.arange(panes) * pane_seconds // step
    last = np.maximum((np.arange(panes) + 1) * pane_seconds // step, first + 1)
    shared: NDArray[np.float64] = (before[last] - before[first]) / (last - first)
    return shared
