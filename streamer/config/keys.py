"""Keys: what each table of the configuration may hold, read from the models themselves."""

import difflib
import types
from collections.abc import Iterable
from typing import Annotated, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from streamer.config.places import KeyPath

Table = type[BaseModel]


def fields_of(table: Table) -> dict[str, FieldInfo]:
    """Fields of a table by the keys an operator writes."""
    return {field.alias or name: field for name, field in table.model_fields.items()}


def attribute_of(table: Table, key: str) -> str:
    """Name of the attribute that holds a key's value."""
    return next((name for name, field in table.model_fields.items() if field.alias == key), key)


def table_of(field: FieldInfo) -> Table | None:
    """The table a field holds, or holds a list of; ``None`` for a plain value."""
    return _table_in(field.annotation)


def is_list(field: FieldInfo) -> bool:
    """Whether a field holds a list of tables or values."""
    annotation = field.annotation
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return get_origin(annotation) in (tuple, list)


def is_secret(field: FieldInfo) -> bool:
    """Whether a field's value must never be shown."""
    return SecretStr in _parts(field.annotation)


def _parts(annotation: object) -> Iterable[object]:
    if get_origin(annotation) in (Union, types.UnionType, Annotated, tuple, list):
        for inner in get_args(annotation):
            yield from _parts(inner)
    else:
        yield annotation


def _table_in(annotation: object) -> Table | None:
    tables = (p for p in _parts(annotation) if isinstance(p, type) and issubclass(p, BaseModel))
    return next(tables, None)


def table_at(table: Table, path: KeyPath) -> Table | None:
    """The table at a path below another; ``None`` if there is a plain value or nothing."""
    found: Table | None = table
    for part in path:
        if found is None or isinstance(part, int):
            continue
        field = fields_of(found).get(part)
        found = table_of(field) if field is not None else None
    return found


def field_at(table: Table, path: KeyPath) -> FieldInfo | None:
    """The field at a path below a table; of an entry of a list, the list's."""
    keys = tuple(path)
    while keys and isinstance(keys[-1], int):
        keys = keys[:-1]
    around = table_at(table, keys[:-1]) if keys else None
    return fields_of(around).get(str(keys[-1])) if around is not None else None


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was most likely meant, if any is close."""
    found = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return found[0] if found else None
