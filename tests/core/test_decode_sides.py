import base64
import json
import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.baseline.model import Baseline
from streamer.core.columns import MISSING, UNSEEN, Columns
from streamer.core.decode.capture import SidePayload
from streamer.core.decode.payload import Format, text_of
from streamer.core.decode.rows import rows_of
from streamer.core.decode.sides import SideReader
from streamer.core.errors import InvalidRecord, Reason
from streamer.core.schema import Kind, Side
from streamer.core.settings import Limits
from tests.strategies import baseline, category, cells, json_texts, number

PLAIN = baseline(number("x"), number("y"), number("score", Side.OUTPUT))
MIXED = baseline(number("x"), number("y"), category("k"))


def csv_payload(data: str) -> SidePayload:
    return SidePayload(data=data, encoding="CSV", observedContentType="text/csv")


def json_payload(value: object, content: str = "application/json") -> SidePayload:
    return SidePayload(
        data=value if isinstance(value, str) else json.dumps(value), encoding="JSON", observedContentType=content
    )


def reader(of: Baseline = PLAIN, side: Side = Side.INPUT, path: str = "", limits: Limits = Limits()) -> SideReader:  # noqa: B008
    return SideReader(of.schema, side, path, limits)


def numbers(columns: Columns) -> list[list[float]]:
    return [[-999.0 if math.isnan(v) else v for v in row] for row in columns.numbers.T.tolist()]


def refusal(payload: SidePayload, limits: Limits = Limits()) -> Reason:  # noqa: B008
    columns, failures = reader(limits=limits).read([payload])
    assert columns.rows == 0
    return failures[0].reason


def test_csv_rows_become_columns_in_payload_order() -> None:
    columns, failures = reader().read([csv_payload("1,2"), csv_payload("3,4\n5,6\n")])
    assert numbers(columns) == [[1, 2], [3, 4], [5, 6]]
    assert columns.record.tolist() == [0, 1, 1]
    assert failures == []


def test_quoted_cells_may_hold_commas_and_line_breaks() -> None:
    columns, _ = reader(MIXED).read([csv_payload('"1",2,"a"\r\n3,4,"no,\nsuch"')])
    assert numbers(columns) == [[1, 2], [3, 4]]
    assert columns.codes.tolist() == [[0, UNSEEN]]


def test_a_category_is_a_code_missing_or_unseen_and_its_text_is_not_kept() -> None:
    columns, _ = reader(MIXED).read([csv_payload("1,2,b"), csv_payload("1,2,"), csv_payload("1,2,zzz")])
    assert columns.codes.tolist() == [[1, MISSING, UNSEEN]]


def test_a_wrong_number_of_columns_refuses_that_record_alone() -> None:
    columns, failures = reader().read([csv_payload("1,2"), csv_payload("1,2,3"), csv_payload("7"), csv_payload("5,6")])
    assert numbers(columns) == [[1, 2], [5, 6]]
    assert columns.record.tolist() == [0, 3]
    assert [(f.record, f.reason) for f in failures] == [(1, Reason.COLUMN_COUNT), (2, Reason.COLUMN_COUNT)]


@pytest.mark.parametrize("text", ["x,y\n1,2\n3,4\n", "x,y\r\n1,2\r\n3,4", '"x","y"\n1,2\n3,4', "x,y\n\n1,2\n3,4"])
def test_a_header_line_sent_along_is_no_row(text: str) -> None:
    columns, failures = reader().read([csv_payload("7,8"), csv_payload(text)])
    assert numbers(columns) == [[7, 8], [1, 2], [3, 4]]
    assert columns.mistyped is None or not columns.mistyped.any()
    assert failures == []


@pytest.mark.parametrize("text", ["y,x\n1,2", "1,2\nx,y"])
def test_a_line_of_texts_that_is_no_header_is_a_row_with_its_cells_mistyped(text: str) -> None:
    columns, _ = reader().read([csv_payload(text)])
    assert columns.rows == 2
    assert columns.mistyped is not None
    assert columns.mistyped.any(axis=0).sum() == 1


def test_a_header_whose_names_need_quotes_is_no_row_either() -> None:
    columns, _ = reader(baseline(number("a,b"), number("y"))).read([csv_payload('"a,b",y\n1,2')])
    assert numbers(columns) == [[1, 2]]


