"""Columns: which of a table's columns are features, of which side, and what was asked of columns that are not there."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec

from streamer.core.baseline.times import time_columns
from streamer.core.errors import BaselineError
from streamer.core.schema import Kind, Side

# A name is meant by another when so small a share of its letters must change.
_ALIKE: Final = 0.4


class BuildOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a table becomes a baseline.

    Attributes
    ----------
    outputs : tuple of str
        Columns the model gives; the others are what it is given.
    kinds : dict of str to Kind
        Kinds of columns where they must not be inferred.
    time_column : str
        Column the event times were read from, or two, ``"date,time"``; no features.
    leave_out : tuple of str
        Columns that are no features.
    time_zone : str
        Where the users live: hours of day are told in it.
    missing : tuple of float
        Numbers that stand for a missing value in columns of numbers.
    step_seconds : int or None
        Length of the steps whose variation is measured; ``None``: chosen from the time there is.
    """

    outputs: tuple[str, ...] = ()
    kinds: dict[str, Kind] = {}
    time_column: str = ""
    leave_out: tuple[str, ...] = ()
    time_zone: str = "UTC"
    missing: tuple[float, ...] = ()
    step_seconds: int | None = None


class Column(NamedTuple):
    """A column that is a feature."""

    name: str
    side: Side


def skipped_by(options: BuildOptions) -> frozenset[str]:
    """Names of columns that are no features."""
    return frozenset((*options.leave_out, *time_columns(options.time_column)))


def columns_of(names: Sequence[str], options: BuildOptions) -> list[Column]:
    """Features of a table: inputs in table order, then outputs in table order.

    Raises
    ------
    BaselineError
        A column that is asked for is not there, is asked for twice, or no feature is left.
    """
    asked = {
        "time column": time_columns(options.time_column),
        "output": options.outputs,
        "kind": options.kinds,
        "left out": options.leave_out,
    }
    wrong = [
        f"{what}: no column {name!r}{_meant(name, names)}"
        for what, several in asked.items()
        for name in several
        if name not in names
    ]
    if wrong:
        raise BaselineError("; ".join(wrong))
    skipped = skipped_by(options)
    both = [name for name in names if name in skipped and (name in options.outputs or name in options.kinds)]
    if both:
        raise BaselineError(f"column {both[0]!r} is no feature, so it can be no output and has no kind")
    inputs = [Column(name, Side.INPUT) for name in names if name not in skipped and name not in options.outputs]
    outputs = [Column(name, Side.OUTPUT) for name in names if name in options.outputs]
    if not inputs and not outputs:
        raise BaselineError("no column is left to be a feature")
    return inputs + outputs


def _meant(word: str, names: Sequence[str]) -> str:
    found = closest(word, names)
    return f", did you mean {found!r}?" if found is not None else ""


def closest(word: str, names: Iterable[str]) -> str | None:
    """The name that takes the fewest changed letters to become a word, if it takes few.

    Examples
    --------
    >>> closest("scroe", ["store", "score", "time"])
    'score'
    """
    best = min(((_changes(word.lower(), name.lower()), name) for name in names), default=None)
    if best is None or best[0] > _ALIKE * max(len(word), len(best[1])):
        return None
    return best[1]


def _changes(a: str, b: str) -> int:
    """Letters to insert, delete, change or swap with their neighbour (optimal string alignment)."""
    before: list[int] = []
    last = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]
