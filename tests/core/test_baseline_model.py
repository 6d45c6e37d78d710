import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.baseline.model import (
    INDEPENDENT,
    Baseline,
    Dispersion,
    FeatureBaseline,
    Timeline,
    check,
    decode,
    encode,
)
from streamer.core.errors import BaselineError
from streamer.core.schema import Side
from tests.strategies import baseline, baselines, category, json_texts, number

TIMELINE = Timeline(
    column="at", start_at=0, end_at=1, step_seconds=60, steps=1, time_zone="UTC", volume_start_at=0, volume=(1,)
)


def replaced(f: FeatureBaseline, **fields: object) -> FeatureBaseline:
    return msgspec.structs.replace(f, **fields)


@given(baselines())
def test_what_is_written_is_read_back_under_the_same_id(b: Baseline) -> None:
    again = decode(encode(b))
    assert again == b
    assert again.id == b.id
    assert encode(again) == encode(b)


@given(baselines(), baselines())
def test_baselines_with_one_id_are_equal(a: Baseline, b: Baseline) -> None:
    assert (a.id == b.id) == (a == b)


@given(baselines())
def test_a_list_of_numbers_stands_on_one_line(b: Baseline) -> None:
    *lines, last = encode(b).decode().split("\n")
    assert (lines[-1], last) == ("}", "")
    bare = [line.strip().rstrip(",") for line in lines]
    assert not [line for line in bare if line and line[0] in "-0123456789"]


def test_a_person_can_find_a_features_cells() -> None:
    text = encode(baseline(number("x"), category("k"))).decode()
    assert '"edges": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0],\n' in text
    assert '"values": ["a", "b", "c"]\n' in text
    assert text.endswith("}\n")


def test_brackets_in_values_and_names_break_nothing() -> None:
    odd = baseline(category("[", ("[", "]", "],", "{", "a\nb", '"features": [', "é\u2028")))
    assert decode(encode(odd)) == odd


DISPERSION = Dispersion(rows=(10.0, 20.0), ratio=(1.0, 2.0), degrees=(9.0, 5.0))
X, K = number("x"), category("k")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ((), "no features"),
        ((X, X), "same name"),
        ((replaced(X, counts=X.counts[1:]),), "9 edges need 10 counts"),
        ((replaced(X, edges=(1.0, *X.edges[:1], *X.edges[2:])),), "ascend"),
        ((replaced(X, minimum=None),), "minimum <= maximum"),
        ((replaced(X, maximum=None),), "minimum <= maximum"),
        ((replaced(X, minimum=11.0),), "minimum <= maximum"),
        ((replaced(X, minimum=2.0),), "edges outside"),
        ((replaced(X, maximum=8.0),), "edges outside"),
        ((replaced(X, mean=None),), "mean"),
        ((replaced(X, deviation=None),), "deviation"),
        ((replaced(X, deviation=-1.0),), "deviation"),
        ((replaced(X, unit=0.0),), "power of two"),
        ((replaced(X, unit=-2.0),), "power of two"),
        ((replaced(X, unit=3.0),), "power of two"),
        ((replaced(X, unit=5e-324),), "power of two"),
        ((replaced(X, quantiles=(1.0,)),), "quantiles"),
        ((replaced(X, quantiles=tuple(map(float, range(7, 0, -1)))),), "quantiles"),
        ((replaced(X, hour_profile=(0.0,)),), "24 hours"),
        ((replaced(K, counts=(250,) * 4),), "more counts than values"),
        ((category("k", ("a", "b", "a")),), "stands twice"),
        ((replaced(X, counts=(-100, 300, *X.counts[2:])),), "negative"),
        ((replaced(X, missing=-1),), "negative"),
        ((replaced(X, rows=999),), "1000 of 999 rows"),
        ((replaced(K, missing=1),), "1001 of 1000 rows"),
        ((replaced(K, rows=2**53 + 1),), "more than"),
        ((replaced(X, dispersion={"value": msgspec.structs.replace(DISPERSION, ratio=(1.0,))}),), "uneven"),
        ((replaced(X, dispersion={"value": msgspec.structs.replace(DISPERSION, rows=(0.0, 1.0))}),), "positive"),
        ((replaced(X, dispersion={"value": msgspec.structs.replace(DISPERSION, ratio=(1.0, -1.0))}),), "positive"),
    ],
)
def test_fields_that_contradict_each_other_are_refused_in_words(wrong: tuple[FeatureBaseline, ...], words: str) -> None:
    b = Baseline(rows=1000, features=wrong)
    with pytest.raises(BaselineError, match=words):
        check(b)
    with pytest.raises(BaselineError, match=words):
        decode(encode(b))


def test_one_name_may_stand_on_both_sides() -> None:
    check(baseline(number("x"), number("x", Side.OUTPUT)))


@pytest.mark.parametrize("fields", [{"step_seconds": 0}, {"steps": 0}, {"end_at": -1}, {"volume": (-1,)}])
def test_a_timeline_that_cannot_be_is_refused(fields: dict[str, object]) -> None:
    timeline = msgspec.structs.replace(TIMELINE, **fields)
    with pytest.raises(BaselineError, match="timeline"):
        check(msgspec.structs.replace(baseline(), timeline=timeline))


