"""Manifests: what a snapshot consists of where it is kept, and what of that can be trusted.

A store holds three kinds of object::

    pointer                       who owns the state, and its last generations, newest first
    manifests/<generation>.json   one snapshot: the name, size and digest of each of its chunks
    chunks/<digest>               bytes, named by their own SHA-256

Chunks and manifests never change; whoever replaces the pointer decides. Everything is named by its
own digest, or sealed with it, so that damage is found and not loaded. The digest is a cryptographic
one because chunks hold what came from outside: nobody can make two that share a name.
"""

import re
from collections.abc import Callable, Collection, Generator, Iterable, Mapping
from hashlib import sha256
from typing import Annotated, Final, Literal, TypeVar

import msgspec

from streamer.core.errors import StateError, StreamerError

FORMAT: Final = 1
KEPT: Final = 3
POINTER: Final = "pointer"
MANIFESTS: Final = "manifests/"
CHUNKS: Final = "chunks/"
_CHUNK_KEY: Final = re.compile(r"chunks/[0-9a-f]{64}")
_MANIFEST_KEY: Final = re.compile(r"manifests/([0-9]{12,19})-([0-9]{8,19})-([0-9a-f]{64})\.json")

Digest = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
Count = Annotated[int, msgspec.Meta(ge=0)]
T = TypeVar("T", "Manifest", "Pointer")


class Damaged(StreamerError):
    """One object is not what was written; the text says how. Stores fall back on it, and never let it rise."""


class ChunkEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One chunk of a snapshot.

    The key of its object is not stored but follows from the digest, so that a manifest can't name a
    place outside its store.
    """

    name: str
    digest: Digest
    size: Count

    @property
    def key(self) -> str:
        """Where its bytes are."""
        return CHUNKS + self.digest


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """One snapshot; equal chunks, numbers, epochs and code versions give equal manifests.

    Attributes
    ----------
    code : str
        Version of the program that wrote it.
    number, epoch : int
        Larger than every number saved before; the owner's who wrote it.
    chunks : tuple of ChunkEntry
        By name, ascending.
    """

    kind: Literal["streamer/manifest"] = "streamer/manifest"
    format: int = FORMAT
    code: str
    number: Count
    epoch: Count
    chunks: tuple[ChunkEntry, ...]


class Generation(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A snapshot as the pointer names it, by its manifest; the later owner's is greater, then the larger number."""

    epoch: Count
    number: Count
    digest: Digest

    @property
    def key(self) -> str:
        """Where its manifest is."""
        return f"{MANIFESTS}{self.number:012d}-{self.epoch:08d}-{self.digest}.json"


class Pointer(msgspec.Struct, frozen=True, kw_only=True):
    """Who owns the state, and the last generations of it.

    Attributes
    ----------
    owner : str
        A name no other process has, so that two that take the state in one moment can't write equal
        pointers and both believe theirs is there.
    epoch : int
        Grows with each owner.
    number : int
        The largest number given to a snapshot.
    generations : tuple of Generation
        Newest first. Those found damaged leave at the next save.
    """

    kind: Literal["streamer/pointer"] = "streamer/pointer"
    format: int = FORMAT
    code: str = ""
    owner: str = ""
    epoch: Count = 0
    number: Count = 0
    generations: tuple[Generation, ...] = ()

    def taken(self, owner: str, code: str) -> "Pointer":
        """The pointer of the next owner."""
        return msgspec.structs.replace(self, owner=owner, code=code, format=FORMAT, epoch=self.epoch + 1)

    def moved(self, generation: Generation, before: Iterable[Generation]) -> "Pointer":
        """The pointer once this generation is saved: it and the newest of those before are kept."""
        kept = (generation, *before)[:KEPT]
        return msgspec.structs.replace(self, number=generation.number, generations=kept)


class Loaded(msgspec.Struct, frozen=True):
    """A snapshot as it was saved: its number, and its chunks by name.

    Attributes
    ----------
    fell_back : tuple of str
        In words, what was wrong with each newer one, the newest first; empty when it is the newest.
    """

    number: int
    chunks: dict[str, bytes]
    fell_back: tuple[str, ...] = ()


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """What a save did: the snapshot's number, and how much it wrote, which is only what changed.

    Attributes
    ----------
    uncollected : str
        Why what is no longer needed could not be deleted, in words; empty when it could.
    """

    number: int
    chunks_written: int
    bytes_written: int
    uncollected: str = ""


