import math
from collections.abc import Callable

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamer.core.baseline.model import Baseline, Dispersion, FeatureBaseline
from streamer.core.columns import MISSING, UNSEEN, Columns
from streamer.core.distances import Distances, chi_of, distances_of, hellinger, jensen_shannon, psi_of
from streamer.core.layout import Layout
from streamer.core.profile import Profile, profile_of
from streamer.core.schema import Side
from tests.strategies import baseline, baselines, category, number, trained_on

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
ALONE = np.array([0])
SQUARES = pytest.mark.parametrize("squared", [jensen_shannon, hellinger])


def of(feature: FeatureBaseline, values: list[float] | Floats) -> Distances:
    layout = Layout(baseline(feature))
    columns = Columns(
        np.array([values], np.float64), None, np.empty((0, len(values)), np.int32), np.arange(len(values))
    )
    found = all_of(layout, profile_of(layout, {Side.INPUT: columns}))[0]
    assert found is not None
    return found


def of_codes(feature: FeatureBaseline, codes: list[int]) -> Distances:
    layout = Layout(baseline(feature))
    columns = Columns(np.empty((0, len(codes))), None, np.array([codes], np.int32), np.arange(len(codes)))
    found = all_of(layout, profile_of(layout, {Side.INPUT: columns}))[0]
    assert found is not None
    return found


def all_of(layout: Layout, profile: Profile) -> list[Distances | None]:
    compared = layout.compared
    return distances_of(compared, compared.cells(profile.counts), profile.sums, profile.extremes)


def reached(values: Floats, at: Floats) -> Floats:
    """Distribution function of some values."""
    return np.searchsorted(np.sort(values), at, "right") / len(values)


def one(
    psi_or_chi: Callable[[Ints, Ints, Ints, Ints], Floats], live: list[int] | Ints, past: list[int] | Ints
) -> float:
    feature = np.zeros(len(live), np.int64)
    return float(psi_or_chi(np.asarray(live), np.asarray(past), ALONE, feature)[0])


counts = st.lists(st.integers(0, 1000), min_size=2, max_size=30).filter(any)
shares = counts.map(lambda rows: np.array(rows) / sum(rows))
same_length = st.integers(2, 12).flatmap(
    lambda n: st.tuples(
        *[st.lists(st.integers(0, 100), min_size=n, max_size=n).filter(any).map(lambda c: np.array(c) / sum(c))] * 3
    )
)


@given(same_length)
def test_jensen_shannon_is_its_direct_formula(laws: tuple[Floats, Floats, Floats]) -> None:
    p, q, _ = laws
    m = (p + q) / 2
    direct = sum(float((law[law > 0] * np.log2(law[law > 0] / m[law > 0])).sum()) / 2 for law in (p, q))
    assert jensen_shannon(p, q, ALONE)[0] == pytest.approx(direct, abs=1e-12)


@given(same_length)
def test_hellinger_is_its_direct_formula(laws: tuple[Floats, Floats, Floats]) -> None:
    p, q, _ = laws
    assert hellinger(p, q, ALONE)[0] == pytest.approx(1 - np.sqrt(p * q).sum(), abs=1e-12)


@SQUARES
@given(laws=same_length)
def test_a_root_of_a_square_is_a_metric_up_to_1(
    squared: Callable[[Floats, Floats, Ints], Floats], laws: tuple[Floats, Floats, Floats]
) -> None:
    p, q, r = laws
    there, back = squared(p, q, ALONE)[0], squared(q, p, ALONE)[0]
    assert there == pytest.approx(back, abs=1e-15)
    assert 0 <= there <= 1 + 1e-12
    assert math.sqrt(there) <= math.sqrt(squared(p, r, ALONE)[0]) + math.sqrt(squared(r, q, ALONE)[0]) + 1e-9


