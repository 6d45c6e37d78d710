"""The demo's producer: capture files into a stream."""

import base64
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from streamer.core.errors import SourceError
from streamer.demo.captures import captures, write_captures
from streamer.demo.pace import Pace
from streamer.demo.producer import Producer, hours_of, records_of
from streamer.testing.memory import ManualClock
from tests.demo import to_july

DAY_SECONDS = 86_400


class Taking:
    """Takes every record, and keeps the calls."""

    def __init__(self) -> None:
        self.calls: list[list[Mapping[str, Any]]] = []

    def put_records(self, **request: Any) -> Mapping[str, Any]:
        self.calls.append(request["Records"])
        return {"Records": [{"SequenceNumber": "1"} for _ in request["Records"]]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("captures")
    write_captures(to_july()[:3_000], directory)
    return directory


def test_hours_are_in_order_and_told_by_their_folders(folder: Path) -> None:
    hours = hours_of(folder)
    assert [hour.start_at for hour in hours] == sorted(hour.start_at for hour in hours)
    assert hours[0].start_at == int(to_july()["scheduled_at"].iloc[0]) // 3_600_000 * 3_600_000


def test_keys_spread_over_the_stream_and_are_the_same_for_the_same_capture(folder: Path) -> None:
    records = [record for hour in hours_of(folder) for record in records_of(hour.path)]
    again = [record for hour in hours_of(folder) for record in records_of(hour.path)]
    assert records == again
    quarters = Counter(int(record.partition_key[0], 16) // 4 for record in records)
    assert min(quarters.values()) > len(records) / 5


async def test_every_capture_is_put_once_in_an_envelope_that_names_its_endpoint(folder: Path) -> None:
    client = Taking()
    producer = Producer(client, "captures", Pace(0.0, ManualClock(0)))
    await producer.run(folder)
    found = [json.loads(record["Data"]) for call in client.calls for record in call]
    assert [one["capture"] for one in found] == [json.loads(payload) for _, payload in captures(to_july()[:3_000])]
    assert {(one["endpoint"], one["variant"]) for one in found} == {("flight-delay", "AllTraffic")}
    assert producer.put.records == len(found)


async def test_the_body_of_a_call_stays_under_one_mebibyte(folder: Path) -> None:
    client = Taking()
    await Producer(client, "captures", Pace(0.0, ManualClock(0))).run(folder)
    bodies = [sum(len(base64.b64encode(r["Data"])) + len(r["PartitionKey"]) + 40 for r in c) for c in client.calls]
    assert max(bodies) < 2**20


async def test_captures_wait_until_they_are_due(folder: Path) -> None:
    clock = ManualClock(0)

    async def wait(seconds: float) -> None:
        clock.move(seconds)

    await Producer(Taking(), "captures", Pace(3 * DAY_SECONDS, clock, 1e9), wait).run(folder)
    hours = hours_of(folder)
    days = (hours[-1].start_at - hours[0].start_at) / 1000 / DAY_SECONDS
    assert days / 3 <= clock.monotonic() <= days / 3 + 0.2


async def test_a_file_that_can_not_be_read_is_told_of(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "flight-delay/AllTraffic/2013/02/01/10/00-00-000-a.jsonl").mkdir(parents=True)
    with pytest.raises(SourceError, match="can't be read"):
        await Producer(Taking(), "captures", Pace(0.0, ManualClock(0))).run(tmp_path)
