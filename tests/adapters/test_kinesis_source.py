import gzip
from typing import Any

import orjson
import pytest

from streamer.adapters.kinesis import PaceSettings
from streamer.core.errors import StateError, Throttled
from streamer.core.types import ShardId
from streamer.testing.kinesis import (
    Deny,
    EmptyRead,
    EndWithoutChildren,
    ExpireIterator,
    HideReshard,
    Limits,
    Missing,
    Redeliver,
    Throttle,
    Unavailable,
)
from tests.adapters.kinesis_rig import STREAM, rigged
from tests.strategies import START

FIRST = ShardId("shardId-000000000000")
DAY = 86_400.0
RARE = PaceSettings(quiet_most_seconds=3600.0, quiet_per_second=1e-4)


async def test_every_record_is_handed_over_once() -> None:
    async with rigged(2) as rig:
        put = rig.put(10, "a") + rig.put(10, "b")
        await rig.run()
        put += rig.put(10, "c")
        await rig.run()
        assert sorted(rig.intake.payloads()) == sorted(put)


async def test_a_batch_carries_sequence_numbers_and_partition_keys() -> None:
    async with rigged() as rig:
        record = rig.kinesis.put(STREAM, b"{}", "endpoint/variant")
        await rig.run()
        (batch,) = rig.intake.batches()
        assert (batch.positions, batch.partition_keys) == ([record.sequence_number], ["endpoint/variant"])


async def test_every_shard_is_announced_before_the_first_record() -> None:
    async with rigged(3) as rig:
        rig.put(30, "a")
        await rig.run()
        assert [name for name, _, _ in rig.intake.steps[:4]] == ["begin", "begin", "begin", "take"]


async def test_latest_passes_over_what_was_there_before() -> None:
    async with rigged(start="latest") as rig:
        rig.put(3)
        rig.clock.move(2.0)
        await rig.run(0.0)
        put = rig.put(2)
        await rig.run()
        assert rig.intake.payloads() == put


async def test_latest_loses_nothing_that_comes_before_a_child_is_discovered() -> None:
    async with rigged(start="latest") as rig:
        await rig.run(0.0)
        put = rig.put(5)
        rig.kinesis.split(STREAM, FIRST)
        put += rig.put(20)
        await rig.run()
        assert sorted(rig.intake.payloads()) == sorted(put)


async def test_latest_means_the_first_start_after_a_restart() -> None:
    async with rigged(start="latest") as rig:
        await rig.run(0.0)
        await rig.stop()
        state = rig.source.state()
        put = rig.put(3)
        rig.clock.move(60.0)
        rig.renew(state)
        await rig.run()
        assert rig.intake.payloads() == put


async def test_a_start_at_a_time_begins_with_what_arrived_then() -> None:
    async with rigged(start=START + 5_000) as rig:
        rig.put(3)
        rig.clock.move(5.0)
        put = rig.put(3)
        await rig.run()
        assert rig.intake.payloads() == put


async def test_shards_closed_before_the_start_are_not_read() -> None:
    async with rigged(start="latest") as rig:
        rig.kinesis.split(STREAM, FIRST)
        rig.clock.move(5.0)
        await rig.run()
        assert FIRST not in {shard for _, shard, _ in rig.intake.steps}


async def test_a_start_that_lies_ahead_is_said_and_waited_for() -> None:
    async with rigged(start=START + 600_000) as rig:
        await rig.run(300.0)
        assert "may lie ahead" in rig.source.troubles()[0]
        await rig.run(310.0)
        put = rig.put(1)
        await rig.run()
        assert rig.intake.payloads() == put
        assert rig.source.troubles() == []


async def test_a_closed_shard_with_unread_records_is_read_at_the_start() -> None:
    async with rigged() as rig:
        put = rig.put(5)
        rig.kinesis.split(STREAM, FIRST)
        await rig.run()
        assert rig.intake.payloads() == put


