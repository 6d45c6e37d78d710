"""Finds capture files and reads them shard by shard."""

import errno
import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import BinaryIO, Final, NamedTuple

from streamer.adapters.files.lines import Lines
from streamer.adapters.files.merge import Found, Merge
from streamer.adapters.files.raw import Raw, pipe, regular_file
from streamer.core.decode.names import names_in_path
from streamer.core.errors import SourceError
from streamer.core.types import Batch, ShardId

STDIN: Final = "-"
SUFFIXES: Final = tuple(form + packed for form in (".jsonl", ".json", ".ndjson") for packed in ("", ".gz"))
_BATCH_BYTES: Final = 8_000_000


class FileProblem(NamedTuple):
    """A file or folder that could not be read to its end; what came before was read.

    Attributes
    ----------
    path : str
        Which, as positions show it.
    text : str
        What went wrong.
    """

    path: str
    text: str


class FilesSource:
    """Records of capture files, of all capture files under directories, and of standard input.

    Parameters
    ----------
    paths : sequence of str
        Files of any name; directories, whose ``.jsonl``, ``.json`` and ``.ndjson`` files, also with
        ``.gz``, are found at any depth (hidden ones are left out); ``-``. A file given twice is read
        once. What is gzip is told by its first bytes.
    batch_records : int
        Most records in a batch; it also ends at about 8 MB.
    record_bytes : int
        Longest record accepted. Of a longer line the first ``record_bytes + 1`` bytes are passed on,
        so that it is refused; size and SHA-256 of its dead letter are those of that much.
    on_bytes : callable
        Told how many bytes more were read, as they lie on disk.
    stdin : binary file, optional
        Instead of the process's own.

    Attributes
    ----------
    files : int
        Files found, standard input among them.
    blank_lines : int
        Lines of nothing but white space, in the files that have ended: they are no records.
    empty_files : list of str
        Files that have ended without a record.
    problems : list of FileProblem
        What could not be read to its end.

    Raises
    ------
    SourceError
        A path does not exist or can't be read, or a directory holds no capture file; all of them at once.
    """

    def __init__(
        self,
        paths: Sequence[str],
        *,
        batch_records: int = 1_000,
        record_bytes: int,
        on_bytes: Callable[[int], None] = lambda count: None,
        stdin: BinaryIO | None = None,
    ) -> None:
        self.blank_lines = 0
        self.empty_files: list[str] = []
        self.problems: list[FileProblem] = []
        self._batch_records = batch_records
        self._record_bytes = record_bytes
        self._on_bytes = on_bytes
        self._shards: dict[ShardId, Merge] = {}
        self._pipes: list[Raw] = []
        sizes = self._find(paths)
        self.files = len(sizes)
        known = [size for size in sizes.values() if size is not None]
        self._total_bytes = sum(known) if len(known) == len(sizes) else None
        for order, (path, size) in enumerate(sorted(sizes.items())):
            found = self._found(order, path, size, stdin)
            self._shards.setdefault(_shard_of(found.path), Merge(self._begin, self._note_end)).found.append(found)

    def _found(self, order: int, path: str, size: int | None, stdin: BinaryIO | None) -> Found:
        if size is not None:
            return Found(order, _shown(path), partial(regular_file, path), can_look_ahead=True)
        opened = pipe(path if path != STDIN else stdin or sys.stdin.buffer)
        self._pipes.append(opened)
        return Found(order, _shown(path), lambda: opened, can_look_ahead=False)

    @property
    def total_bytes(self) -> int | None:
        """Bytes there are to read; ``None`` where nobody knows, as with standard input."""
        return self._total_bytes

    def shards(self) -> list[ShardId]:
        """Every shard, in the order of their names."""
        return sorted(self._shards)

    async def next_batch(self, shard: ShardId) -> Batch | None:
        """The shard's next records by event time; ``None`` at its end."""
        merge = self._shards[shard]
        payloads: list[bytes] = []
        positions: list[str] = []
        path, size = "", 0
        while len(payloads) < self._batch_records and size < _BATCH_BYTES:
            lines = merge.foremost()
            if lines is None:
                break
            numbers, records = lines.take(merge.limit_at(), self._batch_records - len(payloads))
            merge.put_back(lines)
            path = path or lines.path
            payloads += records
            positions += [f"{lines.path}:{number}" for number in numbers]
            size += sum(map(len, records))
        return Batch(shard, payloads, positions, None, path) if payloads else None

    async def close(self) -> None:
        """Let go of pipes; safe to call twice."""
        for opened in self._pipes:
            opened.close()

    def _begin(self, found: Found) -> Lines:
        return Lines(found.path, found.order, found.open(), self._record_bytes, self._on_bytes)

    def _note_end(self, lines: Lines) -> None:
        self.blank_lines += lines.blanks
        if lines.problem:
            self.problems.append(FileProblem(lines.path, lines.problem))
        elif not lines.has_records:
            self.empty_files.append(lines.path)

    def _find(self, paths: Sequence[str]) -> dict[str, int | None]:
        """Sizes of the files by path; ``None`` for what is no regular file."""
        sizes: dict[str, int | None] = {}
        seen: set[str] = set()
        wrong: list[str] = []
        for given in paths:
            try:
                is_directory = given != STDIN and stat.S_ISDIR(os.stat(given).st_mode)
                candidates = sorted(self._walk(given)) if is_directory else [given]
                if not candidates:
                    wrong.append(f"{_shown(given)}: no capture file in this directory ({', '.join(SUFFIXES)})")
                for path in candidates:
                    real = path if path == STDIN else os.path.realpath(path)
                    if real not in seen:
                        seen.add(real)
                        sizes[path] = None if path == STDIN else _size(path)
            except OSError as error:
                wrong.append(f"{_shown(error.filename or given)}: {error.strerror or error}")
            except ValueError as error:
                # A zero byte in a path.
                wrong.append(f"{_shown(given)}: {error}")
        if wrong:
            raise SourceError("can't read " + "; ".join(wrong))
        return sizes

    def _walk(self, directory: str) -> Iterator[str]:
        def note(error: OSError) -> None:
            self.problems.append(FileProblem(_shown(error.filename), error.strerror or str(error)))

        for folder, folders, files in os.walk(directory, onerror=note):
            folders[:] = [name for name in folders if not name.startswith(".")]
            for name in files:
                path = os.path.join(folder, name)
                if name.lower().endswith(SUFFIXES) and not name.startswith(".") and os.path.isfile(path):
                    yield path


def _size(path: str) -> int | None:
    found = os.stat(path)
    if not os.access(path, os.R_OK):
        raise PermissionError(errno.EACCES, "Permission denied", path)
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def _shown(path: str) -> str:
    """A path as text that can be encoded, whatever bytes it is made of."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _shard_of(path: str) -> ShardId:
    if path == STDIN:
        return ShardId(STDIN)
    names = names_in_path(path)
    return ShardId(f"{names.endpoint}/{names.variant}" if names.endpoint else "files")
