"""Tables: what is read, and what is refused with its place."""

import datetime as dt
import gzip
import json
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from streamer.adapters.tables import CHUNK_ROWS, separator_of, table_chunks
from streamer.core.baseline.build import Chunk
from streamer.core.errors import BaselineError
from streamer.core.rawrows import Cell

AT = 1_357_016_400_000  # 2013-01-01T05:00:00Z


def written(folder: Path, name: str, content: str | bytes) -> Path:
    data = content.encode() if isinstance(content, str) else content
    path = folder / name
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def read(path: Path, time_column: str = "", zone: dt.tzinfo = dt.UTC) -> list[Chunk]:
    return list(table_chunks(path, time_column, lambda _: None, zone=zone))


def columns_of(path: Path) -> dict[str, list[Cell]]:
    columns: dict[str, list[Cell]] = {}
    for chunk in read(path):
        for name, cells in chunk.columns.items():
            assert len(cells) == chunk.rows
            columns.setdefault(name, []).extend(cells)
    return columns


def refusal(path: Path, time_column: str = "") -> str:
    with pytest.raises(BaselineError) as caught:
        read(path, time_column)
    text = str(caught.value)
    assert text.startswith(str(path))
    return text.removeprefix(str(path))


@pytest.mark.parametrize("name", ["t.csv", "t.CSV", "t.csv.gz"])
def test_csv_cells_are_given_as_they_stand(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, name.lower() if name.endswith("gz") else name, 'x, y\n1,"a,""b\n"\r\n,NA\n\n')
    assert columns_of(path) == {"x": ["1", ""], "y": ['a,"b\n', "NA"]}


@pytest.mark.parametrize(
    ("header", "separator"),
    [("x,y", ","), ("x;y", ";"), ("x\ty", "\t"), ('"x,1";y', ";"), ("a;b,c", ","), ("x", ",")],
)
def test_cells_are_separated_as_the_header_is(tmp_path: Path, header: str, separator: str) -> None:
    path = written(tmp_path, "t.csv", f"{header}\n" + separator.join("12"[: header.count(separator) + 1]) + "\n")
    assert separator_of(path) == separator
    assert next(iter(columns_of(path).values())) == ["1"]


def test_only_a_csv_has_a_separator(tmp_path: Path) -> None:
    assert separator_of(written(tmp_path, "t.jsonl", "{}")) == ""


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    assert list(columns_of(written(tmp_path, "t.csv", "\ufeffx,y\n1,2\n"))) == ["x", "y"]


def test_a_text_may_span_lines_and_be_long(tmp_path: Path) -> None:
    text = "a long line\n" * 20_000
    assert columns_of(written(tmp_path, "t.csv", f'x\n"{text}"\n')) == {"x": [text]}


def test_blank_lines_are_rows_of_a_single_column_only_between_others(tmp_path: Path) -> None:
    assert columns_of(written(tmp_path, "t.csv", "x\n1\n\n\n2\n\n\n")) == {"x": ["1", "", "", "2"]}


def test_tables_come_in_chunks_and_bytes_add_up(tmp_path: Path) -> None:
    told: list[int] = []
    path = written(tmp_path, "t.csv.gz", "x\n" + "".join(f"{i}\n" for i in range(2 * CHUNK_ROWS + 1)))
    chunks = list(table_chunks(path, "", told.append))
    assert [chunk.rows for chunk in chunks] == [CHUNK_ROWS, CHUNK_ROWS, 1]
    assert sum(told) == path.stat().st_size
    assert [cell for chunk in chunks for cell in chunk.columns["x"]] == [str(i) for i in range(2 * CHUNK_ROWS + 1)]


def test_json_lines_are_flattened_and_columns_may_come_late(tmp_path: Path) -> None:
    lines = ['{"x": 1, "deep": {"y": "a", "z": [true, [NaN]]}}', "", '{"x": null, "late": 2}']
    columns = columns_of(written(tmp_path, "t.jsonl", "\n".join(lines)))
    nan = columns.pop("deep.z_1_0")
    assert columns == {"x": [1, None], "deep.y": ["a", None], "deep.z_0": [True, None], "late": [None, 2]}
    assert nan[0] != nan[0]


def test_json_lines_come_in_chunks(tmp_path: Path) -> None:
    path = written(tmp_path, "t.ndjson.gz", '{"x": 1}\n' * (CHUNK_ROWS + 1))
    assert [chunk.rows for chunk in read(path)] == [CHUNK_ROWS, 1]


