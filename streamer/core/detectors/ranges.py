"""Ranges: each cell of a number against the rest, for values that heap up at one place and move no mean.

A default that stands in for what is missing, a clipped sensor, a stuck one: none of the scores sees
it before it is large.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from streamer.core.baseline.model import FeatureBaseline
from streamer.core.detectors.tempering import at_density, envelope_of, error_of, levels_of, nats_of
from streamer.core.detectors.tilts import HEAVY, KEPT, Asked, Found, Tilt, worth_of
from streamer.core.layout import FeatureCells
from streamer.core.types import Cause

NAME: Final = "range"
_ODDS: Final = np.array([2.5, 8.0])
# Among the alternatives of a feature, all cells together.
_WEIGHT: Final = 0.1
# Below this a score is the same at all hours; and so few cells are the whole of what can move.
_LEAST_PROFILE: Final = 0.05
_LEAST_CELLS: Final = 4
_SCORES: Final = ("value", "rank", "spread", "rank spread")


def ranges_of(
    cells: FeatureCells,
    shares: NDArray[np.float64],
    asked: Asked,
    step_seconds: int,
    points: float,
    kappa: float,
) -> list[Found]:
    """Alternatives of a number's cells, of each that more rows fall into it.

    How one cell varies with time is not known, but no more than the score that varies most. Where
    hours differ, cells may differ by more than scores do: such a feature has none.

    Parameters
    ----------
    cells : FeatureCells
        The feature's.
    shares : ndarray, shape (cells,), float64
        The baseline's, none of them 0.
    asked : Asked
        Of an alternative.
    step_seconds : int
        Of the baseline.
    points : float
        Change of a share that is too small to be worth an alert.
    kappa : float
        Standard errors of the baseline that are tolerated.
    """
    f = cells.baseline
    if _varies_by_hour(f) or len(f.counts) < _LEAST_CELLS:
        return []
    worst = max((f.dispersion_of(score) for score in _SCORES), key=lambda d: max(d.ratio, default=0.0))
    levels = levels_of(worst, step_seconds)
    error = error_of(levels, max(f.rows, 1), kappa)
    at = np.flatnonzero(np.array(f.counts)) + (cells.values.start - cells.start)
    # The score is 1 for the cell and 0 for the rest, less its mean, over its deviation.
    share = shares[at, None]
    step = 1 / np.sqrt(share * (1 - share))
    theta = np.log(_ODDS) / step
    psi, tolerated = _cumulant(share, step, theta)[0], _cumulant(share, step, np.full_like(theta, error))
    live = at_density(levels, asked.density)
    envelope = envelope_of(live, nats_of(asked.of_step, live))
    flat = (tolerated[0].ravel(), tolerated[1].ravel())
    gain, loss = worth_of((theta - error).ravel(), psi.ravel(), flat, live[0], envelope, asked.level)
    gain, loss = gain.reshape(theta.shape), loss.reshape(theta.shape)
    weights = np.where(theta > 1.0, HEAVY, 1.0) * _WEIGHT / len(_ODDS) / max(len(at), 1)
    is_kept = error <= KEPT * theta
    place = np.arange(cells.start, cells.stop)
    none, found = np.zeros(24), []
    for row, cell in enumerate(at.tolist()):
        kept = np.flatnonzero(is_kept[row])
        score = np.full(len(shares), -float(share[row, 0] * step[row, 0]))
        score[cell] += float(step[row, 0])
        columns = (gain, loss, np.broadcast_to(points * step, theta.shape), weights, theta)
        own = [Tilt(*(float(column[row, i]) for column in columns)) for i in kept.tolist()]
        found.append(Found(NAME, Cause.DRIFT, place, score, none, own, single=cells.start + cell))
    return found


def _varies_by_hour(f: FeatureBaseline) -> bool:
    return any(abs(at) > _LEAST_PROFILE for score in _SCORES for at in f.score_by_hour(score))


def _cumulant(
    share: NDArray[np.float64], step: NDArray[np.float64], theta: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cumulant of such a score and its derivative, the mean under the tilt."""
    raised = share * np.exp(theta * step)
    whole = 1 - share + raised
    return np.log(whole) - theta * share * step, step * (raised / whole - share)
