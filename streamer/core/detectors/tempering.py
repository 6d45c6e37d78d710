"""Tempering: how much less a row is worth for an alternative, as rows of one hour share its weather.

An alternative of natural parameter theta accuses when ``(theta * S - n * psi) / phi`` exceeds a level
c on some stretch of n rows. Under no change the sums of blocks stay below the envelope that the
baseline's own blocks show, so phi is the least number at which the line stays above it, at every
length of block. A shared shock counts only at the lengths at which the alternative decides:
features without shocks keep phi = 1 beside others that have them.

References
----------
design: ``detection.md`` 8.1 (the rule) and 8.4, points 1 to 4 (degrees of freedom, growth).
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streamer.core.baseline.dispersion import denser
from streamer.core.baseline.model import Dispersion, growth_of

# The envelope is carried on to blocks of so many days, at the growth measured.
_REACH_SECONDS: Final = 7 * 86_400
# Part of the logarithm of a block's length by which it may be the more probable: with all of it, alerts on the
# recorded series were half as many again; with a tenth, a drift of .25 sd under hourly jitter took a fifth longer.
_RARER: Final = 0.2


def student_square(level: NDArray[np.float64] | float, degrees: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Squared deviations at which minus the log density of Student's law has risen by a level.

    Parameters
    ----------
    level : array or float
        In nats, not negative.
    degrees : array or float
        Of freedom; infinite gives the normal law's ``2 * level``.

    Examples
    --------
    >>> float(student_square(2.0, math.inf)), round(float(student_square(2.0, 10.0)), 2)
    (4.0, 4.39)
    """
    nu = np.asarray(degrees, np.float64)
    finite = np.where(np.isinf(nu), 1.0, nu)
    # Few degrees and a high level overflow: such a direction proves nothing, whatever the number.
    raised = finite * np.expm1(np.minimum(2 * level / (finite + 1), 50.0))
    return np.where(np.isinf(nu), 2 * level, raised)


def levels_of(dispersion: Dispersion, step_seconds: int) -> NDArray[np.float64]:
    """Rows, variance ratio and degrees of freedom by length of block, carried on to a week.

    Parameters
    ----------
    dispersion : Dispersion
        Of one score; that of independent rows has no lengths.
    step_seconds : int
        Length of the baseline's steps.

    Returns
    -------
    ndarray, shape (3, lengths), float64
    """
    levels = [list(level) for level in zip(dispersion.rows, dispersion.ratio, dispersion.degrees, strict=True)]
    if not levels:
        return np.empty((3, 0))
    growth = growth_of(dispersion.ratio)
    length = float(step_seconds * 2 ** (len(levels) - 1))
    while length < _REACH_SECONDS:
        rows, ratio, degrees = levels[-1]
        longer = min(2.0, _REACH_SECONDS / length)
        levels.append([longer * rows, growth ** math.log2(longer) * ratio, degrees])
        length *= longer
    return np.array(levels).T


def at_density(levels: NDArray[np.float64], density: float) -> NDArray[np.float64]:
    """The same of traffic that has so many times the baseline's rows in a step, shape (3, lengths)."""
    rows, ratio, degrees = levels
    return np.array([rows * density, denser(ratio, density), degrees])


def envelope_of(levels: NDArray[np.float64], nats: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far block sums of a score go under no change, shape (lengths,).

    Parameters
    ----------
    levels : ndarray, shape (3, lengths), float64
        As ``levels_of`` gives them.
    nats : ndarray, shape (lengths,), float64
        How improbable: see ``nats_of``.
    """
    rows, ratio, degrees = levels
    envelope: NDArray[np.float64] = np.sqrt(student_square(nats, degrees) * ratio * rows)
    return envelope


def spread_envelope_of(levels: NDArray[np.float64], nats: NDArray[np.float64], curvature: float) -> NDArray[np.float64]:
    """How far block sums of a spread's score are carried by shocks of the mean alone, shape (lengths,).

    A shared shock y of the mean moves the mean square by y**2. Shocks of a usual size are part of the
    baseline's spread; the law of their squares has a longer tail than that of block sums.

    Parameters
    ----------
    levels : ndarray, shape (3, lengths), float64
        Of the value's score.
    nats : ndarray, shape (lengths,), float64
        As for ``envelope_of``.
    curvature : float
        Mean of the spread's score under a shock of the mean, over the shock squared.
    """
    _, ratio, degrees = levels
    envelope: NDArray[np.float64] = curvature * (student_square(nats, degrees) - 1) * np.maximum(ratio - 1, 0.0)
    return envelope


def nats_of(level: float, levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """How improbable a block must be to be outside the envelope: the longer they are, the fewer there are of them.

    Parameters
    ----------
    level : float
        For blocks of one step.
    levels : ndarray, shape (3, lengths), float64
        Each length is twice the one before.
    """
    nats: NDArray[np.float64] = level - _RARER * math.log(2) * np.arange(levels.shape[1], dtype=np.float64)
    found: NDArray[np.float64] = np.maximum(nats, 0.0)
    return found


def tempering(
    theta: NDArray[np.float64],
    loss: NDArray[np.float64],
    rows: NDArray[np.float64],
    envelope: NDArray[np.float64],
    level: float,
) -> NDArray[np.float64]:
    """The least phi, at least 1, that keeps an alternative's line over the envelope.

    Parameters
    ----------
    theta : ndarray, shape (alternatives,), float64
        Size of the natural parameter, net of the tolerance.
    loss : ndarray, shape (alternatives,), float64
        Nats a row takes away under no change.
    rows, envelope : ndarray, shape (lengths,) or (alternatives, lengths), float64
        Of blocks, and how far the sums of such go.
    level : float
        Nats at which the alternative alone would raise the alarm.
    """
    if not len(rows):
        return np.ones(len(theta))
    needed: NDArray[np.float64] = ((theta[:, None] * envelope - loss[:, None] * rows) / level).max(axis=1)
    return np.maximum(1.0, needed)


def error_of(levels: NDArray[np.float64], rows: int, kappa: float) -> float:
    """Error of the baseline's mean score, ``kappa`` standard errors at infinite degrees of freedom.

    Parameters
    ----------
    levels : ndarray, shape (3, lengths), float64
        As ``levels_of`` gives them.
    rows : int
        The baseline has with this score.
    kappa : float
        How sure one wants to be.
    """
    if not levels.shape[1]:
        return kappa / math.sqrt(rows)
    _, ratio, degrees = levels
    return math.sqrt(float(student_square(kappa**2 / 2, degrees[-1])) * max(float(ratio[-1]), 1.0) / rows)
