"""A payload's text to rows: CSV, JSON and JSON Lines, one record at a time.

Rows are *positional* (a list of cells in payload order) or *named* (a dict of path to cell:
nested keys joined by dots, list elements by ``_0``, ``_1`` …).
"""

import csv
import io
import json
import math
import re
from collections.abc import Iterator, Sequence
from itertools import islice

import orjson

from streamer.core.decode.payload import Format
from streamer.core.errors import InvalidRecord, Reason
from streamer.core.settings import Limits

Row = list[object] | dict[str, object]

# Keys under which serving stacks put the rows: TF Serving and SageMaker's built-ins, MLServer, Triton, pandas, MLflow.
_ROW_KEYS = ("instances", "predictions", "rows", "records", "inputs", "outputs", "data", "dataframe_records")
# Where names stand beside the rows, and under which keys: pandas' and MLflow's split, Seldon's ndarray.
_TABLES = (("", "columns", "data"), ("dataframe_split", "columns", "data"), ("data", "names", "ndarray"))
# The reader's own bound is below a legal payload; the payload's bound stands before it.
csv.field_size_limit(2**24)
_CONSTANT = re.compile(r"\b(?:NaN|Infinity)\b")
_SURROGATE = re.compile("\\\\u[dD][89a-fA-F]|[\ud800-\udfff]")
# Longer names than those a configuration may give; unbounded, one key above many values would be copied for each.
_NAME_CHARACTERS = 256


def rows_of(text: str, form: Format, path: str, limits: Limits, names: Sequence[str] | None) -> list[Row]:
    """Rows of one payload.

    Parameters
    ----------
    text : str
        Payload, its encoding undone.
    form : Format
        Layout of the text.
    path : str
        Dotted path to the rows inside a JSON payload; empty: found by convention.
    limits : Limits
        Bounds on rows, depth and features.
    names : sequence of str or None
        Names of the features expected on this side; they settle whether ``{"x": [1, 2]}`` is a
        column of two rows or a vector. ``None`` while learning.

    Raises
    ------
    InvalidRecord
        With the reason; nothing else is raised.
    """
    if form is Format.CSV:
        return csv_rows(text, limits)
    rows: list[Row] = []
    try:
        for document in _documents(text, form):
            rows.extend(_json_rows(document, path, limits, names))
            if len(rows) > limits.rows:
                raise InvalidRecord(Reason.TOO_MANY_ROWS)
    except RecursionError as error:  # a depth limit set beyond what the interpreter allows
        raise InvalidRecord(Reason.TOO_DEEP) from error
    if not rows:
        raise InvalidRecord(Reason.EMPTY_PAYLOAD)
    if names is None and any(
        isinstance(row, dict) and max(map(len, row), default=0) > _NAME_CHARACTERS for row in rows
    ):
        raise InvalidRecord(Reason.BAD_NAME)
    return rows


def csv_rows(text: str, limits: Limits) -> list[Row]:
    """Rows of a CSV text (RFC 4180 quotes); a blank line is a row only in a payload of one column.

    Blank lines count against the limit on rows all the same: they cost as much to read.
    """
    try:
        reader = csv.reader(io.StringIO(text.rstrip("\r\n"), newline=""), strict=True)
        found = list(islice(reader, limits.rows + 1))
    except csv.Error as error:
        raise InvalidRecord(Reason.BAD_CSV) from error
    if not found:
        raise InvalidRecord(Reason.EMPTY_PAYLOAD)
    if len(found) > limits.rows:
        raise InvalidRecord(Reason.TOO_MANY_ROWS)
    widest = max(map(len, found))
    if widest > limits.features:
        raise InvalidRecord(Reason.TOO_MANY_FEATURES)
    if widest <= 1:
        return [list(row) or [""] for row in found]
    return [list(row) for row in found if row]


def _documents(text: str, form: Format) -> Iterator[object]:
    if form is Format.JSON:
        try:
            yield _parse(text)
        except InvalidRecord:
            # Several documents under a plain JSON content type: read them line by line or not at all.
            if "\n" not in text.strip():
                raise
        else:
            return
    # Not ``splitlines``: JSON texts may hold other line ends (U+2028, U+0085) as they are.
    for line in text.replace("\r", "\n").split("\n"):
        if line.strip():
            yield _parse(line)


def _parse(text: str) -> object:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if "depth limit" in str(error):
            raise InvalidRecord(Reason.TOO_DEEP) from error
        # Python clients send NaN and Infinity, which are not JSON, and 1e999 is infinite, too:
        # NaN is missing, infinity mistyped.
        if not _CONSTANT.search(text) and "infinity" not in str(error):
            raise InvalidRecord(Reason.BAD_JSON) from error
    try:
        document: object = json.loads(text, parse_constant=_constant)
        if _SURROGATE.search(text):
            # This reader lets lone surrogates in, which no later writer could encode; pairs are well.
            json.dumps(document, ensure_ascii=False).encode()
    except RecursionError as error:
        raise InvalidRecord(Reason.TOO_DEEP) from error
    except ValueError as error:
        raise InvalidRecord(Reason.BAD_JSON) from error
    return document


def _constant(name: str) -> float:
    return {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}[name]


def _json_rows(document: object, path: str, limits: Limits, names: Sequence[str] | None) -> list[Row]:
    for step in path.split(".") if path else ():
        if not isinstance(document, dict) or step not in document:
            raise InvalidRecord(Reason.BAD_LAYOUT)
        document = document[step]
    if isinstance(document, dict):
        table = _table_of(document, names)
        if table is not None:
            return _named_rows(*table, limits)
    if isinstance(document, dict) and not path:
        key = next((k for k in _ROW_KEYS if isinstance(document.get(k), list)), None)
        if key is not None and not (names is not None and key in names):
            document = document[key]
    if isinstance(document, dict):
        if _is_columns(document, names):
            return _from_columns(document, limits)
        return [_row(document, limits)]
    if not isinstance(document, list):
        return [[document]]
    if len(document) > limits.rows and any(isinstance(row, dict | list) for row in document):
        raise InvalidRecord(Reason.TOO_MANY_ROWS)
    if not any(isinstance(row, dict | list) for row in document):
        return _scalars(document, limits, names)
    return [_row(row, limits) for row in document]


