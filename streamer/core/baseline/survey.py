"""Survey: the first pass over a table, which finds what each column holds and where to cut it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
import xxhash
from numpy.typing import NDArray

from streamer.core.baseline.chunks import Block
from streamer.core.baseline.distinct import Distinct
from streamer.core.baseline.sample import RowSample, picked
from streamer.core.eventtime import EARLIEST_AT, LATEST_AT
from streamer.core.rawrows import Cell
from streamer.core.schema import Kind
from streamer.core.values import label_of, lengths_of, numbers_of

# A column with more labels than this is no category, unless the user says so; then the most frequent are known.
MOST_LABELS: Final = 1_000
# A number feature with at most so many values gets a cell for each.
FEW_VALUES: Final = 50
# Longer labels are texts.
_LABEL_CHARACTERS: Final = 256
# Labels counted of a column that must be a category; when there are more, the rarer half is forgotten.
_COUNTED_LABELS: Final = 20_000
# Whole numbers beyond are not told from their neighbours in float64.
_WHOLE: Final = 2.0**53


class ColumnSurvey:
    """What one column holds.

    Parameters
    ----------
    kind : Kind or None
        Kind the user gave; ``None``: to be found, so every reading is kept.
    before : int
        Sampled rows that went by before the column appeared.
    missing : tuple of float
        Numbers that stand for a missing value.

    Attributes
    ----------
    numbers, mistyped : int
        Cells read as a number, and as neither a number nor missing.
    whole : bool
        Whether every number is whole and exact.
    biggest : float
        Largest absolute value.
    few : ndarray, shape (at most FEW_VALUES,), float64, ascending, or None
        All values; ``None``: there are more.
    labels : Counter of str, or None
        Rows of each label; ``None``: too many or too long to be categories.
    distinct : Distinct
        Of all labels, where ``kind`` was given.
    """

    def __init__(self, kind: Kind | None, before: int, missing: tuple[float, ...] = ()) -> None:
        self.kind = kind
        self._missing = missing
        self.numbers = 0
        self.mistyped = 0
        self.whole = True
        self.biggest = 0.0
        self.few: NDArray[np.float64] | None = np.empty(0)
        self.labels: Counter[str] | None = None if kind is not None and kind.is_number else Counter()
        self.distinct = Distinct()
        self._reads_numbers = kind in (None, Kind.NUMERIC, Kind.INTEGER)
        self._reads_lengths = kind in (None, Kind.TEXT)
        self._numbers: list[NDArray[np.float64]] = [np.full(before, np.nan)]
        self._lengths: list[NDArray[np.float32]] = [np.full(before, np.nan, np.float32)]

    def add(self, cells: Sequence[Cell], chosen: NDArray[np.int64]) -> None:
        """Look at a block's cells, of which the chosen ones enter the sample."""
        numbers = self._add_numbers(cells, chosen) if self._reads_numbers else None
        if self._reads_lengths:
            self._lengths.append(_lengths(picked(cells, chosen), numbers))
        if self.labels is not None:
            self._add_labels(cells, self.labels)

    def _add_numbers(self, cells: Sequence[Cell], chosen: NDArray[np.int64]) -> NDArray[np.float64]:
        """Read a block's cells as numbers; the sampled ones, shape (chosen,)."""
        numbers, mistyped = numbers_of(cells)
        if self._missing:
            numbers = np.where(np.isin(numbers, self._missing), np.nan, numbers)
        sampled = numbers[chosen]
        self._numbers.append(sampled)
        values = numbers[~np.isnan(numbers)]
        self.numbers += len(values)
        self.mistyped += 0 if mistyped is None else int(mistyped.sum())
        if not len(values):
            return sampled
        biggest = float(np.abs(values).max())
        self.biggest = max(self.biggest, biggest)
        self.whole = self.whole and biggest < _WHOLE and bool((values == np.rint(values)).all())
        if self.few is not None:
            self.few = _joined(self.few, values + 0.0)
        return sampled

    def _add_labels(self, cells: Sequence[Cell], labels: Counter[str]) -> None:
        # 1, 1.0 and True are equal keys and different labels, so only cells of one type are counted as they are.
        is_even = len(set(map(type, cells)) - {type(None)}) <= 1
        found: Mapping[Cell, int] = Counter(cells if is_even else map(label_of, cells))
        hashes: list[int] = []
        for cell, rows in found.items():
            label = label_of(cell)
            if label is None:
                continue
            if self.kind is None and (len(label) > _LABEL_CHARACTERS or len(labels) > MOST_LABELS):
                self.labels = None
                return
            if self.kind is not None:
                hashes.append(xxhash.xxh3_64_intdigest(label.encode(errors="surrogatepass")))
            if len(label) <= _LABEL_CHARACTERS:
                labels[label] += rows
        if self.kind is None and len(labels) > MOST_LABELS:
            self.labels = None
        elif len(labels) > _COUNTED_LABELS:
            self.labels = Counter(dict(ranked(labels)[: _COUNTED_LABELS // 2]))
        self.distinct.add(np.array(hashes, np.uint64))

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """Thin the sample to these of its rows."""
        if self._reads_numbers:
            self._numbers = [np.concatenate(self._numbers)[rows]]
        if self._reads_lengths:
            self._lengths = [np.concatenate(self._lengths)[rows]]

    def sample(self, *, lengths: bool) -> NDArray[np.float64]:
        """Sampled values (or lengths of texts) in ascending order, without the missing ones."""
        values = np.concatenate(self._lengths if lengths else self._numbers).astype(np.float64)
        return np.sort(values[~np.isnan(values)] + 0.0)


class Survey:
    """What the columns of a table hold.

    Attributes
    ----------
    columns : dict of str to ColumnSurvey
        In order of first appearance.
    rows : int
        Rows of the table.
    timed : int
        Rows with a readable time.
    first_at, last_at : int
        Earliest and latest of these times.
    has_times : bool
        Whether the table has times at all.
    whole : bool
        Whether the sample holds every row.
    """

    def __init__(self) -> None:
        self.columns: dict[str, ColumnSurvey] = {}
        self.rows = 0
        self.timed = 0
        self.first_at = LATEST_AT
        self.last_at = EARLIEST_AT
        self.has_times = False
        self.whole = True


def survey_of(
    blocks: Iterable[Block],
    kinds: Mapping[str, Kind],
    skipped: frozenset[str],
    missing: tuple[float, ...] = (),
) -> Survey:
    """Look at every column of a table but the skipped ones, of which only the names are kept."""
    survey = Survey()
    sample: RowSample | None = None
    for block in blocks:
        if sample is None:
            sample = RowSample(len(block.columns))
        before = sample.rows
        chosen = sample.choose(block.start, block.rows)
        for name, cells in block.columns.items():
            column = survey.columns.get(name)
            if column is None:
                column = survey.columns[name] = ColumnSurvey(kinds.get(name), before, missing)
            if name not in skipped:
                column.add(cells, chosen)
        _thin(survey, sample, skipped, last=False)
        survey.rows += block.rows
        _note_times(survey, block)
    if sample is not None:
        _thin(survey, sample, skipped, last=True)
        survey.whole = survey.rows <= sample.size
    return survey


def ranked(labels: Mapping[str, int]) -> list[tuple[str, int]]:
    """Labels with their rows, most frequent first; ties in order of the label."""
    return sorted(labels.items(), key=lambda pair: (-pair[1], pair[0]))


def is_readable(event_at: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which event times are times, shape (n,): others are -1 or from a broken clock."""
    return (event_at >= EARLIEST_AT) & (event_at < LATEST_AT)


def _thin(survey: Survey, sample: RowSample, skipped: frozenset[str], *, last: bool) -> None:
    keep = sample.thin(last=last)
    if keep is not None:
        for name, column in survey.columns.items():
            if name not in skipped:
                column.keep(keep)


def _note_times(survey: Survey, block: Block) -> None:
    if block.event_at is None:
        return
    survey.has_times = True
    readable = block.event_at[is_readable(block.event_at)]
    if len(readable):
        survey.timed += len(readable)
        survey.first_at = min(survey.first_at, int(readable.min()))
        survey.last_at = max(survey.last_at, int(readable.max()))


def _lengths(cells: Sequence[Cell], numbers: NDArray[np.float64] | None) -> NDArray[np.float32]:
    """Lengths of texts as the live side measures them; where most are numbers written out, three times as fast."""
    if numbers is None or set(map(type, cells)) != {str}:
        return lengths_of(cells)[0].astype(np.float32)
    lengths = np.fromiter(map(len, map(str.strip, cells)), np.float32, len(cells))  # type: ignore[arg-type]
    # Only what is no number can stand for a missing value, and only whole numbers are labelled without their ".0".
    odd = np.flatnonzero(np.isnan(numbers) | (numbers == np.rint(numbers)))
    lengths[odd] = lengths_of(picked(cells, odd))[0]
    return lengths


def _joined(few: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """All different values; ``None`` when there are too many."""
    if len(few):
        at = np.minimum(np.searchsorted(few, values), len(few) - 1)
        values = values[few[at] != values]
    if not len(values):
        return few
    together = np.unique(np.concatenate([few, values]))
    return together if len(together) <= FEW_VALUES else None
