"""Tables: training data as files, read in chunks: CSV and JSON Lines, each also gzipped, and Parquet.

Cells are given as they stand (``core/values.py`` says what they mean), so that a baseline reads a
value as the live side does.
"""

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, date, time, timedelta, tzinfo
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, Final, cast

import numpy as np
import orjson

from streamer.core.baseline.build import Chunk
from streamer.core.baseline.times import event_times, joined_cells, time_columns
from streamer.core.errors import BaselineError
from streamer.core.rawrows import Cell

CHUNK_ROWS: Final = 20_000
# Longer lines are no table; without a limit one line without an end would fill the memory.
_LINE_CHARACTERS: Final = 2**24
_COLUMNS: Final = 10_000
_NAME_CHARACTERS: Final = 256
_DEPTH: Final = 64
# Rows are turned into columns while they are still in the processor's cache: twice as fast as a chunk at once.
_TURNED_ROWS: Final = 250
_QUOTED: Final = re.compile(r'"[^"]*"')
_CONSTANT: Final = re.compile(r"\b(?:NaN|Infinity)\b")
# A text in quotes may span lines; the default, 131,072, is below what the live side reads.
csv.field_size_limit(_LINE_CHARACTERS)
_EXPECTED: Final = "expected .csv or .jsonl, each also .gz, or .parquet"

if TYPE_CHECKING:
    import _csv

    import pyarrow as pa  # type: ignore[import-untyped]


def table_chunks(
    path: Path, time_column: str, on_bytes: Callable[[int], None], *, zone: tzinfo = UTC
) -> Generator[Chunk, None, None]:
    """Read a table.

    Parameters
    ----------
    path : Path
        Its name tells what it is.
    time_column : str
        Column of event times: ISO 8601, ``2004/3/11 18:00``, or seconds or milliseconds since the
        epoch; or two, ``"date,time"``. Empty: there are none. It stays among the columns.
    on_bytes : callable
        Told how many more bytes of the file were read; they add up to its size.
    zone : tzinfo
        Where times that have no zone were told.

    Yields
    ------
    Chunk
        At most ``CHUNK_ROWS`` rows, at least one.

    Raises
    ------
    BaselineError
        Names file and line: missing, empty, not text, ragged, a column without a name or twice.
    """
    kind = path.name.lower().removesuffix(".gz")
    try:
        if kind.endswith((".jsonl", ".ndjson")):
            chunks = _from_lines(path, on_bytes)
        elif kind.endswith(".csv"):
            chunks = _from_csv(path, on_bytes)
        elif path.name.lower().endswith(".parquet"):
            chunks = _from_parquet(path, time_column, on_bytes, zone)
        else:
            raise BaselineError(f"{path}: {_EXPECTED}")
        empty = True
        for chunk in chunks:
            empty = False
            cells = _time_cells(chunk, time_column)
            yield chunk if cells is None else chunk._replace(event_at=event_times(cells, zone))
    except OSError as error:
        raise BaselineError(f"{path}: {error.strerror or error}") from error
    except (EOFError, zlib.error) as error:
        raise BaselineError(f"{path}: damaged or cut off: {error}") from error
    except UnicodeDecodeError as error:
        raise BaselineError(f"{path}: not UTF-8 text") from error
    if empty:
        raise BaselineError(f"{path}: no rows")


def separator_of(path: Path) -> str:
    """What stands between the cells of a CSV: a comma, a semicolon or a tab; empty for other tables.

    Raises
    ------
    BaselineError
        As ``table_chunks``.
    """
    if not path.name.lower().removesuffix(".gz").endswith(".csv"):
        return ""
    try:
        with _opened(path, lambda _: None) as (text, _):
            return _separator(next(_lines(path, text), ""))
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise BaselineError(f"{path}: can't be read: {error}") from error


def _separator(header: str) -> str:
    """A comma where there is any outside quotes, else the more frequent of semicolon and tab."""
    bare = _QUOTED.sub("", header)
    other = max(";\t", key=bare.count)
    return "," if "," in bare or other not in bare else other


def _time_cells(chunk: Chunk, time_column: str) -> Sequence[Cell] | None:
    """Cells times are read from, those of two columns joined; ``None`` where a column is not there."""
    several = [chunk.columns.get(name) for name in time_columns(time_column)]
    match several:
        case [cells]:
            return cells
        case [dates, times] if dates is not None and times is not None:
            return joined_cells(dates, times)
    return None