async def test_two_generations_keep_the_order_of_every_key() -> None:
    async with rigged() as rig:
        expected: dict[str, list[bytes]] = {key: [] for key in "abcdefgh"}

        def put() -> None:
            for key in expected:
                expected[key] += rig.put(5, key)

        put()
        rig.kinesis.split(STREAM, FIRST)
        put()
        for shard in rig.open_shards():
            rig.kinesis.split(STREAM, shard)
        put()
        await rig.run(30.0)
        read = rig.intake.payloads()
        found = {key: [p for p in read if orjson.loads(p)["k"] == key] for key in expected}
        assert found == expected


async def test_a_merged_shard_waits_for_both_parents() -> None:
    async with rigged(2) as rig:
        rig.put(2, hash_key=0)
        rig.put(9_000, hash_key=2**127)
        rig.kinesis.merge(STREAM, *rig.open_shards())
        put = rig.put(1)
        await rig.run(60.0)
        assert rig.intake.payloads()[-1:] == put
        merged = rig.open_shards()[0]
        announced = rig.intake.of("begin", "end")[2:]
        assert announced[0] == ("begin", merged, (FIRST, "shardId-000000000001"))


async def test_the_first_parent_of_a_merge_holds_until_the_second_has_ended() -> None:
    async with rigged(2) as rig:
        rig.put(9_000, hash_key=2**127)
        rig.kinesis.merge(STREAM, *rig.open_shards())
        await rig.run(0.0)
        assert rig.source.lag().keys() == {"shardId-000000000001"}
        assert rig.intake.of("end") == []
        await rig.run(60.0)
        assert [(name, shard) for name, shard, _ in rig.intake.of("begin", "end")[2:]] == [
            ("begin", "shardId-000000000002"),
            ("end", FIRST),
            ("end", "shardId-000000000001"),
        ]


async def test_children_are_announced_before_the_end_of_their_parent() -> None:
    async with rigged() as rig:
        await rig.run()
        rig.kinesis.split(STREAM, FIRST)
        await rig.run()
        assert rig.intake.of("begin", "end")[1:] == [
            ("begin", "shardId-000000000001", (FIRST,)),
            ("begin", "shardId-000000000002", (FIRST,)),
            ("end", FIRST, None),
        ]


async def test_a_state_two_generations_old_covers_every_hash_key() -> None:
    async with rigged() as rig:
        first = rig.put(3)
        await rig.run()
        await rig.stop()
        for generation in range(2):
            for shard in rig.open_shards():
                rig.kinesis.split(STREAM, shard)
            rig.kinesis.advance(10.0 + generation)
        put = rig.put(20) + rig.put(20, "b") + rig.put(20, "c")
        rig.renew(rig.source.state(), rig.intake.steps)
        await rig.run(60.0)
        assert sorted(rig.intake.payloads()) == sorted(first + put)


async def test_a_state_whose_shards_and_their_children_expired_goes_on_with_the_living() -> None:
    async with rigged() as rig:
        rig.put(3)
        await rig.run()
        await rig.stop()
        state = rig.source.state()
        rig.kinesis.split(STREAM, FIRST)
        rig.kinesis.advance(10.0)
        for shard in rig.open_shards():
            rig.kinesis.split(STREAM, shard)
        rig.clock.move(2 * DAY)
        put = rig.put(20) + rig.put(20, "b")
        rig.renew(state)
        await rig.run(60.0)
        assert sorted(rig.intake.payloads()) == sorted(put)
        assert {parents for name, _, parents in rig.intake.of("begin")} == {(FIRST,)}
        assert rig.intake.of("end") == [("end", FIRST, None)]
        assert [gap.shard for gap in rig.source.gaps] == [FIRST]


async def test_an_end_without_children_is_asked_again() -> None:
    async with rigged() as rig:
        put = rig.put(5)
        rig.arm(EndWithoutChildren(2))
        await rig.run()
        put += rig.put(5)
        await rig.run()
        assert rig.intake.payloads() == put
        assert rig.intake.of("end") == []


async def test_a_shard_that_goes_on_ending_without_children_is_looked_up() -> None:
    async with rigged() as rig:
        await rig.run()
        rig.arm(EndWithoutChildren(shard=FIRST))
        rig.kinesis.split(STREAM, FIRST)
        put = rig.put(5)
        await rig.run(30.0)
        assert rig.intake.payloads() == put


