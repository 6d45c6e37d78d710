import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.core.baseline import chunks as chunking
from streamer.core.baseline.build import BuildOptions, Chunk, build
from streamer.core.baseline.model import Baseline, FeatureBaseline, decode, encode
from streamer.core.decode.sides import SideReader
from streamer.core.errors import BaselineError
from streamer.core.layout import Layout
from streamer.core.profile import profile_of
from streamer.core.rawrows import Cell
from streamer.core.schema import Kind, Side
from streamer.core.settings import Limits
from tests.strategies import START, cells

HOUR = 3_600_000


def table(columns: Mapping[str, Sequence[Cell]], times: Sequence[int] | None = None) -> Chunk:
    return Chunk(columns, len(next(iter(columns.values()))), times)


def built(
    columns: Mapping[str, Sequence[Cell]], times: Sequence[int] | None = None, options: BuildOptions | None = None
) -> Baseline:
    return build(lambda: [table(columns, times)], options or BuildOptions())


def feature(values: Sequence[Cell], kind: Kind | None = None) -> FeatureBaseline:
    return built({"x": values}, None, BuildOptions(kinds={} if kind is None else {"x": kind})).features[0]


@st.composite
def tables(draw: st.DrawFn) -> dict[str, list[Cell]]:
    """Columns of anything: numbers, few labels, junk, mixtures."""
    n = draw(st.integers(1, 60))
    value = st.one_of(
        cells, st.floats(), st.integers(-3, 3), st.booleans(), st.none(), st.sampled_from(["a", "b", "1", "2.0"])
    )
    narrow = st.lists(value, min_size=1, max_size=3).flatmap(st.sampled_from)
    column = st.one_of(
        st.lists(st.floats(), min_size=n, max_size=n),
        st.lists(value, min_size=n, max_size=n),
        st.lists(narrow, min_size=n, max_size=n),
    )
    return {f"c{i}": draw(column) for i in range(draw(st.integers(1, 4)))}


@given(tables())
def test_a_baseline_counts_its_own_rows_as_the_live_side_does(columns: dict[str, list[Cell]]) -> None:
    baseline = built(columns)
    layout = Layout(baseline)
    reader = SideReader(baseline.schema, Side.INPUT, "", Limits())
    rows = list(zip(*columns.values(), strict=True))
    live = profile_of(layout, {Side.INPUT: reader.from_rows([(i, [list(row)]) for i, row in enumerate(rows)])})
    for own in layout.features:
        counts = live.counts[own.start : own.stop]
        assert counts.tolist() == layout.baseline_counts(own).tolist()


@given(tables())
def test_a_baseline_is_sound_and_round_trips(columns: dict[str, list[Cell]]) -> None:
    baseline = built(columns)
    assert decode(encode(baseline)) == baseline
    assert [f.feature.name for f in baseline.features] == list(columns)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(100, 5_000), min_size=1, max_size=4), st.integers(0, 2**32))
