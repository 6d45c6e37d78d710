"""Alternatives: what a row is worth for each change a feature may suffer, laid out for one multiplication.

Each is an exponential tilt of the baseline along one score, held against the baseline tilted by its
tolerance in the same direction: by convexity no distribution between "no change" and "as much as the
finite baseline may be wrong" makes evidence grow. An alternative that this baseline can't tell from
that is dropped. Values never seen have no score: their share is held against what n rows without
them allow.

References
----------
J. Shin, A. Ramdas, A. Rinaldo (2023), "E-detectors: a nonparametric framework for sequential change
detection", New England Journal of Statistics in Data Science; I. J. Good (1953), "The population
frequencies of species and the estimation of population parameters", Biometrika 40 (unseen values);
design: ``detection.md`` 4.1 and 8.1.
"""

import hashlib
import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.core.baseline.dispersion import denser
from streamer.core.detectors.ranges import ranges_of
from streamer.core.detectors.scores import Direction, absent_cells, directions_of, shares_of, unseen_cells
from streamer.core.detectors.tempering import at_density, envelope_of, error_of, levels_of, nats_of, spread_envelope_of
from streamer.core.detectors.tilts import HEAVY, KEPT, Asked, Found, Tilt, tilts_of
from streamer.core.layout import FeatureCells, Layout
from streamer.core.settings import DEFAULT_TOLERANCE, Tolerance
from streamer.core.types import Cause

# Natural parameters of the tilts, in deviations of the score, and the weight of all of a kind.
MEANS: Final = tuple(sign * size for size in (0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0) for sign in (1, -1))
_SPREADS: Final = (0.07, 0.2, 0.5, -0.15, -0.4)
# Odds of what is one cell against the rest.
_ODDS: Final = {"category": (1.35, 2.5, 8.0, 1 / 1.35, 1 / 2.5), "missing": (2.0, 5.0, 20.0, 100.0)}
_NEW_SHARES: Final = (0.003, 0.01, 0.05, 0.3)
_WEIGHTS: Final = {
    "value": 0.25,
    "rank": 0.25,
    "spread": 0.12,
    "category": 0.5,
    "missing": 0.2,
    "new": 0.2,
    "gone": 0.05,
}
# Standard errors of the baseline that are tolerated: 2 gave an alarm in 10 % of endpoint-months, 2.5 in 5 %.
KAPPA: Final = 2.5
# Rows of a kind that a baseline without any may have missed: upper 95 % limits of a count of none, and of
# what lies beyond the two extremes of a sample (one row on each side is expected there).
_UNSEEN_ROWS: Final = 3.0
_BEYOND_ROWS: Final = 5.0
# Alternatives of one feature, about: for the level at which one of them alone raises the alarm.
_PER_FEATURE: Final = 40
# A share of values never seen matters sooner than the change of one that was.
_OF_NEW: Final = 0.4
_DAY_SECONDS: Final = 86_400