def test_one_ragged_row_refuses_its_whole_record() -> None:
    assert refusal(csv_payload("1,2\n3")) is Reason.COLUMN_COUNT


def test_text_where_a_number_belongs_is_mistyped_and_not_missing() -> None:
    columns, _ = reader().read([csv_payload("x,2"), csv_payload(",inf")])
    assert columns.mistyped is not None
    assert columns.mistyped.tolist() == [[True, False], [False, True]]
    assert np.isnan(columns.numbers[0]).all()


@given(st.lists(st.lists(st.tuples(cells, cells), min_size=1, max_size=3), min_size=1, max_size=6))
def test_a_record_reads_alike_alone_and_in_any_batch(records: list[list[tuple[str, str]]]) -> None:
    payloads = [csv_payload("\n".join(",".join(row) for row in rows)) for rows in records]
    together, failed = reader().read(payloads)
    alone = [reader().read([payload]) for payload in payloads]
    assert np.array_equal(together.numbers, np.concatenate([c.numbers for c, _ in alone], axis=1), equal_nan=True)
    wrong = [np.zeros(c.numbers.shape, bool) if c.mistyped is None else c.mistyped for c, _ in alone]
    mistyped = np.zeros(together.numbers.shape, bool) if together.mistyped is None else together.mistyped
    assert np.array_equal(mistyped, np.concatenate(wrong, axis=1))
    assert [f.reason for f in failed] == [f.reason for _, several in alone for f in several]


@given(st.lists(st.tuples(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(10**6), 10**6)), min_size=1))
def test_csv_quoted_csv_and_json_mean_the_same(rows: list[tuple[float, int]]) -> None:
    plain = csv_payload("\n".join(f"{x!r},{y}" for x, y in rows))
    quoted = csv_payload("\n".join(f'"{x!r}","{y}"' for x, y in rows))
    named = json_payload({"instances": [{"y": y, "x": x} for x, y in rows]})
    features = json_payload({"instances": [{"features": [x, y]} for x, y in rows]})
    columns = json_payload({"x": [x for x, _ in rows], "y": [y for _, y in rows]})
    lines = json_payload("\n".join(json.dumps({"x": x, "y": y}) for x, y in rows), "application/jsonlines")
    read = [reader().read([p])[0].numbers for p in (plain, quoted, named, features, columns, lines)]
    for other in read[1:]:
        assert np.array_equal(read[0], other)


@pytest.mark.parametrize(
    ("document", "rows"),
    [
        ({"instances": [[1, 2], [3, 4]]}, [[1, 2], [3, 4]]),
        ({"inputs": [{"x": 1, "y": 2}]}, [[1, 2]]),
        ({"x": 1, "y": 2, "more": 3}, [[1, 2]]),
        ({"x": 1}, [[1, -999]]),
        ({"x": None, "y": 2}, [[-999, 2]]),
        ([1, 2], [[1, 2]]),
        ([[1, 2]], [[1, 2]]),
        ([{"x": 1, "y": 2}, {"y": 5}], [[1, 2], [-999, 5]]),
        ({"x": [1, 3], "y": [2, 4]}, [[1, 2], [3, 4]]),
        ('{"x": NaN, "y": 2}', [[-999, 2]]),
        ({"dataframe_split": {"columns": ["y", "x"], "data": [[1, 2]]}}, [[2, 1]]),
        ({"dataframe_records": [{"x": 1, "y": 2}]}, [[1, 2]]),
        ({"data": {"names": ["y", "x"], "ndarray": [[1, 2]]}}, [[2, 1]]),
        ('{"x": 1, "y": 2}\n{"x": 3, "y": 4}', [[1, 2], [3, 4]]),
    ],
)
def test_json_rows_are_found_in_every_usual_layout(document: object, rows: list[list[float]]) -> None:
    columns, failures = reader().read([json_payload(document)])
    assert failures == []
    assert numbers(columns) == rows


