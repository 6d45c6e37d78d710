"""Dispersion: how much blocks of a baseline's own time vary, against independent rows.

Records of one hour share its weather, so the sum of a score over a block of rows varies more than
that of as many independent rows, and the longer the block, the more so. A score is a number for
each cell of a feature with mean 0 and variance 1 over the baseline's rows.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streamer.core.baseline.model import Dispersion, Share
from streamer.core.baseline.timeline import Calendar

# Fewer steps hold too few blocks of any length.
LEAST_STEPS: Final = 8
# The longest blocks: the baseline holds so many of them.
LONGEST: Final = 4
# Overlapping blocks are worth so many times the separate ones.
_OVERLAP: Final = 1.3
# One-against-the-rest of a cell with fewer rows in or out of it is mostly chance.
_CELL_ROWS: Final = 30
# A category that varies by this factor more or less than all do in the mean, as sure as that, or whose
# share differs so much between hours, is told by itself.
_OTHERWISE: Final = 1.25
_SURE_DEGREES: Final = 30
_LEAST_POINTS: Final = 0.05
# Squares of scores are cut here, so that one far value is not the whole spread.
_MOST_SPREAD: Final = 6.0
_LEAST: Final = 1e-6
_LEAST_RANK: Final = 1e-4
_NORMAL: Final = NormalDist()
# Hours whose missing shares differ by less are alike.
_LEAST_SHARE = 0.001


def short(values: NDArray[np.float64]) -> tuple[float, ...]:
    """Numbers to six digits: more are chance, and a person reads the file."""
    return tuple(float(f"{value:.6g}") for value in values.tolist())


def standardised(score: NDArray[np.float64], rows: NDArray[np.int64]) -> tuple[NDArray[np.float64], float] | None:
    """A score with mean 0 and variance 1 over some rows.

    Parameters
    ----------
    score : ndarray, shape (cells,), float64
        Any number for each cell.
    rows : ndarray, shape (cells,), int64
        Rows in each cell.

    Returns
    -------
    score : ndarray, shape (cells,), float64
    deviation : float
        What it was divided by.
    None
        The rows all have one score.
    """
    total = int(rows.sum())
    if not total:
        return None
    share = rows / total
    used = rows > 0
    size = float(np.abs(score[used]).max())
    if size == 0.0:
        return None
    scaled = np.divide(score, size, out=np.zeros(len(score)), where=used)
    centred = scaled - share @ scaled
    variance = float(share @ np.square(centred))
    if variance <= _LEAST**2:
        return None
    deviation = variance**0.5
    return centred / deviation, deviation * size


def ranks_of(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Normal score of each cell's middle rank: far values weigh no more than their order tells.

    References
    ----------
    B. L. van der Waerden (1952), "Order tests for the two-sample problem and their power",
    Indagationes Mathematicae 14.
    """
    total = max(float(counts.sum()), 1.0)
    middle = np.clip((np.cumsum(counts) - counts / 2) / total, _LEAST_RANK, 1 - _LEAST_RANK)
    return np.array([_NORMAL.inv_cdf(share) for share in middle.tolist()])


def spread_of(score: NDArray[np.float64]) -> NDArray[np.float64]:
    """The score of a change of spread, from a standardised one: its square less 1, cut."""
    spread: NDArray[np.float64] = np.clip(np.square(score) - 1, -1.0, _MOST_SPREAD)
    return spread


def score_dispersion(
    sums: NDArray[np.float64], rows: NDArray[np.float64], calendar: Calendar | None
) -> tuple[Dispersion | None, NDArray[np.float64]]:
    """Dispersion of a standardised score, its hour-of-day profile taken out, and that profile.

    Parameters
    ----------
    sums : ndarray, shape (steps,), float64
        Of the score, over each step's rows; its mean over all rows is 0.
    rows : ndarray, shape (steps,), float64
        Rows with a value.
    calendar : Calendar or None
        ``None``: no profile.

    Returns
    -------
    dispersion : Dispersion or None
    profile : ndarray, shape (24,) or (0,), float64
        Mean score by local hour less the mean, shrunk towards 0.
    """
    if calendar is None:
        return dispersion_of(sums, rows), np.empty(0)
    profile = hour_profile(sums, rows, calendar)
    return dispersion_of(sums - rows * profile[calendar.hour], rows), profile


def day_dispersion(sums: NDArray[np.float64], rows: NDArray[np.float64], calendar: Calendar) -> Dispersion | None:
    """Dispersion of a score over whole local days, their hours included; parameters as of ``score_dispersion``.

    Where the hour tells what a value is, this is all that shows whether the hours themselves moved.
    """
    whole = calendar.day >= 0
    days = calendar.day[whole]
    of_day: NDArray[np.float64] = np.bincount(days, sums[whole], calendar.days).astype(np.float64)
    return dispersion_of(of_day, np.bincount(days, rows[whole], calendar.days).astype(np.float64))


