"""Blobs: named arrays and a JSON header in one versioned, checksummed string of bytes.

Layout, little-endian: magic ``STRB``, format version (uint16), 2 zero bytes, header length
(uint32), header (JSON), padding to 8 bytes, each array's bytes padded to 8, XXH3 128-bit digest of
all before it. No pickle: nothing is executed when one is read.
"""

import math
import struct
from collections.abc import Mapping
from typing import TypeVar

import msgspec
import numpy as np
import xxhash
from numpy.typing import NDArray

from streamer.core.errors import StateError

MAGIC = b"STRB"
VERSION = 1
_HEAD = struct.Struct("<4sHHI")
_DIGEST_BYTES = 16
T = TypeVar("T")
_Scalar = TypeVar("_Scalar", bound=np.generic)
_DTYPES = frozenset({"<i8", "<u8", "<f8", "<f4", "<i4", "|u1"})


class _Entry(msgspec.Struct, frozen=True):
    name: str
    dtype: str
    shape: tuple[int, ...]


class _Header(msgspec.Struct, frozen=True):
    kind: str
    arrays: tuple[_Entry, ...]
    body: msgspec.Raw


def pack(kind: str, body: object, arrays: Mapping[str, NDArray[np.generic]]) -> bytes:
    """Make a blob.

    Parameters
    ----------
    kind : str
        What it holds and in which version, ``endpoint/1``.
    body : object
        Anything msgspec can encode as JSON.
    arrays : mapping of str to ndarray
        Of dtype int64, uint64, float64, float32, int32 or uint8.

    Returns
    -------
    bytes
        Equal input gives equal bytes.
    """
    entries, chunks = [], []
    for name, array in arrays.items():
        flat = np.ascontiguousarray(array)
        if flat.dtype.str not in _DTYPES:
            raise StateError(f"array {name!r} has dtype {flat.dtype.str}, which a blob does not hold")
        entries.append(_Entry(name, flat.dtype.str, array.shape))
        chunks.append(_padded(flat.tobytes()))
    header = msgspec.json.encode(_Header(kind, tuple(entries), msgspec.Raw(msgspec.json.encode(body))))
    head = _padded(_HEAD.pack(MAGIC, VERSION, 0, len(header)) + header)
    whole = head + b"".join(chunks)
    return whole + xxhash.xxh3_128_digest(whole)


def unpack(kind: str, body_type: type[T], data: bytes) -> tuple[T, dict[str, NDArray[np.generic]]]:
    """Read a blob.

    Parameters
    ----------
    kind : str
        The kind expected.
    body_type : type
        What the body is decoded as.
    data : bytes
        As ``pack`` made it.

    Returns
    -------
    body, arrays
        Arrays are copies and may be changed.

    Raises
    ------
    StateError
        Torn, foreign, of another version or kind.
    """
    if len(data) < _HEAD.size + _DIGEST_BYTES or not data.startswith(MAGIC):
        raise StateError("not a state blob")
    whole, digest = data[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    if xxhash.xxh3_128_digest(whole) != digest:
        raise StateError("a state blob is torn: its checksum does not match")
    _, version, _, length = _HEAD.unpack_from(whole)
    if version != VERSION:
        raise StateError(f"state blob version {version} is not known here, expected {VERSION}")
    try:
        header = msgspec.json.decode(whole[_HEAD.size : _HEAD.size + length], type=_Header)
        if header.kind != kind:
            raise StateError(f"state blob holds {header.kind!r}, expected {kind!r}")
        body = msgspec.json.decode(header.body, type=body_type)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise StateError(f"state blob of kind {kind!r} has fields this version does not know: {error}") from error
    arrays: dict[str, NDArray[np.generic]] = {}
    at = _up(_HEAD.size + length)
    for entry in header.arrays:
        if entry.dtype not in _DTYPES:
            raise StateError(f"state blob holds an array of dtype {entry.dtype!r}")
        count = math.prod(entry.shape)
        if min(entry.shape, default=0) < 0 or at + count * np.dtype(entry.dtype).itemsize > len(whole):
            raise StateError(f"state blob lacks bytes of the array {entry.name!r}")
        array = np.frombuffer(whole, np.dtype(entry.dtype), count, at)
        arrays[entry.name] = array.reshape(entry.shape).copy()
        at = _up(at + array.nbytes)
    return body, arrays


def array_of(arrays: Mapping[str, NDArray[np.generic]], name: str) -> NDArray[np.generic]:
    """One of a blob's arrays.

    Raises
    ------
    StateError
        It is not there.
    """
    if name not in arrays:
        raise StateError(f"the state lacks the array {name!r}")
    return arrays[name]


def array_like(arrays: Mapping[str, NDArray[np.generic]], name: str, like: NDArray[_Scalar]) -> NDArray[_Scalar]:
    """One of a blob's arrays, of the shape and type of another one.

    Raises
    ------
    StateError
        It is not there, or differs in either.
    """
    found = array_of(arrays, name)
    if (found.shape, found.dtype) != (like.shape, like.dtype):
        raise StateError(f"the state's array {name!r} is {found.dtype} {found.shape}, not {like.dtype} {like.shape}")
    return found.astype(like.dtype, copy=False)


def _up(size: int) -> int:
    return (size + 7) // 8 * 8


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (_up(len(data)) - len(data))