def test_rows_under_a_configured_path_are_found() -> None:
    columns, _ = reader(path="request.rows").read([json_payload({"request": {"rows": [{"x": 1, "y": 2}]}})])
    assert numbers(columns) == [[1, 2]]
    _, failures = reader(path="request.rows").read([json_payload({"x": 1, "y": 2})])
    assert failures[0].reason is Reason.BAD_LAYOUT


def test_nested_values_are_named_by_their_path() -> None:
    nested = baseline(number("a.b"), number("v_0"), number("v_1"))
    columns, _ = reader(nested).read([json_payload({"a": {"b": 1}, "v": [2, 3]})])
    assert numbers(columns) == [[1, 2, 3]]


def test_predictions_may_be_scalars_vectors_or_objects() -> None:
    for document in (
        {"predictions": [0.5, 0.25]},
        {"predictions": [[0.5], [0.25]]},
        {"predictions": [{"score": 0.5}, {"score": 0.25}]},
    ):
        columns, _ = reader(side=Side.OUTPUT).read([json_payload(document)])
        assert numbers(columns) == [[0.5], [0.25]]


def test_a_truth_value_where_a_number_belongs_is_mistyped_and_infinity_too() -> None:
    columns, _ = reader().read([json_payload({"x": True, "y": 1}), json_payload('{"x": Infinity, "y": 1}')])
    assert columns.mistyped is not None
    assert columns.mistyped.tolist() == [[True, True], [False, False]]


def test_base64_is_undone_and_sniffed() -> None:
    def encoded(text: str, content: str | None) -> SidePayload:
        return SidePayload(base64.b64encode(text.encode()).decode(), "BASE64", content)

    payloads = [
        encoded("1,2", None),
        encoded('{"x":1,"y":2}', None),
        encoded("1,2", "text/csv"),
        encoded('{"x":1,"y":2}', "application/jsonlines"),
    ]
    columns, failures = reader().read(payloads)
    assert failures == []
    assert numbers(columns) == [[1, 2]] * 4


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (SidePayload(None, "CSV"), Reason.NO_PAYLOAD),
        (SidePayload("1,2", "XML"), Reason.BAD_ENCODING),
        (SidePayload("1,2", None), Reason.BAD_ENCODING),
        (SidePayload("!!", "BASE64"), Reason.BAD_BASE64),
        (SidePayload("é", "BASE64"), Reason.BAD_BASE64),
        (SidePayload(base64.b64encode(b"\xff\xfe").decode(), "BASE64"), Reason.NOT_TEXT),
        (SidePayload(base64.b64encode(b"a\0b").decode(), "BASE64"), Reason.NOT_TEXT),
        (csv_payload(""), Reason.EMPTY_PAYLOAD),
        (csv_payload(" \n"), Reason.EMPTY_PAYLOAD),
        (csv_payload('"1,2'), Reason.BAD_CSV),
        (json_payload("{"), Reason.BAD_JSON),
        (json_payload('{"x": 1}\n{'), Reason.BAD_JSON),
        (json_payload('{"x": "\\ud800", "y": NaN}'), Reason.BAD_JSON),
        (json_payload("[" * 3000 + "]" * 3000), Reason.TOO_DEEP),
        (json_payload("[NaN," + "[" * 30_000), Reason.TOO_DEEP),
        (json_payload('{"x": ' + "[" * 70 + "]" * 70 + "}"), Reason.TOO_DEEP),
        (json_payload({"instances": []}), Reason.EMPTY_PAYLOAD),
        (json_payload({"instances": [[1, 2, 3]]}), Reason.COLUMN_COUNT),
        (json_payload({"X": 1, "Y": 2}), Reason.BAD_LAYOUT),
        (json_payload([{"x": 1}, {"payload": {"x": 1}}]), Reason.BAD_LAYOUT),
        (json_payload({"x": {}}), Reason.BAD_LAYOUT),
        (json_payload({"dataframe_split": {"columns": ["a", "b"], "data": [[1, 2]]}}), Reason.BAD_LAYOUT),
        (csv_payload("x,y"), Reason.EMPTY_PAYLOAD),
        (csv_payload("x,y\r\n"), Reason.EMPTY_PAYLOAD),
        (json_payload('{"x": ' + "9" * 5000 + ', "y": NaN}'), Reason.BAD_JSON),
    ],
)
def test_what_is_no_payload_is_refused_for_a_stated_reason(payload: SidePayload, reason: Reason) -> None:
    assert refusal(payload) is reason


