"""State in a local directory: chunks and manifests by rename, a pointer by rename, one process by a lock."""

import asyncio
import errno
import fcntl
import os
import secrets
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

from streamer.core.errors import Denied, LeaseLost, Retryable, StateError, StateInUse, StorageFull
from streamer.core.manifest import (
    CHUNKS,
    MANIFESTS,
    POINTER,
    Damaged,
    Generation,
    Loaded,
    Manifest,
    Pointer,
    Recovered,
    Saved,
    changed,
    decode_manifest,
    encode_manifest,
    encode_pointer,
    found_pointer,
    garbage,
    manifest_of,
    pointer_of,
    recover,
)

LOCK: Final = "lock"
PARTIAL: Final = "partial-"
MISSING: Final = "is missing"
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FORBIDDEN: Final = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_NO_LOCKS: Final = frozenset({errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL})
# What the disk says of a file it can't give back; anything else may be over later.
_DAMAGE: Final = frozenset({errno.EIO, errno.EISDIR, errno.ENOTDIR})
T = TypeVar("T")


def _nothing(step: str) -> None:
    pass


class DirectorySnapshotStore:
    """Keeps snapshots in a directory that one process holds at a time.

    Whoever holds the directory has a lock on the file ``lock`` and its name in the file ``pointer``.
    The lock keeps a second process out; where the file system has no locks, the name does: a process
    that finds another's there has lost the directory and writes nothing more.

    Files are written beside their place (``partial``), flushed to the disk and renamed, so a file
    under its name is whole; the pointer is the last to move. Everything runs in one thread of the
    store's own, one call after the other, so a call that was cancelled comes to its end before the
    next begins. The directory is for its owner only (0700, files 0600); files the store does not
    know are left alone.

    Parameters
    ----------
    directory : Path
        Made by ``acquire`` if it does not exist.
    code : str
        Version of the program, for manifests.
    at_step : callable
        For crash tests: called with a step's name after each step of ``acquire`` and ``save``, in the
        store's thread. What it raises ends the call there; an ``OSError`` counts as the disk's.
    """

    def __init__(self, directory: Path, *, code: str, at_step: Callable[[str], None] = _nothing) -> None:
        self._directory = directory
        self._code = code
        self._step = at_step
        self._owner = secrets.token_hex(8)
        self._thread = ThreadPoolExecutor(1, "state")
        self._closed = False
        self._lock: int | None = None
        self._pointer: Pointer | None = None
        self._trouble = ""
        self._before: Manifest | None = None
        self._kept: tuple[Generation, ...] = ()
        self._manifests: dict[str, Manifest | None] = {}

    async def acquire(self) -> int:
        """Take the directory for this process.

        Returns
        -------
        int
            The epoch, larger than every one before.

        Raises
        ------
        StateInUse
            A living process on this machine has it.
        Retryable
            It can't be written now; ``StorageFull`` where the disk or a quota is full, ``Denied`` where
            permissions are missing.
        StateError
            A newer version wrote it, or its pointer is beyond repair.
        """
        return await self._run(self._acquire)

    async def load(self) -> Loaded | None:
        """The newest snapshot that is whole; ``None`` when nothing was ever saved.

        Raises
        ------
        StateError
            There is something, and nothing of it is whole; or a newer version wrote it.
        Retryable
            It can't be read now; ``Denied`` where permissions are missing.
        """
        return await self._run(self._load)

    async def save(self, chunks: Mapping[str, bytes], unchanged: Collection[str] = ()) -> Saved:
        """Write what changed since the last snapshot, then move the pointer.

        Parameters
        ----------
        chunks : mapping of str to bytes
            By name; the whole snapshot but for ``unchanged``. Copied at once, so that it may change
            while this runs.
        unchanged : collection of str
            Chunks that are as in the last snapshot saved or loaded.

        Raises
        ------
        LeaseLost
            Another process has the directory.
        Retryable
            Nothing was saved, and the snapshot before is as it was; ``StorageFull`` where the disk or
            a quota is full. Where even this can't be told, the next call finds out.
        StateError
            There is no such chunk as is said to be unchanged.
        """
        held, same = dict(chunks), tuple(unchanged)
        return await self._run(lambda: self._save(held, same))

    async def verify(self) -> None:
        """Make sure that the directory is still this process's; may run beside a save.

        Raises
        ------
        LeaseLost
            It is not.
        Retryable
            It can't be told now.
        """
        await asyncio.to_thread(self._verify)

    async def close(self) -> None:
        """Let the directory go, once what is under way has ended; safe to call twice."""
        if not self._closed:
            self._closed = True
            await self._run(self._unlock)
            self._thread.shutdown(wait=False)

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _acquire(self) -> int:
        try:
            for folder in ("", CHUNKS, MANIFESTS):
                (self._directory / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._lock is None:
                self._lock = self._locked()
            self._step("directory locked")
            pointer, self._trouble = self._found()
            if pointer.owner != self._owner:
                self._before = None
                pointer = pointer.taken(self._owner, self._code)
                self._move(pointer)
        except OSError as error:
            raise self._translated("take", error) from error
        return pointer.epoch

    def _locked(self) -> int:
        file = os.open(self._directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(file, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(file)
            raise StateInUse(f"state directory {self._directory} is in use by process {holder}") from error
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                os.close(file)
                raise
        # For who is refused; nothing depends on it, so a disk that is full is no reason to stop here.
        with suppress(OSError):
            os.ftruncate(file, 0)
            os.pwrite(file, b"%d\n" % os.getpid(), 0)
        return file

    def _unlock(self) -> None:
        # The file stays: were it deleted, two processes could hold locks on two files of its name.
        if self._lock is not None:
            os.close(self._lock)
        self._lock = self._pointer = None

    def _found(self) -> tuple[Pointer, str]:
        data = self._read(POINTER)
        if data == MISSING:
            return found_pointer(None, lambda: self._keys(MANIFESTS))
        return found_pointer(data if isinstance(data, bytes) else b"", lambda: self._keys(MANIFESTS))

    def _read(self, key: str) -> bytes | str:
        try:
            return (self._directory / key).read_bytes()
        except FileNotFoundError:
            return MISSING
        except OSError as error:
            if error.errno not in _DAMAGE:
                raise
            return f"can't be read: {error.strerror}"

    def _keys(self, folder: str) -> list[str]:
        try:
            return [folder + name for name in os.listdir(self._directory / folder)]
        except FileNotFoundError:
            return []

    def _load(self) -> Loaded | None:
        try:
            pointer, trouble = (self._pointer, self._trouble) if self._pointer is not None else self._found()
            reading = recover(pointer, trouble)
            wanted = next(reading, None)
            while wanted is not None:
                wanted = reading.send({key: self._read(key) for key in wanted})
        except StopIteration as end:
            recovered: Recovered = end.value
        except OSError as error:
            raise self._translated("read", error) from error
        else:
            return None
        self._before = recovered.manifest
        self._kept = recovered.generations
        return recovered.loaded

    def _save(self, chunks: Mapping[str, bytes], unchanged: Collection[str]) -> Saved:
        try:
            pointer = self._ours()
            manifest = manifest_of(
                chunks,
                number=pointer.number + 1,
                epoch=pointer.epoch,
                code=self._code,
                before=self._before,
                unchanged=unchanged,
            )
            generation, data = encode_manifest(manifest)
            written = self._write_chunks(manifest, chunks)
            self._write(generation.key, data)
            self._flush(MANIFESTS)
            self._step("manifest written")
            self._manifests[generation.digest] = manifest
            self._move(pointer.moved(generation, self._kept), self._ours)
        except OSError as error:
            # Nothing of a save that failed stays, so that trying again does not fill a full disk further;
            # but what another owner has put there is not ours to delete.
            with suppress(OSError):
                self._ours()
            with suppress(OSError, StateError):
                self._collect()
            raise self._translated("write to", error) from error
        self._before, self._trouble = manifest, ""
        uncollected = ""
        try:
            self._collect()
            self._step("garbage collected")
        except (OSError, StateError) as error:
            uncollected = f"can't delete from state directory {self._directory}: {error}"
        return Saved(
            number=manifest.number, chunks_written=len(written), bytes_written=sum(written), uncollected=uncollected
        )

    def _held(self) -> Pointer:
        if self._pointer is None:
            raise StateError(f"state directory {self._directory} was not acquired")
        return self._pointer

    def _verify(self) -> None:
        held = self._held()
        try:
            data = self._read(POINTER)
        except OSError as error:
            raise self._translated("read", error) from error
        if isinstance(data, str) or pointer_of(data, held) is None:
            raise LeaseLost(f"another process has taken state directory {self._directory}")

    def _ours(self) -> Pointer:
        held, data = self._held(), self._read(POINTER)
        if data == encode_pointer(held):
            return held
        found = pointer_of(data, held) if isinstance(data, bytes) else None
        if found is None:
            raise LeaseLost(f"another process has taken state directory {self._directory}")
        # A rename that was said to have failed did take place, as happens on network file systems.
        self._pointer, self._kept = found, found.generations
        return found

    def _write_chunks(self, manifest: Manifest, chunks: Mapping[str, bytes]) -> list[int]:
        there = set(self._keys(CHUNKS))
        due = changed(manifest, self._before)
        # Of what did not change only that it is there is checked; that costs one listing.
        due.update((entry.key, entry) for entry in manifest.chunks if entry.key not in there)
        vanished = [entry.name for entry in due.values() if entry.name not in chunks]
        if vanished:
            raise StateError(f"chunk {min(vanished)!r} has vanished from state directory {self._directory}")
        for entry in due.values():
            self._write(entry.key, chunks[entry.name])
            self._step("chunk written")
        self._flush(CHUNKS)
        self._step("chunks written")
        return [entry.size for entry in due.values()]

    def _move(self, pointer: Pointer, last_look: Callable[[], object] = lambda: None) -> None:
        self._write(POINTER, encode_pointer(pointer), last_look)
        self._pointer, self._kept = pointer, pointer.generations
        self._flush("")
        self._step("pointer moved")

    def _write(self, key: str, data: bytes, last_look: Callable[[], object] = lambda: None) -> None:
        # The owner's name keeps apart two processes that write where there are no locks.
        partial = self._directory / (PARTIAL + self._owner)
        try:
            file = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                left = memoryview(data)
                while left:
                    left = left[os.write(file, left) :]
                self._step("file written")
                os.fsync(file)
            finally:
                os.close(file)
            self._step("file flushed")
            last_look()
            partial.replace(self._directory / key)
        except (OSError, LeaseLost):
            with suppress(OSError):
                partial.unlink(missing_ok=True)
            raise
        self._step("file renamed")

    def _flush(self, folder: str) -> None:
        file = os.open(self._directory / folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(file)
        finally:
            os.close(file)

    def _collect(self) -> None:
        generations = self._held().generations
        self._manifests = dict(self._manifest(generation) for generation in generations)
        kept = [manifest for manifest in self._manifests.values() if manifest is not None]
        for key in garbage(self._keys(CHUNKS) + self._keys(MANIFESTS), generations, kept):
            (self._directory / key).unlink(missing_ok=True)
        for key in self._keys(""):
            if key.startswith(PARTIAL):
                (self._directory / key).unlink(missing_ok=True)

    def _manifest(self, generation: Generation) -> tuple[str, Manifest | None]:
        if generation.digest in self._manifests:
            return generation.digest, self._manifests[generation.digest]
        try:
            return generation.digest, decode_manifest(generation, self._read(generation.key))
        except Damaged:
            return generation.digest, None

    def _translated(self, what: str, error: OSError) -> Retryable:
        text = f"can't {what} state directory {self._directory}: {error.strerror or error}"
        if error.errno in _FORBIDDEN:
            return Denied(text)
        return StorageFull(text) if error.errno in _FULL else Retryable(text)