class Alternatives(NamedTuple):
    """All alternatives of all features of a baseline; a row's worth is linear in its scores.

    Attributes
    ----------
    start, stop : ndarray, shape (directions,), int64
        Stretch of a profile's counts that each direction is about.
    low, step : ndarray, shape (directions,), float64
        Its least score, and by how much the greatest is larger.
    many : ndarray, shape (m,), int64
        Directions in which every cell has a score of its own.
    cells : ndarray, shape (groups, longest), int64
        Places of a feature's cells in a profile's counts, padded with its first.
    group : ndarray, shape (m,), int64
        Row of ``cells`` that the scores are of.
    scores : ndarray, shape (m, longest), float64
        Score of each cell; padding is 0.
    one, place : ndarray, shape (k,), int64
        Directions that are one cell against the rest, which are most, and that cell's place in the counts.
    timed : ndarray, shape (t,), int64
        Directions whose mean score differs by hour of day.
    along : ndarray, shape (t, 24), float64
        Mean score expected by hour of day, of the baseline's profile.
    direction, feature : ndarray, shape (alternatives,), int64
        Of each alternative.
    gain, loss : ndarray, shape (alternatives,), float64
        Nats for each unit of score, and nats taken away by each row; tempered.
    least : ndarray, shape (alternatives,), float64
        Mean score per row, in the direction of the change, that is worth an alert.
    log_weight : ndarray, shape (alternatives,), float64
        Weights of all features sum to 1.
    size : ndarray, shape (alternatives,), float64
        Sign of the change, and its theta.
    scales : tuple of float
        Of each direction: squared deviations that one of a spread's score is worth; else 1.
    causes : tuple of Cause
        Of each direction.
    names : tuple of str
        Of each direction.
    resolution : ndarray, shape (features,), float64
        See ``resolution_of``.
    digest : str
        Of what a row is worth: two with one digest judge alike.
    """

    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    low: NDArray[np.float64]
    step: NDArray[np.float64]
    many: NDArray[np.int64]
    cells: NDArray[np.int64]
    group: NDArray[np.int64]
    scores: NDArray[np.float64]
    one: NDArray[np.int64]
    place: NDArray[np.int64]
    timed: NDArray[np.int64]
    along: NDArray[np.float64]
    direction: NDArray[np.int64]
    feature: NDArray[np.int64]
    gain: NDArray[np.float64]
    loss: NDArray[np.float64]
    least: NDArray[np.float64]
    log_weight: NDArray[np.float64]
    size: NDArray[np.float64]
    scales: tuple[float, ...]
    causes: tuple[Cause, ...]
    names: tuple[str, ...]
    resolution: NDArray[np.float64]
    digest: str

    def scores_of(self, direction: int) -> NDArray[np.float64]:
        """Score of each of a direction's cells, shape (cells,)."""
        cells = int(self.stop[direction] - self.start[direction])
        at = int(np.searchsorted(self.many, direction))
        if at < len(self.many) and self.many[at] == direction:
            return self.scores[at, :cells]
        scores = np.full(cells, self.low[direction])
        scores[self.place[np.searchsorted(self.one, direction)] - self.start[direction]] += self.step[direction]
        return scores


def alternatives_of(
    layout: Layout,
    threshold: float,
    pane_seconds: float,
    tolerance: Tolerance = DEFAULT_TOLERANCE,
    *,
    density: float = 1.0,
    kappa: float = KAPPA,
) -> Alternatives:
    """Alternatives of every feature; the same ones, worth more or less, whatever the density.

    Parameters
    ----------
    layout : Layout
        Cells of the baseline.
    threshold : float
        Panes to a false alarm: the level at which one alternative alone raises it follows from it.
    pane_seconds : float
        Length of a pane: those of one step of the baseline share its weather.
    tolerance : Tolerance
        Of drift that is too small to be worth an alert.
    density : float
        Rows of the traffic in a step, in the baseline's.
    kappa : float
        Standard errors of the baseline that are tolerated.
    """
    step_seconds = _step_seconds(layout)
    asked = asked_of(threshold, pane_seconds, step_seconds, len(layout.features), density)
    found: list[tuple[int, Found]] = []
    resolution: list[float] = []
    for i, cells in enumerate(layout.features):
        directions = directions_of(layout, cells)
        resolution.append(_resolution(cells, directions, step_seconds, kappa))
        mine = _of_feature(layout, cells, directions, asked, step_seconds, tolerance, kappa)
        whole = sum(a.weight for one in mine for a in one.alternatives)
        for one in mine:
            kept = [a._replace(weight=a.weight / whole / len(layout.features)) for a in one.alternatives]
            if kept:
                found.append((i, one._replace(alternatives=kept)))
    return laid_out(layout, found, np.array(resolution))


def asked_of(threshold: float, pane_seconds: float, step_seconds: float, features: int, density: float = 1.0) -> Asked:
    """What an alternative must reach.

    Parameters
    ----------
    threshold : float
        Panes to a false alarm.
    pane_seconds, step_seconds : float
        Length of a pane, and of a step of the baseline, whose panes share its weather.
    features : int
        Of the endpoint.
    density : float
        Rows of the traffic in a step, in the baseline's.
    """
    level = math.log(threshold * max(features, 1) * _PER_FEATURE)
    return Asked(level, level + min(math.log(pane_seconds / step_seconds), 0.0), density)


