"""Sizes, shares and times as an operator writes them."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.config.quantities import instant_text, parse_instant, parse_share, parse_size, share_text, size_text


@pytest.mark.parametrize(
    ("value", "size"), [("1 MiB", 1_048_576), ("8 MB", 8_000_000), ("512", None), ("3kib", 3_072), (17, 17), ("9 B", 9)]
)
def test_a_size_has_a_unit_or_is_a_number_of_bytes(value: object, size: int | None) -> None:
    if size is None:
        with pytest.raises(ValueError, match="expected a size"):
            parse_size(value)
    else:
        assert parse_size(value) == size


@pytest.mark.parametrize("value", ["1 M", "MiB", "1.5 MiB", "", True, 1.5, None])
def test_other_sizes_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="expected a size"):
        parse_size(value)


@given(st.integers(0, 10**12 - 1))
def test_a_size_that_is_written_is_read_back(size: int) -> None:
    assert parse_size(size_text(size)) == size


@pytest.mark.parametrize(("value", "share"), [("5 %", 0.05), ("12.5%", 0.125), (0.25, 0.25), (1, 1.0), ("100 %", 1.0)])
def test_a_share_is_a_percentage_or_a_number(value: object, share: float) -> None:
    assert parse_share(value) == share


@pytest.mark.parametrize("value", ["5", "%", "-5 %", "5 percent", True, None, float("nan"), float("inf")])
def test_other_shares_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="expected a share"):
        parse_share(value)


@given(st.floats(0, 1))
def test_a_share_that_is_written_is_read_back(share: float) -> None:
    text = share_text(share)
    assert (parse_share(text) if text.endswith("%") else float(text)) == share


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-01T00:00:00Z",
        "2026-11-01T01:00:00+01:00",
        datetime(2026, 11, 1, tzinfo=UTC),
    ],
)
def test_a_time_has_a_zone(value: object) -> None:
    assert instant_text(parse_instant(value)) == "2026-11-01T00:00:00Z"


@pytest.mark.parametrize(
    "value",
    [
        "2026-11-01",
        "2026-11-01T00:00:00",
        datetime(2026, 11, 1),  # noqa: DTZ001 - TOML's local time
        date(2026, 11, 1),
    ],
)
def test_a_time_without_a_zone_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="expected a time with a zone"):
        parse_instant(value)


@pytest.mark.parametrize("value", ["tomorrow", 0, "1999-12-31T00:00:00Z", "2100-01-01T00:00:00Z", None, ""])
def test_other_times_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match="expected a time"):
        parse_instant(value)