BAD: list[tuple[str, str, str | bytes, str]] = [
    ("an empty file", "t.csv", "", ": empty, expected a header with the names of the columns"),
    ("a header alone", "t.csv", "x,y\n", ": no rows"),
    ("a header alone, gzipped", "t.csv.gz", "x,y\n", ": no rows"),
    ("no header", "t.csv", "1.5,2\n3,4\n", ": the first line holds numbers, expected a header with"),
    ("a short row", "t.csv", "x,y\n1,2\n3\n", ", line 3: 1 cells, expected 2"),
    ("a long row behind quoted line ends", "t.csv", 'x,y\n"1\n\n",2\n3,4,5\n', ", line 5: 3 cells, expected 2"),
    ("a quote without end", "t.csv", 'x,y\n1,"2\n', ", line 2: unexpected end of data"),
    ("two columns of one name", "t.csv", "x, x\n1,2\n", ": two columns are named 'x'"),
    ("a column without a name", "t.csv", "x,,y\n1,2,3\n", ": column 2 needs a name"),
    ("a name without end", "t.csv", "x" * 300 + "\n1\n", ": column 1 needs a name"),
    ("too many columns", "t.csv", "x," * 10_001 + "\n1\n", ": 10002 columns, expected at most 10000"),
    ("binary rubbish", "t.csv", bytes(range(256)) * 9, ": not UTF-8 text"),
    ("binary with a header", "t.csv", "x\n1\n\0\0\n", ", line 3: not text but binary"),
    ("another encoding", "t.csv", "naïve\n1\n".encode("latin-1"), ": not UTF-8 text"),
    ("a line without end", "t.csv", "x\n" + "1" * 2**24, ", line 2: longer than 16777216 characters"),
    ("no lines of JSON", "t.jsonl", "", ": no rows"),
    ("no JSON", "t.jsonl", '{"x": 1}\n{"x": ', ", line 2: not JSON"),
    ("half a surrogate pair", "t.jsonl", '{"x": [NaN, "\\ud800"]}', ", line 1: not JSON"),
    ("JSON far too deep", "t.jsonl", "[" * 100_000, ", line 1: not JSON"),
    ("JSON too deep", "t.jsonl", '{"x": ' + "[" * 70 + "]" * 70 + "}", ", line 1: nested more than 64 deep"),
    ("a list", "t.jsonl", "[1]", ", line 1: not a JSON object"),
    ("an empty key", "t.jsonl", '{"": 1}', ": column 1 needs a name"),
    ("a path twice", "t.jsonl", '{"a.b": 1, "a": {"b": 2}}', ", line 1: two cells are named 'a.b'"),
    ("a path too long", "t.jsonl", json.dumps({"a" * 200: {"b" * 200: 1}}), ", line 1: expected at most 10000 cells"),
    ("another format", "t.xlsx", "x", ": expected .csv or .jsonl, each also .gz, or .parquet"),
    ("no Parquet", "t.parquet", "x,y\n1,2\n", ": not a Parquet file, or damaged"),
]


@pytest.mark.parametrize(("what", "name", "content", "says"), BAD, ids=[what for what, *_ in BAD])
def test_what_is_no_table_is_refused(tmp_path: Path, what: str, name: str, content: str | bytes, says: str) -> None:
    assert refusal(written(tmp_path, name, content)).startswith(says), what


@pytest.mark.parametrize("name", ["t.csv.gz", "t.jsonl.gz"])
def test_damaged_gzip_is_refused(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, name, '{"x": 1}\n' * 100_000)
    path.write_bytes(path.read_bytes()[:-20])
    assert "damaged or cut off" in refusal(path) or ", line" in refusal(path)
    path.write_bytes(b'{"x": 1}\n')
    assert "Not a gzipped file" in refusal(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "t.csv") == ": No such file or directory"
    assert refusal(tmp_path / "t.parquet") == ": No such file or directory"


def test_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").mkdir()
    assert refusal(tmp_path / "t.csv") == ": Is a directory"


@given(st.binary(max_size=200))
def test_any_bytes_are_a_table_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    folder = tmp_path_factory.getbasetemp()
    for name in ("any.csv", "any.jsonl", "any.parquet"):
        path = folder / name
        path.write_bytes(data)
        try:
            chunks = read(path)
        except BaselineError:
            continue
        assert sum(chunk.rows for chunk in chunks) > 0


def test_times_are_read_from_their_column(tmp_path: Path) -> None:
    (chunk,) = read(written(tmp_path, "t.csv", "at,x\n2013-01-01T05:00:00Z,1\nnever,2\n"), "at")
    assert chunk.event_at is not None
    assert list(chunk.event_at) == [AT, -1]
    assert list(chunk.columns) == ["at", "x"]


def test_times_are_read_from_a_date_and_a_time_of_day(tmp_path: Path) -> None:
    (chunk,) = read(written(tmp_path, "t.csv", "d,t,x\n2013/1/1,5:00,1\n"), "d,t")
    assert chunk.event_at is not None
    assert list(chunk.event_at) == [AT]