def laid_out(layout: Layout, found: list[tuple[int, Found]], resolution: NDArray[np.float64]) -> Alternatives:
    """Arrays of all directions, each with its feature."""
    several = [a for _, own in found for a in own.alternatives]
    count = [len(own.alternatives) for _, own in found]
    single = np.array([own.single for _, own in found], np.int64)
    many, one = np.flatnonzero(single < 0), np.flatnonzero(single >= 0)
    longest = max((len(own.cells) for _, own in found), default=0)
    scores = np.zeros((len(many), longest))
    for row, at in enumerate(many.tolist()):
        own = found[at][1].scores
        scores[row, : len(own)] = own
    named, group = np.unique(np.array([found[at][0] for at in many.tolist()], np.int64), return_inverse=True)
    places = np.zeros((len(named), longest), np.int64)
    for row, i in enumerate(named.tolist()):
        cells = layout.features[i]
        places[row] = cells.start
        places[row, : cells.stop - cells.start] = np.arange(cells.start, cells.stop)
    along = np.array([own.along for _, own in found], np.float64).reshape(-1, 24)
    timed = np.flatnonzero(along.any(axis=1))
    low = np.array([own.scores.min() for _, own in found])
    step = np.array([own.scores.max() for _, own in found]) - low
    gain, loss = np.array([a.gain for a in several]), np.array([a.loss for a in several])
    least, log_weight = np.array([a.least for a in several]), np.log(np.array([a.weight for a in several]))
    worth = b"".join(array.tobytes() for array in (gain, loss, least, log_weight, scores, low, step, single, along))
    return Alternatives(
        start=np.array([own.cells[0] for _, own in found], np.int64),
        stop=np.array([own.cells[-1] + 1 for _, own in found], np.int64),
        low=low,
        step=step,
        many=many,
        cells=places,
        group=group,
        scores=scores,
        one=one,
        place=single[one],
        timed=timed,
        along=along[timed],
        direction=np.repeat(np.arange(len(found)), count),
        feature=np.repeat(np.array([i for i, _ in found], np.int64), count),
        gain=gain,
        loss=loss,
        least=least,
        log_weight=log_weight,
        size=np.array([a.size for a in several]),
        scales=tuple(own.scale for _, own in found),
        causes=tuple(own.cause for _, own in found),
        names=tuple(own.name for _, own in found),
        resolution=resolution,
        digest=hashlib.sha256(worth).hexdigest()[:16],
    )


def resolution_of(layout: Layout, *, kappa: float = KAPPA) -> NDArray[np.float64]:
    """Smallest shift of each feature's mean that the baseline can tell from weather, in deviations, shape (features,).

    Infinite for categories, and where nothing varies.
    """
    step_seconds = _step_seconds(layout)
    return np.array(
        [_resolution(cells, directions_of(layout, cells), step_seconds, kappa) for cells in layout.features]
    )


def _step_seconds(layout: Layout) -> int:
    timeline = layout.baseline.timeline
    return timeline.step_seconds if timeline is not None else _DAY_SECONDS


def _resolution(cells: FeatureCells, directions: list[Direction], step_seconds: int, kappa: float) -> float:
    rows = max(cells.baseline.rows, 1)
    errors = [
        error_of(levels_of(direction.dispersion, step_seconds), rows, kappa)
        for direction in directions
        if direction.name in ("value", "rank")
    ]
    return min(errors, default=math.inf) / KEPT


