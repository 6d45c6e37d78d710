from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.eventtime import EARLIEST_AT, LATEST_AT, as_datetime, as_text, hours_of, parse_time, start_of
from tests.strategies import START

HOUR = 3_600_000
times = st.integers(EARLIEST_AT, LATEST_AT - 1)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-05T09:00:00Z",
        " 2026-01-05T09:00:00Z\n",
        "2026-01-05T09:00:00",
        "2026-01-05 09:00:00+00:00",
        "2026-01-05T09:00Z",
        "20260105T090000Z",
        "2026-W02-1T09:00:00Z",
        "2026-01-05T09:00:00.000Z",
        "2026-01-05T09:00:00,0Z",
        "2026-01-05T14:30:00+05:30",
        "2026-01-04T21:00:00-12:00",
        "2026-01-05T09:00:30+00:00:30",
        "2026-01-05T09:00:00.000000999Z",
    ],
)
def test_every_usual_spelling_of_a_time_is_read(text: str) -> None:
    assert parse_time(text) == START


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "1767603600000",
        "2026-01-05T24:00:00Z",
        "2016-12-31T23:59:60Z",
        "2026-02-30T00:00:00Z",
        "2026-01-05T09:00:00+99:99",
        "\uff12026-01-05T09:00:00Z",
        "\ud800",
    ],
)
def test_what_is_no_time_is_refused_leap_seconds_too(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        parse_time(text)


@pytest.mark.parametrize(
    "text",
    ["1999-12-31T23:59:59.999Z", "2100-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"],
)
def test_a_time_of_a_broken_clock_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="2000 to 2100"):
        parse_time(text)


def test_the_bounds_are_2000_and_2100() -> None:
    assert parse_time("2000-01-01T00:00:00Z") == EARLIEST_AT
    assert parse_time("2099-12-31T23:59:59.999Z") == LATEST_AT - 1


@given(times)
def test_a_time_written_and_read_is_the_same(at: int) -> None:
    assert parse_time(as_text(at)) == at


@given(times, st.integers(-1439, 1439))
def test_a_time_is_the_same_in_every_zone(at: int, minutes: int) -> None:
    local = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)).astimezone(
        timezone(timedelta(minutes=minutes))
    )
    assert parse_time(local.isoformat()) == at


@given(st.text())
def test_any_text_is_a_time_or_a_value_error(text: str) -> None:
    try:
        at = parse_time(text)
    except ValueError:
        return
    assert EARLIEST_AT <= at < LATEST_AT


def test_milliseconds_are_written_only_where_there_are_any() -> None:
    assert as_text(START) == "2026-01-05T09:00:00Z"
    assert as_text(START + 7) == "2026-01-05T09:00:00.007Z"


def test_datetimes_are_aware() -> None:
    assert as_datetime(START) == datetime(2026, 1, 5, 9, tzinfo=UTC)


@given(times, st.integers(1, 10**6), st.integers(-(10**6), 10**6))
def test_a_time_is_in_the_span_that_starts_at_its_start(at: int, span: int, offset: int) -> None:
    start = start_of(at, span, offset)
    assert start <= at < start + span * 1000
    assert (start - offset * 1000) % (span * 1000) == 0


def test_hours_follow_the_clocks_of_their_zone_when_they_change() -> None:
    zone = ZoneInfo("America/New_York")
    # 10 March 2013, 07:00 UTC: from 01:59 to 03:00 in New York.
    change_at = parse_time("2013-03-10T07:00:00Z")
    assert hours_of(change_at - HOUR, HOUR, zone) == (1,)
    assert hours_of(change_at, HOUR, zone) == (3,)
    assert hours_of(change_at - 2 * HOUR, 4 * HOUR, zone) == (0, 1, 3, 4)
    # In winter the same time of day is an hour earlier there.
    assert hours_of(parse_time("2013-03-09T12:00:00Z"), HOUR, zone) == (7,)
    assert hours_of(parse_time("2013-03-11T12:00:00Z"), HOUR, zone) == (8,)


def test_short_spans_have_one_hour_and_days_have_24() -> None:
    assert hours_of(0, 10_000, ZoneInfo("UTC")) == (0,)
    assert hours_of(0, 24 * HOUR, ZoneInfo("UTC")) == tuple(range(24))
    assert len(hours_of(0, 7 * 24 * HOUR, ZoneInfo("UTC"))) == 24