def _from_csv(path: Path, on_bytes: Callable[[int], None]) -> Iterator[Chunk]:
    with _opened(path, on_bytes) as (text, tell):
        lines = _lines(path, text)
        header = next(lines, "")
        reader = csv.reader(chain([header] if header else [], lines), strict=True, delimiter=_separator(header))
        names = _header(path, next(_rows(path, reader), None))
        table, rows = _Columns(names), list[list[str]]()
        blank = 0
        for row in _rows(path, reader):
            if not row:
                blank += 1
                continue
            if len(row) != len(names):
                raise BaselineError(f"{path}, line {reader.line_num}: {len(row)} cells, expected {len(names)}")
            if blank and len(names) == 1:
                # Only between others: a file may end in blank lines.
                rows.extend([""] for _ in range(blank))
            blank = 0
            rows.append(row)
            if len(rows) >= _TURNED_ROWS:
                table.add(rows)
                rows = []
            if table.rows >= CHUNK_ROWS:
                yield table.chunk()
                table = _Columns(names)
                tell()
        table.add(rows)
        if table.rows:
            yield table.chunk()
        tell()


class _Columns:
    """Rows turned into columns."""

    def __init__(self, names: Sequence[str]) -> None:
        self.rows = 0
        self._columns: dict[str, list[Cell]] = {name: [] for name in names}

    def add(self, rows: list[list[str]]) -> None:
        self.rows += len(rows)
        for column, cells in zip(self._columns.values(), zip(*rows, strict=True), strict=False):
            column.extend(cells)

    def chunk(self) -> Chunk:
        return Chunk(self._columns, self.rows, None)


def _rows(path: Path, reader: "_csv.Reader") -> Iterator[list[str]]:
    try:
        yield from reader
    except csv.Error as error:
        raise BaselineError(f"{path}, line {reader.line_num}: {error}") from error


def _header(path: Path, row: list[str] | None) -> list[str]:
    if row is None:
        raise BaselineError(f"{path}: empty, expected a header with the names of the columns")
    names = [name.strip() for name in row]
    _check_names(path, names)
    if all(map(_is_number, names)) and names != [str(i) for i in range(len(names))]:
        raise BaselineError(f"{path}: the first line holds numbers, expected a header with the names of the columns")
    return names


def _check_names(path: Path, names: Sequence[str]) -> None:
    if len(names) > _COLUMNS:
        raise BaselineError(f"{path}: {len(names)} columns, expected at most {_COLUMNS}")
    for place, name in enumerate(names, 1):
        if not name or len(name) > _NAME_CHARACTERS:
            raise BaselineError(f"{path}: column {place} needs a name of 1 to {_NAME_CHARACTERS} characters")
    if len(set(names)) < len(names):
        twice = next(name for i, name in enumerate(names) if name in names[:i])
        raise BaselineError(f"{path}: two columns are named {twice!r}")


def _is_number(text: str) -> bool:
    with suppress(ValueError):
        float(text)
        return True
    return False


def _from_lines(path: Path, on_bytes: Callable[[int], None]) -> Iterator[Chunk]:
    names: dict[str, None] = {}
    with _opened(path, on_bytes) as (text, tell):
        rows: list[dict[str, Cell]] = []
        for number, line in enumerate(_lines(path, text), 1):
            if not line.strip():
                continue
            row = _row(f"{path}, line {number}", line)
            if not row.keys() <= names.keys():
                names.update(dict.fromkeys(row))
                _check_names(path, list(names))
            rows.append(row)
            if len(rows) >= CHUNK_ROWS:
                yield _of_objects(names, rows)
                rows = []
                tell()
        if rows:
            yield _of_objects(names, rows)
        tell()


def _of_objects(names: Iterable[str], rows: list[dict[str, Cell]]) -> Chunk:
    return Chunk({name: [row.get(name) for row in rows] for name in names}, len(rows), None)


def _row(place: str, line: str) -> dict[str, Cell]:
    """One object's cells by path: nested keys joined by dots, list elements told by ``_0``, ``_1``."""
    try:
        document = _parsed(line)
    except (ValueError, RecursionError) as error:
        raise BaselineError(f"{place}: not JSON") from error
    if not isinstance(document, dict):
        raise BaselineError(f"{place}: not a JSON object")
    return _flat(place, document)


def _flat(place: str, document: dict[str, object]) -> dict[str, Cell]:
    row: dict[str, Cell] = {}
    for name, value in document.items():
        if isinstance(value, dict | list):
            row.clear()
            _flatten(place, document, "", row, 1)
            return row
        row[name] = _cell(place, value)
    return row