def _of_feature(
    layout: Layout,
    cells: FeatureCells,
    directions: list[Direction],
    asked: Asked,
    step_seconds: int,
    tolerance: Tolerance,
    kappa: float,
) -> list[Found]:
    shares, rows = shares_of(layout, cells), max(cells.baseline.rows, 1)
    place = np.arange(cells.start, cells.stop)
    found: list[Found] = []
    categories = sum(direction.name == "category" for direction in directions)
    mean = next((direction for direction in directions if direction.name == "value"), None)
    for direction in directions:
        levels = levels_of(direction.dispersion, step_seconds)
        error = error_of(levels, rows, kappa)
        thetas = _thetas(direction)
        weights = np.where(np.abs(thetas) > 1.0, HEAVY, 1.0)
        weights *= _WEIGHTS[direction.name] / weights.sum() / (categories if direction.name == "category" else 1)
        least = tolerance.deviations
        if direction.name in _ODDS:
            least = tolerance.points * float(direction.score.max() - direction.score.min())
        live = at_density(levels, asked.density)
        upward = downward = envelope_of(live, nats_of(asked.of_step, live))
        if direction.name == "spread" and mean is not None:
            upward = _with_shocks(upward, direction, mean, shares, step_seconds, asked)
        envelopes = np.where(thetas[:, None] > 0, upward, downward)
        kept = tilts_of(direction.score, shares, thetas, error, live[0], envelopes, asked.level)
        own = [Tilt(gain, loss, least, float(weights[at]), theta) for at, gain, loss, theta in kept]
        by_hour = np.array(direction.by_hour or (0.0,) * 24)
        single = int(place[np.argmax(direction.score)]) if direction.name == "category" else -1
        scores, scale = direction.score, direction.scale
        found.append(Found(direction.name, direction.cause, place, scores, by_hour, own, scale, single))
    if cells.is_number:
        found += ranges_of(cells, shares, asked, step_seconds, tolerance.points, kappa)
    base = layout.baseline_counts(cells)
    of_step, of_longest = _clustering(cells, step_seconds)
    unseen = Cause.WILD if cells.is_number else Cause.DRIFT
    for name, cause, mask in (("new", unseen, unseen_cells(cells)), ("gone", Cause.MISSING, absent_cells(cells))):
        # A feed that breaks off is news as soon as it is more than one step's weather; a record cold goes on for days.
        phi = of_step if name == "gone" else of_longest
        # As many unseen rows are expected as there are categories that were seen once (Good 1953).
        seen = float(base[mask].sum()) + (cells.baseline.singletons if name == "new" else 0.0)
        least = _BEYOND_ROWS if name == "new" and cells.is_number else _UNSEEN_ROWS
        usual = min((seen + kappa * math.sqrt(seen * phi) + least * phi) / rows, 0.5)
        live_phi = float(denser(np.array(phi), asked.density))
        several = [
            Tilt.of_share(share, usual, _WEIGHTS[name] / len(_NEW_SHARES), live_phi, _OF_NEW * tolerance.points)
            for share in _NEW_SHARES
            if share > 2 * usual
        ]
        found.append(Found(name, cause, place, mask.astype(np.float64), np.zeros(24), several))
    return found


def _thetas(direction: Direction) -> NDArray[np.float64]:
    match direction.name:
        case "spread":
            return np.array(_SPREADS)
        case "category" | "missing":
            # One cell against the rest: its score is two-valued, and odds tilt by their distance.
            step = float(direction.score.max() - direction.score.min())
            thetas: NDArray[np.float64] = np.log(np.array(_ODDS[direction.name])) / step
            return thetas
        case _:
            return np.array(MEANS)


def _with_shocks(
    envelope: NDArray[np.float64],
    spread: Direction,
    mean: Direction,
    shares: NDArray[np.float64],
    step_seconds: int,
    asked: Asked,
) -> NDArray[np.float64]:
    """The envelope of a wider spread, where shocks of the mean go further."""
    levels = at_density(levels_of(mean.dispersion, step_seconds), asked.density)
    if levels.shape[1] != len(envelope):
        return envelope
    curvature = abs(float(shares @ (spread.score * (np.square(mean.score) - 1)))) / 2
    return np.maximum(envelope, spread_envelope_of(levels, nats_of(asked.of_step, levels), curvature))


def _clustering(cells: FeatureCells, step_seconds: int) -> tuple[float, float]:
    """Of a step and of the longest block: what is not in the baseline is taken to cluster as the values do."""
    ratio = levels_of(cells.baseline.dispersion_of("value"), step_seconds)[1]
    return (max(float(ratio[0]), 1.0), float(ratio.max(initial=1.0))) if len(ratio) else (1.0, 1.0)