def test_times_without_a_zone_are_told_in_the_one_given(tmp_path: Path) -> None:
    zone = ZoneInfo("America/New_York")
    (chunk,) = read(written(tmp_path, "t.csv", "at\n2013-01-01T00:00:00\n2013-01-01T05:00:00Z\n"), "at", zone)
    assert chunk.event_at is not None
    assert list(chunk.event_at) == [AT, AT]


@pytest.mark.parametrize(("zone", "hours"), [("", 0), ("UTC", 5)])
def test_parquet_times_without_a_zone_are_told_in_the_one_given(tmp_path: Path, zone: str, hours: int) -> None:
    path = of_parquet(tmp_path, {"at": pa.array([AT - 5 * 3_600_000], pa.timestamp("ms", zone or None))})
    (chunk,) = read(path, "at", ZoneInfo("America/New_York"))
    assert chunk.event_at is not None
    assert list(chunk.event_at) == [AT - hours * 3_600_000]


def test_a_time_column_that_is_not_there_gives_no_times(tmp_path: Path) -> None:
    (chunk,) = read(written(tmp_path, "t.csv", "x\n1\n"), "at")
    assert chunk.event_at is None


def of_parquet(folder: Path, columns: dict[str, pa.Array]) -> Path:
    path = folder / "t.parquet"
    parquet.write_table(pa.table(columns), path)
    return path


def test_parquet_cells_are_numbers_truth_values_and_texts(tmp_path: Path) -> None:
    moment = dt.datetime(2013, 1, 1, 5, tzinfo=dt.UTC)
    columns = {
        "float": pa.array([1.5, 2.0]),
        "int": pa.array([1, 2]),
        "bool": pa.array([True, None]),
        "text": pa.array(["a", None]),
        "category": pa.array(["a", "b"]).dictionary_encode(),
        "decimal": pa.array([Decimal("1.5"), Decimal(2)]),
        "date": pa.array([moment.date(), None]),
        "time": pa.array([moment, None], pa.timestamp("ns", "UTC")),
        "span": pa.array([dt.timedelta(hours=1), None]),
        "nothing": pa.nulls(2),
    }
    found = columns_of(of_parquet(tmp_path, columns))
    expected: dict[str, Sequence[Cell]] = {
        "float": [1.5, 2.0],
        "int": [1, 2],
        "bool": [True, None],
        "text": ["a", None],
        "category": ["a", "b"],
        "decimal": [1.5, 2.0],
        "date": ["2013-01-01", None],
        "time": ["2013-01-01T05:00:00+00:00", None],
        "span": [3600.0, None],
        "nothing": [None, None],
    }
    assert found == expected


@pytest.mark.parametrize("numbers", [[1.5, None], [1, None]])
def test_missing_numbers_of_parquet_are_missing(tmp_path: Path, numbers: list[float | None]) -> None:
    first, second = columns_of(of_parquet(tmp_path, {"x": pa.array(numbers)}))["x"]
    assert first == numbers[0]
    assert second != second


@pytest.mark.parametrize("kind", [pa.timestamp("ns"), pa.timestamp("s", "America/New_York"), pa.int64()])
def test_times_of_parquet_are_read(tmp_path: Path, kind: pa.DataType) -> None:
    unit = {"ns": 10**6, "s": 1}.get(getattr(kind, "unit", ""), 1)
    value = AT * unit if unit > 1 else AT // 1000
    path = of_parquet(tmp_path, {"at": pa.array([value, None], pa.int64()).cast(kind), "x": pa.array([1, 2])})
    (chunk,) = read(path, "at")
    assert chunk.event_at is not None
    assert list(chunk.event_at) == [AT, -1]


def test_nested_parquet_is_flattened_like_json(tmp_path: Path) -> None:
    path = of_parquet(tmp_path, {"a": pa.array([{"b": 1, "c": [2.5, 3.5]}, {"b": None, "c": [4.5]}])})
    assert columns_of(path) == {"a.b": [1, None], "a.c_0": [2.5, 4.5], "a.c_1": [3.5, None]}


def test_bytes_of_parquet_are_refused(tmp_path: Path) -> None:
    assert refusal(of_parquet(tmp_path, {"x": pa.array([b"\0"])})).startswith(": holds bytes")


def test_parquet_comes_in_chunks_and_bytes_add_up(tmp_path: Path) -> None:
    told: list[int] = []
    path = of_parquet(tmp_path, {"x": pa.array(range(2 * CHUNK_ROWS + 1))})
    assert [chunk.rows for chunk in table_chunks(path, "", told.append)] == [CHUNK_ROWS, CHUNK_ROWS, 1]
    assert sum(told) == path.stat().st_size


def test_without_pyarrow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert refusal(written(tmp_path, "t.parquet", "x")) == ": Parquet needs pyarrow; install streamer[parquet]"