class _Stamp(msgspec.Struct, frozen=True):
    kind: str
    format: int
    code: str = "unknown"


def digest_of(data: bytes) -> str:
    """SHA-256 as 64 hex digits."""
    return sha256(data).hexdigest()


def manifest_of(
    chunks: Mapping[str, bytes],
    *,
    number: int,
    epoch: int,
    code: str,
    before: Manifest | None = None,
    unchanged: Collection[str] = (),
) -> Manifest:
    """The manifest of these chunks, each hashed once, and of those that are as in the one before.

    Names are any text that UTF-8 can encode.

    Raises
    ------
    StateError
        What is said to be unchanged is not in the one before.
    """
    known = {entry.name: entry for entry in before.chunks} if before is not None else {}
    strange = [name for name in unchanged if name not in known]
    if strange:
        raise StateError(
            f"chunk {min(strange)!r} is said to be unchanged, but the snapshot before has none of its name"
        )
    entries = {name: known[name] for name in unchanged}
    entries.update({n: ChunkEntry(name=n, digest=digest_of(data), size=len(data)) for n, data in chunks.items()})
    return Manifest(code=code, number=number, epoch=epoch, chunks=tuple(entries[name] for name in sorted(entries)))


def encode_manifest(manifest: Manifest) -> tuple[Generation, bytes]:
    """The manifest's bytes, and the generation by which a pointer names it."""
    data = msgspec.json.encode(manifest)
    return Generation(epoch=manifest.epoch, number=manifest.number, digest=digest_of(data)), data


def decode_manifest(generation: Generation, data: bytes | str) -> Manifest:
    """Read a manifest; instead of its bytes it may be said in words why there are none.

    Raises
    ------
    Damaged
        It is not the one of this generation.
    StateError
        A newer version wrote it.
    """
    if isinstance(data, str):
        raise Damaged(f"its manifest {data}")
    if digest_of(data) != generation.digest:
        raise Damaged("its manifest is damaged: the checksum does not match")
    manifest = _decoded(data, Manifest, "its manifest")
    if (manifest.number, manifest.epoch) != (generation.number, generation.epoch):
        raise Damaged("its manifest is another snapshot's")
    return manifest


def encode_pointer(pointer: Pointer) -> bytes:
    """The pointer's bytes: a line of JSON, and a line with its digest."""
    line = msgspec.json.encode(pointer)
    return line + b"\n" + digest_of(line).encode() + b"\n"


def decode_pointer(data: bytes) -> Pointer:
    """Read a pointer; raises as ``decode_manifest`` does."""
    # The seal stays as it is in every format: what is damaged must not pass for newer.
    line, _, seal = data.partition(b"\n")
    if seal != digest_of(line).encode() + b"\n":
        raise Damaged("the pointer is damaged: the checksum does not match")
    return _decoded(line, Pointer, "the pointer")


def pointer_of(data: bytes, held: Pointer) -> Pointer | None:
    """The pointer, if it is the same owner's as the one held; ``None`` when it is another's, or none."""
    try:
        found = decode_pointer(data)
    except (Damaged, StateError):
        return None
    return found if (found.owner, found.epoch) == (held.owner, held.epoch) else None


def _decoded(data: bytes, form: type[T], what: str) -> T:
    try:
        stamp = msgspec.json.decode(data, type=_Stamp)
        if stamp.format > FORMAT:
            raise StateError(
                f"the state was written by a newer version, {stamp.code}: {what} has format {stamp.format}, "
                f"this version reads up to {FORMAT}"
            )
        return msgspec.json.decode(data, type=form)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Damaged(f"{what} is foreign: {error}") from error


def rebuilt(keys: Iterable[str]) -> Pointer:
    """What a lost or damaged pointer is replaced with: every manifest there is, the latest owner's first.

    Some of them may never have been pointed to; what such a one says is true nevertheless, and its
    effects have deterministic ids. Keys of other objects are passed over.
    """
    found = [
        Generation(epoch=int(match[2]), number=int(match[1]), digest=match[3])
        for match in map(_MANIFEST_KEY.fullmatch, keys)
        if match
    ]
    found.sort(reverse=True)
    return Pointer(
        epoch=max((generation.epoch for generation in found), default=0),
        number=max((generation.number for generation in found), default=0),
        generations=tuple(found),
    )


