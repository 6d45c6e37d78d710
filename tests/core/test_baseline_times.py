"""Times of a table's rows."""

from datetime import UTC
from zoneinfo import ZoneInfo

import pytest

from streamer.core.baseline.times import event_times, joined_cells, time_columns
from streamer.core.rawrows import Cell

AT = 1_357_016_400_000  # 2013-01-01T05:00:00Z
HOUR = 3_600_000


@pytest.mark.parametrize(
    ("cell", "at"),
    [
        ("2013-01-01T05:00:00Z", AT),
        (" 2013-01-01 05:00 ", AT),
        ("2013-01-01T00:00:00-05:00", AT),
        ("20130101T050000Z", AT),
        ("2013-01-01", AT - 5 * 3_600_000),
        ("20130101", AT - 5 * 3_600_000),
        ("2013/1/1 5:00", AT),
        ("2013/01/01 05:00:00.5", AT + 500),
        ("2013-1-1", AT - 5 * 3_600_000),
        ("1357016400", AT),
        ("1357016400.25", AT + 250),
        (1_357_016_400_000, AT),
        (1_357_016_400, AT),
        (None, -1),
        ("", -1),
        ("5 o'clock", -1),
        (True, -1),
        ("nan", -1),
        (float("inf"), -1),
        ("1970-01-01T00:00:00Z", -1),
        ("2013-02-30", -1),
        ("2013/13/1", -1),
        ("01/02/2013", -1),
        ("2013/1-1", -1),
        (10**400, -1),
    ],
)
def test_event_times_are_iso_8601_or_seconds_or_milliseconds(cell: Cell, at: int) -> None:
    assert event_times([cell], UTC).tolist() == [at]


def test_a_time_without_a_zone_is_told_in_the_one_given() -> None:
    zone = ZoneInfo("America/New_York")
    assert event_times(["2013-01-01 00:00", "2013-01-01T00:00:00+00:00"], zone).tolist() == [AT, AT - 5 * HOUR]


def test_of_an_hour_that_comes_twice_it_is_the_first() -> None:
    first = event_times(["2013-11-03 01:30"], ZoneInfo("America/New_York")).tolist()
    assert first == event_times(["2013-11-03T01:30:00-04:00"], UTC).tolist()


@pytest.mark.parametrize(("text", "names"), [("", ()), ("at", ("at",)), ("d, t", ("d", "t")), ("d,", ("d",))])
def test_a_time_is_in_no_column_or_one_or_two(text: str, names: tuple[str, ...]) -> None:
    assert time_columns(text) == names


def test_a_date_without_its_time_is_no_time() -> None:
    assert joined_cells(["2013-01-01", None], [None, "5:00"]) == [None, None]
