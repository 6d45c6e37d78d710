import csv
import io
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.decode.payload import Format
from streamer.core.decode.rows import Row, csv_rows, rows_of
from streamer.core.errors import InvalidRecord, Reason
from streamer.core.settings import Limits
from tests.strategies import json_texts

LIMITS = Limits()
NAMES = ("x", "y")


def csv_of(text: str, **limits: int) -> list[Row]:
    return rows_of(text, Format.CSV, "", Limits(**limits), NAMES)


def json_of(text: str, names: tuple[str, ...] | None = NAMES, path: str = "", **limits: int) -> list[Row]:
    return rows_of(text, Format.JSON, path, Limits(**limits), names)


def lines_of(text: str) -> list[Row]:
    return rows_of(text, Format.JSON_LINES, "", LIMITS, NAMES)


def refusal(text: str, form: Format = Format.JSON, names: tuple[str, ...] | None = NAMES, **limits: int) -> Reason:
    with pytest.raises(InvalidRecord) as refused:
        rows_of(text, form, "", Limits(**limits), names)
    return refused.value.reason


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("1,2", [["1", "2"]]),
        ("1,2\n3,4\n", [["1", "2"], ["3", "4"]]),
        ("1,2\r\n3,4\r\n", [["1", "2"], ["3", "4"]]),
        ("1,2\r3,4", [["1", "2"], ["3", "4"]]),
        ("1,2\n\n\n3,4", [["1", "2"], ["3", "4"]]),
        ("1\n\n3", [["1"], [""], ["3"]]),
        ("\n1", [[""], ["1"]]),
        ('"a ""b"", c",2', [['a "b", c', "2"]]),
        ('"1\n2",3', [["1\n2", "3"]]),
        (",", [["", ""]]),
        ('""', [[""]]),
        ("1\0,2", [["1\0", "2"]]),
        ("a\x0bb\u2028c,2", [["a\x0bb\u2028c", "2"]]),
    ],
)
def test_csv_is_read_as_its_standard_says(text: str, rows: list[list[str]]) -> None:
    assert csv_of(text) == rows


@pytest.mark.parametrize("text", ['"open', '"a"b,2', '"a" ,2', '"\n"x'])
def test_broken_quotes_refuse_the_payload(text: str) -> None:
    assert refusal(text, Format.CSV) is Reason.BAD_CSV


def test_no_text_is_no_row() -> None:
    assert refusal("", Format.CSV) is Reason.EMPTY_PAYLOAD
    assert refusal("\n", Format.JSON_LINES) is Reason.EMPTY_PAYLOAD


def test_blank_lines_count_against_the_limit_on_rows() -> None:
    assert refusal("1,2" + "\n" * 9 + "3,4", Format.CSV, rows=9) is Reason.TOO_MANY_ROWS
    assert len(csv_of("1,2" + "\n" * 9 + "3,4", rows=10)) == 2


csv_cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=4)


@given(
    st.integers(2, 4).flatmap(lambda n: st.lists(st.lists(csv_cells, min_size=n, max_size=n), min_size=1, max_size=4))
)
def test_what_a_csv_writer_wrote_is_read_back(rows: list[list[str]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(rows)
    assert csv_rows(text.getvalue(), LIMITS) == rows


def test_nan_is_a_missing_value_and_infinity_something_else() -> None:
    row = json_of('{"x": NaN, "y": -Infinity}')[0]
    assert isinstance(row, dict)
    assert math.isnan(float(str(row["x"])))
    assert row["y"] == -math.inf


def test_a_number_too_large_for_a_float_is_infinite_and_does_not_refuse_the_record() -> None:
    assert json_of('{"x": 1e999, "y": 2}') == [{"x": math.inf, "y": 2}]


def test_a_pair_of_surrogate_escapes_beside_a_nan_is_one_character() -> None:
    row = json_of('{"x": NaN, "k": "\\ud83d\\ude00"}')[0]
    assert isinstance(row, dict)
    assert row["k"] == "\U0001f600"


@pytest.mark.parametrize("text", ['"\\ud800"', '"\\ude00\\ud83d"', '"\\\\\\ud83d"', '"\ud800"'])
def test_a_lone_surrogate_is_no_text_with_or_without_a_nan(text: str) -> None:
    assert refusal(f'{{"x": NaN, "k": {text}}}') is Reason.BAD_JSON
    assert refusal(f'{{"x": 1, "k": {text}}}') is Reason.BAD_JSON


def test_an_escaped_backslash_before_a_u_is_no_surrogate() -> None:
    row = json_of('{"x": NaN, "k": "\\\\ud800"}')[0]
    assert isinstance(row, dict)
    assert row["k"] == "\\ud800"


def test_json_lines_are_split_at_line_ends_only() -> None:
    text = '{"x":1,"k":"a\u2028b\x85c"}\r\n\r\n{"x":2}\r{"x":3}\n'
    assert lines_of(text) == [{"x": 1, "k": "a\u2028b\x85c"}, {"x": 2}, {"x": 3}]


def test_lines_under_a_plain_json_content_type_are_read_one_by_one() -> None:
    assert json_of('{"x":1}\n{"x":2}') == [{"x": 1}, {"x": 2}]
    assert refusal('{"x":1}\n{') is Reason.BAD_JSON


def test_a_column_of_one_value_is_a_value_only_under_a_known_name() -> None:
    assert json_of('{"x": [1, 2]}') == [{"x": 1}, {"x": 2}]
    assert json_of('{"v": [1, 2]}') == [{"v_0": 1, "v_1": 2}]
    assert json_of('{"v": [1, 2]}', None) == [{"v": 1}, {"v": 2}]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("7", [[7]]),
        ("null", [[None]]),
        ("[[[1, 2], [3]]]", [[1, 2, 3]]),
        ('[[1, {"a": 2}]]', [{"0": 1, "1.a": 2}]),
        ('{"features": [1, [2]]}', [[1, 2]]),
        ('{"instances": [{"features": [1, 2]}, {"features": [3, 4]}]}', [[1, 2], [3, 4]]),
        ('{"x": {}, "y": []}', [{}]),
        ('{"a": {"b": {"c": 1}}, "a.b": 2}', [{"a.b.c": 1, "a.b": 2}]),
        ('{"x": [1], "y": [2, 3]}', [{"x_0": 1, "y_0": 2, "y_1": 3}]),
        ("[[], [1]]", [[], [1]]),
    ],
)
def test_nested_values_have_one_place_each(text: str, rows: list[Row]) -> None:
    assert json_of(text) == rows