def share_dispersion(hits: NDArray[np.int32], rows: NDArray[np.int64]) -> Dispersion | None:
    """Dispersion of whether a row has something; ``None``: all rows have it, or none.

    Parameters
    ----------
    hits, rows : ndarray, shape (steps,)
        Rows that have it, and all rows.
    """
    share = float(hits.sum()) / max(float(rows.sum()), 1.0)
    if not 0 < share < 1:
        return None
    return dispersion_of((hits - rows * share) / np.sqrt(share * (1 - share)), rows.astype(np.float64))


def shares_by_time(
    by_step: NDArray[np.int32], together: Dispersion | None, names: Sequence[str], calendar: Calendar | None
) -> dict[str, Share]:
    """Dispersion and hours of the categories that vary otherwise than all do in the mean.

    Parameters
    ----------
    by_step : ndarray, shape (steps, cells), int32
        Rows with a value; the last cell is that of all other categories.
    together : Dispersion or None
        That of all cells: see ``cells_dispersion``.
    names : sequence of str
        Of the categories.
    calendar : Calendar or None
        ``None``: shares are the same at every hour.
    """
    if together is None:
        return {}
    rows, inside = by_step.sum(axis=1, dtype=np.int64), by_step.sum(axis=0, dtype=np.int64)
    enough = np.flatnonzero((inside >= _CELL_ROWS) & (rows.sum() - inside >= _CELL_ROWS))
    usual, found = np.maximum(together.ratio, 1.0), {}
    for cell in enough[enough < len(names)].tolist():
        dispersion, by_hour = missing_dispersion(by_step[:, cell].astype(np.int64), rows, calendar)
        if dispersion is None:
            continue
        sure = np.array(dispersion.degrees) >= _SURE_DEGREES
        factor = np.maximum(dispersion.ratio, 1.0) / usual
        otherwise = sure & ((factor > _OTHERWISE) | (factor < 1 / _OTHERWISE))
        if otherwise.any() or np.ptp(by_hour or (0.0,)) > _LEAST_POINTS:
            found[names[cell]] = Share(dispersion, by_hour)
    return found


def missing_dispersion(
    hits: NDArray[np.int64], rows: NDArray[np.int64], calendar: Calendar | None
) -> tuple[Dispersion | None, tuple[float, ...]]:
    """Dispersion of missing values net of their hour of day, and their share by hour.

    Parameters
    ----------
    hits, rows : ndarray, shape (steps,)
        Rows without a usable value, and all rows.
    calendar : Calendar or None
        ``None``: the share is the same at every hour.

    Returns
    -------
    dispersion : Dispersion or None
        ``None``: all rows have a value, or none.
    by_hour : tuple of float
        24 shares, shrunk to the whole's by what the days disagree on; empty where no hour differs.
    """
    share = float(hits.sum()) / max(float(rows.sum()), 1.0)
    if not 0 < share < 1:
        return None, ()
    size = math.sqrt(share * (1 - share))
    of_step = rows.astype(np.float64)
    sums = (hits - of_step * share) / size
    if calendar is None:
        return dispersion_of(sums, of_step), ()
    profile = hour_profile(sums, of_step, calendar)
    by_hour = np.clip(share + profile * size, 0.0, 1.0)
    known = short(by_hour) if np.abs(by_hour - share).max() > _LEAST_SHARE else ()
    return dispersion_of(sums - of_step * profile[calendar.hour], of_step), known


def cells_dispersion(by_step: NDArray[np.int32]) -> Dispersion | None:
    """Dispersion of a feature's cells: how much larger a chi-square over them is than with independent rows.

    The mean over cells of the dispersion of one cell against the rest, weighted with the share of
    the rest, as the chi-square weights them. Degrees are as if all cells erred together: the least of
    them alone would be the chance kurtosis of one rare cell.

    Parameters
    ----------
    by_step : ndarray, shape (steps, cells), int32
        Rows with a value.

    References
    ----------
    J. N. K. Rao, A. J. Scott (1981), "The analysis of categorical data from complex sample surveys:
    chi-squared tests for goodness of fit and independence in two-way tables", Journal of the
    American Statistical Association 76 (the first-order correction); F. E. Satterthwaite (1946), "An
    approximate distribution of estimates of variance components", Biometrics Bulletin 2.
    """
    rows = by_step.sum(axis=1, dtype=np.int64)
    total = int(rows.sum())
    inside = by_step.sum(axis=0, dtype=np.int64)
    enough = np.flatnonzero((inside >= _CELL_ROWS) & (total - inside >= _CELL_ROWS))
    found = [(share_dispersion(by_step[:, cell], rows), 1 - inside[cell] / total) for cell in enough.tolist()]
    several = [(dispersion, weight) for dispersion, weight in found if dispersion is not None]
    if not several:
        return None
    weights = np.array([weight for _, weight in several])
    ratios = np.array([dispersion.ratio for dispersion, _ in several]) * (weights / weights.sum())[:, None]
    errors = np.sqrt([dispersion.degrees for dispersion, _ in several])
    return Dispersion(
        rows=several[0][0].rows,
        ratio=short(ratios.sum(axis=0)),
        degrees=short(np.square(ratios.sum(axis=0) / (ratios / errors).sum(axis=0))),
    )


