import asyncio
import errno
import fcntl
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from streamer.adapters.state_directory import LOCK, PARTIAL, DirectorySnapshotStore
from streamer.core.errors import Denied, LeaseLost, Retryable, StateError, StateInUse, StorageFull
from streamer.core.manifest import CHUNKS, MANIFESTS, POINTER, Loaded, digest_of

Step = Callable[[str], None]
OWNER = """
import asyncio, pathlib, sys
from streamer.adapters.state_directory import DirectorySnapshotStore
store = DirectorySnapshotStore(pathlib.Path(sys.argv[1]), code="1.0")
async def own():
    await store.acquire()
    await store.save({"x": b"1"})
    print("owns", flush=True)
    sys.stdin.read()
asyncio.run(own())
"""


def nothing(step: str) -> None:
    pass


@asynccontextmanager
async def owning(path: Path, at_step: Step = nothing) -> AsyncIterator[DirectorySnapshotStore]:
    store = DirectorySnapshotStore(path, code="1.0", at_step=at_step)
    try:
        await store.acquire()
        yield store
    finally:
        await store.close()


async def loaded(path: Path) -> Loaded | None:
    async with owning(path) as store:
        return await store.load()


class FailsAt:
    """Counts steps once it is armed, and lets the disk fail at one of them."""

    def __init__(self, error: int, last: int) -> None:
        self.error = error
        self.last = last
        self.is_armed = False
        self.has_failed = False

    def __call__(self, step: str) -> None:
        if not self.is_armed:
            return
        self.last -= 1
        if self.last < 0:
            self.is_armed = False
            self.has_failed = True
            raise OSError(self.error, os.strerror(self.error))