async def test_a_reshard_that_the_listing_does_not_show_is_told_by_the_parent() -> None:
    async with rigged() as rig:
        await rig.run()
        rig.arm(HideReshard(age_seconds=3600.0))
        rig.kinesis.split(STREAM, FIRST)
        put = rig.put(5)
        await rig.run(100.0)
        assert rig.intake.payloads() == put


async def test_after_five_minutes_of_waiting_reading_goes_on_after_the_last_record() -> None:
    async with rigged() as rig:
        put = rig.put(5)
        await rig.run()
        rig.intake.gate.clear()
        await rig.run(400.0)
        put += rig.put(5)
        rig.intake.gate.set()
        await rig.run()
        assert ("GetRecords", "ExpiredIteratorException") in rig.kinesis.calls
        assert rig.intake.payloads() == put


async def test_an_iterator_that_expires_before_any_record_starts_where_it_started() -> None:
    async with rigged(start="latest") as rig:
        await rig.run()
        rig.intake.gate.clear()
        await rig.run(5.0)
        put = rig.put(5)
        await rig.run(400.0)
        rig.intake.gate.set()
        await rig.run()
        assert ("GetRecords", "ExpiredIteratorException") in rig.kinesis.calls
        assert rig.intake.payloads() == put


@pytest.mark.parametrize("refuse", [True, False], ids=["refused", "given as the oldest"])
async def test_a_position_older_than_the_retention_is_a_gap(refuse: bool) -> None:
    async with rigged(limits=Limits(refuse_trimmed=refuse)) as rig:
        rig.put(5)
        await rig.run()
        await rig.stop()
        rig.put(5)
        rig.clock.move(30 * 3600.0)
        put = rig.put(2)
        arrived_at = rig.clock.now()
        rig.renew(rig.source.state())
        await rig.run()
        assert rig.intake.payloads() == put
        (gap,) = rig.source.gaps
        assert (gap.shard, gap.to_at) == (FIRST, arrived_at)
        assert START <= gap.from_at <= START + 10_000
        assert rig.source.gap_count == 1


@pytest.mark.parametrize("refuse", [True, False], ids=["refused", "given as the oldest"])
async def test_a_shard_that_was_quiet_for_longer_than_the_retention_is_no_gap(refuse: bool) -> None:
    async with rigged(limits=Limits(refuse_trimmed=refuse), pace=RARE) as rig:
        rig.put(5)
        await rig.run(30 * 3600.0)
        await rig.restart()
        put = rig.put(1)
        await rig.run(4_000.0)
        assert rig.intake.payloads()[5:] == put
        assert rig.source.gaps == []


async def test_a_stream_made_anew_under_the_same_name_is_read_from_its_beginning() -> None:
    async with rigged() as rig:
        first = rig.put(5)
        await rig.run()
        rig.kinesis.answer("DeleteStream", orjson.dumps({"StreamName": STREAM}))
        await rig.run(20.0)
        assert "ResourceNotFound" in rig.source.troubles()[0]
        rig.kinesis.create_stream(STREAM, 1)
        put = rig.put(5)
        await rig.run(20.0)
        assert rig.intake.payloads() == first + put


async def test_a_shard_that_a_stream_made_anew_does_not_have_is_given_up() -> None:
    async with rigged(2) as rig:
        await rig.run()
        rig.kinesis.answer("DeleteStream", orjson.dumps({"StreamName": STREAM}))
        rig.kinesis.create_stream(STREAM, 1)
        put = rig.put(5)
        await rig.run(400.0)
        assert rig.intake.payloads() == put
        assert [shard for _, shard, _ in rig.intake.of("end")] == ["shardId-000000000001"]
        assert rig.source.troubles() == []


async def test_throttling_is_no_trouble_for_three_minutes_and_then_is() -> None:
    async with rigged() as rig:
        await rig.run()
        fault = rig.arm(Throttle(operation="GetRecords"))
        await rig.run(170.0)
        assert rig.source.troubles() == []
        await rig.run(30.0)
        assert "ProvisionedThroughputExceeded" in rig.source.troubles()[0]
        rig.kinesis.faults.remove(fault)
        await rig.run(10.0)
        assert rig.source.troubles() == []