@pytest.mark.parametrize(
    ("document", "rows"),
    [
        ({"dataframe_split": {"columns": ["y", "x"], "data": [[1, 2], [3, 4]]}}, [{"y": 1, "x": 2}, {"y": 3, "x": 4}]),
        ({"columns": ["y", "x"], "index": [0], "data": [[1, 2]]}, [{"y": 1, "x": 2}]),
        ({"dataframe_records": [{"x": 1, "y": 2}]}, [{"x": 1, "y": 2}]),
        ({"data": {"names": ["x", "y"], "ndarray": [[1, 2]]}}, [{"x": 1, "y": 2}]),
        ({"data": {"names": ["x"], "ndarray": [1, 2]}}, [{"x": 1}, {"x": 2}]),
        ({"data": {"ndarray": [[1, 2]]}}, [[1, 2]]),
        ({"data": {"names": ["x", "y"], "ndarray": [[1, [2, 3]]]}}, [{"x": 1, "y_0": 2, "y_1": 3}]),
    ],
)
def test_names_that_stand_beside_the_rows_name_their_cells(document: object, rows: list[Row]) -> None:
    for names in (None, NAMES):
        assert json_of(json.dumps(document), names) == rows


@pytest.mark.parametrize(
    ("table", "limits", "reason"),
    [
        ({"columns": ["x", 1], "data": [[1, 2]]}, {}, Reason.BAD_LAYOUT),
        ({"columns": ["x", "y"], "data": [[1]]}, {}, Reason.COLUMN_COUNT),
        ({"columns": ["x", "y"], "data": [[1, 2]]}, {"features": 1}, Reason.TOO_MANY_FEATURES),
        ({"columns": ["x", "y"], "data": [[1, 2]] * 3}, {"rows": 2}, Reason.TOO_MANY_ROWS),
        ({"columns": ["x", "y"], "data": []}, {}, Reason.EMPTY_PAYLOAD),
    ],
)
def test_names_that_do_not_fit_their_rows_refuse_the_payload(
    table: dict[str, object], limits: dict[str, int], reason: Reason
) -> None:
    assert refusal(json.dumps(table), Format.JSON, NAMES, **limits) is reason
    assert refusal(json.dumps({"dataframe_split": table}), Format.JSON, NAMES, **limits) is reason


def test_features_named_like_a_tables_keys_are_features() -> None:
    names = ("columns", "data")
    assert json_of('{"columns": [1, 2], "data": [3, 4]}', names) == [
        {"columns": 1, "data": 3},
        {"columns": 2, "data": 4},
    ]


def test_a_feature_named_like_a_row_key_is_a_feature() -> None:
    assert json_of('{"data": [1, 2]}', ("data",)) == [{"data": 1}, {"data": 2}]
    assert json_of('{"data": [1, 2]}', ("x", "y")) == [[1, 2]]


@pytest.mark.parametrize("open_close", [("[", "]"), ('{"a":', "}")])
def test_nesting_is_bounded_at_the_limit_and_refused_at_every_depth_beyond(open_close: tuple[str, str]) -> None:
    first, last = open_close
    # The values of a row stand one level below it.
    rows = [f"[{first * depth}1{last * depth}]" for depth in range(2001)]
    assert [refusal(row) for row in rows[64:2001:97]] == [Reason.TOO_DEEP] * len(rows[64:2001:97])
    assert refusal(rows[65]) is Reason.TOO_DEEP
    assert json_of(rows[63])