@SQUARES
@given(rows=counts, times=st.integers(1, 1000))
def test_the_same_shares_are_nothing_apart_to_the_last_bit(
    squared: Callable[[Floats, Floats, Ints], Floats], rows: list[int], times: int
) -> None:
    p = np.array(rows) / sum(rows)
    q = np.array(rows) * times / (sum(rows) * times)
    assert squared(p, q, ALONE)[0] == 0.0


@SQUARES
def test_laws_without_a_common_value_are_1_apart(squared: Callable[[Floats, Floats, Ints], Floats]) -> None:
    p, q = np.array([0.5, 0.5, 0.0, 0.0]), np.array([0.0, 0.0, 0.25, 0.75])
    assert squared(p, q, ALONE)[0] == pytest.approx(1.0, abs=1e-12)


@SQUARES
@given(laws=same_length, more=st.floats(0, 1), less=st.floats(0, 1))
def test_the_more_of_the_baseline_is_mixed_in_the_nearer(
    squared: Callable[[Floats, Floats, Ints], Floats], laws: tuple[Floats, Floats, Floats], more: float, less: float
) -> None:
    p, q, _ = laws
    less, more = sorted((less, more))
    near = squared((1 - more) * p + more * q, q, ALONE)[0]
    assert near <= squared((1 - less) * p + less * q, q, ALONE)[0] + 1e-12


@given(st.lists(st.integers(0, 500), min_size=2, max_size=20).filter(any), st.integers(0, 10**6))
def test_psi_is_its_direct_formula_less_its_noise(rows: list[int], seed: int) -> None:
    live = np.array(rows)
    past = np.random.default_rng(seed).integers(1, 1000, len(rows))
    k, n, m = len(rows), live.sum(), past.sum()
    p, q = (live + 0.5) / (n + k / 2), (past + 0.5) / (m + k / 2)
    noise = (k - 1) * (n / (n + k / 2) ** 2 + m / (m + k / 2) ** 2)
    assert one(psi_of, live, past) == pytest.approx(((p - q) * np.log(p / q)).sum() - noise, abs=1e-12)


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=2, max_size=20))
def test_chi_is_the_sum_of_squares_over_what_is_expected(table: list[tuple[int, int]]) -> None:
    live, past = np.array(table).T
    n, m = live.sum(), past.sum()
    used = (live + past) > 0
    chi, deviance, degrees = chi_of(live, past, ALONE, np.zeros(len(live), np.int64))
    assert degrees[0] == used.sum() - 1
    if n and m and degrees[0] > 0:
        expected = (live + past)[used] * np.array([[n], [m]]) / (n + m)
        direct = (np.square(np.array([live, past])[:, used] - expected) / expected).sum()
        assert chi[0] / (1 / n + 1 / m) * degrees[0] == pytest.approx(direct)
        seen = np.array([live, past])[:, used]
        ratio = 2 * (seen * np.log(np.where(seen > 0, seen / expected, 1.0))).sum()
        assert deviance[0] / (1 / n + 1 / m) * degrees[0] == pytest.approx(ratio, abs=1e-6)


def test_psi_has_mean_zero_when_nothing_changed_whatever_the_size_of_the_window() -> None:
    rng = np.random.default_rng(7)
    for n in (50, 300, 3000):
        found = [one(psi_of, rng.multinomial(n, [0.05] * 20), rng.multinomial(5000, [0.05] * 20)) for _ in range(400)]
        spread = math.sqrt(2 * 19) * (1 / n + 1 / 5000)
        assert abs(np.mean(found)) < spread / 3


def test_chi_square_has_mean_one_when_nothing_changed() -> None:
    rng = np.random.default_rng(8)
    found = [of(number("x", rows=5000), rng.uniform(0, 10, 300)).chi_square or 0.0 for _ in range(300)]
    # The baseline is as even as no sample is, so that its own noise of 6 % is missing.
    assert np.mean(found) == pytest.approx(1 / 1.06, abs=0.08)


