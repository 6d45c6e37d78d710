"""What every store of snapshots promises, wherever it keeps them; and after a crash at each of its steps."""

import asyncio
import itertools
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.adapters.state_directory import LOCK, DirectorySnapshotStore
from streamer.adapters.state_s3 import S3SnapshotStore
from streamer.core.errors import LeaseLost, StateError, Unavailable
from streamer.core.manifest import CHUNKS, MANIFESTS, POINTER, Loaded, Saved, digest_of
from streamer.ports import SnapshotStore
from streamer.testing.state import MemorySnapshotStore, MemoryState
from tests.aws import bucket

Step = Callable[[str], None]
HOUR: Final = 3_600_000
# Later than anything the emulated bucket has written, so that all of it is old enough to be collected.
MUCH_LATER: Final = 4_000_000_000_000


class Place(Protocol):
    """Where snapshots are: what a store leaves behind, open to be looked into and damaged."""

    def store(self, at_step: Step = ...) -> SnapshotStore: ...
    def forget_lock(self) -> None: ...
    async def objects(self) -> dict[str, bytes]: ...
    async def put(self, key: str, data: bytes) -> None: ...
    async def remove(self, key: str) -> None: ...


def nothing(step: str) -> None:
    pass


class InMemory:
    def __init__(self) -> None:
        self.state = MemoryState()

    def store(self, at_step: Step = nothing) -> SnapshotStore:
        return MemorySnapshotStore(self.state, at_step=at_step)

    def forget_lock(self) -> None:
        pass

    async def objects(self) -> dict[str, bytes]:
        return dict(self.state.objects)

    async def put(self, key: str, data: bytes) -> None:
        self.state.objects[key] = data

    async def remove(self, key: str) -> None:
        del self.state.objects[key]


class InDirectory:
    def __init__(self, path: Path) -> None:
        self.path = path

    def store(self, at_step: Step = nothing) -> SnapshotStore:
        return DirectorySnapshotStore(self.path, code="1.0", at_step=at_step)

    def forget_lock(self) -> None:
        # A new file has a new lock: as on a file system that keeps none for other machines.
        (self.path / LOCK).unlink(missing_ok=True)

    async def objects(self) -> dict[str, bytes]:
        found = {str(path.relative_to(self.path)): path.read_bytes() for path in self.path.rglob("*") if path.is_file()}
        found.pop(LOCK, None)
        return found

    async def put(self, key: str, data: bytes) -> None:
        path = self.path / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    async def remove(self, key: str) -> None:
        (self.path / key).unlink()


class InBucket:
    prefix = "a/state/"

    def __init__(self, client: Any, bucket: str) -> None:
        self.client = client
        self.bucket = bucket
        self.now = itertools.count(MUCH_LATER, HOUR)

    def store(self, at_step: Step = nothing) -> SnapshotStore:
        return S3SnapshotStore(
            self.client,
            bucket=self.bucket,
            prefix=self.prefix,
            now=lambda: next(self.now),
            code="1.0",
            parallel=2,
            at_step=at_step,
        )

    def forget_lock(self) -> None:
        pass

    async def objects(self) -> dict[str, bytes]:
        found = {}
        for entry in (await self.client.list_objects_v2(Bucket=self.bucket)).get("Contents", ()):
            answer = await self.client.get_object(Bucket=self.bucket, Key=entry["Key"])
            found[entry["Key"].removeprefix(self.prefix)] = await answer["Body"].read()
        return found

    async def put(self, key: str, data: bytes) -> None:
        await self.client.put_object(Bucket=self.bucket, Key=self.prefix + key, Body=data)

    async def remove(self, key: str) -> None:
        await self.client.delete_object(Bucket=self.bucket, Key=self.prefix + key)


@asynccontextmanager
async def in_memory() -> AsyncIterator[Place]:
    yield InMemory()


@asynccontextmanager
async def in_directory() -> AsyncIterator[Place]:
    with tempfile.TemporaryDirectory() as path:
        yield InDirectory(Path(path) / "state")


@asynccontextmanager
async def in_bucket() -> AsyncIterator[Place]:
    async with bucket() as (client, name):
        yield InBucket(client, name)


PLACES = [in_memory, in_directory, in_bucket]


