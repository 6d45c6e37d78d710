from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from streamer.core.baseline.chunks import BLOCK_ROWS, Chunk, blocks

ROWS = 2 * BLOCK_ROWS + 7


def cut(sizes: list[int]) -> Iterator[Chunk]:
    """Rows 0 to ROWS in chunks of these sizes, again and again; the last one shorter."""
    first = 0
    while first < ROWS:
        for size in sizes:
            last = min(first + size, ROWS)
            yield Chunk({"x": list(range(first, last))}, last - first, list(range(first, last)))
            first = last


@given(st.lists(st.integers(0, 3 * BLOCK_ROWS), min_size=1, max_size=3).filter(lambda sizes: sum(sizes) > 2_000))
def test_blocks_do_not_depend_on_chunks(sizes: list[int]) -> None:
    found = list(blocks(cut(sizes)))
    assert [(block.start, block.rows) for block in found] == [
        (0, BLOCK_ROWS),
        (BLOCK_ROWS, BLOCK_ROWS),
        (2 * BLOCK_ROWS, 7),
    ]
    for block in found:
        assert list(block.columns["x"]) == list(range(block.start, block.start + block.rows))
        assert block.event_at is not None
        assert block.event_at.tolist() == list(block.columns["x"])


def test_a_chunk_of_a_whole_block_is_not_copied() -> None:
    cells = [0] * BLOCK_ROWS
    (block,) = blocks([Chunk({"x": cells}, BLOCK_ROWS, None)])
    assert block.columns["x"] is cells


def test_a_column_that_appears_late_has_no_values_before() -> None:
    (block,) = blocks([Chunk({"x": [1]}, 1, None), Chunk({"y": [2]}, 1, None)])
    assert {name: list(cells) for name, cells in block.columns.items()} == {"x": [1, None], "y": [None, 2]}


def test_rows_of_a_chunk_without_times_are_untimed_among_others() -> None:
    (block,) = blocks([Chunk({"x": [1]}, 1, None), Chunk({"x": [1]}, 1, [5])])
    assert block.event_at is not None
    assert block.event_at.tolist() == [-1, 5]


def test_a_table_without_rows_has_no_blocks() -> None:
    assert list(blocks([Chunk({"x": []}, 0, None)])) == []