def _table_of(document: dict[str, object], names: Sequence[str] | None) -> tuple[list[object], list[object]] | None:
    """Names and rows of a document that has them beside each other; no names: positional rows."""
    for outer, columns, rows in _TABLES:
        table = document.get(outer) if outer else document
        # A feature may be named like a key.
        keys = {outer} if outer else {columns, rows}
        if not isinstance(table, dict) or (names is not None and not keys.isdisjoint(names)):
            continue
        given, found = table.get(columns), table.get(rows)
        if isinstance(found, list) and (isinstance(given, list) or (outer == "data" and given is None)):
            return given or [], found
    return None


def _named_rows(columns: list[object], rows: list[object], limits: Limits) -> list[Row]:
    names = [name for name in columns if isinstance(name, str)]
    if len(names) != len(columns):
        raise InvalidRecord(Reason.BAD_LAYOUT)
    if len(names) > limits.features:
        raise InvalidRecord(Reason.TOO_MANY_FEATURES)
    if len(rows) > limits.rows:
        raise InvalidRecord(Reason.TOO_MANY_ROWS)
    found: list[Row] = []
    for row in rows:
        cells = row if isinstance(row, list) else [row]
        if names and len(cells) != len(names):
            raise InvalidRecord(Reason.COLUMN_COUNT)
        found.append(_row(dict(zip(names, cells, strict=True)) if names else cells, limits))
    return found


def _scalars(values: list[object], limits: Limits, names: Sequence[str] | None) -> list[Row]:
    """A bare list: one row of as many features as are expected, otherwise a row for each value."""
    if names is not None and len(names) == len(values) != 1:
        if len(values) > limits.features:
            raise InvalidRecord(Reason.TOO_MANY_FEATURES)
        return [values]
    if len(values) > limits.rows:
        raise InvalidRecord(Reason.TOO_MANY_ROWS)
    return [[value] for value in values]


def _is_columns(document: dict[str, object], names: Sequence[str] | None) -> bool:
    """Whether a dict holds columns: lists of scalars, all of one length, under the features' names."""
    lengths = {len(value) if isinstance(value, list) else -1 for value in document.values()}
    if len(lengths) != 1 or -1 in lengths or lengths == {0} or set(document) == {"features"}:
        return False
    if any(isinstance(cell, dict | list) for column in document.values() for cell in _listed(column)):
        return False
    return names is None or any(name in document for name in names)


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _from_columns(document: dict[str, object], limits: Limits) -> list[Row]:
    if len(document) > limits.features:
        raise InvalidRecord(Reason.TOO_MANY_FEATURES)
    columns = [_listed(column) for column in document.values()]
    if len(columns[0]) > limits.rows:
        raise InvalidRecord(Reason.TOO_MANY_ROWS)
    return [dict(zip(document, cells, strict=True)) for cells in zip(*columns, strict=True)]


def _row(row: object, limits: Limits) -> Row:
    if isinstance(row, dict):
        if len(row) == 1 and isinstance(row.get("features"), list):
            return _vector(row["features"], limits)
        if len(row) > limits.features:
            raise InvalidRecord(Reason.TOO_MANY_FEATURES)
        if not any(isinstance(value, dict | list) for value in row.values()):
            return row
        return _flat(row, limits)
    if isinstance(row, list):
        return _vector(row, limits)
    return [row]


def _vector(row: list[object], limits: Limits) -> Row:
    """A positional row; nested lists are flattened in order, objects inside make it named."""
    if not any(isinstance(value, dict | list) for value in row):
        if len(row) > limits.features:
            raise InvalidRecord(Reason.TOO_MANY_FEATURES)
        return row
    values: list[object] = []
    return values if _only_lists(row, values, limits, 1) else _flat(row, limits)


def _flat(row: object, limits: Limits) -> dict[str, object]:
    flat: dict[str, object] = {}
    _flatten(row, "", flat, limits, 1)
    return flat


def _only_lists(row: list[object], values: list[object], limits: Limits, depth: int) -> bool:
    """Whether there is no object inside; the values found up to there, in order."""
    if depth >= limits.depth:  # its values stand one level below it
        raise InvalidRecord(Reason.TOO_DEEP)
    for value in row:
        if isinstance(value, list):
            if not _only_lists(value, values, limits, depth + 1):
                return False
        elif isinstance(value, dict):
            return False
        else:
            values.append(value)
    if len(values) > limits.features:
        raise InvalidRecord(Reason.TOO_MANY_FEATURES)
    return True


def _flatten(value: object, name: str, flat: dict[str, object], limits: Limits, depth: int) -> None:
    if depth > limits.depth:
        raise InvalidRecord(Reason.TOO_DEEP)
    if len(name) > _NAME_CHARACTERS:
        raise InvalidRecord(Reason.BAD_NAME)
    if isinstance(value, dict):
        for key, inner in value.items():
            _flatten(inner, f"{name}.{key}" if name else key, flat, limits, depth + 1)
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            _flatten(inner, f"{name}_{i}" if name else str(i), flat, limits, depth + 1)
    else:
        flat[name] = value
        if len(flat) > limits.features:
            raise InvalidRecord(Reason.TOO_MANY_FEATURES)
