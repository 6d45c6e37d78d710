"""Bytes of a file or a pipe, unpacked where they are gzip, with nothing held open that need not be."""

import io
import zlib
from collections.abc import Callable
from typing import BinaryIO, Final, NamedTuple

# What ``Unpacked.read`` raises when the bytes can't be had, or are damaged or cut off.
ERRORS: Final = (OSError, EOFError, zlib.error)
_PACKED_CHUNK: Final = 16_384
_GZIP: Final = b"\x1f\x8b"


class Raw(NamedTuple):
    """Bytes as they lie on disk or come through a pipe.

    Attributes
    ----------
    read : callable
        ``count -> bytes``: at most so many; empty at the end only.
    close : callable
        Lets go; safe to call twice.
    """

    read: Callable[[int], bytes]
    close: Callable[[], None] = lambda: None


def regular_file(path: str) -> Raw:
    """A file that is opened for each read, so that any number of them can be under way."""
    offset = 0

    def read(count: int) -> bytes:
        nonlocal offset
        with open(path, "rb", buffering=0) as file:
            file.seek(offset)
            data = file.read(count)
        offset += len(data)
        return data

    return Raw(read)


def pipe(given: BinaryIO | str) -> Raw:
    """A pipe by its path, opened by the first read; or an open file, which stays its owner's to close."""
    opened: list[io.FileIO] = []

    def read(count: int) -> bytes:
        if not isinstance(given, str):
            # What is there, without waiting until it is as much as asked for.
            return given.read1(count) if isinstance(given, io.BufferedIOBase) else given.read(count)
        if not opened:
            opened.append(io.FileIO(given))
        return opened[0].read(count) or b""

    def close() -> None:
        for file in opened:
            file.close()

    return Raw(read, close)


class Unpacked:
    """Bytes of a file; of a gzip file, told by its first bytes, those of all its members.

    Bounded whatever the ratio: at most the bytes asked for are unpacked at a time.

    Parameters
    ----------
    raw : Raw
        The file.
    on_bytes : callable
        Told how many raw bytes more were read.
    """

    def __init__(self, raw: Raw, on_bytes: Callable[[int], None] = lambda count: None) -> None:
        self._raw = raw
        self._on_bytes = on_bytes
        self._held: bytes | None = None
        self._member: zlib._Decompress | None = None

    def read(self, count: int) -> bytes:
        """At most so many bytes, or two; empty at the end only.

        Raises
        ------
        OSError, EOFError, zlib.error
            The file can't be read; gzip data are cut off; they are damaged.
        """
        if self._held is None:
            self._held = self._read_raw(count)
            while len(self._held) < len(_GZIP) and (more := self._read_raw(count)):
                self._held += more
            if self._held.startswith(_GZIP):
                self._member = zlib.decompressobj(31)
        if self._member is not None:
            return self._unpack(self._member, count)
        data, self._held = self._held or self._read_raw(count), b""
        return data

    def _unpack(self, member: "zlib._Decompress", count: int) -> bytes:
        while True:
            packed = self._held or self._read_raw(_PACKED_CHUNK)
            if member.eof:
                if not packed:
                    return b""
                # Members may be padded with zeros.
                self._held = packed.lstrip(b"\0")
                if self._held:
                    self._member = member = zlib.decompressobj(31)
                continue
            data = member.decompress(packed, count)
            self._held = member.unused_data if member.eof else member.unconsumed_tail
            if data:
                return data
            if not packed:
                raise EOFError("gzip data are cut off")

    def _read_raw(self, count: int) -> bytes:
        data = self._raw.read(count)
        self._on_bytes(len(data))
        return data
