"""Tilts: what a row is worth when a score's law is tilted, net of what the baseline may be wrong by."""

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.core.detectors.tempering import tempering
from streamer.core.types import Cause

# An alternative whose tolerance is a larger part of it is dropped.
KEPT: Final = 0.7
# Large changes are soon proven: they need less of the weight.
HEAVY: Final = 0.7
_LEAST_LOSS: Final = 1e-9


class Tilt(NamedTuple):
    """One alternative: a row's worth is ``gain`` times its score, less ``loss``.

    Attributes
    ----------
    gain, loss : float
        Nats, tempered.
    least : float
        Mean score per row that is worth an alert.
    weight : float
        Among those of its feature.
    size : float
        Of the change, with its sign.
    """

    gain: float
    loss: float
    least: float
    weight: float
    size: float

    @classmethod
    def of_share(cls, share: float, usual: float, weight: float, phi: float, least: float) -> "Tilt":
        """That a share is so large, where it is ``usual`` at most.

        Parameters
        ----------
        share, usual : float
            Of rows.
        weight, least : float
            As above.
        phi : float
            How many times independent rows a row is worth less.
        """
        up, down = math.log(share / usual) / phi, math.log((1 - share) / (1 - usual)) / phi
        return cls(up - down, -down, least, weight, share)


class Asked(NamedTuple):
    """What an alternative must reach, and on which traffic.

    Attributes
    ----------
    level : float
        Nats at which it alone raises the alarm.
    of_step : float
        How improbable a step must be for that.
    density : float
        Rows of the traffic in a step, in the baseline's.
    """

    level: float
    of_step: float
    density: float = 1.0


class Found(NamedTuple):
    """A direction of a feature with its alternatives.

    Attributes
    ----------
    name, cause
        As of ``Direction``.
    cells : ndarray, shape (cells,), int64
        Places in a profile's counts.
    scores : ndarray, shape (cells,), float64
        Of each.
    along : ndarray, shape (24,), float64
        Mean score by hour of day.
    alternatives : list of Tilt
    scale : float
        As of ``Direction``.
    single : int
        Where it is one cell against the rest, that cell's place in a profile's counts; else -1.
    """

    name: str
    cause: Cause
    cells: NDArray[np.int64]
    scores: NDArray[np.float64]
    along: NDArray[np.float64]
    alternatives: list[Tilt]
    scale: float = 1.0
    single: int = -1


def tilts_of(
    score: NDArray[np.float64],
    shares: NDArray[np.float64],
    thetas: NDArray[np.float64],
    error: float,
    rows: NDArray[np.float64],
    envelopes: NDArray[np.float64],
    level: float,
) -> list[tuple[int, float, float, float]]:
    """Index, gain, loss and theta of the tilts that the baseline can tell from its own error.

    Parameters
    ----------
    score, shares : ndarray, shape (cells,), float64
        Of each cell.
    thetas : ndarray, shape (alternatives,), float64
        Natural parameters.
    error : float
        Of the baseline's mean score, that is tolerated.
    rows : ndarray, shape (lengths,), float64
        Of blocks.
    envelopes : ndarray, shape (alternatives, lengths), float64
        How far the sums of such go.
    level : float
        Nats at which an alternative alone raises the alarm.
    """
    tolerated = error * np.sign(thetas)
    kept = np.abs(tolerated) <= KEPT * np.abs(thetas)
    thetas, tolerated = thetas[kept], tolerated[kept]
    net = thetas - tolerated
    psi, slope = cumulant_of(score, shares, thetas)[0], cumulant_of(score, shares, tolerated)
    gain, loss = worth_of(net, psi, slope, rows, envelopes[kept], level)
    return list(zip(np.flatnonzero(kept).tolist(), gain.tolist(), loss.tolist(), thetas.tolist(), strict=True))


def worth_of(
    net: NDArray[np.float64],
    psi: NDArray[np.float64],
    tolerated: tuple[NDArray[np.float64], NDArray[np.float64]],
    rows: NDArray[np.float64],
    envelopes: NDArray[np.float64],
    level: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gain and loss of tilts, tempered.

    Parameters
    ----------
    net, psi : ndarray, shape (alternatives,), float64
        Natural parameters net of what is tolerated, and cumulants of the whole.
    tolerated : tuple of ndarray, shape (alternatives,), float64
        Cumulants of what is tolerated, and mean scores under it.
    rows, envelopes, level
        As for ``tilts_of``; envelopes of shape (lengths,) hold for all.
    """
    loss = psi - tolerated[0]
    # What a row takes away when the change is just as large as tolerated.
    lost = np.maximum(loss - net * tolerated[1], _LEAST_LOSS)
    phi = tempering(np.abs(net), lost, rows, envelopes, level)
    return net / phi, loss / phi


def cumulant_of(
    score: NDArray[np.float64], shares: NDArray[np.float64], theta: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cumulant of the score and its derivative, the mean under the tilt."""
    raised = theta[:, None] * score
    top = raised.max(axis=1, keepdims=True) if len(theta) else np.zeros((0, 1))
    weighed = np.exp(raised - top) * shares
    whole = weighed.sum(axis=1)
    return np.log(whole) + top[:, 0], weighed @ score / whole
