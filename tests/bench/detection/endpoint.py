"""Endpoint: a baseline of rows drawn from laws, and panes drawn from the same or others."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streamer.core.baseline.build import BuildOptions, Chunk, build
from streamer.core.layout import FeatureCells, Layout
from streamer.core.schema import Side
from tests.bench.detection.laws import Law


class Endpoint:
    """What an endpoint with a baseline of its own sees.

    Parameters
    ----------
    laws : sequence of Law
        Of its features.
    rows : int
        Of the baseline.
    rng : numpy.random.Generator
        Draws everything.
    """

    def __init__(self, laws: Sequence[Law], rows: int, rng: np.random.Generator) -> None:
        self.laws = list(laws)
        self._rng = rng
        columns = {f"f{i:02d}": _column(law, rows, rng) for i, law in enumerate(laws)}
        self.layout = Layout(build(lambda: [Chunk(columns=columns, rows=rows, event_at=None)], BuildOptions()))
        self.usual = [self.chances(i, law) for i, law in enumerate(self.laws)]

    def chances(self, feature: int, law: Law) -> NDArray[np.float64]:
        """Chances of a feature's cells under a law, shape (cells,)."""
        cells = self.layout.features[feature]
        found = np.zeros(cells.stop - cells.start)
        np.add.at(found, self._cell(cells, law), law.chances * (1 - law.missing))
        found[-2 if cells.is_number else -1] += law.missing
        whole: NDArray[np.float64] = found / found.sum()
        return whole

    def _cell(self, cells: FeatureCells, law: Law) -> NDArray[np.int64]:
        side = self.layout.sides[Side.INPUT]
        if cells.is_number:
            return np.searchsorted(side.edges[cells.number - side.first], law.values, side="left")
        names = {value: at for at, value in enumerate(cells.baseline.feature.values)}
        codes = [names.get(_name(value), -2) for value in law.values.tolist()]
        return side.category_cells[cells.row][codes]

    def panes(self, chances: Sequence[NDArray[np.float64]], count: int, rows: int) -> NDArray[np.int64]:
        """Counts of so many panes, shape (count, layout.size)."""
        drawn = np.zeros((count, self.layout.size), np.int64)
        for cells, p in zip(self.layout.features, chances, strict=True):
            drawn[:, cells.start : cells.stop] = self._rng.multinomial(rows, p, count)
        return drawn


def _column(law: Law, rows: int, rng: np.random.Generator) -> list[str | float | None]:
    drawn = law.values[rng.choice(len(law.values), rows, p=law.chances)]
    absent = rng.random(rows) < law.missing
    cells: list[str | float] = drawn.tolist() if law.is_number else [_name(value) for value in drawn.tolist()]
    return [None if gone else cell for gone, cell in zip(absent.tolist(), cells, strict=True)]


def _name(value: float) -> str:
    return f"c{value:.0f}"
