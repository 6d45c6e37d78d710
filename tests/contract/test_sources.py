"""What every source promises: the fake and the files."""

from collections.abc import Callable
from pathlib import Path

import pytest

from streamer.adapters.files import FilesSource
from streamer.core.types import Batch, ShardId
from streamer.ports import Source
from streamer.testing.memory import ListSource
from tests.strategies import batch, capture

RECORDS = [capture(event_id=f"id-{i}") for i in range(5)]


def from_list(directory: Path) -> Source:
    return ListSource([batch(*RECORDS[:3], shard="a"), batch(*RECORDS[3:], shard="a", first=3), batch(*RECORDS)])


def from_files(directory: Path) -> Source:
    path = directory / "churn/AllTraffic/2026/01/05/09/00.jsonl"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\n".join(RECORDS))
    (directory / "other.jsonl").write_bytes(b"\n".join(RECORDS))
    return FilesSource([str(directory)], batch_records=3, record_bytes=10_000)


async def read(source: Source, shard: ShardId) -> list[Batch]:
    found = []
    while (part := await source.next_batch(shard)) is not None:
        found.append(part)
    return found


@pytest.fixture(params=[from_list, from_files])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    make: Callable[[Path], Source] = request.param
    return make(tmp_path)


async def test_shards_are_the_same_before_and_after_reading(source: Source) -> None:
    before = list(source.shards())
    for shard in before:
        await read(source, shard)
    assert (list(source.shards()), len(set(before))) == (before, 2)


async def test_a_shard_is_read_whole_and_in_order(source: Source) -> None:
    for shard in source.shards():
        found = await read(source, shard)
        assert [payload for part in found for payload in part.payloads] == RECORDS


async def test_a_batch_is_of_the_shard_asked_for_and_never_empty(source: Source) -> None:
    for shard in source.shards():
        assert all(part.shard == shard and part.payloads for part in await read(source, shard))


async def test_positions_are_unique_within_a_shard(source: Source) -> None:
    for shard in source.shards():
        positions = [position for part in await read(source, shard) for position in part.positions]
        assert len(set(positions)) == len(RECORDS)


async def test_an_ended_shard_stays_ended(source: Source) -> None:
    shard = source.shards()[0]
    await read(source, shard)
    assert [await source.next_batch(shard), await source.next_batch(shard)] == [None, None]


async def test_closing_twice_and_before_the_end_is_safe(source: Source) -> None:
    await source.next_batch(source.shards()[0])
    await source.close()
    await source.close()