async def test_a_throttled_shard_keeps_its_place_and_its_watermark() -> None:
    async with rigged() as rig:
        put = rig.put(3)
        await rig.run()
        placed = rig.client.count("GetShardIterator")
        rig.arm(Throttle(operation="GetRecords", seconds=60.0))
        told = len(rig.intake.steps)
        await rig.run(50.0)
        assert rig.intake.steps[told:] == []
        put += rig.put(3)
        await rig.run(20.0)
        assert rig.intake.payloads() == put
        assert rig.client.count("GetShardIterator") == placed


@pytest.mark.parametrize("operation", ["GetRecords", "GetShardIterator", "ListShards"])
async def test_every_call_that_is_tried_again_is_told(operation: str) -> None:
    async with rigged() as rig:
        rig.arm(Throttle(operation=operation, seconds=20.0))
        await rig.run(60.0)
        refused = sum(count for (_, answer), count in rig.kinesis.calls.items() if answer != "OK")
        assert refused > 0
        assert [type(error) for error in rig.retried] == [Throttled] * refused


async def test_a_throttled_shard_is_asked_rarely() -> None:
    async with rigged() as rig:
        await rig.run()
        rig.arm(Throttle(operation="GetRecords"))
        asked = rig.client.count("GetRecords")
        await rig.run(60.0)
        assert rig.client.count("GetRecords") - asked < 40


async def test_we_do_not_throttle_ourselves_while_catching_up() -> None:
    async with rigged(pace=PaceSettings(batch_records=200)) as rig:
        put = rig.put(2_000)
        rig.clock.move(60.0)
        await rig.run(30.0)
        assert rig.intake.payloads() == put
        assert ("GetRecords", "ProvisionedThroughputExceededException") not in rig.kinesis.calls


async def test_a_full_answer_is_followed_by_its_five_seconds() -> None:
    async with rigged() as rig:
        for _ in range(24):
            rig.kinesis.put(STREAM, b'{"x":"' + b"x" * 900_000 + b'"}', "k")
        await rig.run(60.0)
        assert len(rig.intake.payloads()) == 24
        assert ("GetRecords", "ProvisionedThroughputExceededException") not in rig.kinesis.calls


async def test_an_empty_answer_behind_the_tip_is_read_past() -> None:
    async with rigged() as rig:
        put = rig.put(3)
        rig.arm(EmptyRead(5, behind_milliseconds=60_000))
        rig.start()
        await rig.time.pass_by(1.0)
        assert rig.intake.of("empty") == []
        await rig.run()
        assert rig.intake.payloads() == put


async def test_a_shard_is_empty_only_at_its_tip() -> None:
    async with rigged() as rig:
        await rig.run(3.0)
        assert rig.intake.of("empty")
        told = len(rig.intake.of("empty"))
        rig.arm(EmptyRead(seconds=10.0, behind_milliseconds=5))
        await rig.run(9.0)
        assert len(rig.intake.of("empty")) == told


@pytest.mark.parametrize("fault", [Unavailable(seconds=20.0), Unavailable(seconds=20.0, status=503)])
async def test_an_outage_is_got_over(fault: Unavailable) -> None:
    async with rigged() as rig:
        put = rig.put(3)
        rig.arm(fault)
        await rig.run(10.0)
        assert rig.source.troubles() == []
        await rig.run(20.0)
        assert rig.intake.payloads() == put


async def test_an_outage_of_half_a_minute_is_trouble() -> None:
    async with rigged() as rig:
        rig.arm(Unavailable())
        await rig.run(60.0)
        assert "InternalFailure" in rig.source.troubles()[0]


async def test_a_stream_that_is_not_there_is_trouble_at_once_and_read_when_it_is() -> None:
    async with rigged(0) as rig:
        await rig.run(1.0)
        (trouble,) = rig.source.troubles()
        assert trouble.startswith(f"can't list the shards of stream {STREAM}: ResourceNotFoundException")
        rig.kinesis.create_stream(STREAM, 1)
        put = rig.put(3)
        await rig.run(20.0)
        assert rig.intake.payloads() == put
        assert rig.source.troubles() == []


