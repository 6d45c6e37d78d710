import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from streamer.core.evidence import chance_z, count_z, shares_z, student_z, variance_ratio_z

stats = pytest.importorskip("scipy.stats", reason="scipy comes with the demo's extra")

degrees = st.floats(1, 1e6)
few = st.floats(0, 1e6)


@pytest.mark.parametrize(("df", "tolerance"), [(3, 0.1), (4, 0.08), (10, 0.04), (30, 0.02), (1e4, 0.001)])
def test_students_t_agrees_with_its_distribution(df: float, tolerance: float) -> None:
    for i in range(1, 201):
        t = i / 10
        exact = float(stats.norm.isf(stats.t.sf(t, df)))
        if math.isfinite(exact):
            assert abs(student_z(t, df) - exact) <= tolerance
            assert t < 2 or student_z(t, df) <= exact


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), degrees)
def test_students_deviations_grow_with_t_and_keep_its_sign(a: float, b: float, df: float) -> None:
    assert student_z(-a, df) == -student_z(a, df)
    assert student_z(a, df) * a >= 0
    if a < b:
        assert student_z(a, df) <= student_z(b, df)


@given(st.floats(0, 1e3, allow_subnormal=False).filter(lambda t: t == 0 or t > 1e-100), degrees, degrees)
def test_fewer_degrees_prove_less(t: float, a: float, b: float) -> None:
    assert student_z(t, min(a, b)) <= student_z(t, max(a, b)) * (1 + 1e-9) <= t * (1 + 1e-9)
    assert student_z(t, math.inf) == t


@pytest.mark.parametrize("under", [3.0, 5.0, 10.0, 100.0, math.inf])
@pytest.mark.parametrize("over", [5.0, 10.0, 20.0, 50.0])
def test_a_variance_ratio_agrees_with_its_distribution(over: float, under: float) -> None:
    for i in range(10, 60):
        ratio = i / 10
        tail = stats.f.sf(ratio, over, under) if math.isfinite(under) else stats.chi2.sf(ratio * over, over)
        exact = float(stats.norm.isf(tail))
        if exact < 6:
            assert abs(variance_ratio_z(ratio, over, under) - exact) <= 0.3


@given(few, few, degrees, st.floats(3, 1e6))
def test_a_larger_variance_ratio_proves_more(a: float, b: float, over: float, under: float) -> None:
    low, high = sorted((a, b))
    assert variance_ratio_z(low, over, under) <= variance_ratio_z(high, over, under) + 1e-9


def test_too_few_degrees_are_taken_as_three_and_no_variance_as_little() -> None:
    assert variance_ratio_z(4.0, 5.0, 0.5) == variance_ratio_z(4.0, 5.0, 3.0)
    assert variance_ratio_z(0.0, 5.0, 10.0) == variance_ratio_z(-1.0, 5.0, 10.0) < 0


rows = st.floats(0.5, 1e12)
shares = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 1.0, 1e-16, 1 - 1e-16]))


@given(rows, shares, rows, shares)
def test_shares_of_any_rows_have_finite_evidence_of_the_right_sign(n: float, p: float, m: float, q: float) -> None:
    live, past = n * p, m * q
    z = shares_z(live, n, past, m)
    assert math.isfinite(z)
    assert z * (live / n - past / m) >= 0


@given(rows, rows)
def test_all_and_nothing_of_both_are_no_evidence(n: float, m: float) -> None:
    assert shares_z(0.0, n, 0.0, m) == 0
    assert shares_z(n, n, m, m) == pytest.approx(0, abs=1e-3)


def test_a_whisker_of_a_row_lost_to_rounding_is_no_evidence_and_no_failure() -> None:
    assert shares_z(1 - 2**-53, 1.0, 1e6, 1e6) == pytest.approx(0, abs=1e-3)
    assert shares_z(1 + 2**-52, 1.0, 1e6, 1e6) == pytest.approx(0, abs=1e-3)


@given(st.integers(1, 10**6), st.integers(1, 10**6), st.data())
def test_exchanging_the_two_shares_turns_the_sign(n: int, m: int, data: st.DataObject) -> None:
    live, past = data.draw(st.integers(0, n)), data.draw(st.integers(0, m))
    assert shares_z(live, n, past, m) == pytest.approx(-shares_z(past, m, live, n), abs=1e-3)


@given(st.integers(1, 10**4), st.integers(1, 10**4), st.data())
def test_more_rows_that_have_it_prove_more(n: int, m: int, data: st.DataObject) -> None:
    past = data.draw(st.integers(0, m))
    live = data.draw(st.integers(0, n - 1))
    assert shares_z(live, n, past, m) <= shares_z(live + 1, n, past, m) + 1e-3


@pytest.mark.parametrize(("live", "n", "past", "m"), [(30, 100, 200, 1000), (0, 50, 300, 1000), (9, 400, 10, 4000)])
def test_the_squared_evidence_of_shares_is_the_deviance_of_their_table(live: int, n: int, past: int, m: int) -> None:
    table = [[live, n - live], [past, m - past]]
    deviance = stats.chi2_contingency(table, correction=False, lambda_="log-likelihood")[0]
    assert shares_z(live, n, past, m) ** 2 == pytest.approx(deviance)


@pytest.mark.parametrize(("count", "expected"), [(5, 1), (30, 10), (100, 50), (1000, 900), (50, 100), (3, 20), (0, 30)])
def test_a_count_agrees_with_poisson(count: int, expected: float) -> None:
    # Between "so many or beyond" and "beyond so many": a count is whole, a deviation is not.
    sign = 1 if count > expected else -1
    tail = stats.poisson.sf if sign > 0 else stats.poisson.cdf
    with_it, beyond = sorted(float(stats.norm.isf(tail(k, expected))) for k in (count - 1, count))
    assert with_it - 0.01 <= sign * count_z(count, expected) <= beyond + 0.01


@given(few, few, st.floats(1e-6, 1e6))
def test_a_larger_count_proves_more_and_the_sign_is_its_side(a: float, b: float, expected: float) -> None:
    low, high = sorted((a, b))
    assert count_z(low, expected) <= count_z(high, expected) + 1e-3
    assert count_z(high, expected) * (high - expected) >= 0
    assert count_z(expected, expected) == 0


@pytest.mark.parametrize("surprise", [1.1, 1.5, 2, 3, 5, 10, 12.5, 50, 300, 700])
def test_a_chance_agrees_with_the_normal_distribution(surprise: float) -> None:
    exact = float(stats.norm.isf(math.exp(-surprise) / 2))
    assert abs(chance_z(surprise) - exact) <= 0.03
    assert surprise < 2 or chance_z(surprise) <= exact


@given(st.floats(-10, 1e6), st.floats(-10, 1e6))
def test_less_chance_proves_more(a: float, b: float) -> None:
    assume(abs(a - b) > 1e-9)
    assert 0 <= chance_z(min(a, b)) <= chance_z(max(a, b))
