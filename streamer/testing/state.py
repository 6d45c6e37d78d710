"""State in memory: stores that share it as processes share a bucket, with scripted faults."""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping

from streamer.core.errors import LeaseLost, StateError, StreamerError
from streamer.core.manifest import (
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


def _nothing(step: str) -> None:
    pass


class MemoryState:
    """What outlives the stores made on it.

    Attributes
    ----------
    objects : dict of str to bytes
        By key, laid out as ``streamer.core.manifest`` says; to be looked into, and to be damaged.
    """

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self._owners = 0

    def new_owner(self) -> str:
        """A name no store on this state had before."""
        self._owners += 1
        return f"owner-{self._owners}"


class MemorySnapshotStore:
    """Keeps snapshots in memory; of several stores on one state the last to acquire owns it.

    Parameters
    ----------
    state : MemoryState
        Where.
    faults : iterable of StreamerError or None
        One for each call of ``save``, in order; ``None`` lets that call through. When they are used
        up every call is let through.
    after : bool
        Whether a fault strikes after the snapshot was saved, as when an answer is lost on its way;
        else before.
    at_step : callable
        Called with a step's name after each step of ``acquire`` and ``save``; may raise.
    """

    def __init__(
        self,
        state: MemoryState,
        faults: Iterable[StreamerError | None] = (),
        *,
        after: bool = False,
        at_step: Callable[[str], None] = _nothing,
    ) -> None:
        self._objects = state.objects
        self._owner = state.new_owner()
        self._faults = deque(faults)
        self._after = after
        self._step = at_step
        self._pointer: Pointer | None = None
        self._trouble = ""
        self._before: Manifest | None = None
        self._kept: tuple[Generation, ...] = ()

    async def acquire(self) -> int:
        """Take the state; the epoch.

        Raises
        ------
        StateError
            Its pointer is beyond repair.
        """
        pointer, self._trouble = self._found()
        if pointer.owner != self._owner:
            self._before = None
            pointer = pointer.taken(self._owner, "memory")
        self._move(pointer)
        return pointer.epoch

    def _found(self) -> tuple[Pointer, str]:
        return found_pointer(self._objects.get(POINTER), lambda: [k for k in self._objects if k.startswith(MANIFESTS)])

    def _move(self, pointer: Pointer) -> None:
        self._objects[POINTER] = encode_pointer(pointer)
        self._pointer, self._kept = pointer, pointer.generations
        self._step("pointer moved")

    async def load(self) -> Loaded | None:
        """The newest snapshot that is whole; ``None`` when nothing was ever saved.

        Raises
        ------
        StateError
            There is something, and nothing of it is whole.
        """
        pointer, trouble = (self._pointer, self._trouble) if self._pointer is not None else self._found()
        reading = recover(pointer, trouble)
        try:
            wanted = next(reading, None)
            while wanted is not None:
                wanted = reading.send({key: self._objects.get(key, "is missing") for key in wanted})
        except StopIteration as end:
            recovered: Recovered = end.value
        else:
            return None
        self._before, self._kept = recovered.manifest, recovered.generations
        return recovered.loaded

    async def save(self, chunks: Mapping[str, bytes], unchanged: Collection[str] = ()) -> Saved:
        """Write what changed, then move the pointer.

        Raises
        ------
        LeaseLost
            Another store has acquired the state.
        StreamerError
            As scripted.
        """
        fault = self._faults.popleft() if self._faults else None
        if fault is not None and not self._after:
            raise fault
        saved = self._save(dict(chunks), unchanged)
        if fault is not None:
            raise fault
        return saved

    async def verify(self) -> None:
        """Make sure that the state is still this store's.

        Raises
        ------
        LeaseLost
            It is not.
        """
        if pointer_of(self._objects.get(POINTER, b""), self._held()) is None:
            raise LeaseLost("another store has taken the state in memory")

    def _held(self) -> Pointer:
        if self._pointer is None:
            raise StateError("the state in memory was not acquired")
        return self._pointer

    def _save(self, chunks: Mapping[str, bytes], unchanged: Collection[str]) -> Saved:
        pointer = self._held()
        manifest = manifest_of(
            chunks,
            number=pointer.number + 1,
            epoch=pointer.epoch,
            code="memory",
            before=self._before,
            unchanged=unchanged,
        )
        generation, data = encode_manifest(manifest)
        due = changed(manifest, self._before)
        for key, entry in due.items():
            self._objects[key] = bytes(chunks[entry.name])
            self._step("chunk written")
        self._objects[generation.key] = data
        self._step("manifest written")
        if self._objects.get(POINTER) != encode_pointer(pointer):
            raise LeaseLost("another store has taken the state in memory")
        self._move(pointer.moved(generation, self._kept))
        self._before, self._trouble = manifest, ""
        self._collect(self._kept)
        return Saved(
            number=manifest.number, chunks_written=len(due), bytes_written=sum(entry.size for entry in due.values())
        )

    def _collect(self, generations: tuple[Generation, ...]) -> None:
        kept = []
        for generation in generations:
            try:
                kept.append(decode_manifest(generation, self._objects.get(generation.key, "is missing")))
            except Damaged:
                # Its chunks are of no use to anybody.
                continue
        for key in garbage(list(self._objects), generations, kept):
            del self._objects[key]

    async def close(self) -> None:
        """Nothing to let go of."""