@pytest.fixture(params=PLACES)
async def place(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    async with request.param() as made:
        yield made


@asynccontextmanager
async def owning(place: Place, at_step: Step = nothing) -> AsyncIterator[SnapshotStore]:
    store = place.store(at_step)
    try:
        await store.acquire()
        yield store
    finally:
        await store.close()


async def loaded(place: Place) -> Loaded | None:
    """What the next process would find."""
    async with owning(place) as store:
        return await store.load()


async def saved(place: Place, *snapshots: Mapping[str, bytes]) -> list[Saved]:
    async with owning(place) as store:
        await store.load()
        return [await store.save(chunks) for chunks in snapshots]


def chunk_key(data: bytes) -> str:
    return CHUNKS + digest_of(data)


async def manifest_keys(place: Place) -> list[str]:
    """Oldest first."""
    return sorted(key for key in await place.objects() if key.startswith(MANIFESTS))


async def test_where_nothing_was_saved_nothing_is_loaded(place: Place) -> None:
    assert await loaded(place) is None


async def test_looking_without_acquiring_finds_nothing_where_nothing_is(place: Place) -> None:
    store = place.store()
    assert await store.load() is None
    await store.close()


async def test_looking_without_acquiring_takes_nothing_away(place: Place) -> None:
    async with owning(place) as owner:
        await owner.save({"x": b"1"})
        reader = place.store()
        found = await reader.load()
        await reader.close()
        await owner.save({"x": b"2"})
    assert found is not None
    assert found.chunks == {"x": b"1"}


async def test_chunks_come_back_under_names_of_any_kind(place: Place) -> None:
    chunks = {"": b"", "../../etc/passwd": b"1", "a/b": b"2", "größe 🙂": b"3", "\x00\n": b"4", "x" * 500: bytes(1000)}
    await saved(place, chunks)
    found = await loaded(place)
    assert found is not None
    assert found.chunks == chunks


async def test_a_snapshot_without_chunks_is_a_snapshot(place: Place) -> None:
    await saved(place, {})
    assert await loaded(place) == Loaded(1, {})


async def test_the_newest_snapshot_is_loaded(place: Place) -> None:
    await saved(place, {"x": b"1"}, {"x": b"2"}, {"y": b"3"})
    assert await loaded(place) == Loaded(3, {"y": b"3"})


async def test_the_epoch_grows_with_each_owner(place: Place) -> None:
    epochs = []
    for _ in range(3):
        store = place.store()
        epochs.append(await store.acquire())
        await store.close()
    assert epochs == [1, 2, 3]


async def test_acquiring_what_one_has_changes_nothing(place: Place) -> None:
    async with owning(place) as store:
        assert await store.acquire() == 1
        await store.save({"x": b"1"})


async def test_numbers_go_on_with_the_next_owner(place: Place) -> None:
    first = await saved(place, {"x": b"1"}, {"x": b"2"})
    second = await saved(place, {"x": b"3"})
    assert [done.number for done in first + second] == [1, 2, 3]


async def test_a_chunk_that_stayed_the_same_is_not_written_again(place: Place) -> None:
    _, second = await saved(place, {"x": b"one", "y": b"same"}, {"x": b"other", "y": b"same"})
    assert (second.chunks_written, second.bytes_written) == (1, 5)


async def test_what_the_owner_before_wrote_is_not_written_again(place: Place) -> None:
    await saved(place, {"x": b"1", "y": b"2"})
    (again,) = await saved(place, {"x": b"1", "y": b"2"})
    assert again.chunks_written == 0


async def test_a_chunk_that_turns_back_to_what_it_was_comes_back(place: Place) -> None:
    await saved(place, *({"x": b"%d" % (i % 2)} for i in range(9)))
    assert await loaded(place) == Loaded(9, {"x": b"0"})


async def test_a_snapshot_is_as_it_was_when_the_save_began(place: Place) -> None:
    before = {name: name.encode() for name in "abcdef"}
    chunks = dict(before)

    def change(step: str) -> None:
        if step == "chunk written":
            chunks.update(dict.fromkeys(chunks, b"changed"))

    async with owning(place, change) as store:
        await store.save(chunks)
    assert await loaded(place) == Loaded(1, before)


async def test_a_chunk_said_to_be_unchanged_is_as_in_the_snapshot_before(place: Place) -> None:
    async with owning(place) as store:
        await store.save({"x": b"1", "y": b"2", "gone": b"3"})
        done = await store.save({"x": b"4"}, {"y"})
    assert (done.chunks_written, done.bytes_written) == (1, 1)
    assert await loaded(place) == Loaded(2, {"x": b"4", "y": b"2"})


async def test_a_chunk_said_to_be_unchanged_is_as_in_the_snapshot_loaded(place: Place) -> None:
    await saved(place, {"x": b"1", "y": b"2"}, {"x": b"3", "y": b"4"})
    await damage(place, chunk_key(b"4"), flipped)
    async with owning(place) as store:
        await store.load()
        await store.save({}, ["x", "y"])
    assert await loaded(place) == Loaded(3, {"x": b"1", "y": b"2"})


async def test_a_chunk_said_to_be_unchanged_that_was_never_there_is_refused(place: Place) -> None:
    async with owning(place) as store:
        await store.save({"x": b"1"})
        with pytest.raises(StateError, match="chunk 'y' is said to be unchanged"):
            await store.save({"x": b"2"}, {"y"})
    assert await loaded(place) == Loaded(1, {"x": b"1"})


async def test_after_taking_the_state_nothing_is_unchanged_until_it_is_loaded(place: Place) -> None:
    await saved(place, {"x": b"1"})
    store = place.store()
    await store.load()
    await saved(place, {"x": b"2"})
    await store.acquire()
    with pytest.raises(StateError, match="said to be unchanged"):
        await store.save({}, {"x"})
    await store.close()


async def test_the_owner_is_told_that_it_is_one(place: Place) -> None:
    async with owning(place) as store:
        await store.verify()
        await store.save({"x": b"1"})
        await store.verify()


async def test_who_was_paused_and_lost_the_state_is_told_so(place: Place) -> None:
    async with owning(place) as paused:
        place.forget_lock()
        async with owning(place) as other:
            with pytest.raises(LeaseLost):
                await paused.verify()
            await other.verify()


async def test_whose_pointer_is_gone_owns_nothing(place: Place) -> None:
    async with owning(place) as store:
        await place.remove(POINTER)
        with pytest.raises(LeaseLost):
            await store.verify()


async def test_the_last_three_snapshots_are_kept_and_nothing_else(place: Place) -> None:
    await saved(place, *({"x": b"%d" % i, "y": b"same"} for i in range(6)))
    there = await place.objects()
    chunks = {chunk_key(data) for data in (b"3", b"4", b"5", b"same")}
    assert {key for key in there if key.startswith(CHUNKS)} == chunks
    assert len([key for key in there if key.startswith(MANIFESTS)]) == 3
    assert len(there) == 4 + 3 + 1


async def test_what_the_store_did_not_write_stays(place: Place) -> None:
    for key in ("decisions.jsonl", "chunks/notes.txt", "manifests/notes.txt"):
        await place.put(key, b"kept")
    await saved(place, *({"x": b"%d" % i} for i in range(5)))
    there = await place.objects()
    assert [there.get(key) for key in ("decisions.jsonl", "chunks/notes.txt", "manifests/notes.txt")] == [b"kept"] * 3


async def test_a_store_that_was_not_acquired_saves_nothing(place: Place) -> None:
    store = place.store()
    with pytest.raises(StateError, match="not acquired"):
        await store.save({"x": b"1"})
    await store.close()


async def test_closing_twice_is_once(place: Place) -> None:
    store = place.store()
    await store.acquire()
    await store.close()
    await store.close()


async def test_who_was_paused_and_lost_the_state_saves_nothing_more(place: Place) -> None:
    async with owning(place) as paused:
        await paused.save({"x": b"1"})
        place.forget_lock()
        await saved(place, {"x": b"2"})
        for _ in range(2):
            with pytest.raises(LeaseLost):
                await paused.save({"x": b"3"})
        place.forget_lock()
        assert await loaded(place) == Loaded(2, {"x": b"2"})


async def test_who_lost_the_state_to_one_that_has_saved_nothing_yet_saves_nothing_more(place: Place) -> None:
    async with owning(place) as paused:
        await paused.save({"x": b"1"})
        place.forget_lock()
        async with owning(place):
            with pytest.raises(LeaseLost):
                await paused.save({"x": b"2"})
        place.forget_lock()
        assert await loaded(place) == Loaded(1, {"x": b"1"})


async def test_who_lost_the_state_deletes_nothing(place: Place) -> None:
    async with owning(place) as paused:
        await paused.save({"x": b"1"})
        place.forget_lock()
        await saved(place, *({"x": b"%d" % i} for i in range(2, 6)))
        before = await place.objects()
        with pytest.raises(LeaseLost):
            await paused.save({"x": b"6"})
        assert (await place.objects()).items() >= before.items()


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flipped(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


def emptied(data: bytes) -> bytes:
    return b""


def foreign(data: bytes) -> bytes:
    return b'{"kind": "other", "format": 1}'


DAMAGES = [cut, flipped, emptied, foreign, None]


async def damage(place: Place, key: str, how: Callable[[bytes], bytes] | None) -> None:
    if how is None:
        await place.remove(key)
    else:
        await place.put(key, how((await place.objects())[key]))


@pytest.mark.parametrize("how", DAMAGES)
async def test_a_damaged_chunk_costs_one_generation_and_is_told(
    place: Place, how: Callable[[bytes], bytes] | None
) -> None:
    await saved(place, *({"flight": b"state %d" % i, "y": b"same"} for i in range(1, 4)))
    await damage(place, chunk_key(b"state 3"), how)
    found = await loaded(place)
    assert found is not None
    assert (found.number, found.chunks["flight"]) == (2, b"state 2")
    assert [reason.startswith("snapshot 3: chunk 'flight' ") for reason in found.fell_back] == [True]


@pytest.mark.parametrize("how", DAMAGES)
async def test_a_damaged_manifest_costs_one_generation_and_is_told(
    place: Place, how: Callable[[bytes], bytes] | None
) -> None:
    await saved(place, *({"x": b"%d" % i} for i in range(1, 4)))
    await damage(place, (await manifest_keys(place))[-1], how)
    found = await loaded(place)
    assert found is not None
    assert (found.number, found.chunks) == (2, {"x": b"2"})
    assert [reason.startswith("snapshot 3: its manifest is ") for reason in found.fell_back] == [True]


@pytest.mark.parametrize("how", DAMAGES)
async def test_a_damaged_older_manifest_does_not_keep_the_next_owner_from_saving(
    place: Place, how: Callable[[bytes], bytes] | None
) -> None:
    await saved(place, *({"x": b"%d" % i} for i in range(1, 4)))
    await damage(place, (await manifest_keys(place))[1], how)
    (done,) = await saved(place, {"x": b"4"})
    assert done.uncollected == ""
    assert await loaded(place) == Loaded(4, {"x": b"4"})


async def test_two_damaged_generations_leave_the_third(place: Place) -> None:
    await saved(place, *({"x": b"%d" % i} for i in range(1, 4)))
    await damage(place, chunk_key(b"3"), flipped)
    await damage(place, (await manifest_keys(place))[1], cut)
    found = await loaded(place)
    assert found is not None
    assert (found.number, len(found.fell_back)) == (1, 2)


async def test_with_every_generation_damaged_the_start_is_refused(place: Place) -> None:
    await saved(place, *({"x": b"%d" % i, "y": b"same"} for i in range(1, 4)))
    await damage(place, chunk_key(b"same"), flipped)
    for _ in range(2):
        with pytest.raises(StateError, match=r"no snapshot is whole: snapshot 3: .*; snapshot 2: .*; snapshot 1: "):
            await loaded(place)


@pytest.mark.parametrize("how", DAMAGES)
async def test_a_damaged_pointer_costs_nothing_and_is_told(place: Place, how: Callable[[bytes], bytes] | None) -> None:
    await saved(place, *({"x": b"%d" % i} for i in range(1, 4)))
    await damage(place, POINTER, how)
    found = await loaded(place)
    assert found is not None
    assert (found.number, found.chunks, len(found.fell_back)) == (3, {"x": b"3"}, 1)
    assert [done.number for done in await saved(place, {"x": b"4"})] == [4]


async def test_a_damaged_pointer_with_nothing_else_there_is_never_a_fresh_start(place: Place) -> None:
    await place.put(POINTER, b"rubbish")
    for _ in range(2):
        with pytest.raises(StateError, match="the pointer is damaged"):
            await loaded(place)


async def test_after_falling_back_numbers_go_on_above_the_damaged_one(place: Place) -> None:
    await saved(place, {"x": b"1"}, {"x": b"2"})
    await damage(place, chunk_key(b"2"), flipped)
    assert [done.number for done in await saved(place, {"x": b"3"})] == [3]
    assert await loaded(place) == Loaded(3, {"x": b"3"})


async def test_a_damaged_snapshot_is_not_among_those_kept_after_the_next_save(place: Place) -> None:
    await saved(place, *({"x": b"%d" % i} for i in range(1, 4)))
    await damage(place, chunk_key(b"3"), flipped)
    await saved(place, {"x": b"4"})
    await damage(place, chunk_key(b"4"), flipped)
    found = await loaded(place)
    assert found is not None
    assert (found.number, len(found.fell_back)) == (2, 1)


@pytest.mark.parametrize("how", DAMAGES)
async def test_a_damaged_chunk_is_written_again_when_a_replay_makes_it_again(
    place: Place, how: Callable[[bytes], bytes] | None
) -> None:
    await saved(place, {"x": b"state 1"}, {"x": b"state 2"})
    await damage(place, chunk_key(b"state 2"), how)
    await saved(place, {"x": b"state 2"})
    assert await loaded(place) == Loaded(3, {"x": b"state 2"})


async def test_a_state_of_a_newer_format_is_refused_and_left_as_it_is(place: Place) -> None:
    line = msgspec.json.encode({"kind": "streamer/pointer", "format": 2, "code": "9.9"})
    await place.put(POINTER, line + b"\n" + digest_of(line).encode() + b"\n")
    before = await place.objects()
    with pytest.raises(StateError, match=r"written by a newer version, 9\.9"):
        await loaded(place)
    reader = place.store()
    with pytest.raises(StateError, match=r"written by a newer version, 9\.9"):
        await reader.load()
    await reader.close()
    assert await place.objects() == before


class Crash(BaseException):
    """The process ends here: no clean-up of its own runs."""


class CrashAt:
    """Counts steps, and ends the process at one of them."""

    def __init__(self, last: int | None = None) -> None:
        self.steps: list[str] = []
        self.last = last

    def __call__(self, step: str) -> None:
        self.steps.append(step)
        if self.last is not None and len(self.steps) > self.last:
            raise Crash(step)


A = {"": b"positions 1", "flight": b"state 1", "churn": b"same"}
B = {"": b"positions 2", "flight": b"state 2", "churn": b"same", "new": b"state 1"}
C = {"": b"positions 3", "flight": b"state 1", "churn": b"same"}


async def save_and_die(place: Place, chunks: Mapping[str, bytes], at: CrashAt) -> bool:
    """Save as a process that may die on its way; whether it lived."""
    store = place.store(at)
    try:
        await store.acquire()
        await store.load()
        await store.save(chunks)
    except Crash:
        return False
    finally:
        # All that a death does by itself: the lock goes.
        await store.close()
    return True


@pytest.mark.parametrize("make", PLACES)
async def test_after_a_crash_at_any_step_the_last_snapshot_or_the_one_before_is_loaded(
    make: Callable[[], AbstractAsyncContextManager[Place]],
) -> None:
    outcomes = []
    for last in itertools.count():
        async with make() as place:
            await saved(place, A)
            at = CrashAt(last)
            lived = await save_and_die(place, B, at)
            found = await loaded(place)
            assert found is not None
            assert (found.number, found.chunks) in [(1, A), (2, B)], at.steps
            assert found.fell_back == (), at.steps
            (done,) = await saved(place, C)
            assert done.number == found.number + 1, at.steps
            assert await loaded(place) == Loaded(done.number, C), at.steps
            assert len([key for key in await place.objects() if key.startswith("partial")]) == 0, at.steps
        outcomes.append(found.number)
        if lived:
            break
    assert outcomes == sorted(outcomes)
    assert set(outcomes) == {1, 2}


@pytest.mark.parametrize(("after", "number"), [(False, 1), (True, 2)])
async def test_a_scripted_fault_strikes_before_or_after_the_save(after: bool, number: int) -> None:
    place = InMemory()
    store = MemorySnapshotStore(place.state, [None, Unavailable("scripted")], after=after)
    await store.acquire()
    await store.save({"x": b"1"})
    with pytest.raises(Unavailable, match="scripted"):
        await store.save({"x": b"2"})
    found = await loaded(place)
    assert found is not None
    assert found.number == number
    await store.close()


class Act(msgspec.Struct, frozen=True):
    """One act of an operator's night."""

    chunks: dict[str, bytes]
    dies_at: int | None = None
    fresh: bool = False


acts = st.lists(
    st.builds(
        Act,
        chunks=st.dictionaries(st.text(max_size=3), st.sampled_from([b"", b"1", b"2", b"3"]), max_size=3),
        dies_at=st.none() | st.integers(0, 20),
        fresh=st.booleans(),
    ),
    max_size=6,
)


async def live_through(make: Callable[[], AbstractAsyncContextManager[Place]], night: list[Act]) -> None:
    async with make() as place:
        possible: list[dict[str, bytes] | None] = [None]
        number = 0
        for act in night:
            lived = await save_and_die(place, act.chunks, CrashAt(act.dies_at))
            possible = [act.chunks] if lived else [*possible, act.chunks]
            found = await loaded(place)
            assert (found.chunks if found is not None else None) in possible
            assert (found.number if found is not None else 0) >= number
            number = found.number if found is not None else 0
            possible = [found.chunks if found is not None else None]


@pytest.mark.parametrize(("make", "examples"), [(in_memory, 100), (in_directory, 30), (in_bucket, 6)])
def test_whatever_crashes_there_were_a_load_gives_the_last_snapshot_or_the_one_before(
    make: Callable[[], AbstractAsyncContextManager[Place]], examples: int
) -> None:
    @settings(max_examples=examples, deadline=None)
    @given(night=acts)
    def check(night: list[Act]) -> None:
        asyncio.run(live_through(make, night))

    check()