async def test_a_denial_is_trouble_at_once_and_said_once_for_all_shards() -> None:
    async with rigged(4) as rig:
        await rig.run()
        fault = rig.arm(Deny(operation="GetRecords"))
        await rig.run(10.0)
        (trouble,) = rig.source.troubles()
        assert "AccessDeniedException" in trouble
        assert trouble.endswith("(and 3 more)")
        rig.kinesis.faults.remove(fault)
        await rig.run(10.0)
        assert rig.source.troubles() == []


async def test_a_stream_missing_for_a_moment_costs_no_shard() -> None:
    async with rigged() as rig:
        put = rig.put(3)
        await rig.run()
        rig.arm(Missing(operation="GetRecords", calls=2))
        put += rig.put(3)
        await rig.run()
        assert rig.intake.payloads() == put
        assert rig.intake.of("end") == []


async def test_a_young_shard_missing_for_a_moment_costs_nothing_although_an_old_listing_does_not_show_it() -> None:
    async with rigged() as rig:
        await rig.run()
        rig.kinesis.split(STREAM, FIRST)
        put = rig.put(3)
        await rig.run()
        rig.arm(HideReshard(age_seconds=3600.0))
        rig.arm(Missing(operation="GetRecords", seconds=60.0))
        put += rig.put(3)
        await rig.run(120.0)
        assert rig.intake.payloads() == put
        assert [shard for _, shard, _ in rig.intake.of("end")] == [FIRST]


async def test_records_delivered_again_are_not_handed_over_again() -> None:
    async with rigged() as rig:
        put = rig.put(5)
        await rig.run()
        rig.arm(Redeliver(5, records=4))
        put += rig.put(2)
        await rig.run()
        assert rig.intake.payloads() == put


async def test_an_empty_stream_is_well() -> None:
    async with rigged(2) as rig:
        await rig.run(600.0)
        assert rig.source.troubles() == []
        assert rig.intake.payloads() == []
        assert set(rig.source.lag().values()) == {0.0}


async def test_a_poison_record_stops_nothing() -> None:
    async with rigged() as rig:
        for payload in (b"\xff\x00", b"\x1f\x8bnot gzip", b"", b"{}"):
            rig.kinesis.put(STREAM, payload, "k")
        await rig.run()
        assert rig.intake.payloads() == [b"\xff\x00", b"\x1f\x8bnot gzip", b"", b"{}"]


async def test_several_captures_in_a_record_are_handed_over_with_their_number() -> None:
    async with rigged() as rig:
        record = rig.kinesis.put(STREAM, gzip.compress(b'{"a":1}\n{"a":2}\n'), "k")
        await rig.run()
        (batch,) = rig.intake.batches()
        assert batch.payloads == [b'{"a":1}', b'{"a":2}']
        assert batch.positions == [f"{record.sequence_number}:0", f"{record.sequence_number}:1"]


async def test_a_large_answer_is_handed_over_in_batches() -> None:
    async with rigged(pace=PaceSettings(batch_records=10)) as rig:
        rig.kinesis.put(STREAM, b"\n".join(b'{"n":%d}' % n for n in range(25)), "k")
        await rig.run()
        assert [len(batch.payloads) for batch in rig.intake.batches()] == [9, 8, 8]


async def test_a_stop_inside_a_record_goes_on_inside_it() -> None:
    async with rigged(pace=PaceSettings(batch_records=10)) as rig:
        lines = [b'{"n":%d}' % n for n in range(25)]
        rig.kinesis.put(STREAM, b"\n".join(lines), "k")
        rig.intake.closes_after = 2
        await rig.run()
        assert rig.intake.payloads() == lines[:17]
        rig.renew(rig.source.state(), rig.intake.steps)
        await rig.crash()
        await rig.run()
        assert rig.intake.payloads() == lines


async def test_lag_is_what_the_service_says() -> None:
    async with rigged(pace=PaceSettings(batch_records=1)) as rig:
        rig.put(2)
        rig.clock.move(100.0)
        await rig.run(0.0)
        assert rig.source.lag() == {FIRST: 100.0}


async def test_lag_grows_while_reading_waits() -> None:
    async with rigged() as rig:
        await rig.run()
        rig.intake.gate.clear()
        await rig.run(100.0)
        assert rig.source.lag()[FIRST] > 90.0


