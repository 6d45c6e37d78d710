import numpy as np

from streamer.core.baseline.sample import SAMPLE_ROWS, RowSample, picked


def sampled(rows: int, block: int, columns: int) -> list[int]:
    """Rows in the sample of a table read in blocks."""
    sample = RowSample(columns)
    held = np.empty(0, np.int64)
    for start in range(0, rows, block):
        chosen = sample.choose(start, min(block, rows - start))
        held = np.concatenate([held, start + chosen])
        keep = sample.thin(last=start + block >= rows)
        held = held if keep is None else held[keep]
        assert sample.rows == len(held)
        assert sample.rows <= 1.13 * sample.size + block
    return sorted(held.tolist())


def test_a_small_table_is_sampled_whole() -> None:
    assert sampled(SAMPLE_ROWS, 7_001, 3) == list(range(SAMPLE_ROWS))


def test_the_sample_does_not_depend_on_blocks() -> None:
    assert sampled(30_000, 1_000, 2_500) == sampled(30_000, 4_321, 2_500)


def test_the_sample_is_even() -> None:
    rows = sampled(1_000_000, 20_000, 1_000)
    assert len(rows) == 5_000
    tenths = np.bincount(np.array(rows) // 100_000)
    assert np.abs(tenths - 500).max() < 100  # 4.7 deviations


def test_very_wide_tables_have_smaller_samples() -> None:
    assert RowSample(10).size == SAMPLE_ROWS
    assert RowSample(1_000).size == 5_000
    assert RowSample(10**6).size == 1_000


def test_picked_cells_are_in_order() -> None:
    assert list(picked(["a", "b", "c"], np.array([0, 2]))) == ["a", "c"]
