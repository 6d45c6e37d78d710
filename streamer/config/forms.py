"""Forms: how a value of the configuration is written, read, named in errors and in the table.

A field's form is found in its annotation (``form_of``), so that reading, error texts, the effective
configuration and the README's table can't disagree.
"""

import json
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Final, Literal, Union, get_args, get_origin

from pydantic import BeforeValidator, SecretStr, WithJsonSchema
from pydantic.fields import FieldInfo

from streamer.config.budgets import EXPECTED as BUDGET
from streamer.config.budgets import budget_text, parse_budget
from streamer.config.durations import EXPECTED, duration_text, parse_duration
from streamer.config.quantities import instant_text, parse_instant, parse_share, parse_size, share_text, size_text


@dataclass(frozen=True)
class Form:
    """How values of one type are written.

    Attributes
    ----------
    name : str
        One or two words, for the table.
    expected : str
        What an error says was expected.
    text : callable
        A value as TOML.
    """

    name: str
    expected: str
    text: Callable[[object], str]


def toml_text(value: object) -> str:
    """A value without a form of its own, as TOML: text, number, true or false, list of these."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # JSON's escapes are TOML's, but for the slash (never escaped here) and U+007F.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml_text(v) for v in value) + "]"
    return repr(value)


def _quoted(text: Callable[[int], str]) -> Callable[[object], str]:
    return lambda value: toml_text(text(value)) if isinstance(value, int) else toml_text(value)


def _share(value: object) -> str:
    text = share_text(value) if isinstance(value, int | float) else ""
    return toml_text(text) if text.endswith("%") else toml_text(value)


def _instant(value: object) -> str:
    return instant_text(value) if isinstance(value, int) else toml_text(value)


_TEXT: Final = Form("text", "text in quotes", toml_text)
_FORMS: Final[dict[object, Form]] = {
    str: _TEXT,
    bool: Form("true or false", "true or false, without quotes", toml_text),
    int: Form("whole number", "a whole number", toml_text),
    float: Form("number", "a number", toml_text),
    SecretStr: Form("secret", "text in quotes", toml_text),
}

Duration = Annotated[
    int,
    BeforeValidator(parse_duration),
    WithJsonSchema({"type": ["string", "integer"], "description": EXPECTED, "examples": ["5 min", "7 d", 300]}),
    Form("duration", EXPECTED, _quoted(duration_text)),
]
Size = Annotated[
    int,
    BeforeValidator(parse_size),
    WithJsonSchema({"type": ["string", "integer"], "description": "a size", "examples": ["1 MiB", 1_048_576]}),
    Form("size", 'a size such as "1 MiB" or a whole number of bytes', _quoted(size_text)),
]
Budget = Annotated[
    int,
    BeforeValidator(parse_budget),
    WithJsonSchema({"type": "string", "description": BUDGET, "examples": ["1 per month", "2 per week"]}),
    Form("budget", BUDGET, _quoted(budget_text)),
]
Share = Annotated[
    float,
    BeforeValidator(parse_share),
    WithJsonSchema({"type": ["string", "number"], "description": "a share", "examples": ["5 %", 0.05]}),
    Form("share", 'a share such as "5 %" or 0.05', _share),
]
Instant = Annotated[
    int,
    BeforeValidator(parse_instant),
    WithJsonSchema({"type": "string", "format": "date-time"}),
    Form("time", "a time with a zone, such as 2026-11-01T00:00:00Z", _instant),
]


def form_of(field: FieldInfo) -> Form | None:
    """Form of a field's values; ``None`` where the field is a table or a list of tables."""
    return next((m for m in field.metadata if isinstance(m, Form)), None) or _form_of(field.annotation)


def _form_of(annotation: object) -> Form | None:
    if get_origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        return next((m for m in metadata if isinstance(m, Form)), None) or _form_of(inner)
    if get_origin(annotation) is Literal:
        choices = " or ".join(toml_text(choice) for choice in get_args(annotation))
        return Form(choices, choices, toml_text)
    if get_origin(annotation) in (Union, types.UnionType):
        return next((form for form in map(_form_of, get_args(annotation)) if form), None)
    return _FORMS.get(annotation)
