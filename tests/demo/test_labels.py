"""Late flights foreseen, once the arrivals are known."""

from io import StringIO

from rich.console import Console

from streamer.demo.labels import foreseen, tell
from tests.demo import model, to_july
from tests.demo.whole_story import story


def test_in_its_own_season_a_model_foresees_what_comes() -> None:
    months = {month.month: month for month in foreseen(to_july(), model())}
    assert list(months) == [2, 3, 4, 5, 6, 7]
    assert 0.9 < months[2].first < 1.1
    assert all(month.first == month.served for month in months.values())


def test_months_with_a_handful_of_flights_are_left_out_and_the_others_printed() -> None:
    flights = to_july()
    out = StringIO()
    tell(foreseen(flights[flights["scheduled_at"] < flights["scheduled_at"].iloc[900]], model()), Console(file=out))
    assert "February" not in out.getvalue()
    tell(foreseen(flights.iloc[:3_000], model()), Console(file=out))
    assert "February" in out.getvalue()


def test_the_second_version_foresees_more_of_the_summers_lateness() -> None:
    found = story()
    later = foreseen(to_july(), model(), found.second, found.took_over_at)
    july = next(month for month in later if month.month == 7)
    assert july.served > july.first + 0.1