def names(path: Path) -> set[str]:
    return {str(file.relative_to(path)) for file in path.rglob("*") if file.is_file()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "var" / "state"


@contextmanager
def another_process(path: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "owns\n"
            yield process
        finally:
            process.kill()


async def test_a_second_process_is_refused_and_told_by_whom(path: Path) -> None:
    with another_process(path) as process:
        store = DirectorySnapshotStore(path, code="1.0")
        with pytest.raises(StateInUse, match=f"in use by process {process.pid}$"):
            await store.acquire()
        await store.close()


async def test_a_second_process_that_is_refused_changes_nothing(path: Path) -> None:
    with another_process(path):
        before = {name: (path / name).read_bytes() for name in names(path)}
        store = DirectorySnapshotStore(path, code="1.0")
        with pytest.raises(StateInUse):
            await store.acquire()
        await store.close()
        assert {name: (path / name).read_bytes() for name in names(path)} == before


async def test_a_process_that_was_killed_leaves_the_directory_to_the_next(path: Path) -> None:
    with another_process(path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
    async with owning(path) as store:
        assert await store.load() == Loaded(1, {"x": b"1"})
        assert await store.acquire() == 2


async def test_a_store_that_was_refused_gets_the_directory_once_it_is_free(path: Path) -> None:
    store = DirectorySnapshotStore(path, code="1.0")
    async with owning(path):
        with pytest.raises(StateInUse):
            await store.acquire()
    assert await store.acquire() == 2
    await store.close()


async def test_a_file_system_without_locks_is_no_reason_not_to_start(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(file: int, operation: int) -> None:
        raise OSError(errno.ENOTSUP, "no locks here")

    monkeypatch.setattr(fcntl, "flock", refused)
    async with owning(path) as first, owning(path) as second:
        await second.save({"x": b"2"})
        with pytest.raises(LeaseLost):
            await first.save({"x": b"1"})


async def test_a_lock_that_can_not_be_had_for_another_reason_stops_the_start(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(file: int, operation: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", interrupted)
    store = DirectorySnapshotStore(path, code="1.0")
    with pytest.raises(Retryable, match="can't take"):
        await store.acquire()
    await store.close()


async def test_who_loses_the_directory_in_the_middle_of_a_save_moves_nothing(path: Path) -> None:
    def lose(step: str) -> None:
        if step == "manifest written":
            (path / LOCK).unlink()
            asyncio.run(loaded(path))

    async with owning(path) as store:
        await store.save({"x": b"1"})
    async with owning(path, lose) as store:
        with pytest.raises(LeaseLost):
            await store.save({"x": b"2"})
    assert await loaded(path) == Loaded(1, {"x": b"1"})


async def test_only_the_owner_may_look_inside(path: Path) -> None:
    before = os.umask(0)
    try:
        async with owning(path) as store:
            await store.save({"x": b"1"})
    finally:
        os.umask(before)
    modes = {stat.S_IMODE((path / name).stat().st_mode) for name in names(path)}
    folders = {stat.S_IMODE(folder.stat().st_mode) for folder in (path, path / CHUNKS, path / MANIFESTS)}
    assert (modes, folders) == ({0o600}, {0o700})


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """No file may grow larger, as on a full disk: a write takes what fits, the next one fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_disk_that_fills_up_in_the_middle_of_a_chunk_leaves_the_snapshot_before(path: Path) -> None:
    async with owning(path) as store:
        await store.save({"x": b"1"})
        before = names(path)
        with files_up_to(10_000), pytest.raises(StorageFull, match="can't write to state directory"):
            await store.save({"x": b"2", "y": bytes(20_000)})
        assert names(path) == before
    assert await loaded(path) == Loaded(1, {"x": b"1"})


async def test_a_save_that_failed_works_once_there_is_room(path: Path) -> None:
    async with owning(path) as store:
        await store.save({"x": b"1"})
        with files_up_to(10_000), pytest.raises(StorageFull):
            await store.save({"x": b"2", "y": bytes(20_000)})
        await store.save({"x": b"2", "y": bytes(20_000)})
    assert await loaded(path) == Loaded(2, {"x": b"2", "y": bytes(20_000)})


async def test_a_disk_that_fails_at_any_step_costs_nothing_that_was_saved(path: Path) -> None:
    for last in range(100):
        at = FailsAt(errno.ENOSPC, last)
        place = path / str(last)
        async with owning(place, at) as store:
            await store.save({"x": b"1", "y": b"same"})
            at.is_armed = True
            try:
                await store.save({"x": b"2", "y": b"same"})
            except StorageFull:
                assert at.has_failed
            at.is_armed = False
            found = await store.load()
            assert found is not None
            assert found.chunks["x"] in {b"1", b"2"}
            # Whatever it was, nothing is left but whole files of snapshots kept.
            assert len(names(place)) == 2 + found.number + found.number + 1, last
            await store.save({"x": b"3", "y": b"same"})
            number = found.number + 1
        assert await loaded(place) == Loaded(number, {"x": b"3", "y": b"same"})
        if not at.has_failed:
            break
    assert last > 10


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (errno.ENOSPC, StorageFull),
        (errno.EDQUOT, StorageFull),
        (errno.EIO, Retryable),
        (errno.ESTALE, Retryable),
        (errno.EACCES, Denied),
        (errno.EROFS, Denied),
    ],
)
async def test_what_the_disk_says_is_translated(path: Path, error: int, raised: type[Exception]) -> None:
    at = FailsAt(error, 0)
    async with owning(path, at) as store:
        at.is_armed = True
        with pytest.raises(raised, match=f"can't write to state directory {path}: {os.strerror(error)}") as caught:
            await store.save({"x": b"1"})
        assert type(caught.value) is raised


async def test_a_disk_that_is_full_at_the_start_says_so(path: Path) -> None:
    at = FailsAt(errno.ENOSPC, 0)
    at.is_armed = True
    store = DirectorySnapshotStore(path, code="1.0", at_step=at)
    with pytest.raises(StorageFull, match="can't take"):
        await store.acquire()
    assert await store.acquire() == 1
    await store.close()


async def test_garbage_that_can_not_be_deleted_is_told_and_the_snapshot_is_saved(path: Path) -> None:
    stuck = path / CHUNKS / digest_of(b"elsewhere")
    async with owning(path) as store:
        stuck.mkdir(parents=True)
        done = await store.save({"x": b"1"})
        assert "can't delete from state directory" in done.uncollected
    assert await loaded(path) == Loaded(1, {"x": b"1"})


async def test_what_a_crash_left_half_written_is_cleared_by_the_next_save(path: Path) -> None:
    async with owning(path) as store:
        (path / (PARTIAL + "0123")).write_bytes(b"half")
        await store.save({"x": b"1"})
    assert not [name for name in names(path) if name.startswith(PARTIAL)]


async def test_a_chunk_that_vanished_is_written_again_though_it_did_not_change(path: Path) -> None:
    async with owning(path) as store:
        await store.save({"x": b"1", "y": b"same"})
        (path / CHUNKS / digest_of(b"same")).unlink()
        await store.save({"x": b"2", "y": b"same"})
    assert await loaded(path) == Loaded(2, {"x": b"2", "y": b"same"})


async def test_a_chunk_that_vanished_and_is_not_at_hand_is_told(path: Path) -> None:
    async with owning(path) as store:
        await store.save({"x": b"1", "y": b"same"})
        (path / CHUNKS / digest_of(b"same")).unlink()
        with pytest.raises(StateError, match="chunk 'y' has vanished"):
            await store.save({"x": b"2"}, {"y"})


async def test_a_folder_in_a_chunks_place_costs_a_generation(path: Path) -> None:
    async with owning(path) as store:
        await store.save({"x": b"1"})
        await store.save({"x": b"2"})
    chunk = path / CHUNKS / digest_of(b"2")
    chunk.unlink()
    chunk.mkdir()
    assert await loaded(path) == Loaded(1, {"x": b"1"}, ("snapshot 2: chunk 'x' can't be read: Is a directory",))


async def test_a_pointer_that_is_a_folder_is_never_a_fresh_start(path: Path) -> None:
    (path / POINTER).mkdir(parents=True)
    store = DirectorySnapshotStore(path, code="1.0")
    with pytest.raises(StateError, match="the pointer is damaged"):
        await store.load()
    await store.close()


async def test_the_loops_thread_touches_no_file(path: Path) -> None:
    threads: set[int] = set()
    async with owning(path, lambda step: threads.add(threading.get_ident())) as store:
        await store.save({"x": b"1"})
        await store.load()
    assert len(threads) == 1
    assert threading.get_ident() not in threads


async def test_a_save_that_was_cancelled_ends_before_the_directory_is_let_go(path: Path) -> None:
    loop = asyncio.get_running_loop()
    begun, may_go_on = asyncio.Event(), threading.Event()

    def wait(step: str) -> None:
        if step == "chunks written":
            loop.call_soon_threadsafe(begun.set)
            assert may_go_on.wait(60)

    async with owning(path, wait) as store, asyncio.TaskGroup() as group:
        save = group.create_task(store.save({"x": b"1"}))
        await begun.wait()
        save.cancel()
        closing = group.create_task(store.close())
        other = DirectorySnapshotStore(path, code="1.0")
        with pytest.raises(StateInUse):
            await other.acquire()
        may_go_on.set()
        await closing
        assert await other.acquire() == 2
        assert await other.load() == Loaded(1, {"x": b"1"})
        await other.close()
