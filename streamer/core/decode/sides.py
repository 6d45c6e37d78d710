"""One side of many records to columns: plain CSV in bulk, everything else record by record.

Both ways mean the same by a value (``core/values.py``), so how a record is read never depends on
its neighbours in the batch.
"""

from collections.abc import Sequence
from itertools import repeat
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.core.columns import MISSING, Columns, no_columns
from streamer.core.decode.capture import SidePayload
from streamer.core.decode.payload import Format, text_of
from streamer.core.decode.rows import Row, rows_of
from streamer.core.errors import InvalidRecord, Reason
from streamer.core.rawrows import NAMELESS
from streamer.core.schema import Feature, Kind, Schema, Side, names_of
from streamer.core.settings import Limits
from streamer.core.values import codes_of, lengths_of, lookup_of, numbers_of, plain_numbers


class Failure(NamedTuple):
    """A side that could not be read: which of the payloads given, and why."""

    record: int
    reason: Reason


class SideReader:
    """Reads one side's payloads into columns of a schema.

    Parameters
    ----------
    schema : Schema
        Features, in payload order.
    side : Side
        Which of them.
    path : str
        Dotted path to the rows inside JSON payloads; empty: found by convention.
    limits : Limits
        Bounds on hostile payloads.
    learned : bool
        The schema was learned from traffic: rows are read as they were then, without knowing what to
        expect. Whatever could be read then can be read now, so that what becomes of a record does
        not depend on when exactly the schema was learned.
    """

    def __init__(self, schema: Schema, side: Side, path: str, limits: Limits, *, learned: bool = False) -> None:
        self.features = schema.of(side)
        self._learned = learned
        self._prefix = NAMELESS[side]
        self.path = path
        self.limits = limits
        self.names = names_of(self.features)
        self._known = frozenset(self.names)
        # A line of the features' names is a header sent along; none where names need quotes: those are no bulk.
        quoted = any(set(name) & set(',"\r\n') for name in self.names)
        self._header = None if quoted or learned else ",".join(self.names)
        # Columns without names are read by their place; those that were learned have one for a name.
        self._by_place = not learned or self.names == tuple(f"{self._prefix}{i}" for i in range(len(self.names)))
        self._numbers = [i for i, f in enumerate(self.features) if f.kind.is_number]
        self._categories = [i for i, f in enumerate(self.features) if not f.kind.is_number]
        self._lookups = {i: lookup_of(self.features[i]) for i in self._categories}
        self._plain = all(f.kind in (Kind.NUMERIC, Kind.INTEGER) for f in self.features)

    def read(self, payloads: Sequence[SidePayload]) -> tuple[Columns, list[Failure]]:
        """Read payloads.

        Parameters
        ----------
        payloads : sequence of SidePayload
            One for each record.

        Returns
        -------
        columns : Columns
            Rows in the order of the payloads; ``record`` is the index among them.
        failures : list of Failure
            Payloads that gave no row, each with its reason.
        """
        texts: list[str] = []
        bulk: list[int] = []
        failures: list[Failure] = []
        rows: list[tuple[int, list[Row]]] = []
        for i, payload in enumerate(payloads):
            try:
                text, form = text_of(payload, self.limits.payload_bytes)
                if form is Format.CSV and self._by_place and '"' not in text and "\r" not in text:
                    texts.append(self._without_header(text.rstrip("\n")))
                    bulk.append(i)
                else:
                    rows.append((i, self._rows(text, form)))
            except InvalidRecord as error:
                failures.append(Failure(i, error.reason))
        columns, slow = self._bulk(texts, bulk)
        for i, text in slow:
            try:
                rows.append((i, self._rows(text, Format.CSV)))
            except InvalidRecord as error:
                failures.append(Failure(i, error.reason))
        if rows:
            rows.sort(key=lambda pair: pair[0])
            columns = _merged(columns, self.from_rows(rows))
        return columns, sorted(failures)

    def _rows(self, text: str, form: Format) -> list[Row]:
        if self._learned:
            return [self._named(row) for row in rows_of(text, form, self.path, self.limits, None)]
        rows = rows_of(text, form, self.path, self.limits, self.names)
        if form is Format.CSV and rows[0] == list(self.names):
            del rows[0]
            if not rows:
                raise InvalidRecord(Reason.EMPTY_PAYLOAD)
        expected = len(self.features)
        for row in rows:
            if isinstance(row, dict):
                # Names of which we know none are another model's, or stand under another path.
                if self._known.isdisjoint(row):
                    raise InvalidRecord(Reason.BAD_LAYOUT)
            elif len(row) != expected:
                raise InvalidRecord(Reason.COLUMN_COUNT)
        return rows

    def _named(self, row: Row) -> Row:
        """A row as it was when the schema was learned: cells without names are named by their place."""
        return row if isinstance(row, dict) else {f"{self._prefix}{i}": cell for i, cell in enumerate(row)}

    def _without_header(self, text: str) -> str:
        """A text that may be read in bulk; one that is too long keeps its header, to be refused as it is."""
        header = self._header
        if not header or not text.startswith(header):
            return text
        first, end, rest = text.partition("\n")
        if first != header or text.count("\n") >= self.limits.rows:
            return text
        if not end:
            raise InvalidRecord(Reason.EMPTY_PAYLOAD)
        return rest

    def _bulk(self, texts: list[str], index: list[int]) -> tuple[Columns, list[tuple[int, str]]]:
        """Columns of the texts with the right number of columns in every row; the others by themselves."""
        slow: list[tuple[int, str]] = []
        if not texts:
            return no_columns(len(self._numbers), len(self._categories)), slow
        width = len(self.features)
        lengths = np.fromiter(map(str.count, texts, repeat("\n")), np.int64, len(texts)) + 1
        long = lengths > self.limits.rows
        if long.any():  # not even split: a megabyte of line ends is a million lines
            slow = [(index[i], texts[i]) for i in np.flatnonzero(long).tolist()]
            rest = np.flatnonzero(~long).tolist()
            columns, more = self._bulk([texts[i] for i in rest], [index[i] for i in rest])
            return columns, slow + more
        lines = "\n".join(texts).split("\n") if lengths.max() > 1 else texts
        right = np.fromiter(map(str.count, lines, repeat(",")), np.int64, len(lines)) == width - 1
        record = np.repeat(np.arange(len(texts)), lengths)
        good = np.ones(len(texts), np.bool_)
        good[record[~right]] = False
        if width > self.limits.features:
            good[:] = False
        if not good.all():
            slow = [(index[i], texts[i]) for i in np.flatnonzero(~good).tolist()]
            keep = good[record]
            lines = [line for line, kept in zip(lines, keep.tolist(), strict=True) if kept]
            record = record[keep]
        return self._from_csv(lines, np.asarray(index, np.int64)[record]), slow

    def _from_csv(self, lines: list[str], record: NDArray[np.int64]) -> Columns:
        width = len(self.features)
        text = ",".join(lines)
        if self._plain:
            flat = plain_numbers(text, len(lines) * width)
            if flat is not None:
                numbers = np.ascontiguousarray(flat.reshape(-1, width).T)
                return Columns(numbers, None, np.empty((0, len(lines)), np.int32), record)
        cells = text.split(",") if lines else []
        return self._typed([cells[i::width] for i in range(width)], record)

    def from_rows(self, rows: Sequence[tuple[int, Sequence[Row]]]) -> Columns:
        """Columns of rows read one record at a time.

        Parameters
        ----------
        rows : sequence of (record, rows)
            Record indices ascending; positional rows as long as the features.
        """
        flat = [row for _, several in rows for row in several]
        record = np.repeat(
            np.array([i for i, _ in rows], np.int64), np.array([len(several) for _, several in rows], np.int64)
        )
        cells: list[Sequence[object]] = []
        for i, name in enumerate(self.names):
            cells.append([row[i] if isinstance(row, list) else row.get(name) for row in flat])
        return self._typed(cells, record)

    def _typed(self, cells: Sequence[Sequence[object]], record: NDArray[np.int64]) -> Columns:
        numbers = np.empty((len(self._numbers), len(record)))
        mistyped: NDArray[np.bool_] | None = None
        for out, i in enumerate(self._numbers):
            numbers[out], wrong = self._number(self.features[i], cells[i])
            if wrong is not None:
                if mistyped is None:
                    mistyped = np.zeros(numbers.shape, np.bool_)
                mistyped[out] = wrong
        codes = np.full((len(self._categories), len(record)), MISSING, np.int32)
        for out, i in enumerate(self._categories):
            codes[out] = codes_of(cells[i], self._lookups[i])
        return Columns(numbers, mistyped, codes, record)

    def _number(
        self, feature: Feature, cells: Sequence[object]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_] | None]:
        if feature.kind is not Kind.TEXT:
            return numbers_of(cells)
        lengths, wrong = lengths_of(cells)
        return np.minimum(lengths, float(self.limits.text_characters)), wrong


def _merged(a: Columns, b: Columns) -> Columns:
    """Rows of both, in record order."""
    record = np.concatenate([a.record, b.record])
    order = np.argsort(record, kind="stable")
    mistyped = None
    if a.mistyped is not None or b.mistyped is not None:
        parts = [np.zeros(c.numbers.shape, np.bool_) if c.mistyped is None else c.mistyped for c in (a, b)]
        mistyped = np.concatenate(parts, axis=1)
    return Columns(
        np.concatenate([a.numbers, b.numbers], axis=1),
        mistyped,
        np.concatenate([a.codes, b.codes], axis=1),
        record,
    ).take(order)
