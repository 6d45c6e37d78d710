import numpy as np

from streamer.core.baseline.chunks import BLOCK_ROWS, Chunk, blocks
from streamer.core.baseline.sample import SAMPLE_ROWS
from streamer.core.baseline.survey import Survey, survey_of
from streamer.core.rawrows import Cell
from streamer.core.schema import Kind
from streamer.core.values import lengths_of

ODD: list[Cell] = ["1", " 2.50 ", "3.0", "-4.0", "NA", "nan", "", "inf", "text", "5.", "1e2", "007", "\u00a0", "12\t"]


def surveyed(cells: list[Cell], kinds: dict[str, Kind] | None = None, times: list[int] | None = None) -> Survey:
    return survey_of(blocks([Chunk({"x": cells}, len(cells), times)]), kinds or {}, frozenset())


def test_lengths_of_numbers_written_out_are_those_the_live_side_measures() -> None:
    several: list[list[Cell]] = [ODD, ODD[:6], [1, 2.5, None], ["1", 2, None]]
    for cells in several:
        lengths, _ = lengths_of(cells)
        expected = np.sort(lengths[~np.isnan(lengths)])
        assert surveyed(cells).columns["x"].sample(lengths=True).tolist() == expected.tolist()


def test_few_values_are_all_known_and_many_are_not() -> None:
    x = surveyed([3.0, -0.0, 0.0, 3.0, 1]).columns["x"]
    assert x.few is not None
    assert x.few.tolist() == [0.0, 1.0, 3.0]
    assert surveyed([float(i) for i in range(51)]).columns["x"].few is None


def test_rare_values_beyond_the_sample_are_known() -> None:
    cells: list[Cell] = [1.0] * (SAMPLE_ROWS + BLOCK_ROWS)
    cells[-1] = 2.0
    x = surveyed(cells).columns["x"]
    assert x.few is not None
    assert x.few.tolist() == [1.0, 2.0]


def test_a_table_larger_than_the_sample_says_so() -> None:
    survey = surveyed([1.0] * (SAMPLE_ROWS + 1))
    assert not survey.whole
    assert len(survey.columns["x"].sample(lengths=False)) == SAMPLE_ROWS
    assert surveyed([1.0]).whole


def test_truth_values_and_numbers_are_different_labels() -> None:
    labels = surveyed([True, 1, 1.0, True, False, "1"]).columns["x"].labels
    assert labels == {"true": 2, "1": 3, "false": 1}


def test_a_category_by_order_counts_its_frequent_labels_whatever_else_there_is() -> None:
    cells: list[Cell] = [f"rare {i}" for i in range(50_000)]
    cells[::10] = ["often"] * 5_000
    column = surveyed(cells, {"x": Kind.CATEGORY}).columns["x"]
    assert column.labels is not None
    assert column.labels["often"] == 5_000
    assert len(column.labels) <= 30_000
    assert abs(column.distinct.count() - 45_001) < 0.05 * 45_001


def test_long_labels_of_a_category_by_order_are_not_held() -> None:
    column = surveyed(["a" * 300, "b"], {"x": Kind.CATEGORY}).columns["x"]
    assert column.labels == {"b": 1}
    assert column.distinct.count() == 2


def test_skipped_columns_are_named_and_not_read() -> None:
    survey = survey_of(blocks([Chunk({"x": ["1"], "y": ["1"]}, 1, None)]), {}, frozenset({"x"}))
    assert list(survey.columns) == ["x", "y"]
    assert survey.columns["x"].numbers == 0


def test_times_outside_two_thousand_to_twenty_one_hundred_are_unreadable() -> None:
    survey = surveyed([1, 2, 3, 4], times=[-1, 0, 1_400_000_000_000, 1_500_000_000_000])
    assert (survey.timed, survey.first_at, survey.last_at) == (2, 1_400_000_000_000, 1_500_000_000_000)


def test_a_late_column_is_missing_in_the_rows_before() -> None:
    n = BLOCK_ROWS
    chunks = [Chunk({"x": [1.0] * n}, n, None), Chunk({"x": [1.0] * n, "y": [2.0] * n}, n, None)]
    survey = survey_of(blocks(chunks), {}, frozenset())
    assert len(survey.columns["y"].sample(lengths=False)) == n