def found_pointer(data: bytes | None, keys: Callable[[], Iterable[str]]) -> tuple[Pointer, str]:
    """The pointer to go by, and what was wrong with the one that was there.

    Parameters
    ----------
    data : bytes or None
        As read; ``None`` when there is none, and then a new pointer is returned where there are no
        manifests either.
    keys : callable
        Lists the manifests; called only when the pointer can't be used.

    Raises
    ------
    StateError
        A newer version wrote it; or it is damaged, and there is nothing else to go by. An owner must
        not replace it then, or the next start would find a new state where there was an old one.
    """
    if data is None:
        pointer = rebuilt(keys())
        return pointer, "the pointer is missing" if pointer.generations else ""
    try:
        return decode_pointer(data), ""
    except Damaged as damage:
        pointer = rebuilt(keys())
        if not pointer.generations:
            raise StateError(f"no snapshot can be found: {damage}, and there are no manifests") from damage
        return pointer, str(damage)


def changed(manifest: Manifest, before: Manifest | None) -> dict[str, ChunkEntry]:
    """What must be written, by key: the chunks whose bytes are not those of any chunk before."""
    known = {entry.digest for entry in before.chunks} if before is not None else set()
    return {entry.key: entry for entry in manifest.chunks if entry.digest not in known}


def garbage(keys: Iterable[str], generations: Iterable[Generation], manifests: Iterable[Manifest]) -> list[str]:
    """Those of the keys that no kept snapshot needs; never one that is not of a chunk or a manifest.

    Parameters
    ----------
    keys, generations, manifests
        Of what is there; those kept; their manifests, as far as they can be read.
    """
    needed = {generation.key for generation in generations}
    needed.update(entry.key for manifest in manifests for entry in manifest.chunks)
    return [key for key in keys if key not in needed and (_CHUNK_KEY.fullmatch(key) or _MANIFEST_KEY.fullmatch(key))]


def is_whole(key: str, data: bytes) -> bool:
    """Whether these are the bytes that the key, which holds their digest, stands for."""
    return digest_of(data) == key.removesuffix(".json")[-64:]


class Recovered(msgspec.Struct, frozen=True):
    """The newest snapshot that is whole, its manifest, and the generations from it on, newest first."""

    loaded: Loaded
    manifest: Manifest
    generations: tuple[Generation, ...]


Reading = Generator[Collection[str], Mapping[str, bytes | str], Recovered | None]
"""Yields keys; is sent for each its bytes, or in words why there are none (``is missing``)."""


def recover(pointer: Pointer, trouble: str) -> Reading:
    """Find the newest snapshot that is whole, one generation at a time.

    A generator, so that who reads may do so as it likes, in a thread or over a network.

    Parameters
    ----------
    pointer, trouble
        As ``found_pointer`` returned them.

    Returns
    -------
    Recovered or None
        ``None`` when nothing was ever saved.

    Raises
    ------
    StateError
        There is something, and nothing of it is whole; or a newer version wrote it.
    """
    reasons = [trouble] if trouble else []
    for i, generation in enumerate(pointer.generations):
        try:
            manifest = decode_manifest(generation, (yield (generation.key,))[generation.key])
            found = yield {entry.key for entry in manifest.chunks}
            chunks = {entry.name: _whole(entry, found[entry.key]) for entry in manifest.chunks}
        except Damaged as damage:
            reasons.append(f"snapshot {generation.number}: {damage}")
            continue
        return Recovered(Loaded(generation.number, chunks, tuple(reasons)), manifest, pointer.generations[i:])
    if reasons:
        raise StateError(f"no snapshot is whole: {'; '.join(reasons)}")
    return None


def _whole(entry: ChunkEntry, data: bytes | str) -> bytes:
    if isinstance(data, str):
        raise Damaged(f"chunk {entry.name!r} {data}")
    if len(data) != entry.size:
        raise Damaged(f"chunk {entry.name!r} has {len(data)} bytes, expected {entry.size}")
    if not is_whole(entry.key, data):
        raise Damaged(f"chunk {entry.name!r} is damaged: the checksum does not match")
    return data
