"""What the demo finds in half a year, and what becomes of it."""

from datetime import UTC, date, datetime

from streamer.core.incident import AlertState
from streamer.core.types import Cause
from streamer.demo.flights import SEASONAL
from tests.demo.whole_story import story


def day(month: int, of_month: int) -> datetime:
    return datetime(2013, month, of_month, 9, tzinfo=UTC)


def test_the_incidents_of_the_winter_are_found() -> None:
    fired = {(incident.since.date().isoformat(), incident.cause) for incident in story().fired}
    assert fired >= {
        ("2013-02-08", Cause.VOLUME),
        ("2013-02-08", Cause.DRIFT),
        ("2013-02-12", Cause.WILD),
        ("2013-03-08", Cause.VOLUME),
        ("2013-05-23", Cause.VOLUME),
    }


def test_the_afternoon_of_the_blizzard_is_told_by_the_hours_that_are_not_there() -> None:
    of_the_day = [i for i in story().fired if (i.since.date(), i.cause) == (date(2013, 2, 8), Cause.DRIFT)]
    ((hour,),) = (incident.contributions for incident in of_the_day)
    assert (hour.feature, hour.rule) == ("hour", "evidence")
    assert hour.size < -0.5
    assert all(i.until is not None and i.until.date() <= date(2013, 2, 13) for i in of_the_day)


def test_no_more_than_two_incidents_are_found_besides() -> None:
    # The winter's, which are five, and spring.
    assert len(story().fired) <= 6 + 2


def test_spring_is_found_in_the_temperature_and_asks_once_for_a_new_model() -> None:
    (request,) = story().requests
    assert day(4, 25) <= request.requested <= day(5, 6)
    assert "temp" in request.features
    assert request.original is not None
    assert request.new is not None
    assert (request.original.since.month, request.new.until) == (1, request.requested)
    # The day of the broken wind gauge.
    assert [(r.since, r.until) for r in request.leave_out] == [(day(2, 12), day(2, 13))]


def test_the_second_version_takes_over_and_is_content_with_the_summer() -> None:
    found = story()
    assert found.second is not None
    assert found.second.features == SEASONAL
    assert found.rows > 100_000
    assert 0 < found.took_over_at < day(5, 20).timestamp() * 1000
    assert all(incident.state is AlertState.RESOLVED for incident in found.fired)
    drifts = [incident for incident in found.fired if incident.cause is Cause.DRIFT]
    assert {contribution.model_version for incident in drifts for contribution in incident.contributions} == {""}
