"""Snapshots on S3: chunks and manifests that are put once, a pointer that moves by compare-and-swap."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Final, TypeVar

from streamer.adapters.state_s3.objects import ConditionFailed, Encryption, Found, S3Client, S3Objects
from streamer.core.errors import LeaseLost, Retryable, StateError, StreamerError
from streamer.core.manifest import (
    CHUNKS,
    MANIFESTS,
    POINTER,
    ChunkEntry,
    Damaged,
    Generation,
    Loaded,
    Manifest,
    Pointer,
    Recovered,
    Saved,
    changed,
    decode_manifest,
    decode_pointer,
    encode_manifest,
    encode_pointer,
    found_pointer,
    garbage,
    is_whole,
    manifest_of,
    pointer_of,
    recover,
)

COLLECTED_AFTER_SECONDS: Final = 3600
COLLECTED_EVERY_SECONDS: Final = 900
MISSING: Final = "is missing"
_TRIES: Final = 3
T = TypeVar("T")


class _Overtaken(Exception):
    """An earlier write of our own, given up for lost, has moved the pointer after all."""


def _nothing(step: str) -> None:
    pass


class S3SnapshotStore:
    """Keeps snapshots under a prefix of a bucket, for one owner at a time.

    Who acquires writes its name and a larger epoch into the pointer, on condition that nobody else
    did so meanwhile. From then on the owner before can't move the pointer and gets ``LeaseLost``. A
    write whose answer was lost is known by its owner and epoch when the pointer is read again, and
    never taken for somebody else's.

    It needs ``s3:GetObject``, ``s3:PutObject`` and ``s3:DeleteObject`` on the prefix and
    ``s3:ListBucket`` on the bucket. One call at a time.

    What no kept snapshot needs is deleted at the first save and then every 15 minutes, once it is an
    hour old: by then whoever was writing it has saved or has lost the state.

    Parameters
    ----------
    client : S3Client
        Of aiobotocore, without retries of its own; ``adapters.aws`` makes one. It stays open.
    bucket, prefix : str
        Where. Objects there that the store does not know are left alone.
    now : callable
        Milliseconds since the epoch, to tell how old an object is.
    code : str
        Version of the program, for manifests.
    encryption, kms_key : str, optional
        Server-side encryption asked for with each object; else the bucket's default.
    parallel : int
        Chunks read or written at once.
    at_step : callable
        For crash tests: called with a step's name after each step of ``acquire`` and ``save``. What
        it raises ends the call there.
    """

    def __init__(
        self,
        client: S3Client,
        *,
        bucket: str,
        prefix: str = "",
        now: Callable[[], int],
        code: str,
        encryption: Encryption | None = None,
        kms_key: str | None = None,
        parallel: int = 8,
        at_step: Callable[[str], None] = _nothing,
    ) -> None:
        self._objects = S3Objects(client, bucket, prefix, encryption, kms_key)
        self._now = now
        self._code = code
        self._parallel = parallel
        self._step = at_step
        self._owner = secrets.token_hex(8)
        self._pointer: Pointer | None = None
        self._etag = ""
        self._trouble = ""
        self._before: Manifest | None = None
        self._kept: tuple[Generation, ...] = ()
        self._manifests: dict[str, Manifest | None] = {}
        self._collected_at: int | None = None

    async def acquire(self) -> int:
        """Take the state for this process; whoever had it has lost it.

        Returns
        -------
        int
            The epoch, larger than every one before.

        Raises
        ------
        Retryable
            S3 can't be reached, or another process took the state in the same moment; ``NeedsPerson``
            where permissions, the bucket or a key are missing.
        StateError
            A newer version wrote it, or its pointer is beyond repair, or S3 refuses the request.
        """
        pointer, self._trouble, etag = await self._found()
        if pointer.owner != self._owner:
            self._before = None
            pointer, etag = await self._take(pointer.taken(self._owner, self._code), etag)
        self._hold(pointer, etag)
        self._step("pointer moved")
        return pointer.epoch

    async def _take(self, wanted: Pointer, etag: str) -> tuple[Pointer, str]:
        data = encode_pointer(wanted)
        try:
            return wanted, await self._put_pointer(data, etag)
        except ConditionFailed as refused:
            found = await self._objects.get(POINTER)
            if found is None or found.data != data:
                raise Retryable(f"another process took {self._objects} in the same moment") from refused
            return wanted, found.etag

    async def _put_pointer(self, data: bytes, etag: str) -> str:
        if etag:
            return await self._objects.put(POINTER, data, IfMatch=etag)
        return await self._objects.put(POINTER, data, IfNoneMatch="*")

    async def _found(self) -> tuple[Pointer, str, str]:
        found = await self._objects.get(POINTER)
        if found is not None:
            try:
                return decode_pointer(found.data), "", found.etag
            except Damaged:
                # What is there in its place decides what becomes of it.
                pass
        keys = await self._objects.keys(MANIFESTS)
        pointer, trouble = found_pointer(found.data if found is not None else None, lambda: keys)
        return pointer, trouble, found.etag if found is not None else ""

    def _hold(self, pointer: Pointer, etag: str) -> None:
        if pointer != self._pointer:
            self._kept = pointer.generations
        self._pointer, self._etag = pointer, etag

    async def load(self) -> Loaded | None:
        """The newest snapshot that is whole; ``None`` when nothing was ever saved.

        Raises
        ------
        StateError
            There is something, and nothing of it is whole; or a newer version wrote it.
        Retryable
            It can't be read now; ``NeedsPerson`` as for ``acquire``.
        """
        if self._pointer is None:
            pointer, trouble, _ = await self._found()
        else:
            pointer, trouble = self._pointer, self._trouble
        reading = recover(pointer, trouble)
        try:
            wanted = next(reading, None)
            while wanted is not None:
                wanted = reading.send(await self._fetch(wanted))
        except StopIteration as end:
            recovered: Recovered = end.value
        else:
            return None
        self._before, self._kept = recovered.manifest, recovered.generations
        return recovered.loaded

    async def _fetch(self, keys: Collection[str]) -> dict[str, bytes | str]:
        found: dict[str, bytes | str] = {}

        async def fetch(key: str) -> None:
            # A second look at what seems damaged: falling back a generation for one bad answer is a poor trade.
            for _ in range(2):
                answer = await self._objects.get(key)
                found[key] = answer.data if answer is not None else MISSING
                if answer is None or is_whole(key, answer.data):
                    break

        await self._each(fetch, keys)
        return found

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
            Another process has the state.
        Retryable
            Nothing was saved, or whether it was can't be told; the next call finds out. What a load
            returns is this snapshot or the one before.
        StateError
            S3 refuses the request, or there is no such chunk as is said to be unchanged.
        """
        held = dict(chunks)
        same = tuple(unchanged)
        written: dict[str, int] = {}
        for _ in range(_TRIES):
            pointer = self._held()
            manifest = await asyncio.to_thread(
                manifest_of,
                held,
                number=pointer.number + 1,
                epoch=pointer.epoch,
                code=self._code,
                before=self._before,
                unchanged=same,
            )
            try:
                await self._write(manifest, held, written, pointer)
            except _Overtaken:
                continue
            uncollected = await self._collect_when_due()
            return Saved(
                number=manifest.number,
                chunks_written=len(written),
                bytes_written=sum(written.values()),
                uncollected=uncollected,
            )
        raise Retryable(f"earlier writes of the pointer of {self._objects} keep arriving")

    def _held(self) -> Pointer:
        if self._pointer is None:
            raise StateError(f"{self._objects} was not acquired")
        return self._pointer

    def _check_ours(self, found: Found | None, ours: Pointer) -> tuple[Pointer, str]:
        pointer = pointer_of(found.data, ours) if found is not None else None
        if found is None or pointer is None:
            raise LeaseLost(f"another process has taken {self._objects}")
        return pointer, found.etag

    async def _write(
        self, manifest: Manifest, chunks: Mapping[str, bytes], written: dict[str, int], pointer: Pointer
    ) -> None:
        async def put(entry: ChunkEntry) -> None:
            await self._put_named(entry.key, chunks[entry.name])
            written[entry.key] = entry.size
            self._step("chunk written")

        due = changed(manifest, self._before)
        await self._each(put, [entry for key, entry in due.items() if key not in written])
        self._step("chunks written")
        generation, data = encode_manifest(manifest)
        await self._put_named(generation.key, data)
        self._manifests[generation.digest] = manifest
        self._step("manifest written")
        await self._swap(pointer, pointer.moved(generation, self._kept))
        self._before, self._trouble = manifest, ""
        self._step("pointer moved")

    async def _put_named(self, key: str, data: bytes) -> None:
        try:
            await self._objects.put(key, data, IfNoneMatch="*")
        except ConditionFailed:
            found = await self._objects.get(key)
            young_at = self._now() - COLLECTED_AFTER_SECONDS * 500
            # What is about to be collected, by us or by an owner that does not know yet that it was one, is
            # written again; so is what is damaged. The name says what it must be, so nothing can be lost by it.
            if found is None or not is_whole(key, found.data) or found.written_at < young_at:
                await self._objects.put(key, data)

    async def _swap(self, pointer: Pointer, wanted: Pointer) -> None:
        # An answer that is lost, or a call that is cancelled, leaves the ETag as it was: if the pointer did move,
        # the next save is refused here and finds its own name.
        try:
            etag = await self._put_pointer(encode_pointer(wanted), self._etag)
        except ConditionFailed:
            self._hold(*self._check_ours(await self._objects.get(POINTER), pointer))
            if self._pointer != wanted:
                raise _Overtaken from None
        else:
            self._hold(wanted, etag)

    async def _collect_when_due(self) -> str:
        now = self._now()
        if self._collected_at is not None and now < self._collected_at + COLLECTED_EVERY_SECONDS * 1000:
            return ""
        self._collected_at = now
        try:
            await self._collect(now - COLLECTED_AFTER_SECONDS * 1000)
        except StreamerError as error:
            return str(error)
        self._step("garbage collected")
        return ""

    async def _collect(self, old_at: int) -> None:
        generations = self._held().generations
        self._manifests = {generation.digest: await self._manifest(generation) for generation in generations}
        there = await self._objects.keys(CHUNKS) | await self._objects.keys(MANIFESTS)
        old = [key for key, written_at in there.items() if written_at < old_at]
        kept = [manifest for manifest in self._manifests.values() if manifest is not None]
        unneeded = garbage(old, generations, kept)
        found = await self._objects.get(POINTER) if unneeded else None
        # Whoever lost the state meanwhile knows no longer what is needed.
        if found is not None and found.etag == self._etag:
            await self._objects.delete(unneeded)

    async def _manifest(self, generation: Generation) -> Manifest | None:
        if generation.digest in self._manifests:
            return self._manifests[generation.digest]
        found = await self._objects.get(generation.key)
        try:
            return decode_manifest(generation, found.data if found is not None else MISSING)
        except Damaged:
            return None

    async def verify(self) -> None:
        """Make sure that the state is still this process's; may run beside a save.

        Raises
        ------
        LeaseLost
            It is not.
        Retryable
            It can't be told now.
        """
        self._check_ours(await self._objects.get(POINTER), self._held())

    async def close(self) -> None:
        """Nothing to let go of: the client is the caller's."""

    async def _each(self, work: Callable[[T], Awaitable[None]], items: Collection[T]) -> None:
        left = iter(items)

        async def some() -> None:
            for item in left:
                await work(item)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self._parallel, len(items))):
                    group.create_task(some())
        except BaseExceptionGroup as several:
            # One is told, and rather one that trying again does not heal.
            failures = sorted(several.exceptions, key=lambda failure: isinstance(failure, Retryable))
            raise failures[0] from failures[0].__cause__
