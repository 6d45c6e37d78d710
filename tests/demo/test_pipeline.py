"""What a pipeline trains on, and what it learns."""

from datetime import UTC, datetime

import pandas as pd

from streamer.core.types import RetrainingReason, RetrainingRequest, TimeRange
from streamer.demo.pipeline import asked_for


def at(day: int, hour: int = 0) -> datetime:
    return datetime(2013, 1, day, hour, tzinfo=UTC)


def request(**ranges: object) -> RetrainingRequest:
    return RetrainingRequest(
        id="r",
        endpoint="e",
        variant="v",
        model_version="",
        baseline="b",
        reason=RetrainingReason.INCIDENT,
        words="w",
        requested=at(30),
        **ranges,  # type: ignore[arg-type]
    )


def days(asked: RetrainingRequest) -> list[int]:
    flights = pd.DataFrame({"scheduled_at": [int(at(day, 12).timestamp() * 1000) for day in range(1, 20)]})
    found = asked_for(flights, asked)["scheduled_at"]
    return [int(day) for day in pd.to_datetime(found, unit="ms").dt.day]


def test_training_is_on_both_ranges_without_what_is_to_be_left_out() -> None:
    asked = request(
        original=TimeRange(at(2), at(5)), new=TimeRange(at(10), at(14)), leave_out=(TimeRange(at(11), at(12)),)
    )
    assert days(asked) == [2, 3, 4, 10, 12, 13]


def test_a_baseline_without_time_leaves_the_new_range() -> None:
    assert days(request(new=TimeRange(at(10), at(12)))) == [10, 11]