def dispersion_of(sums: NDArray[np.float64], rows: NDArray[np.float64]) -> Dispersion | None:
    """How block sums of a score vary, by length of block; ``None`` with too few steps.

    Blocks without a row say nothing and are left out.

    Parameters
    ----------
    sums : ndarray, shape (steps,), float64
        Sum of the score over each step's rows; the mean over all rows is 0.
    rows : ndarray, shape (steps,), float64
        Rows of each step.

    References
    ----------
    design: ``detection.md`` 8.1 and 8.4, points 1 to 3 (a block's squared sum is divided by its own
    records before its kurtosis is taken).
    """
    steps = len(rows)
    if steps < LEAST_STEPS or np.count_nonzero(rows) < LEAST_STEPS:
        return None
    sum_before, rows_before = np.append(0.0, np.cumsum(sums)), np.append(0.0, np.cumsum(rows))
    levels: list[tuple[float, float, float]] = []
    length = 1
    while length <= steps // LONGEST:
        hop = max(length // 4, 1)
        in_block = rows_before[length::hop] - rows_before[:-length:hop]
        used = in_block > 0
        in_block = in_block[used]
        squares = np.square((sum_before[length::hop] - sum_before[:-length:hop])[used]) / in_block
        separate = separate_blocks(steps, length) * used.mean()
        mean = float(squares.mean())
        kurtosis = squares.var() / max(mean, 1e-30) ** 2 - 2
        # Beyond what so few blocks of normal sums would show by chance.
        excess = max(float(kurtosis - np.sqrt(24 / separate)), _LEAST)
        degrees = 1 / (1 / separate + 1 / (4 + 6 / excess))
        levels.append((float(in_block.mean()), max(mean / (1 - length / steps), _LEAST), degrees))
        length *= 2
    by_length = np.array(levels).T
    return Dispersion(
        rows=short(np.maximum.accumulate(by_length[0])), ratio=short(by_length[1]), degrees=short(by_length[2])
    )


def denser(ratio: NDArray[np.float64], factor: float) -> NDArray[np.float64]:
    """Variance ratios of blocks with so many times the rows: what shocks add to independent rows grows with them."""
    found: NDArray[np.float64] = np.where(ratio > 1, 1 + (ratio - 1) * factor, ratio)
    return found


def separate_blocks(steps: int, length: int) -> float:
    """How many separate blocks of a length the overlapping ones in so many steps are worth."""
    return (_OVERLAP if length > 3 else 1.0) * steps / length


def hour_profile(sums: NDArray[np.float64], rows: NDArray[np.float64], calendar: Calendar) -> NDArray[np.float64]:
    """Mean score by hour of day, shape (24,), shrunk to 0 by what the days disagree on.

    Contrasts are taken inside each whole local day, so that what a day's rows share cancels.

    Parameters
    ----------
    sums, rows : ndarray, shape (steps,), float64
        As in ``dispersion_of``.
    calendar : Calendar
        Local hour and day of each step.

    References
    ----------
    W. James, C. Stein (1961), "Estimation with quadratic loss"; design: ``detection.md`` 8.1.
    """
    whole = calendar.day >= 0
    place = calendar.day[whole] * 24 + calendar.hour[whole]
    of_hour = np.bincount(place, rows[whole], calendar.days * 24).reshape(-1, 24)
    contrast = np.bincount(place, sums[whole], calendar.days * 24).reshape(-1, 24)
    of_day = of_hour.sum(axis=1)
    contrast -= of_hour * (contrast.sum(axis=1) / np.maximum(of_day, 1.0))[:, None]
    total = np.maximum(of_hour.sum(axis=0), 1.0)
    mean: NDArray[np.float64] = contrast.sum(axis=0) / total
    days = np.count_nonzero(of_hour, axis=0)
    apart = np.square(contrast - of_hour * mean).sum(axis=0) / total**2
    # Days with a single one of them say nothing of how days disagree: as if all of it were chance.
    noise = np.where(days > 1, apart * days / np.maximum(days - 1, 1), np.square(mean))
    weight = total / total.sum()
    signal = float(weight @ np.square(mean))
    shrunk = min(max(1 - float(weight @ noise) / max(signal, 1e-30), 0.0), 1.0)
    return mean * shrunk
