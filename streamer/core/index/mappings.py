"""Mappings: how OpenSearch is to index each field, made from the documents' own types.

One source for the template, the views' field lists and the checks: a field added to a document is
mapped here by its type, or the tests say that it has no rule.
"""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import inspect

from streamer.core.documents import QUANTILE_NAMES
from streamer.core.index.families import Family
from streamer.core.index.refused import RefusedDocument

# A longer text is kept and not indexed, instead of the document being refused.
_KEYWORD: Final[Mapping[str, object]] = {"type": "keyword", "ignore_above": 256}
# Read by people: searched by word.
_TEXTS: Final = frozenset({"text", "words", "note"})
# A line that lists and tables are made of, too.
_TITLE: Final[Mapping[str, object]] = {"type": "text", "fields": {"keyword": _KEYWORD}}
# In the order of the baseline's cells: an index would lose that order, so they are only kept.
_KEPT: Final = frozenset({"cells", "baseline_shares", "cuts"})

# Documents of another shape that share a family's indices.
BESIDE: Final[Mapping[Family, type[msgspec.Struct]]] = {Family.DEAD_LETTERS: RefusedDocument}


def properties_of(document: type[msgspec.Struct]) -> dict[str, object]:
    """``properties`` of the mapping of one type of document.

    Parameters
    ----------
    document : type
        With or without a tag, which is the field ``kind``.

    Returns
    -------
    dict
        As OpenSearch takes it (OpenSearch documentation, "Supported field types").

    Raises
    ------
    TypeError
        A field's type has no rule.
    """
    found = inspect.type_info(document)
    assert isinstance(found, inspect.StructType)
    return _properties(found)


def _properties(document: inspect.StructType) -> dict[str, object]:
    tag = {} if document.tag_field is None else {document.tag_field: _KEYWORD}
    return {**tag, **{field.name: _mapped(field.name, field.type) for field in document.fields}}


def _mapped(name: str, kind: inspect.Type) -> Mapping[str, object]:
    if name in _KEPT:
        return {"type": "object", "enabled": False}
    match kind:
        case inspect.UnionType(types=several):
            (one,) = (t for t in several if not isinstance(t, inspect.NoneType))
            return _mapped(name, one)
        case inspect.VarTupleType(item_type=item):
            # An array is mapped as its entries are.
            return _mapped(name, item)
        case inspect.StructType():
            return {"properties": _properties(kind)}
        case inspect.DictType(value_type=inspect.FloatType()):
            return {"properties": {quantile: {"type": "double"} for quantile in QUANTILE_NAMES}}
        case inspect.DictType():
            return {"type": "flat_object"}
        case inspect.EnumType() | inspect.LiteralType():
            return _KEYWORD
        case inspect.StrType():
            return _TITLE if name == "title" else {"type": "text"} if name in _TEXTS else _KEYWORD
        case inspect.BoolType():
            return {"type": "boolean"}
        case inspect.IntType():
            return {"type": "long"}
        case inspect.FloatType():
            return {"type": "double"}
        case inspect.DateTimeType():
            return {"type": "date"}
    raise TypeError(f"field {name!r}: no rule maps {type(kind).__name__}")