def _parsed(line: str) -> object:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        if not _CONSTANT.search(line):
            raise
    document: object = json.loads(line)  # Python writes NaN and Infinity, which are no JSON
    json.dumps(document, ensure_ascii=False).encode()  # half a surrogate pair, which no file can hold
    return document


def _flatten(place: str, value: object, name: str, row: dict[str, Cell], depth: int) -> None:
    if depth > _DEPTH:
        raise BaselineError(f"{place}: nested more than {_DEPTH} deep")
    if isinstance(value, dict):
        for key, inner in value.items():
            _flatten(place, inner, f"{name}.{key}" if name else key, row, depth + 1)
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            _flatten(place, inner, f"{name}_{i}", row, depth + 1)
    elif len(name) > _NAME_CHARACTERS or len(row) >= _COLUMNS:
        raise BaselineError(
            f"{place}: expected at most {_COLUMNS} cells, with names of at most {_NAME_CHARACTERS} characters"
        )
    elif name in row:
        raise BaselineError(f"{place}: two cells are named {name!r}")
    else:
        row[name] = _cell(place, value)


@contextmanager
def _opened(path: Path, on_bytes: Callable[[int], None]) -> Iterator[tuple[IO[str], Callable[[], None]]]:
    """A file as text, and what tells how much of it was read."""
    with path.open("rb") as raw:
        told = 0

        def tell() -> None:
            nonlocal told
            told, before = raw.tell(), told
            on_bytes(told - before)

        binary = cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if path.name.lower().endswith(".gz") else raw
        # Line ends inside quotes are part of the cell.
        with io.TextIOWrapper(binary, encoding="utf-8-sig", newline="") as text:
            yield text, tell


def _lines(path: Path, text: IO[str]) -> Iterator[str]:
    number = 0
    while line := text.readline(_LINE_CHARACTERS):
        number += 1
        if len(line) >= _LINE_CHARACTERS:
            raise BaselineError(f"{path}, line {number}: longer than {_LINE_CHARACTERS} characters")
        if "\0" in line:
            raise BaselineError(f"{path}, line {number}: not text but binary")
        yield line


def _from_parquet(path: Path, time_column: str, on_bytes: Callable[[int], None], zone: tzinfo) -> Iterator[Chunk]:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise BaselineError(f"{path}: Parquet needs pyarrow; install streamer[parquet]") from error
    size, rows, told = path.stat().st_size, 0, 0
    names: dict[str, None] = {}
    try:
        with parquet.ParquetFile(path) as file:
            _check_names(path, file.schema_arrow.names)
            nested = any(pa.types.is_nested(field.type) for field in file.schema_arrow)
            for batch in file.iter_batches(CHUNK_ROWS):
                if not batch.num_rows:
                    continue
                rows += batch.num_rows
                if nested:
                    objects = [_flat(str(path), row) for row in batch.to_pylist()]
                    names.update(dict.fromkeys(name for row in objects for name in row))
                    _check_names(path, list(names))
                    yield _of_objects(names, objects)
                else:
                    columns = zip(batch.schema.names, batch.columns, strict=True)
                    cells = {
                        name: _cells(str(path), column, is_time=name == time_column and _is_told(column, zone))
                        for name, column in columns
                    }
                    yield Chunk(cells, batch.num_rows, None)
                told, before = size * rows // file.metadata.num_rows, told
                on_bytes(told - before)
    except (pa.ArrowException, ValueError) as error:
        raise BaselineError(f"{path}: not a Parquet file, or damaged") from error


def _is_told(column: "pa.Array", zone: tzinfo) -> bool:
    """Whether timestamps are what they are: they have a zone, or are in UTC anyway."""
    return zone is UTC or getattr(column.type, "tz", None) is not None


def _cells(place: str, column: "pa.Array", *, is_time: bool) -> Sequence[Cell]:
    """Cells of an Arrow column."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        return _cells(place, column.dictionary_decode(), is_time=is_time)
    if pa.types.is_timestamp(kind):
        # Finer than it can be told is cut off.
        unit = pa.timestamp("ms" if is_time else "us", kind.tz)
        column = column.cast(unit, safe=False)
        if is_time:
            column = column.cast(pa.int64())
    elif column.null_count and (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        numbers: list[Cell] = column.to_numpy(zero_copy_only=False).astype(np.float64).tolist()
        return numbers
    cells: list[object] = column.to_pylist()
    return [_cell(place, cell) for cell in cells]


def _cell(place: str, value: object) -> Cell:
    match value:
        case None | str() | bool() | int() | float():
            return value
        case Decimal():
            return float(value)
        case date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
    raise BaselineError(f"{place}: holds {type(value).__name__} where a number, a truth value or a text is expected")
