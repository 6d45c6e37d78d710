"""The effective configuration: file, environment and defaults together, as TOML, secrets masked."""

from collections.abc import Iterator

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from streamer.config.forms import Form, form_of, toml_text
from streamer.config.keys import attribute_of, fields_of, is_list, is_secret, table_of
from streamer.config.model import Config, EndpointConfig, WatchConfig
from streamer.config.places import KeyPath

MASK = "**********"


def effective(config: Config) -> str:
    """The whole configuration as TOML that reads back as the same one.

    Endpoints show what differs from ``[defaults]``, so that a thousand of them can be read.
    """
    plain = [key for key in fields_of(Config) if key not in ("defaults", "endpoint")]
    tables = [lines for key in plain for lines in _tables(getattr(config, key), (key,))]
    tables += _tables(config.defaults, ("defaults",))
    for endpoint in config.endpoints:
        tables += _tables(endpoint, ("endpoint",), config.defaults, listed=True)
    return "\n\n".join("\n".join(lines) for lines in tables) + "\n"


def table_text(table: BaseModel, name: str) -> str:
    """One table and those below it as TOML, secrets masked."""
    return "\n\n".join("\n".join(lines) for lines in _tables(table, (name,))) + "\n"


def _tables(
    table: BaseModel, path: KeyPath, usual: BaseModel | None = None, *, listed: bool = False
) -> Iterator[list[str]]:
    """Lines of a table, then of the tables in it; without the keys that are as usual."""
    name = ".".join(str(part) for part in path)
    lines = [f"[[{name}]]" if listed else f"[{name}]"]
    inner: list[list[str]] = []
    for key, field in _ordered(table):
        attribute = attribute_of(type(table), key)
        value = getattr(table, attribute)
        as_usual = getattr(usual, attribute, None) if usual is not None else None
        if table_of(field) is None:
            if value != as_usual:
                lines.append(f"{key} = {_value(value, form_of(field), secret=is_secret(field))}")
        elif is_list(field):
            for entry in value:
                inner += _tables(entry, (*path, key), listed=True)
        elif value != as_usual:
            inner += _tables(value, (*path, key), as_usual)
    if len(lines) > 1 or listed or not inner:
        yield lines
    yield from inner


def _ordered(table: BaseModel) -> list[tuple[str, FieldInfo]]:
    """Fields by key: an endpoint's own before those it shares with ``[defaults]``."""
    fields = fields_of(type(table)).items()
    shared = WatchConfig.model_fields if isinstance(table, EndpointConfig) else {}
    return sorted(fields, key=lambda field: field[0] in shared)


def _value(value: object, form: Form | None, *, secret: bool) -> str:
    if secret:
        return toml_text(MASK)
    if value is None:
        return "false"  # it is set in [defaults], and switched off here
    return form.text(value) if form is not None else toml_text(value)
