import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamer.core.baseline.dispersion import (
    cells_dispersion,
    dispersion_of,
    hour_profile,
    score_dispersion,
    share_dispersion,
    shares_by_time,
    spread_of,
    standardised,
)
from streamer.core.baseline.model import Dispersion, Share
from streamer.core.baseline.timeline import Calendar

DAYS = 28
STEPS = 24 * DAYS
HOURS = np.arange(STEPS) % 24
CALENDAR = Calendar(HOURS, np.arange(STEPS) // 24, DAYS)
# Sixteen cells of equal rows of a standard normal.
EDGES = np.quantile(np.random.default_rng(0).normal(size=200_000), np.arange(1, 16) / 16)


def counted(rng: np.random.Generator, shift: NDArray[np.float64], rows: NDArray[np.int64]) -> NDArray[np.int32]:
    """Rows of each step over the cells, normal about that step's shift."""
    steps = [np.searchsorted(EDGES, rng.normal(s, 1, n)) for s, n in zip(shift, rows, strict=True)]
    return np.array([np.bincount(cells, minlength=16) for cells in steps], np.int32)


def even(rows: int) -> NDArray[np.int64]:
    return np.full(STEPS, rows)


def value_score(by_step: NDArray[np.int32]) -> NDArray[np.float64]:
    found = standardised(np.array([-2.0, *(EDGES[1:] + EDGES[:-1]) / 2, 2.0]), by_step.sum(axis=0, dtype=np.int64))
    assert found is not None
    return found[0]


def summed(score: NDArray[np.float64], by_step: NDArray[np.int32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return by_step @ score, by_step.sum(axis=1).astype(np.float64)


def value_of(by_step: NDArray[np.int32], calendar: Calendar | None = None) -> Dispersion:
    found, _ = score_dispersion(*summed(value_score(by_step), by_step), calendar)
    assert found is not None
    return found


def by_time(by_step: NDArray[np.int32], names: str, calendar: Calendar | None) -> dict[str, Share]:
    return shares_by_time(by_step, cells_dispersion(by_step), names, calendar)


def cells_of(by_step: NDArray[np.int32]) -> Dispersion:
    found = cells_dispersion(by_step)
    assert found is not None
    return found


def test_independent_rows_have_no_dispersion() -> None:
    by_step = counted(np.random.default_rng(1), np.zeros(STEPS), even(100))
    for found in (value_of(by_step), cells_of(by_step)):
        assert found.ratio[:4] == pytest.approx((1.0,) * 4, abs=0.2)
        assert found.rows == (100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800)
        assert found.degrees[0] > 200
        assert found.degrees[-1] < 10


def test_shocks_of_an_hour_count_at_every_length() -> None:
    rng = np.random.default_rng(1)
    found = value_of(counted(rng, rng.normal(0, 0.3, STEPS), even(100)))
    # One and a hundred times .09 over a variance of 1.09.
    assert found.ratio[:5] == pytest.approx((10.0 / 1.09,) * 5, rel=0.25)


def test_shocks_of_a_day_grow_with_the_block() -> None:
    rng = np.random.default_rng(1)
    by_step = counted(rng, rng.normal(0, 0.3, DAYS).repeat(24), even(100))
    ratio = value_of(by_step).ratio
    assert ratio[0] == pytest.approx(9.2, rel=0.4)
    assert ratio[3] == pytest.approx(66, rel=0.5)
    cells = cells_of(by_step).ratio
    assert 1.3 < cells[0] < ratio[0]
    assert cells[3] > 2 * cells[0]


def test_the_hour_of_day_is_taken_out_of_the_value_and_not_of_the_cells() -> None:
    cycle = 0.5 * np.sin(HOURS * math.pi / 12)
    by_step = counted(np.random.default_rng(1), cycle, even(100))
    assert max(value_of(by_step, CALENDAR).ratio[:5]) < 1.3
    assert value_of(by_step).ratio[2] > 20
    assert cells_of(by_step).ratio[2] > 3
    _, profile = score_dispersion(*summed(value_score(by_step), by_step), CALENDAR)
    assert profile == pytest.approx(cycle[:24] / math.sqrt(1.125), abs=0.1)


def test_hours_on_which_days_disagree_are_no_profile() -> None:
    rng = np.random.default_rng(1)
    by_step = counted(rng, rng.normal(0, 0.5, STEPS), even(100))
    _, profile = score_dispersion(*summed(value_score(by_step), by_step), CALENDAR)
    assert np.abs(profile).max() < 0.1


def test_what_a_day_shares_is_no_profile_of_its_hours() -> None:
    # Rows only in the morning of cold days and in the evening of warm ones.
    cold = np.arange(DAYS) % 2 == 0
    rows = np.where(cold.repeat(24) == (HOURS < 12), 50.0, 0.0)
    sums = rows * np.where(cold, -1.0, 1.0).repeat(24)
    assert hour_profile(sums, rows, CALENDAR) == pytest.approx([0.0] * 24)


def test_a_volume_cycle_is_no_heavy_tail() -> None:
    rng = np.random.default_rng(1)
    rows = rng.poisson(100 * (1 + 0.9 * np.sin(HOURS * math.pi / 12)))
    found = value_of(counted(rng, np.zeros(STEPS), rows))
    assert found.degrees[0] > 200
    assert found.ratio[0] == pytest.approx(1.0, abs=0.2)


def test_heavy_tails_lower_the_degrees() -> None:
    rng = np.random.default_rng(1)
    shock = np.where(rng.random(STEPS) < 0.02, 3.0, 0.0)
    found = value_of(counted(rng, shock, even(100)))
    assert found.degrees[0] < 10


def test_spread_under_shocks_of_the_mean_has_few_degrees() -> None:
    rng = np.random.default_rng(1)
    by_step = counted(rng, rng.normal(0, 0.7, STEPS), even(400))
    score = standardised(spread_of(value_score(by_step)), by_step.sum(axis=0, dtype=np.int64))
    assert score is not None
    spread, _ = score_dispersion(*summed(score[0], by_step), CALENDAR)
    assert spread is not None
    assert spread.degrees[0] < value_of(by_step).degrees[0] / 3


def test_empty_steps_say_nothing() -> None:
    rng = np.random.default_rng(1)
    rows = np.where(rng.random(STEPS) < 0.2, 20, 0)
    found = value_of(counted(rng, np.zeros(STEPS), rows))
    assert found.ratio[:4] == pytest.approx((1.0,) * 4, abs=0.25)
    assert found.rows[0] == 20
    assert list(found.rows) == sorted(found.rows)
    assert found.degrees[0] < 200


def test_missing_values_that_come_in_clumps_vary_more() -> None:
    rng = np.random.default_rng(1)
    scattered, clumped = rng.binomial(100, 0.05, STEPS), np.where(rng.random(STEPS) < 0.05, 100, 0)
    alone = share_dispersion(scattered.astype(np.int32), even(100))
    together = share_dispersion(clumped.astype(np.int32), even(100))
    assert alone is not None
    assert together is not None
    assert alone.ratio[0] == pytest.approx(1.0, abs=0.2)
    assert together.ratio[0] == pytest.approx(100.0, rel=0.2)


@pytest.mark.parametrize("hits", [0, 100])
def test_what_no_row_has_or_all_have_does_not_vary(hits: int) -> None:
    assert share_dispersion(np.full(STEPS, hits, np.int32), even(100)) is None


def test_cells_of_a_few_rows_are_left_out() -> None:
    by_step = np.zeros((STEPS, 2), np.int32)
    by_step[:, 0] = 10
    by_step[0, 1] = 29
    assert cells_dispersion(by_step) is None


@pytest.mark.parametrize("rows", [[5] * 7, [5] * 7 + [0] * 50])
def test_too_few_steps_tell_nothing(rows: list[int]) -> None:
    assert dispersion_of(np.zeros(len(rows)), np.array(rows, np.float64)) is None


@given(st.lists(st.tuples(st.floats(-1e300, 1e300), st.integers(0, 2**40)), min_size=1, max_size=30))
def test_a_standardised_score_has_mean_0_and_variance_1(cells: list[tuple[float, int]]) -> None:
    score = np.array([value for value, _ in cells])
    rows = np.array([n for _, n in cells])
    found = standardised(score, rows)
    if found is not None:
        share = rows / rows.sum()
        assert share @ found[0] == pytest.approx(0.0, abs=1e-6)
        assert share @ found[0] ** 2 == pytest.approx(1.0)


@pytest.mark.parametrize(("score", "rows"), [([1.0, 2.0], [0, 0]), ([1.0, 2.0], [0, 5]), ([0.0, 0.0], [5, 5])])
def test_a_score_that_does_not_vary_can_not_be_standardised(score: list[float], rows: list[int]) -> None:
    assert standardised(np.array(score), np.array(rows)) is None


def test_spread_is_cut() -> None:
    assert spread_of(np.array([0.0, 1.0, 2.0, 9.0])).tolist() == [-1.0, 0.0, 3.0, 6.0]


def labels(rng: np.random.Generator, chances: NDArray[np.float64], rows: int = 100) -> NDArray[np.int32]:
    """Rows of each step over three categories and the cell of all others, by each step's chances."""
    return np.array([rng.multinomial(rows, p) for p in chances], np.int32)


def test_a_category_of_some_hours_is_told_with_its_hours_and_without_noise() -> None:
    rng, chances = np.random.default_rng(2), np.tile([0.5, 0.3, 0.2, 0.0], (STEPS, 1))
    chances[HOURS == 5] = [0.1, 0.7, 0.2, 0.0]
    found = by_time(labels(rng, chances), "abc", CALENDAR)
    assert found["b"].by_hour[5] == pytest.approx(0.7, abs=0.03)
    assert found["b"].by_hour[12] == pytest.approx(0.3, abs=0.03)
    assert found["b"].dispersion.ratio[0] == pytest.approx(1.0, abs=0.2)


def test_a_category_whose_days_are_alike_is_told_apart_from_those_that_vary() -> None:
    rng = np.random.default_rng(3)
    up = np.repeat(rng.normal(0, 0.1, DAYS), 24)
    chances = np.stack([0.4 + up.clip(-0.3, 0.3), 0.4 - up.clip(-0.3, 0.3), np.full(STEPS, 0.2)], axis=1)
    found = by_time(labels(rng, np.insert(chances, 3, 0.0, axis=1)), "abc", CALENDAR)
    assert found["c"].dispersion.ratio[:6] == pytest.approx((1.0,) * 6, abs=0.3)
    assert cells_of(labels(rng, np.insert(chances, 3, 0.0, axis=1))).ratio[4] > 10


def test_categories_of_independent_rows_vary_like_all() -> None:
    chances = np.tile([0.5, 0.3, 0.2, 0.0], (STEPS, 1))
    found = by_time(labels(np.random.default_rng(4), chances), "abc", None)
    assert len(found) <= 1
    assert by_time(labels(np.random.default_rng(4), chances)[:3], "abc", CALENDAR) == {}