@pytest.mark.parametrize(("rows", "chance"), [(100, 0.12), (400, 0.06), (3000, 0.022)])
def test_jensen_shannon_and_hellinger_are_near_0_when_nothing_changed(rows: int, chance: float) -> None:
    rng = np.random.default_rng(9)
    feature = number("x", rows=5000)
    found = [of(feature, rng.uniform(0, 10, rows)) for _ in range(200)]
    # Without its noise taken off each would be about ``chance``.
    assert math.sqrt(9 / (8 * rows * math.log(2))) > chance
    assert np.mean([d.js for d in found]) < 0.6 * chance
    assert np.mean([d.hellinger for d in found]) < 0.6 * chance


def test_the_squares_have_mean_zero_when_nothing_changed() -> None:
    rng = np.random.default_rng(10)
    even = np.full(20, 0.05)
    for squared, unit in ((jensen_shannon, 8 * math.log(2)), (hellinger, 8.0)):
        for n in (200, 2000):
            of_samples = [
                squared(rng.multinomial(n, even) / n, rng.multinomial(5000, even) / 5000, ALONE)[0] for _ in range(400)
            ]
            noise = 19 * (1 / n + 1 / 5000) / unit
            assert np.mean(of_samples) == pytest.approx(noise, rel=0.06)


def test_cells_that_vary_together_in_the_baseline_weaken_chi_square() -> None:
    stormy = Dispersion(rows=(100.0, 200.0, 400.0), ratio=(400.0, 400.0, 400.0), degrees=(20.0, 20.0, 20.0))
    values = np.random.default_rng(1).uniform(0, 9, 400)
    calm = of(number("x", rows=10_000), values)
    weak = of(msgspec.structs.replace(number("x", rows=10_000), dispersion={"cells": stormy}), values)
    assert calm.chi_square is not None
    assert weak.chi_square == pytest.approx(calm.chi_square / 400)
    assert weak.chi_square_degrees == calm.chi_square_degrees == 9


values = st.floats(-1000, 1000).map(lambda v: round(v, 3))
several = st.lists(values, min_size=2, max_size=60).filter(lambda rows: max(rows) > min(rows))


def test_a_constant_baseline_has_no_deviation_to_measure_in() -> None:
    constant = msgspec.structs.replace(
        number("x", rows=500), minimum=3.0, maximum=3.0, mean=3.0, deviation=0.0, edges=(), counts=(500,), distinct=1
    )
    same, other = of(constant, [3.0] * 200), of(constant, [4.0] * 200)
    assert (same.wasserstein, same.js, same.hellinger, same.l_infinity_simple) == (None, 0.0, 0.0, 0.0)
    assert (other.wasserstein, other.l_infinity_simple) == (None, 1.0)
    assert other.js > 0.99
    # What is folded into one cell can't be told apart there.
    assert (other.chi_square, other.chi_square_degrees, other.ks) == (None, 0, 0.0)


@given(several, st.lists(values, min_size=1, max_size=60), st.integers(1, 12))
def test_simple_is_the_largest_difference_of_distribution_functions_but_for_one_cell(
    past: list[float], rows: list[float], k: int
) -> None:
    feature, live = trained_on(past, k), np.array(rows)
    every = np.unique(np.concatenate([live, past]))
    true = np.abs(reached(live, every) - reached(np.array(past), every)).max()
    p = np.bincount(np.searchsorted(feature.edges, live), minlength=len(feature.counts)) / len(live)
    hidden = np.minimum(p, np.array(feature.counts) / feature.rows).max()
    found = of(feature, live).l_infinity_simple
    assert true - hidden - 1e-12 <= found <= true + 1e-12


def test_robust_is_simple_less_what_chance_gives_in_1_of_330_pairs() -> None:
    values = np.random.default_rng(6).uniform(0, 6, 500)
    found = of(number("x", rows=10_000), values)
    assert found.l_infinity_simple == pytest.approx(0.4, abs=0.01)
    assert found.l_infinity_robust == pytest.approx(found.l_infinity_simple - 1.8 * math.sqrt(10_500 / 5_000_000))
    assert of(number("x", rows=10_000), values[:5]).l_infinity_robust == 0.0


