"""Whether a document fits a mapping, as OpenSearch judges it: for the stub that stands in for it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

_STRICT: Final = "strict_dynamic_mapping_exception"
_MISFIT: Final = "mapper_parsing_exception"
_WHOLE: Final = {"long": (-(2**63), 2**63 - 1)}


class Misfit(Exception):
    """It does not; the text is the type of error."""


def fits(source: bytes, mappings: Mapping[str, Any]) -> None:
    """Whether a document fits.

    Raises
    ------
    Misfit
        An unknown field under a strict mapping, a value of another type, or no JSON.
    """
    try:
        document = msgspec.json.decode(source)
    except msgspec.MsgspecError:
        raise Misfit(_MISFIT) from None
    if not isinstance(document, dict):
        raise Misfit(_MISFIT)
    _object(document, mappings.get("properties", {}), strict=mappings.get("dynamic") == "strict")


def _object(document: Mapping[str, Any], properties: Mapping[str, Any], *, strict: bool) -> None:
    for name, value in document.items():
        field = properties.get(name)
        if field is not None:
            _field(value, field, strict=strict)
        elif strict:
            raise Misfit(_STRICT)


def _field(value: object, field: Mapping[str, Any], *, strict: bool) -> None:
    kind = field.get("type", "object")
    if value is None or field.get("enabled") is False:
        return
    if isinstance(value, list):
        for one in value:
            _field(one, field, strict=strict)
        return
    match kind:
        case "object" if isinstance(value, dict):
            _object(value, field.get("properties", {}), strict=strict)
        case "flat_object" if isinstance(value, dict):
            return
        case "keyword" | "text" if not isinstance(value, dict):
            return
        case "boolean" if isinstance(value, bool) or value in ("true", "false", ""):
            return
        case "long" | "double" if not isinstance(value, bool | dict):
            _number(value, kind)
        case "date" if not isinstance(value, bool | dict):
            _date(value)
        case _:
            raise Misfit(_MISFIT)


def _number(value: object, kind: str) -> None:
    try:
        number = float(str(value))
    except ValueError:
        raise Misfit(_MISFIT) from None
    least, most = _WHOLE.get(kind, (-1.8e308, 1.8e308))
    if not least <= number <= most:
        raise Misfit(_MISFIT)


def _date(value: object) -> None:
    if isinstance(value, int):
        return
    try:
        datetime.fromisoformat(str(value))
    except ValueError:
        raise Misfit(_MISFIT) from None
