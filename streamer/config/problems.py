"""Problems of a configuration: where, what was expected, what was found; never a secret."""

import datetime
from typing import NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from streamer.config.durations import duration_text
from streamer.config.forms import Form, form_of, toml_text
from streamer.config.keys import Table, closest, field_at, fields_of, is_list, is_secret, table_at, table_of
from streamer.config.places import KeyPath

# Durations that are checked against one another.
_SPANS = ("pane", "window", "offset")
# What is found is shown, but not a whole file pasted into a key.
_SHOWN = 60
_BOUNDS = {
    "greater_than_equal": ("at least", "ge"),
    "greater_than": ("more than", "gt"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
}


class Problem(NamedTuple):
    """One thing that is wrong.

    Attributes
    ----------
    path : KeyPath
        The key, or the table a key is missing in.
    text : str
        What is wrong, without the place.
    """

    path: KeyPath
    text: str


def found_text(value: object) -> str:
    """A value as an error shows it: tables and lists by their kind only, long texts cut."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return f"the time {value.isoformat()}"
    text = toml_text(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 2] + "…" + text[:1].replace("-", "")


def problems_in(error: ValidationError, table: Table, document: object) -> list[Problem]:
    """Problems pydantic found in the values of a table, in the order of the keys.

    Parameters
    ----------
    error : ValidationError
        Of ``table.model_validate(document)``.
    table : type
        The model the values were checked against.
    document : object
        The values as they were written: pydantic shows them converted.
    """
    return [_problem(details, table, document) for details in error.errors(include_url=False)]


def as_written(problem: Problem, document: object) -> Problem:
    """The same problem, saying so where a duration it may be about was written as a bare number."""
    if "detector" in problem.path:
        # None of its keys is a duration.
        return problem
    around = _value_at(document, problem.path[:-1], None)
    keys = _SPANS if problem.path[-1] in _SPANS else (problem.path[-1],)
    written = around if isinstance(around, dict) else {}
    bare = [value for key in keys if type(value := written.get(key)) is int]
    notes = [f"{value} without a unit is {duration_text(value)}" for value in dict.fromkeys(bare)]
    return problem._replace(text="; ".join([problem.text, *notes]))


def _problem(details: ErrorDetails, table: Table, document: object) -> Problem:
    path: KeyPath = details["loc"]
    if details["type"] == "extra_forbidden":
        return Problem(path, _unknown(path, table))
    if details["type"] == "missing":
        field = field_at(table, path)
        form = form_of(field) if field is not None else None
        return Problem(path, f"missing; expected {form.expected}" if form else "missing")
    field = field_at(table, path)
    secret = field is not None and is_secret(field)
    found = "a value that is not shown" if secret else found_text(_value_at(document, path, details["input"]))
    if field is None or table_of(field) is not None:
        return Problem(path, f"expected {_shape(path, table)}, found {found}")
    return Problem(path, f"{_expected(details, form_of(field))}, found {found}")


def _value_at(document: object, path: KeyPath, otherwise: object) -> object:
    value = document
    for part in path:
        try:
            value = value[part]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            return otherwise
    return value


def _shape(path: KeyPath, table: Table) -> str:
    """Whether a table or a list of tables belongs at a path, and how it is written."""
    field = field_at(table, path)
    name = ".".join(str(part) for part in path if isinstance(part, str))
    wants_list = field is not None and is_list(field) and not isinstance(path[-1], int)
    return f"a list of tables, written [[{name}]]" if wants_list else f"a table, written [{name}]"


def _expected(details: ErrorDetails, form: Form | None) -> str:
    kind, context = details["type"], details.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if form is None:
        return details["msg"].lower()
    if kind in _BOUNDS:
        words, key = _BOUNDS[kind]
        bound = context[key]
        whole = isinstance(bound, float) and bound.is_integer() and form.name == "number"
        return f"expected {words} {form.text(int(bound) if whole else bound).strip(chr(34))}"
    if kind == "finite_number":
        return "expected a finite number"
    if kind == "string_too_long":
        return f"expected at most {context['max_length']} characters"
    if kind == "string_too_short":
        return "expected a text that is not empty"
    return f"expected {form.expected}"


def _unknown(path: KeyPath, table: Table) -> str:
    around = table_at(table, path[:-1])
    fields = fields_of(around) if around is not None else {}
    key = str(path[-1])
    meant = closest(key, fields)
    if meant is not None:
        return f'unknown key; did you mean "{meant}"?'
    for name, field in fields.items():
        inner = table_of(field)
        if inner is not None and key in fields_of(inner):
            names = [part for part in path[:-1] if isinstance(part, str)]
            return f"unknown key here; it belongs in [{'.'.join([*names, name])}]"
    return "unknown key; known here: " + ", ".join(fields)