def test_chunks_do_not_matter(sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 12_000
    columns: dict[str, list[Cell]] = {
        "x": rng.normal(1e6, 1e-3, n).tolist(),
        "text": [("long " * (i % 7)) + str(i) for i in range(n)],
        "label": rng.choice(["a", "b", "c"], n).tolist(),
    }
    times = (START + np.arange(n) * 60_000).tolist()

    def pieces() -> list[Chunk]:
        found, first = [], 0
        while first < n:
            for size in sizes:
                last = min(first + size, n)
                part = {name: column[first:last] for name, column in columns.items()}
                found.append(Chunk(part, last - first, times[first:last]))
                first = last
        return found

    assert encode(build(pieces, BuildOptions())) == encode(built(columns, times))


def test_moments_extremes_and_quantiles_are_those_of_the_values() -> None:
    values = np.random.default_rng(3).lognormal(0, 2, 45_001)
    f = feature(values.tolist())
    assert f.mean == pytest.approx(values.mean(), rel=1e-12)
    assert f.deviation == pytest.approx(values.std(), rel=1e-12)
    assert (f.minimum, f.maximum) == (values.min(), values.max())
    assert f.quantiles[3] == np.sort(values)[22_500]
    assert f.distinct == pytest.approx(45_001, rel=0.04)
    assert len(f.counts) == 24


def test_small_differences_of_large_values_are_not_lost() -> None:
    values = [1e9 + i / 1000 for i in range(1000)]
    f = feature(values)
    assert f.deviation == pytest.approx(0.288675, rel=1e-4)
    assert f.unit == 2.0**-10


@pytest.mark.parametrize("value", [5.0, -0.1, 0.0, 1e300, 5e-324])
def test_a_constant_has_no_deviation(value: float) -> None:
    f = feature([value] * 25_003)
    assert (f.mean, f.deviation, f.minimum, f.maximum) == (value, 0.0, value, value)
    assert (f.edges, f.counts, f.distinct) == ((), (25_003,), 1)


def test_the_largest_numbers_overflow_nothing() -> None:
    big = 1.7976931348623157e308
    f = feature([big, -big, 1e300, 1.0, 0.0] * 100)
    assert f.mean is not None
    assert math.isfinite(f.mean)
    assert f.deviation == pytest.approx(big * math.sqrt(0.4))


def test_junk_among_numbers_is_mistyped() -> None:
    f = feature([1.5, 2.5] * 100 + ["inf", None])
    assert (f.feature.kind, f.missing, f.mistyped) == (Kind.NUMERIC, 1, 1)


def test_texts_are_summarised_by_their_length() -> None:
    f = feature(["a" * i for i in range(1, 41)] + [""])
    assert (f.feature.kind, f.minimum, f.maximum, f.missing, f.distinct) == (Kind.TEXT, 1, 40, 1, 40)


def test_texts_longer_than_the_live_side_measures_are_cut() -> None:
    assert feature(["x" * 70_000, "y"], Kind.TEXT).maximum == 65_536


def test_booleans_know_both_values_in_every_spelling() -> None:
    f = feature(["true", "True", "TRUE", "false"] * 5 + [None])
    assert f.feature.values == ("true", "false")
    assert (f.counts, f.missing, f.distinct) == ((15, 5), 1, 2)


def test_zeros_and_ones_are_booleans_if_the_user_says_so() -> None:
    f = feature(["0", "1", "1"] * 9, Kind.BOOLEAN)
    assert (f.feature.values, f.counts) == (("1", "0"), (18, 9))


def test_rare_categories_share_a_cell() -> None:
    f = feature(["a"] * 20 + ["b"] * 10 + ["c"] * 2 + [None] * 3)
    assert (f.feature.values, f.counts, f.other, f.missing) == (("a", "b", "c"), (20, 10), 2, 3)


def test_categories_beyond_the_most_frequent_thousand_are_others() -> None:
    labels = [f"{i:04}" for i in range(1_200)] * 2
    f = feature(labels, Kind.CATEGORY)
    assert (len(f.feature.values), f.counts, f.other, f.distinct) == (1_000, (), 2_400, 1_200)


def test_a_column_without_values_keeps_its_place() -> None:
    f = built({"x": [None, ""], "y": [1, 2]}).features[0]
    assert (f.feature.name, f.feature.kind, f.feature.values, f.missing) == ("x", Kind.CATEGORY, (), 2)


def test_a_text_column_by_order_needs_a_value() -> None:
    with pytest.raises(BaselineError, match="'x' holds no text value"):
        feature([None, ""], Kind.TEXT)


def test_values_too_rare_for_the_sample_are_still_counted() -> None:
    cells: list[Cell] = [None] * 60_000
    cells[::60_000] = [7.5]
    f = feature(cells)
    assert (f.counts, f.minimum, f.maximum, f.missing) == ((1,), 7.5, 7.5, 59_999)


def test_outputs_are_told_apart() -> None:
    baseline = built({"score": [1, 2], "x": [1, 2]}, None, BuildOptions(outputs=("score",)))
    assert [(f.feature.name, f.feature.side) for f in baseline.features] == [("x", Side.INPUT), ("score", Side.OUTPUT)]


def test_without_times_nothing_is_known_of_how_rows_hang_together() -> None:
    baseline = built({"x": [1.5, 2.5]})
    assert baseline.timeline is None
    assert baseline.features[0].dispersion == {}


def test_with_times_every_score_has_its_dispersion() -> None:
    rng = np.random.default_rng(5)
    n = 24 * 28 * 20
    times = (START + np.sort(rng.integers(0, 28 * 24 * HOUR, n))).tolist()
    hour = (np.array(times) // HOUR) % 24
    x = rng.normal(np.sin(hour * math.pi / 12), 1, n)
    x[rng.random(n) < 0.05] = math.nan
    columns = {"x": x.tolist(), "k": rng.choice(list("abc"), n).tolist(), "t": times}
    baseline = built(columns, times, BuildOptions(time_column="t"))
    number, label = baseline.features
    assert baseline.timeline is not None
    assert sum(baseline.timeline.volume) == n
    assert list(number.dispersion) == ["value", "rank", "spread", "rank spread", "missing", "cells"]
    assert list(label.dispersion) == ["value", "cells"]
    # The hour explains a third of the variance, and what it explains is no noise.
    assert number.dispersion["value"].ratio[0] == pytest.approx(2 / 3, abs=0.1)
    assert set(number.scores_by_hour) == {"value", "rank", "spread", "rank spread"}
    # In deviations of the values: their mean swings by 1, their deviation is the root of 1.5.
    assert number.hour_profile[6] == pytest.approx(1 / math.sqrt(1.5), abs=0.1)
    assert number.hour_profile[18] == pytest.approx(-1 / math.sqrt(1.5), abs=0.1)


@pytest.mark.parametrize("span", [0, 6_000])
def test_a_handful_of_steps_tells_no_dispersion_and_that_can_be_seen(span: int) -> None:
    baseline = built({"x": [1.5, 2.5, 3.5] * 9}, [START] * 26 + [START + span])
    assert baseline.timeline is not None
    assert baseline.timeline.steps == 1 + span // 1_000
    assert baseline.features[0].dispersion == {}


def test_a_row_without_a_readable_time_counts_in_no_step() -> None:
    times = [START + i * HOUR for i in range(199)] + [-1]
    baseline = built({"x": [1.5] * 200}, times)
    assert baseline.timeline is not None
    assert (baseline.rows, sum(baseline.timeline.volume)) == (200, 199)


def test_a_block_without_a_readable_time_counts_in_no_step() -> None:
    n = chunking.BLOCK_ROWS
    baseline = built({"x": [1.5] * (n + 1)}, [*(START + np.arange(n) * 1_000).tolist(), -1])
    assert baseline.timeline is not None
    assert (baseline.rows, sum(baseline.timeline.volume)) == (n + 1, n)


def test_rows_in_no_order_of_time_are_counted_alike() -> None:
    rng = np.random.default_rng(5)
    n = 2_000
    times = START + rng.integers(0, 400 * 24 * HOUR, n)
    x = rng.normal(size=n)
    order = np.argsort(times, kind="stable")
    mixed = built({"x": x.tolist()}, times.tolist()).features[0]
    sorted_ = built({"x": x[order].tolist()}, times[order].tolist()).features[0]
    assert mixed.dispersion == sorted_.dispersion


def test_a_table_that_changes_between_its_two_readings_is_refused() -> None:
    readings = iter([[table({"x": [1, 2]})], [table({"x": [1, 2, 3]})]])
    with pytest.raises(BaselineError, match="had 2 rows at first and 3 later"):
        build(lambda: next(readings), BuildOptions())


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (BuildOptions(time_column="t"), "no times were read from column 't'"),
        (BuildOptions(step_seconds=0), "a step is at least 1 second"),
        (BuildOptions(time_zone="Mars"), "no time zone 'Mars'"),
        (BuildOptions(outputs=("y",)), "output: no column 'y'"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: BuildOptions, says: str) -> None:
    with pytest.raises(BaselineError, match=says):
        built({"x": [1, 2], "t": [1, 2]}, None, options)


def test_a_table_without_rows_is_refused() -> None:
    with pytest.raises(BaselineError, match="no rows"):
        build(list, BuildOptions())


def test_memory_for_rows_is_bounded_by_the_block() -> None:
    def pieces() -> list[Chunk]:
        return [table({"x": [float(i)] * 1_000}) for i in range(100)]

    sizes = [block.rows for block in chunking.blocks(pieces())]
    assert max(sizes) == chunking.BLOCK_ROWS
    assert build(pieces, BuildOptions()).rows == 100_000