def test_a_depth_limit_beyond_the_interpreters_own_is_still_a_refusal() -> None:
    assert refusal("[" * 1000 + "1" + "]" * 1000, depth=100_000) is Reason.TOO_DEEP


@pytest.mark.parametrize("text", ['{"%s": {"a": 1}}', '{"a": {"%s": 1}}', '{"%s": [[1], [2]]}', '[[1, {"%s": 2}]]'])
def test_a_long_name_above_nested_values_is_refused(text: str) -> None:
    assert refusal(text % ("k" * 300)) is Reason.BAD_NAME


def test_openers_without_end_are_refused_beside_a_nan_too() -> None:
    assert refusal("[NaN," + "[" * 30_000) is Reason.TOO_DEEP


def test_a_long_name_is_refused_while_names_are_learned_and_else_is_no_feature() -> None:
    text = json.dumps({"k" * 257: 1, "x": 2})
    assert refusal(text, names=None) is Reason.BAD_NAME
    assert json_of(text)
    assert json_of(json.dumps({"k" * 256: 1}), None)


@given(
    json_texts,
    st.sampled_from(Format),
    st.sampled_from([None, NAMES, ("x",), ("data",)]),
    st.sampled_from(["", "x", "data.x"]),
)
def test_any_text_gives_rows_of_scalars_or_is_refused(
    text: str, form: Format, names: tuple[str, ...] | None, path: str
) -> None:
    try:
        rows = rows_of(text, form, path, Limits(rows=20, features=10), names)
    except InvalidRecord:
        return
    assert 1 <= len(rows) <= 20
    for row in rows:
        assert len(row) <= 10
        for cell in row.values() if isinstance(row, dict) else row:
            assert cell is None or isinstance(cell, str | int | float)
        if isinstance(row, dict):
            "".join(row).encode()


@pytest.mark.parametrize(
    ("text", "limits", "reason"),
    [
        ("[[1]]", {"features": 0}, Reason.TOO_MANY_FEATURES),
        ("[[1, [2, 3]]]", {"features": 2}, Reason.TOO_MANY_FEATURES),
        ('[[1, {"a": [2, 3]}]]', {"features": 2}, Reason.TOO_MANY_FEATURES),
        ('{"x": 1, "y": {"a": 2, "b": 3}}', {"features": 2}, Reason.TOO_MANY_FEATURES),
        ('{"x": 1, "y": 2, "z": 3}', {"features": 2}, Reason.TOO_MANY_FEATURES),
        ('{"x": [1], "y": [2], "z": [3]}', {"features": 2}, Reason.TOO_MANY_FEATURES),
        ("[1, 2]", {"features": 1}, Reason.TOO_MANY_FEATURES),
        ('{"x": [1, 2, 3], "y": [4, 5, 6]}', {"rows": 2}, Reason.TOO_MANY_ROWS),
        ("[1, 2, 3]", {"rows": 2}, Reason.TOO_MANY_ROWS),
        ("[[1], [2], [3]]", {"rows": 2}, Reason.TOO_MANY_ROWS),
        ("[1]\n[2]\n[3]", {"rows": 2}, Reason.TOO_MANY_ROWS),
        ('{"x": 1}\n{"x": 2}\n{"x": 3}', {"rows": 2}, Reason.TOO_MANY_ROWS),
    ],
)
def test_rows_and_features_are_bounded_in_every_layout(text: str, limits: dict[str, int], reason: Reason) -> None:
    assert refusal(text, Format.JSON, NAMES, **limits) is reason
    assert rows_of(text, Format.JSON, "", Limits(**{name: limit + 1 for name, limit in limits.items()}), NAMES)


def test_objects_below_lists_make_a_row_named() -> None:
    assert json_of('[[[1, {"a": 2}], 3]]') == [{"0_0": 1, "0_1.a": 2, "1": 3}]


def test_rows_stand_under_a_configured_path_or_the_layout_is_another() -> None:
    assert json_of('{"a": {"b": [[1, 2]]}}', path="a.b") == [[1, 2]]
    assert json_of('{"a": {"x": 1}}', path="a") == [{"x": 1}]
    for text in ('{"a": {"c": 1}}', '{"a": [1]}', "[1]", "7"):
        with pytest.raises(InvalidRecord, match="bad-layout"):
            json_of(text, path="a.b")


def test_a_row_among_rows_may_be_a_lone_value() -> None:
    assert json_of("[[1, 2], 3]") == [[1, 2], [3]]


def test_too_many_columns_of_csv_are_refused() -> None:
    assert refusal('"1",2,3', Format.CSV, features=2) is Reason.TOO_MANY_FEATURES