async def test_a_watchdog_sees_when_each_shard_last_answered() -> None:
    async with rigged() as rig:
        await rig.run()
        answered_at = rig.source.last_reads()[FIRST]
        assert answered_at is not None
        assert rig.clock.now() - answered_at <= 1_000
        rig.arm(Unavailable())
        await rig.run(100.0)
        assert rig.source.last_reads()[FIRST] == answered_at


async def test_a_stop_ends_the_run() -> None:
    async with rigged(4) as rig:
        await rig.run()
        await rig.stop()
        assert rig.source.lag() == {}


async def test_a_stop_ends_the_run_while_the_service_is_away() -> None:
    async with rigged() as rig:
        rig.arm(Unavailable())
        await rig.run()
        await rig.stop()


async def test_a_stop_ends_the_run_while_there_is_no_room() -> None:
    async with rigged(pace=PaceSettings(batch_records=10)) as rig:
        rig.put(25)
        rig.intake.closes_after = 1
        await rig.run()
        await rig.stop()
        assert len(rig.intake.payloads()) == 10


async def test_a_shard_has_no_second_announcement_after_a_restart() -> None:
    async with rigged(2) as rig:
        await rig.run()
        await rig.restart()
        await rig.run(100.0)
        assert rig.intake.counts()["begin"] == 2


async def test_an_ended_shard_is_not_read_again_while_it_is_listed() -> None:
    async with rigged(pace=RARE) as rig:
        rig.put(3)
        rig.kinesis.split(STREAM, FIRST)
        await rig.run(3700.0)
        await rig.restart()
        await rig.run(3700.0)
        assert len(rig.intake.payloads()) == 3


async def test_a_shard_that_ended_is_forgotten_once_the_service_has_forgotten_it() -> None:
    async with rigged(pace=RARE, listing_seconds=3600.0) as rig:
        rig.kinesis.split(STREAM, FIRST)
        await rig.run()
        assert FIRST.encode() in rig.source.state()
        await rig.run(2 * DAY)
        names = [shard["id"] for shard in orjson.loads(rig.source.state())["shards"]]
        assert names == ["shardId-000000000001", "shardId-000000000002"]


async def test_an_idle_stream_is_asked_little() -> None:
    async with rigged(100, pace=PaceSettings(), limits=Limits()) as rig:
        await rig.run(120.0)
        asked = rig.client.count("GetRecords")
        await rig.run(60.0)
        assert (rig.client.count("GetRecords") - asked) / 60 < 25


async def test_sixteen_idle_shards_do_not_delay_a_busy_one() -> None:
    async with rigged(17, pace=PaceSettings()) as rig:
        await rig.run(120.0)
        waited = []
        for _ in range(100):
            put_at = rig.clock.now()
            count = len(rig.intake.batches())
            rig.put(1)
            while len(rig.intake.batches()) == count:
                await rig.time.pass_by(0.1)
            waited.append(rig.clock.now() - put_at)
            await rig.time.pass_by(4.0)
        assert sorted(waited)[98] < 2_000


@pytest.mark.parametrize(
    ("state", "said"),
    [
        pytest.param(b"", "can't be read", id="torn"),
        pytest.param(b"{}", "can't be read", id="foreign"),
        pytest.param({"version": 99}, "version", id="of another version"),
        pytest.param({"stream": "other"}, "found that of other", id="of another stream"),
    ],
)
async def test_a_state_that_is_not_ours_is_refused(state: bytes | dict[str, Any], said: str) -> None:
    async with rigged() as rig:
        if isinstance(state, dict):
            state = orjson.dumps(orjson.loads(rig.source.state()) | state)
        with pytest.raises(StateError, match=said):
            rig.source.restore(state)


async def test_equal_states_are_equal_bytes() -> None:
    async with rigged(3) as rig:
        rig.put(10)
        await rig.run()
        state = rig.source.state()
        await rig.stop()
        rig.renew(state)
        assert rig.source.state() == state


async def test_iterators_that_expire_all_the_time_lose_nothing() -> None:
    async with rigged() as rig:
        put = rig.put(5)
        for _ in range(5):
            rig.arm(ExpireIterator(1))
            await rig.run(3.0)
            put += rig.put(5)
        await rig.run()
        assert rig.intake.payloads() == put