GOOD = encode(baseline())


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not a baseline file"),
        (b"\x80\x03]q\x00.", "not a baseline file"),
        (b"\xff\xfe{\x00", "not a baseline file"),
        (b'{"format":"\xff"}', "not a baseline file"),
        (b"[1, 2]", "not a baseline file"),
        (b"{}", "format is ''"),
        (b'{"version": 0.0, "features": []}', "not a baseline file"),
        (b'{"format": "%s"}' % (b"secret" * 1000), "format is 'secret"),
        (GOOD.replace(b'"version": 1', b'"version": 2'), "version 2 is not known"),
        (GOOD[: len(GOOD) // 2], "not a baseline file"),
        (GOOD.replace(b'"numeric"', b'"colour"'), "not a baseline file"),
        (GOOD.replace(b'"rows": 1000', b'"rows": "many"'), "not a baseline file"),
        (GOOD.replace(b'"maximum": 10.0', b'"maximum": 1e999'), "not a baseline file"),
        (GOOD.replace(b'"maximum": 10.0', b'"maximum": NaN'), "not a baseline file"),
        (b"[" * 100_000, "not a baseline file"),
        (b'{"features":' + b"[" * 100_000, "not a baseline file"),
        (b"\xef\xbb\xbf" + GOOD, "not a baseline file"),
    ],
)
def test_a_foreign_or_damaged_file_is_refused_in_words(data: bytes, words: str) -> None:
    with pytest.raises(BaselineError, match=words) as refused:
        decode(data)
    assert len(str(refused.value)) < 300


@given(st.one_of(st.binary(max_size=60), json_texts.map(lambda text: text.encode("utf-8", "surrogatepass"))))
def test_any_bytes_are_refused_as_no_baseline_and_nothing_else(data: bytes) -> None:
    with pytest.raises(BaselineError):
        decode(data)


@given(st.data())
def test_a_damaged_baseline_is_refused_or_still_consistent(data: st.DataObject) -> None:
    damaged = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at : at + data.draw(st.integers(0, 3))] = data.draw(
            st.sampled_from([b"", b"9", b"-", b'"', b"[", b"e9"])
        )
    try:
        found = decode(bytes(damaged))
    except BaselineError:
        return
    check(found)


def test_shares_and_names_follow_from_the_fields() -> None:
    half = replaced(X, missing=500, counts=(50,) * 10)
    assert half.missing_share == 0.5
    assert replaced(X, rows=0).missing_share == 0.0
    assert [f.name for f in baseline(half, K).schema.features] == ["x", "k"]


def test_the_profile_over_some_hours_is_their_mean() -> None:
    hourly = replaced(X, hour_profile=tuple(float(hour) for hour in range(24)))
    assert hourly.profile_over([3, 5]) == 4.0
    assert hourly.profile_over([]) == 0.0
    assert X.profile_over([3]) == 0.0


def test_without_a_timeline_records_are_taken_as_independent() -> None:
    assert baseline().assumes_independence
    assert not msgspec.structs.replace(baseline(), timeline=TIMELINE).assumes_independence
    assert X.dispersion_of("value") is INDEPENDENT
    assert INDEPENDENT.at(1e6) == (1.0, math.inf)


def test_measured_lengths_give_the_measured_ratio() -> None:
    d = Dispersion(rows=(10.0, 20.0, 40.0), ratio=(2.0, 3.0, 5.0), degrees=(90.0, 40.0, 20.0))
    for rows, measured in zip(d.rows, [(2.0, 90.0), (3.0, 40.0), (5.0, 20.0)], strict=True):
        assert d.at(rows) == pytest.approx(measured)


def test_beyond_the_longest_the_ratio_goes_on_at_its_growth_per_doubling() -> None:
    d = Dispersion(rows=(10.0, 20.0, 40.0), ratio=(2.0, 3.0, 4.5), degrees=(90.0, 40.0, 20.0))
    assert d.at(80.0) == pytest.approx((4.5 * 1.5, 20.0))
    assert Dispersion(rows=(10.0,), ratio=(4.0,), degrees=(9.0,)).at(80.0) == (4.0, 9.0)


@given(st.lists(st.floats(1.0, 1e3), min_size=1, max_size=6), st.floats(0.1, 1e4), st.floats(0.01, 1e9))
def test_a_ratio_is_finite_and_at_least_that_of_independent_rows(
    ratios: list[float], first: float, rows: float
) -> None:
    n = len(ratios)
    d = Dispersion(rows=tuple(first * 2**i for i in range(n)), ratio=tuple(ratios), degrees=(5.0,) * n)
    ratio, degrees = d.at(rows)
    assert math.isfinite(ratio)
    assert ratio >= 1.0
    assert degrees == 5.0


@given(st.floats(1.0, 1e3), st.floats(0.1, 1e4), st.floats(0, 1), st.floats(0, 1))
def test_within_one_step_the_excess_grows_with_the_rows(ratio: float, first: float, a: float, b: float) -> None:
    d = Dispersion(rows=(first,), ratio=(ratio,), degrees=(5.0,))
    low, high = sorted((a, b))
    assert d.at(first * low)[0] <= d.at(first * high)[0] <= max(ratio, 1.0) * (1 + 1e-12)