@pytest.mark.parametrize(
    ("payload", "limits", "reason"),
    [
        (csv_payload("1,2\n" * 4), {"rows": 3}, Reason.TOO_MANY_ROWS),
        (csv_payload("x,y\n" + "1,2\n" * 3), {"rows": 3}, Reason.TOO_MANY_ROWS),
        (csv_payload("x,y\r\n" + "1,2\r\n" * 3), {"rows": 3}, Reason.TOO_MANY_ROWS),
        (json_payload([[1, 2]] * 4), {"rows": 3}, Reason.TOO_MANY_ROWS),
        (json_payload("[1,2]\n" * 4, "application/jsonlines"), {"rows": 3}, Reason.TOO_MANY_ROWS),
        (json_payload({"x": [1] * 4, "y": [2] * 4}), {"rows": 3}, Reason.TOO_MANY_ROWS),
        (json_payload([1.0] * 4), {"rows": 3}, Reason.TOO_MANY_ROWS),
        (csv_payload('"1",2'), {"features": 1}, Reason.TOO_MANY_FEATURES),
        (json_payload({"x": 1, "y": 2}), {"features": 1}, Reason.TOO_MANY_FEATURES),
        (json_payload({"x": [1], "y": [2]}), {"features": 1}, Reason.TOO_MANY_FEATURES),
        (json_payload({"x": {"a": 1, "b": 2}}), {"features": 1}, Reason.TOO_MANY_FEATURES),
        (json_payload([[1, 2]]), {"features": 1}, Reason.TOO_MANY_FEATURES),
        (json_payload([1, 2]), {"features": 1}, Reason.TOO_MANY_FEATURES),
        (csv_payload("1,2"), {"features": 1}, Reason.TOO_MANY_FEATURES),
        (csv_payload("1.000000,2"), {"payload_bytes": 9}, Reason.PAYLOAD_TOO_LARGE),
        (csv_payload("1.000000,2" * 9), {"payload_bytes": 9}, Reason.PAYLOAD_TOO_LARGE),
    ],
)
def test_bounds_are_kept(payload: SidePayload, limits: dict[str, int], reason: Reason) -> None:
    assert refusal(payload, Limits(**limits)) is reason


@given(
    st.text(max_size=60),
    st.sampled_from(["CSV", "JSON", "BASE64", "XML"]),
    st.sampled_from(["", "text/csv", "application/jsonlines"]),
)
def test_any_text_in_any_encoding_is_read_or_refused_and_nothing_else(data: str, encoding: str, content: str) -> None:
    payload = SidePayload(data, encoding, content)
    for of in (PLAIN, MIXED):
        columns, failures = reader(of).read([payload])
        assert (columns.rows > 0) != bool(failures)
    try:
        text, form = text_of(payload, 1000)
        rows = rows_of(text, form, "", Limits(), None)
    except InvalidRecord:
        return
    assert rows


def test_a_content_type_with_parameters_is_understood() -> None:
    assert text_of(SidePayload("{}", "JSON", "application/jsonlines; charset=utf-8"), 100) == ("{}", Format.JSON_LINES)


ANY_PAYLOADS = st.builds(
    SidePayload,
    st.one_of(
        json_texts,
        st.lists(st.lists(cells, min_size=1, max_size=4).map(",".join), max_size=4).map("\n".join),
        st.sampled_from(
            [
                "x,y\n1,2",
                "x\n1",
                "x,y,k\r\n1,2,a",
                "x",
                "1,2",
                "1,2,a\r\n3,4,b",
                '"1",2',
                "\ufeff1,2",
                "1,2\n\n",
                "\n1,2",
                "1\0,2",
                "-0,2",
                " 1, 2 ",
                "01,2",
            ]
        ),
    ),
    st.sampled_from(["CSV", "CSV", "JSON", "BASE64", "XML"]),
    st.sampled_from(["", "text/csv", "application/jsonlines"]),
)