def test_categories_are_as_far_apart_as_the_share_that_differs_most() -> None:
    feature = category("k", "abcd", rows=1000)
    found = of_codes(feature, [0] * 40 + [1] * 20 + [2] * 20 + [3] * 20 + [MISSING] * 50)
    assert found.l_infinity_simple == pytest.approx(0.15)
    assert (found.ks, found.wasserstein) == (None, None)
    assert of_codes(feature, [UNSEEN] * 60 + [0, 1, 2, 3] * 10).l_infinity_simple == pytest.approx(0.6)


def test_unseen_categories_are_apart_from_rare_ones() -> None:
    feature = category("k", "abcd", rows=1000)
    rare, unseen = of_codes(feature, [0, 1, 2, 3] * 50), of_codes(feature, [0, 1, 2, UNSEEN] * 50)
    assert rare.js == 0.0
    assert unseen.js > 0.3


def test_ks_is_the_largest_difference_at_the_inner_cuts() -> None:
    assert of(number("x", rows=1000), [9.5] * 10).ks == pytest.approx(0.9)


def test_without_a_value_on_either_side_there_is_no_distance() -> None:
    empty = msgspec.structs.replace(number("y", rows=1000), missing=1000, counts=(0,) * 10)
    layout = Layout(baseline(number("x"), empty))
    numbers = np.array([[math.nan, math.nan], [1.0, 2.0]])
    columns = Columns(numbers, None, np.empty((0, 2), np.int32), np.arange(2))
    assert all_of(layout, profile_of(layout, {Side.INPUT: columns})) == [None, None]


def profile_in(layout: Layout, seed: int, most: int) -> Profile:
    """Any profile a layout can hold, whether or not rows could give it."""
    rng = np.random.default_rng(seed)
    profile = Profile.empty(layout)
    profile.counts += rng.integers(0, most + 1, layout.size) * rng.integers(0, 2, layout.size)
    for f in layout.features:
        if f.is_number:
            n = int(profile.counts[f.start : f.stop - 2].sum())
            profile.sums[0, f.number] = int(rng.integers(-(2**17), 2**17)) * n
            profile.extremes[:, f.number] = np.sort(rng.uniform(-1, 1, 2) * 1e308)
    return profile


@given(baselines(), st.integers(0, 2**32), st.sampled_from([1, 3, 1000, 10**9]))
def test_whatever_the_baseline_and_the_window_hold_distances_are_finite_and_in_their_bounds(
    trained: Baseline, seed: int, most: int
) -> None:
    layout = Layout(trained)
    for found in all_of(layout, profile_in(layout, seed, most)):
        if found is None:
            continue
        assert all(math.isfinite(value) for value in found if value is not None)
        assert 0 <= found.js <= 1 + 1e-9
        assert 0 <= found.hellinger <= 1 + 1e-9
        assert 0 <= found.l_infinity_robust <= found.l_infinity_simple <= 1
        assert found.ks is None or 0 <= found.ks <= found.l_infinity_simple
        assert found.wasserstein is None or found.wasserstein >= 0
        assert (found.chi_square is None) == (found.chi_square_degrees == 0)


@given(baselines(), st.integers(0, 2**32))
def test_a_feature_among_others_is_as_far_as_alone(trained: Baseline, seed: int) -> None:
    layout = Layout(trained)
    profile = profile_in(layout, seed, 100)
    for f, found in zip(layout.features, all_of(layout, profile), strict=True):
        own = Layout(Baseline(rows=trained.rows, features=(f.baseline,)))
        alone = Profile.empty(own)
        alone.counts[:] = profile.counts[f.start : f.stop]
        if f.is_number:
            alone.sums[:, 0], alone.extremes[:, 0] = profile.sums[:, f.number], profile.extremes[:, f.number]
        expected = all_of(own, alone)[0]
        assert (found is None) == (expected is None)
        if found is not None and expected is not None:
            for a, b in zip(found, expected, strict=True):
                assert a == b if a is None or b is None else a == pytest.approx(b, rel=1e-9, abs=1e-9)
