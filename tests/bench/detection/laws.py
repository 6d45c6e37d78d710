"""Laws: what features are drawn from, and what they drift to; none of them is in the project's data."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ATOMS: Final = 2_000
MISSING: Final = 0.01
NUMBERS: Final = 28
CATEGORIES: Final = 12
_SEED: Final = 20_261_125
# Fewer values have no spread of their own, and a spread that moves the mean further is none.
_LEAST_ATOMS: Final = 20
_MOST_MEAN: Final = 0.35


class Law(NamedTuple):
    """A feature's distribution: values and their chances, and the share of rows without one.

    Attributes
    ----------
    is_number : bool
        Otherwise the values are numbers of categories.
    values, chances : ndarray, shape (atoms,), float64
    missing : float
    """

    is_number: bool
    values: Array
    chances: Array
    missing: float = MISSING


def laws() -> list[Law]:
    """40 features: continuous, skewed, heavy-tailed, rounded, mostly zero, two-humped, and categories."""
    rng = np.random.default_rng(_SEED)
    u = (np.arange(ATOMS) + 0.5) / ATOMS
    normal = np.sort(rng.normal(size=ATOMS))
    shapes: list[Callable[[], Array]] = [
        lambda: normal * rng.uniform(0.1, 50) + rng.uniform(-100, 100),
        lambda: -np.log1p(-u) * rng.uniform(1, 1_000),
        lambda: np.exp(normal * rng.uniform(0.3, 1.2)),
        lambda: u * rng.uniform(1, 10),
        lambda: np.floor(np.exp(normal + 2.0)),
        lambda: np.where(u < 0.7, 0.0, -np.log1p(-(u - 0.7) / 0.3) * 100),
        lambda: np.where(u < 0.5, normal[::2].repeat(2)[:ATOMS] * 0.3, 3 + normal * 0.4),
    ]
    found = []
    for i in range(NUMBERS):
        values, rows = np.unique(shapes[i % len(shapes)](), return_counts=True)
        found.append(Law(True, values, rows / ATOMS))
    for _ in range(CATEGORIES):
        drawn: Array = np.sort(rng.dirichlet(np.full(int(rng.integers(2, 15)), 1.0)) + 0.01)[::-1]
        found.append(Law(False, np.arange(len(drawn), dtype=np.float64), drawn / drawn.sum()))
    return found


def moved(law: Law, deviations: float) -> Law | None:
    """All values moved by so many deviations: the support moves, too."""
    return law._replace(values=law.values + deviations * _deviation(law)) if law.is_number else None


def tilted(law: Law, deviations: float) -> Law | None:
    """The exponential tilt whose mean is so many deviations away: the support stays."""
    if not law.is_number:
        return None
    return _tilted(law, _score(law), deviations)


def spread(law: Law, factor: float) -> Law | None:
    """The exponential tilt whose mean square is so many times the variance: the support stays."""
    if not law.is_number or len(law.values) < _LEAST_ATOMS:
        return None
    score = _score(law)
    found = _tilted(law, np.square(score), factor)
    # Of a lopsided law more spread is mostly more mean.
    return None if found is None or abs(found.chances @ score) > _MOST_MEAN else found


def _score(law: Law) -> Array:
    low, high = np.interp([0.01, 0.99], np.cumsum(law.chances), law.values)
    score: Array = np.clip(law.values, low, high)
    score = score - law.chances @ score
    return score / max(float(np.sqrt(law.chances @ np.square(score))), 1e-12)


def _tilted(law: Law, score: Array, mean: float) -> Law | None:
    if score.max() < mean + 0.05:
        return None
    below, above = 0.0, 60.0
    for _ in range(80):
        middle = (below + above) / 2
        weighed = law.chances * np.exp(middle * (score - score.max()))
        below, above = (middle, above) if weighed @ score / weighed.sum() < mean else (below, middle)
    return law._replace(chances=weighed / weighed.sum())


def widened(law: Law, factor: float) -> Law | None:
    """All values that much further from the mean."""
    if not law.is_number:
        return None
    mean = law.chances @ law.values
    return law._replace(values=mean + factor * (law.values - mean))


def gappy(law: Law, share: float) -> Law:
    """More rows without a value."""
    return law._replace(missing=share)


def renewed(law: Law, share: float) -> Law | None:
    """A category nobody has seen, in this share of rows."""
    if law.is_number:
        return None
    return law._replace(values=np.append(law.values, 1e6), chances=np.append(law.chances * (1 - share), share))


def shifted(law: Law, points: float) -> Law | None:
    """From the most frequent category to the second."""
    if law.is_number or law.chances[0] < points + 0.02:
        return None
    chances = law.chances.copy()
    chances[:2] += [-points, points]
    return law._replace(chances=chances)


def rescaled(law: Law, factor: float) -> Law | None:
    """Another unit; of what is mostly zero nothing else changes."""
    if not law.is_number or law.chances[law.values == 0].sum() >= 0.5:
        return None
    return law._replace(values=law.values * factor)


def _deviation(law: Law) -> float:
    return float(np.sqrt(law.chances @ np.square(law.values - law.chances @ law.values)))


Drifts = Mapping[str, Callable[[Law], Law | None]]

DRIFTS: Final[Drifts] = {
    "mean +0.1 sd, tilted": lambda law: tilted(law, 0.1),
    "mean +0.25 sd, tilted": lambda law: tilted(law, 0.25),
    "mean +0.5 sd, tilted": lambda law: tilted(law, 0.5),
    "mean +0.25 sd, moved": lambda law: moved(law, 0.25),
    "deviation x1.25": lambda law: widened(law, 1.25),
    "missing 1 to 5 %": lambda law: gappy(law, 0.05),
    "categories, 10 points": lambda law: shifted(law, 0.1),
    "new category 1 %": lambda law: renewed(law, 0.01),
    "unit x1000": lambda law: rescaled(law, 1_000.0),
}

# Of the open data: the support stays, but for what is new or in another unit.
OPEN_DRIFTS: Final[Drifts] = {
    "mean +0.25 sd, tilted": lambda law: tilted(law, 0.25),
    "mean +0.5 sd, tilted": lambda law: tilted(law, 0.5),
    "missing 1 to 5 %": lambda law: gappy(law, 0.05),
    "unit x1000": lambda law: rescaled(law, 1_000.0),
    "variance x1.5, tilted": lambda law: spread(law, 1.5),
}
OPEN_CATEGORY_DRIFTS: Final[Drifts] = {"new category 1 %": lambda law: renewed(law, 0.01)}
