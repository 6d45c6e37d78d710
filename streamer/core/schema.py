"""Which features an endpoint has: their names, sides, kinds and order."""

from collections.abc import Sequence
from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """What values a feature takes, and so how it is summarised."""

    NUMERIC = "numeric"
    INTEGER = "integer"
    CATEGORY = "category"
    BOOLEAN = "boolean"
    TEXT = "text"

    @property
    def is_number(self) -> bool:
        """Whether values are binned as float64; texts are, by their length in characters."""
        return self in (Kind.NUMERIC, Kind.INTEGER, Kind.TEXT)


class Side(StrEnum):
    """Which half of a capture a feature comes from; the score is a feature of the output."""

    INPUT = "input"
    OUTPUT = "output"


class Feature(msgspec.Struct, frozen=True, kw_only=True):
    """One monitored column.

    Attributes
    ----------
    name : str
        Name in the baseline; CSV columns are matched by order, JSON ones by this name.
    side : Side
        Half of the capture it is read from.
    kind : Kind
        How values are read and summarised.
    values : tuple of str
        Category and boolean features: the values the baseline knows, most frequent first.
        A value's code is its index here.
    """

    name: str
    side: Side
    kind: Kind
    values: tuple[str, ...] = ()


class Schema(msgspec.Struct, frozen=True):
    """The features of one baseline, in payload order on each side."""

    features: tuple[Feature, ...]

    def of(self, side: Side) -> tuple[Feature, ...]:
        """Features of one side, in payload order."""
        return tuple(f for f in self.features if f.side is side)


def names_of(features: Sequence[Feature]) -> tuple[str, ...]:
    """Names in order."""
    return tuple(f.name for f in features)
