"""The benches run, at sizes that say nothing of speed."""

import asyncio
import json

import pytest

from streamer.__main__ import main
from streamer.bench import alone, callbacks, cost, detectors, evidence, fetch, hostile, latency, memory, service, steady
from streamer.bench.meter import Meter
from streamer.bench.records import START_AT
from streamer.bench.topic import Topic
from streamer.bench.traffic import Traffic
from streamer.core.decode.batch import BatchDecoder
from streamer.core.decode.names import Names
from streamer.core.engine import Engine
from streamer.core.errors import Reason
from streamer.core.settings import EndpointSettings, EngineSettings, Limits
from streamer.core.types import Batch, Key, ShardId


def test_the_cost_of_a_record_is_measured_against_a_floor() -> None:
    found = cost.measure(1_000)
    assert found.ratio_to_floor == found.whole / found.floor > 0


def test_named_detectors_are_measured_by_kind_and_a_pane_s_sample_by_record() -> None:
    found = detectors.measure(20)
    assert min(found.adwin, found.kswin, found.half_space_trees) > 0
    assert found.sampled > 0


def test_detection_is_measured_against_the_same_road_without_it() -> None:
    found = evidence.measure(1_500)
    assert found.without > 0
    assert found.share < 1
    assert found.state_bytes < 8_000


def test_open_endpoints_are_weighed() -> None:
    found = memory.measure(endpoints=3, features=4)
    assert (found.endpoints, found.features) == (3, 4)
    assert found.rss_bytes > 0


def test_every_hostile_record_is_accounted_for() -> None:
    found = hostile.measure(600)
    assert found.accounted == found.records == 600


def test_the_client_is_measured_against_the_stock_one() -> None:
    found = fetch.measure(50)
    assert found.records == 50
    assert found.ratio_to_stock == found.whole / found.stock > 0


def test_alerts_arrive_from_the_running_service() -> None:
    found = latency.measure(11.0)
    assert found.alerts > 0
    assert 0 < found.median <= found.p99 <= found.longest


def test_callbacks_of_the_running_service_are_timed() -> None:
    found = callbacks.measure(endpoints=3, seconds=2.0, per_second=200)
    assert (found.endpoints, found.features) == (3, 40)
    assert found.records > 0
    assert found.held.callbacks > 0
    assert 0 < found.held.p99 <= found.held.p999 <= found.held.longest


def test_the_service_and_a_replay_read_the_same_records() -> None:
    found = service.measure(2_000)
    assert found.records == 2_000
    assert found.ratio_to_replay == pytest.approx(found.service / found.replay)


def test_memory_is_looked_at_early_and_late() -> None:
    found = alone.run(steady.measure, 20_000)
    assert (found.records, found.early_records) == (20_000, 10_000)
    assert found.early_bytes > 0
    assert found.growth == found.late_bytes / found.early_bytes - 1


def test_traffic_is_readable_and_never_the_same_record_twice() -> None:
    traffic = Traffic(3, seed=1)
    payloads = [traffic.capture(START_AT + i) for i in range(2_500)]
    assert {len(payload) for payload in payloads} <= set(range(980, 1_021))
    engine = Engine(EngineSettings(endpoints=(EndpointSettings(name="e"),)), {})
    positions = [str(i) for i in range(len(payloads))]
    engine.fold(Batch(ShardId("s"), payloads, positions), START_AT)
    assert (engine.totals.accepted, engine.totals.duplicate) == (2_500, 0)


def test_a_unit_error_is_in_the_first_feature_only() -> None:
    right, wrong = Traffic(3, seed=1).capture(START_AT), Traffic(3, seed=1).capture(START_AT, is_wrong=True)
    rows = [json.loads(one)["captureData"]["endpointInput"]["data"].split(",") for one in (right, wrong)]
    assert float(rows[1][0]) == pytest.approx(float(rows[0][0]) * 1e6)
    assert rows[1][1:] == rows[0][1:]


def test_traffic_has_the_time_it_is_given_in_whole_seconds() -> None:
    payload = Traffic(3, seed=1).capture(START_AT + 61_999)
    decoder = BatchDecoder(Limits(), Names("e", "v"), lambda names, event_at: Key("e", "v", ""))
    decoded = decoder.decode(Batch(ShardId("s"), [payload], ["1"]), START_AT + 61_999)
    assert decoded.event_at.tolist() == [START_AT + 61_000]


def test_a_meter_times_callbacks_until_its_end() -> None:
    meter = Meter()

    async def turn_ten_times() -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    async def run() -> None:
        meter.begin()
        await turn_ten_times()
        meter.end()
        await turn_ten_times()

    asyncio.run(run())
    assert 10 <= meter.held().callbacks < 20


def test_a_meter_says_where_a_long_callback_came_to() -> None:
    meter = Meter()

    async def hold() -> None:
        sum(range(3_000_000))
        await asyncio.sleep(0)

    async def run() -> None:
        meter.begin()
        await asyncio.sleep(0)
        await hold()
        meter.end()

    asyncio.run(run())
    assert any("hold" in place.where for place in meter.held().places)


def test_a_meter_that_never_began_has_timed_nothing() -> None:
    meter = Meter()
    meter.end()
    assert meter.held().callbacks == 0


async def test_the_topic_takes_nothing_before_anything_is_published() -> None:
    async with Topic() as topic:
        assert topic.url.startswith("http://127.0.0.1:")
        assert topic.arrivals == []


def test_the_command_prints_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["bench", "--json", "--records", "1000", "--hostile", "0", "--endpoints", "0"])
    assert caught.value.code == 0
    assert sorted(json.loads(capsys.readouterr().out)) == ["cost", "detectors", "evidence", "fetch"]


def test_hostile_records_meet_every_reason_there_is_to_refuse_one() -> None:
    found = hostile.measure(20_000)
    assert found.accounted == found.records
    assert {*found.invalid, *found.partial} >= {reason.value for reason in Reason if reason is not Reason.LATE}
