"""Sources: what a feature's values are drawn from hour by hour, and how one feature drifts."""

from collections.abc import Callable
from functools import cache
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from tests.bench.detection.laws import ATOMS, MISSING

Array = NDArray[np.float64]
States = NDArray[np.int64]

# Moves of the mean a law is tilted to, in deviations.
STEP: Final = 0.02
_MOST_MOVE: Final = 3.0
_MOVES: Final = np.arange(-round(_MOST_MOVE / STEP), round(_MOST_MOVE / STEP) + 1) * STEP
STILL: Final = len(_MOVES) // 2
_ZEROS: Final = 0.6
_SHAPES: Final = 3
_FACTOR: Final = 1_000.0


class Source(Protocol):
    """A law that stands in one of several states, which is another one every hour."""

    @property
    def extremes(self) -> tuple[float, ...]:
        """Values any long baseline holds, whatever its states."""
        ...

    def drawn(self, states: States, rng: np.random.Generator) -> Array:
        """A value of each row, whose state is given, shape (rows,)."""
        ...

    def chances(self, cuts: Array, states: States) -> Array:
        """Chances of the cells between ascending cuts, the last one infinite, shape (states, cuts)."""
        ...

    def shifted(self, states: States, deviations: float) -> tuple["Source", States]:
        """The same with its mean so many deviations up."""
        ...

    def rescaled(self, factor: float) -> "Source":
        """The same in another unit."""
        ...


class Tilting(NamedTuple):
    """A law whose states are exponential tilts: the mean moves, the support stays.

    Attributes
    ----------
    values : ndarray, shape (atoms,), float64, ascending
    table : ndarray, shape (states, atoms), float64
        Chances; state ``STILL`` has not moved, and the next one has by ``STEP`` deviations more.
    """

    values: Array
    table: Array

    @property
    def extremes(self) -> tuple[float, ...]:
        return float(self.values[0]), float(self.values[-1])

    def drawn(self, states: States, rng: np.random.Generator) -> Array:
        chance = rng.random(len(states))
        found = np.empty(len(states))
        for state in np.unique(states).tolist():
            rows = states == state
            atom = np.cumsum(self.table[state]).searchsorted(chance[rows], side="right")
            found[rows] = self.values[np.minimum(atom, len(self.values) - 1)]
        return found

    def chances(self, cuts: Array, states: States) -> Array:
        cells, first = np.unique(np.searchsorted(cuts, self.values), return_index=True)
        found = np.zeros((len(states), len(cuts)))
        found[:, cells] = np.add.reduceat(self.table[states], first, axis=1)
        return found

    def shifted(self, states: States, deviations: float) -> tuple[Source, States]:
        return self, np.clip(states + round(deviations / STEP), 0, len(self.table) - 1)

    def rescaled(self, factor: float) -> Source:
        return self._replace(values=self.values * factor)


class Recorded(NamedTuple):
    """A series: all rows of an hour share its value, and the hours are the states.

    Attributes
    ----------
    values : ndarray, shape (hours,), float64
    """

    values: Array

    @property
    def extremes(self) -> tuple[float, ...]:
        return ()

    def drawn(self, states: States, rng: np.random.Generator) -> Array:
        found: Array = self.values[states]
        return found

    def chances(self, cuts: Array, states: States) -> Array:
        found = np.zeros((len(states), len(cuts)))
        found[np.arange(len(states)), np.searchsorted(cuts, self.values[states])] = 1.0
        return found

    def shifted(self, states: States, deviations: float) -> tuple[Source, States]:
        return Recorded(self.values + deviations * self.values.std()), states

    def rescaled(self, factor: float) -> Source:
        return Recorded(self.values * factor)


@cache
def shapes() -> tuple[Tilting, ...]:
    """Normal, exponential and mostly zero."""
    rng = np.random.default_rng(20_261_128)
    u = (np.arange(ATOMS) + 0.5) / ATOMS
    beyond = np.maximum(u - _ZEROS, 0.0) / (1 - _ZEROS)
    several = (np.sort(rng.normal(size=ATOMS)), -np.log1p(-u), -np.log1p(-beyond))
    return tuple(_tilting(values) for values in several)


def _tilting(column: Array) -> Tilting:
    values, rows = np.unique(column, return_counts=True)
    shares = rows / len(column)
    low, high = np.interp([0.005, 0.995], np.cumsum(shares), values)
    score = np.clip(values, low, high)
    score = score - shares @ score
    score /= np.sqrt(shares @ np.square(score))
    # From all at the lowest value to all at the highest: the mean is monotone in between.
    thetas = np.sinh(np.linspace(-4, 4, 2_001))
    means = np.array([_tilted(shares, score, theta) @ score for theta in thetas])
    wanted = np.interp(_MOVES, means, thetas)
    wanted[STILL] = 0.0
    return Tilting(values, np.stack([_tilted(shares, score, theta) for theta in wanted]))


def _tilted(shares: Array, score: Array, theta: float) -> Array:
    raised = theta * score
    weighed: Array = shares * np.exp(raised - raised.max())
    weighed /= weighed.sum()
    return weighed


class Feature(NamedTuple):
    """What one feature does over some hours.

    Attributes
    ----------
    source : Source
    states : ndarray, shape (hours,), int64
    missing : float
        Share of rows without a value.
    """

    source: Source
    states: States
    missing: float = MISSING

    def counts(
        self, cuts: Array, hours: States, rows: NDArray[np.int64], rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """Rows in each cell, then those without a value and those mistyped.

        Parameters
        ----------
        cuts : ndarray, shape (cells,), float64
        hours : ndarray, shape (panes,), int64
            Which each pane is in.
        rows : ndarray, shape (panes,), int64
            Of each pane.

        Returns
        -------
        ndarray, shape (panes, cells + 2), int64
        """
        # A feature that does not move has one state.
        states, of_pane = np.unique(self.states[hours], return_inverse=True)
        table = np.zeros((len(states), len(cuts) + 2))
        table[:, :-2] = self.source.chances(cuts, states) * (1 - self.missing)
        table[:, -2] = self.missing
        found: NDArray[np.int64] = rng.multinomial(rows, table[of_pane])
        return found


def independent(shape: int, hours: int) -> Feature:
    """A feature that never moves."""
    return Feature(shapes()[shape % _SHAPES], np.full(hours, STILL, np.int64))


def moving(shape: int, moves: Array) -> Feature:
    """A feature whose mean is moved by so many deviations in each hour."""
    states = np.clip(np.rint(moves / STEP), -STILL, STILL).astype(np.int64) + STILL
    return Feature(shapes()[shape % _SHAPES], states)


def _shifted(feature: Feature, deviations: float) -> Feature:
    source, states = feature.source.shifted(feature.states, deviations)
    return feature._replace(source=source, states=states)


DRIFTS: Final[dict[str, Callable[[Feature], Feature]]] = {
    "mean +0.25 sd": lambda feature: _shifted(feature, 0.25),
    "mean +1 sd": lambda feature: _shifted(feature, 1.0),
    "mean +2 sd": lambda feature: _shifted(feature, 2.0),
    "missing 1 to 5 %": lambda feature: feature._replace(missing=0.05),
    "unit x1000": lambda feature: feature._replace(source=feature.source.rescaled(_FACTOR)),
}
