"""Fields: what a family's mapping amounts to, by full name.

For views, whose list of fields must be that of the mapping, and for checks of whoever names a field.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from streamer.core.index.families import Family
from streamer.core.index.template import mappings_of

_NUMBERS: Final = frozenset({"long", "double"})
# Can't be counted by their values: texts are searched by word, and of free tags each is a field of its own.
_NOT_COUNTED: Final = frozenset({"text", "flat_object"})


class Field(NamedTuple):
    """One field of an index.

    Attributes
    ----------
    name : str
        In full, ``quantiles.p50``.
    type : str
        As OpenSearch calls it.
    parent : str
        Name of the field it is another form of; empty for most.
    """

    name: str
    type: str
    parent: str = ""

    @property
    def is_number(self) -> bool:
        """Whether it can be summed."""
        return self.type in _NUMBERS

    @property
    def is_counted(self) -> bool:
        """Whether documents can be counted by its values, and sorted by them."""
        return self.type not in _NOT_COUNTED


def fields_of(family: Family) -> dict[str, Field]:
    """Every field of a family that is indexed, by name, in the order of their names."""
    properties = mappings_of(family)["properties"]
    assert isinstance(properties, Mapping)
    return {field.name: field for field in sorted(_fields(properties, ""))}


def _fields(properties: Mapping[str, object], before: str) -> Iterator[Field]:
    for name, mapping in properties.items():
        assert isinstance(mapping, Mapping)
        if isinstance(inner := mapping.get("properties"), Mapping):
            yield from _fields(inner, f"{before}{name}.")
        elif mapping.get("enabled", True):
            yield Field(before + name, str(mapping["type"]))
            forms = mapping.get("fields", {})
            assert isinstance(forms, Mapping)
            for form, of in forms.items():
                assert isinstance(of, Mapping)
                yield Field(f"{before}{name}.{form}", str(of["type"]), before + name)