@pytest.mark.parametrize("of", [PLAIN, MIXED, baseline(number("x")), baseline(category("k"))])
@given(several=st.lists(ANY_PAYLOADS, min_size=1, max_size=6))
def test_a_payload_of_any_format_reads_alike_alone_and_among_any_others(
    of: Baseline, several: list[SidePayload]
) -> None:
    def rows(columns: Columns, record: int) -> list[tuple[str, ...]]:
        wrong = np.zeros(columns.numbers.shape, np.bool_) if columns.mistyped is None else columns.mistyped
        cells_of = (columns.numbers.T + 0.0, wrong.T, columns.codes.T)
        mine = columns.record == record
        return [tuple(map(repr, row)) for row in zip(*[part[mine].tolist() for part in cells_of], strict=True)]

    together, failures = reader(of).read(several)
    reasons = {f.record: f.reason for f in failures}
    assert len(reasons) == len(failures)
    assert (np.diff(together.record) >= 0).all()
    for i, payload in enumerate(several):
        alone, failed = reader(of).read([payload])
        assert rows(together, i) == rows(alone, 0)
        assert ([reasons[i]] if i in reasons else []) == [f.reason for f in failed]
        assert (alone.rows > 0) != bool(failed)


@given(st.lists(st.one_of(st.integers(), st.floats(), st.decimals(allow_nan=False)).map(str), min_size=1))
def test_a_number_reads_alike_in_bulk_and_as_python_reads_it(texts: list[str]) -> None:
    columns, _ = reader(baseline(number("x"))).read([csv_payload("\n".join(texts))])
    expected = [value if math.isfinite(value := float(text)) else math.nan for text in texts]
    assert np.array_equal(columns.numbers[0], expected, equal_nan=True)


HOSTILE = {
    "commas": csv_payload("," * 1_000_000),
    "quotes": csv_payload('"' * 1_000_000),
    "an open quote": csv_payload('"' + "a" * 1_000_000),
    "line ends": csv_payload("1,2" + "\n" * 1_000_000 + "1,2"),
    "carriage returns": csv_payload("1,2" + "\r" * 1_000_000 + "1,2"),
    "rows": csv_payload("1,2\n" * 250_000),
    "digits": csv_payload("9" * 1_000_000 + ",2"),
    "openers": json_payload("[" * 1_000_000),
    "openers after a NaN": json_payload("[NaN," + "[" * 1_000_000),
    "keys": json_payload("{" + ",".join(f'"{i}":1' for i in range(100_000)) + "}"),
    "a long key above many values": json_payload('{"' + "k" * 900_000 + '":[' + "1," * 1_900 + "1]}"),
    "a long key above many empty lists": json_payload('{"' + "k" * 500_000 + '":{"q":[' + "[]," * 160_000 + "[]]}}"),
    "deep rows": json_payload("[" + ("[" * 60 + "]" * 60 + ",") * 8_000 + "[]]"),
    "empty rows": json_payload("[" + "[]," * 300_000 + "[]]"),
    "lines of scalars": json_payload("1\n" * 500_000, "application/jsonlines"),
    "digits beside a NaN": json_payload('{"x":' + "9" * 1_000_000 + ',"y":NaN}'),
    "backslashes beside a NaN": json_payload('{"x":"' + "\\\\" * 500_000 + '","y":NaN}'),
    "bad base64": SidePayload("A" * 1_000_000 + "!", "BASE64"),
}


@pytest.mark.parametrize("payload", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_megabyte_of_anything_costs_little_memory(payload: SidePayload) -> None:
    of_it = reader()
    tracemalloc.start()
    try:
        of_it.read([payload])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 64 * 2**20


def test_a_whole_number_too_large_for_a_float_is_mistyped() -> None:
    columns, _ = reader().read([json_payload('{"x": ' + "9" * 400 + ', "y": 1}')])
    assert columns.mistyped is not None
    assert columns.mistyped.tolist() == [[True], [False]]


def test_a_text_is_its_length_in_characters_up_to_the_limit() -> None:
    texts = baseline(number("t", kind=Kind.TEXT), number("u", kind=Kind.TEXT))
    columns, _ = reader(texts, limits=Limits(text_characters=3)).read([csv_payload("é,abcdef"), csv_payload(",null")])
    assert numbers(columns) == [[1, 3], [-999, -999]]
