"""Chunks: the rows of a table as they come, and the blocks of fixed size that are computed on."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.core.rawrows import Cell
from streamer.core.values import numbers_of

# Float sums depend on where they are split. Blocks are always this long, so that chunks do not matter.
BLOCK_ROWS: Final = 20_000


class Chunk(NamedTuple):
    """Some rows of a table, column by column.

    Attributes
    ----------
    columns : mapping of str to sequence of cell
        Raw cells by column name, in table order; a column that is absent here has no values here.
    rows : int
        Rows; the length of every column.
    event_at : sequence of int, or ndarray of int64, or None
        Event time of each row in milliseconds since the epoch, -1 where it can't be read; ``None``:
        the table has no times.
    """

    columns: Mapping[str, Sequence[Cell]]
    rows: int
    event_at: Sequence[int] | NDArray[np.int64] | None


class Block(NamedTuple):
    """Consecutive rows of a table: ``BLOCK_ROWS`` of them, fewer at the end.

    Attributes
    ----------
    columns : dict of str to sequence of cell
        Every column seen so far, in order of first appearance.
    start : int
        Index of its first row in the table.
    rows : int
        Rows.
    event_at : ndarray, shape (rows,), int64, or None
        As in ``Chunk``.
    """

    columns: dict[str, Sequence[Cell]]
    start: int
    rows: int
    event_at: NDArray[np.int64] | None


def blocks(chunks: Iterable[Chunk]) -> Iterator[Block]:
    """Cut chunks of any size into blocks.

    Yields
    ------
    Block
        The same ones however the table was cut into chunks; none for a table without rows.
    """
    names: dict[str, None] = {}
    held: list[Chunk] = []
    start = rows = 0
    for chunk in chunks:
        names.update(dict.fromkeys(chunk.columns))
        held.append(chunk)
        rows += chunk.rows
        if rows < BLOCK_ROWS:
            continue
        block = _joined(list(names), held, start)
        whole = rows // BLOCK_ROWS * BLOCK_ROWS
        for first in range(0, whole, BLOCK_ROWS):
            yield _between(block, first, first + BLOCK_ROWS)
        rest = _between(block, whole, rows)
        held = [Chunk(rest.columns, rest.rows, rest.event_at)] if rest.rows else []
        start, rows = start + whole, rest.rows
    if rows:
        yield _joined(list(names), held, start)


def without(cells: Sequence[Cell], missing: tuple[float, ...]) -> Sequence[Cell]:
    """Cells of a column of numbers, ``None`` for those that stand for a missing value."""
    if not missing:
        return cells
    marked = np.isin(numbers_of(cells)[0], missing)
    return (
        [None if gone else cell for cell, gone in zip(cells, marked.tolist(), strict=True)] if marked.any() else cells
    )


def _joined(names: list[str], chunks: list[Chunk], start: int) -> Block:
    rows = sum(chunk.rows for chunk in chunks)
    event_at = None
    if any(chunk.event_at is not None for chunk in chunks):
        event_at = np.concatenate([_times(chunk) for chunk in chunks])
    if len(chunks) == 1:
        (chunk,) = chunks
        absent = [None] * rows
        return Block({name: chunk.columns.get(name, absent) for name in names}, start, rows, event_at)
    columns: dict[str, Sequence[Cell]] = {}
    for name in names:
        cells: list[Cell] = []
        for chunk in chunks:
            cells.extend(chunk.columns.get(name, [None] * chunk.rows))
        columns[name] = cells
    return Block(columns, start, rows, event_at)


def _times(chunk: Chunk) -> NDArray[np.int64]:
    return np.full(chunk.rows, -1, np.int64) if chunk.event_at is None else np.asarray(chunk.event_at, np.int64)


def _between(block: Block, first: int, last: int) -> Block:
    if first == 0 and last == block.rows:
        return block
    event_at = None if block.event_at is None else block.event_at[first:last]
    columns = {name: cells[first:last] for name, cells in block.columns.items()}
    return Block(columns, block.start + first, last - first, event_at)
