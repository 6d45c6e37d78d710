"""Different cells: which columns of a table hold another value in every row, as ids do."""

from collections.abc import Iterable, Iterator
from typing import Final

from streamer.core.baseline.chunks import Chunk
from streamer.core.baseline.model import Baseline
from streamer.core.schema import Kind

# In fewer rows a measurement may never repeat.
LEAST_ROWS: Final = 1_000
_SHARE: Final = 0.95


class Different:
    """Which columns never repeat a cell, as far as a look at each chunk for itself tells."""

    def __init__(self) -> None:
        self._repeats: dict[str, bool] = {}

    def noted(self, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
        """The same chunks, their cells noted as they go by."""
        for chunk in chunks:
            for name, cells in chunk.columns.items():
                if not self._repeats.get(name):
                    self._repeats[name] = len(set(cells)) < chunk.rows
            yield chunk

    def ids(self, baseline: Baseline) -> list[str]:
        """Features that may be ids: texts or whole numbers that are different in every row."""
        if baseline.rows <= LEAST_ROWS:
            return []
        return [
            f.feature.name
            for f in baseline.features
            if not self._repeats.get(f.feature.name, True)
            # Of a text its lengths are told apart, not the texts.
            and (
                f.feature.kind is Kind.TEXT
                or (f.feature.kind is Kind.INTEGER and f.distinct >= _SHARE * (baseline.rows - f.missing))
            )
        ]
