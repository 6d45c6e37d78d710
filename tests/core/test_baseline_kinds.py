from collections.abc import Sequence

import pytest

from streamer.core.baseline.chunks import Chunk, blocks
from streamer.core.baseline.kinds import kind_of, truth_of
from streamer.core.baseline.survey import MOST_LABELS, ColumnSurvey, survey_of
from streamer.core.errors import BaselineError
from streamer.core.rawrows import Cell
from streamer.core.schema import Kind


def surveyed(cells: Sequence[Cell], kind: Kind | None = None) -> ColumnSurvey:
    chunk = Chunk({"x": cells}, len(cells), None)
    return survey_of(blocks([chunk]), {} if kind is None else {"x": kind}, frozenset()).columns["x"]


TABLE: list[tuple[str, Sequence[Cell], Kind]] = [
    ("whole numbers are integers", ["1", "2", " 3 ", ""], Kind.INTEGER),
    (
        "whole numbers with a point are integers, as pandas writes them beside a gap",
        ["1.0", "2.0", "nan"],
        Kind.INTEGER,
    ),
    ("zeros and ones are integers, no booleans", ["0", "1"] * 9, Kind.INTEGER),
    ("numbers are numeric", ["1", "2.5"], Kind.NUMERIC),
    ("numbers of JSON are numbers", [1, 2.5, None], Kind.NUMERIC),
    ("whole numbers float64 can't tell apart are numeric", ["1e300", "2"], Kind.NUMERIC),
    ("one junk value in a hundred leaves a number column one", ["1.5"] * 99 + ["junk"], Kind.NUMERIC),
    ("infinity is junk", [1.5] * 99 + [float("inf")], Kind.NUMERIC),
    ("missing values do not dilute junk", ["1.5"] * 98 + ["junk"] * 2 + [""] * 500, Kind.CATEGORY),
    ("true and false are boolean", ["true", "False", "TRUE", ""], Kind.BOOLEAN),
    ("truth values of JSON are boolean", [True, False, None], Kind.BOOLEAN),
    ("one truth value alone is boolean", ["true"] * 3, Kind.BOOLEAN),
    ("a spelling the live side does not read as a truth value is a category", ["tRue", "false"] * 3, Kind.CATEGORY),
    ("labels that repeat are categories", ["a", "b", "a", "b"], Kind.CATEGORY),
    ("labels that hardly repeat are texts", ["a", "b", "c", "a"], Kind.TEXT),
    ("too many labels are texts", [f"l{i}" for i in range(MOST_LABELS + 1)] * 3, Kind.TEXT),
    ("the most labels a category may have", [f"l{i}" for i in range(MOST_LABELS)] * 3, Kind.CATEGORY),
    ("a long label makes texts", ["a" * 257, "b"] * 9, Kind.TEXT),
    ("a column without values keeps its place as a category", ["", None, "nan"], Kind.CATEGORY),
]


@pytest.mark.parametrize(("why", "cells", "kind"), TABLE, ids=[why for why, _, _ in TABLE])
def test_kinds_are_inferred(why: str, cells: Sequence[Cell], kind: Kind) -> None:
    assert kind_of("x", surveyed(cells)) is kind, why


@pytest.mark.parametrize("kind", Kind)
def test_the_users_word_is_final(kind: Kind) -> None:
    assert kind_of("x", surveyed(["0", "1"] * 9, kind)) is kind


def test_a_column_without_numbers_is_no_number() -> None:
    with pytest.raises(BaselineError, match="'x' holds no number"):
        kind_of("x", surveyed(["a"], Kind.NUMERIC))


def test_a_boolean_has_two_values_at_most() -> None:
    with pytest.raises(BaselineError, match="'x' holds more than two values"):
        kind_of("x", surveyed(["yes", "no", "perhaps"], Kind.BOOLEAN))


@pytest.mark.parametrize(("label", "truth"), [("TRUE", "true"), ("Yes", "yes"), ("tRue", "tRue"), ("0", "0")])
def test_spellings_the_live_side_reads_as_one_are_one(label: str, truth: str) -> None:
    assert truth_of(label) == truth
