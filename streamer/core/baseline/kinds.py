"""Kinds: what a column is, from what it holds."""

from typing import Final

from streamer.core.baseline.survey import ColumnSurvey
from streamer.core.errors import BaselineError
from streamer.core.schema import Kind

# So much junk among numbers (a unit, a dash, "unknown") is mistyped; more makes it no number column.
JUNK_SHARE: Final = 0.01
# Categories repeat: with more labels than this share of the rows they are texts.
_LABEL_SHARE: Final = 0.5
# The spellings the live side reads as one value.
_TRUTH: Final = frozenset({"true", "True", "TRUE", "false", "False", "FALSE"})


def kind_of(name: str, column: ColumnSurvey) -> Kind:
    """Kind of a column: the one the user gave, or else the narrowest that fits.

    A column without any value is a category without values: it keeps its place among the columns,
    and whatever appears in it later is unseen.

    Raises
    ------
    BaselineError
        The kind given does not fit at all.
    """
    if column.kind is not None:
        _check(name, column, column.kind)
        return column.kind
    if column.numbers and column.mistyped <= JUNK_SHARE * (column.numbers + column.mistyped):
        return Kind.INTEGER if column.whole else Kind.NUMERIC
    labels = column.labels
    if labels is None:
        return Kind.TEXT
    if labels and labels.keys() <= _TRUTH:
        return Kind.BOOLEAN
    repeats = len(labels) <= _LABEL_SHARE * labels.total()
    return Kind.CATEGORY if repeats else Kind.TEXT


def _check(name: str, column: ColumnSurvey, kind: Kind) -> None:
    match kind:
        case Kind.NUMERIC | Kind.INTEGER if not column.numbers:
            raise BaselineError(f"column {name!r} holds no number, so it can't be {kind.value}")
        case Kind.BOOLEAN if len({truth_of(label) for label in column.labels or ()}) > 2:
            raise BaselineError(f"column {name!r} holds more than two values, so it can't be boolean")


def truth_of(label: str) -> str:
    """One spelling for those of a boolean's label that are read as one value."""
    lower = label.lower()
    return lower if label in (lower, label.upper(), label.capitalize()) else label
