"""Sample: rows of a table chosen evenly by their index alone, so that the choice repeats itself."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streamer.core.baseline.distinct import mixed
from streamer.core.rawrows import Cell

SAMPLE_ROWS: Final = 50_000
# Rows times columns held at most; a table of more than 100 columns has a smaller sample.
_SAMPLE_CELLS: Final = 5_000_000
_SEED: Final = np.uint64(0x9E3779B97F4A7C15)


class RowSample:
    """Which rows are in a uniform sample: those with the smallest pseudo-random keys.

    Parameters
    ----------
    columns : int
        Columns of which values are kept.

    Attributes
    ----------
    rows : int
        Rows held; up to an eighth more than the sample's size until they are thinned.
    """

    def __init__(self, columns: int) -> None:
        self.size = min(SAMPLE_ROWS, max(_SAMPLE_CELLS // max(columns, 1), 1_000))
        self._keys = np.empty(0, np.uint64)

    @property
    def rows(self) -> int:
        """Rows held now."""
        return len(self._keys)

    def choose(self, start: int, rows: int) -> NDArray[np.int64]:
        """Rows of a block that enter the sample, as indices into it; the block's first is row ``start``."""
        # Variant 13 leaves 0 at 0: the seed keeps the first row from always being chosen.
        keys = mixed(np.arange(start, start + rows, dtype=np.uint64) * _SEED + _SEED)
        limit = self._keys.max() if len(self._keys) >= self.size else np.iinfo(np.uint64).max
        chosen = np.flatnonzero(keys <= limit)
        self._keys = np.concatenate([self._keys, keys[chosen]])
        return chosen

    def thin(self, *, last: bool = False) -> NDArray[np.bool_] | None:
        """Which of the rows held to keep; ``None``: all of them.

        Parameters
        ----------
        last : bool
            Thin to the size exactly; else only when an eighth more is held.
        """
        if len(self._keys) <= (self.size if last else self.size + self.size // 8):
            return None
        keep = np.zeros(len(self._keys), np.bool_)
        keep[np.argpartition(self._keys, self.size)[: self.size]] = True
        self._keys = self._keys[keep]
        return keep


def picked(cells: Sequence[Cell], chosen: NDArray[np.int64]) -> Sequence[Cell]:
    """Take the chosen cells of a column, in order."""
    return cells if len(chosen) == len(cells) else [cells[i] for i in chosen.tolist()]
