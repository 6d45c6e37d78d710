"""fold: the captures of one key in one batch become parts, and every record is accounted for."""

import math
from collections import Counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.core.columns import Columns
from streamer.core.decode.batch import Captures
from streamer.core.decode.capture import SidePayload
from streamer.core.decode.payload import text_of
from streamer.core.decode.rows import Row, rows_of
from streamer.core.decode.sides import Failure, SideReader
from streamer.core.duplicates import Duplicates
from streamer.core.errors import InvalidRecord, Reason
from streamer.core.layout import Layout
from streamer.core.panes import Part, parts_of
from streamer.core.rawrows import NAMELESS, Cell, RawRow, cells_of, packed
from streamer.core.sample import Samples, Sampling, samples_of
from streamer.core.schema import Side
from streamer.core.settings import Limits, Spans


class Sequenced(NamedTuple):
    """Where each record of a key stands in its shard's order.

    Attributes
    ----------
    pane_at : ndarray, shape (n,), int64
        Pane of each record.
    late, gone, duplicate : ndarray, shape (n,), bool
        Late and still worth a revision; late beyond the lateness; seen before.
    """

    pane_at: NDArray[np.int64]
    late: NDArray[np.bool_]
    gone: NDArray[np.bool_]
    duplicate: NDArray[np.bool_]

    @property
    def kept(self) -> NDArray[np.int64]:
        """Indices of the records that are folded."""
        return np.flatnonzero(~(self.gone | self.duplicate))


class Refusal(NamedTuple):
    """One record's side that could not be read, by the record's index in its batch."""

    record: int
    side: Side
    reason: Reason
    whole: bool


class Folded(NamedTuple):
    """What became of one key's captures.

    Attributes
    ----------
    parts : list of Part
        Summaries by pane.
    refusals : list of Refusal
        Sides that could not be read; ``whole``: no other side could be, so the record is invalid.
    accepted : ndarray, shape (n,), bool
        Records that were folded, of those given.
    """

    parts: list[Part]
    refusals: list[Refusal]
    accepted: NDArray[np.bool_]


def sequence(
    captures: Captures, watermark_at: NDArray[np.int64], spans: Spans, shard: str, duplicates: Duplicates
) -> Sequenced:
    """Tell late, gone and repeated records apart, by their own shard's prefix alone.

    Parameters
    ----------
    captures : Captures
        One key's, in the shard's order.
    watermark_at : ndarray, shape (n,), int64
        The shard's watermark at each of them.
    spans : Spans
        The endpoint's pane, offset and lateness.
    shard : str
        Where they come from.
    duplicates : Duplicates
        What the key has seen; takes note of these.
    """
    pane, offset = spans.pane * 1000, spans.offset * 1000
    pane_at = (captures.event_at - offset) // pane * pane + offset
    late = pane_at + pane <= watermark_at
    gone = pane_at + pane + spans.lateness * 1000 <= watermark_at
    duplicate = np.zeros(len(pane_at), np.bool_)
    here = np.flatnonzero(~gone)
    if len(here):
        duplicate[here] = ~duplicates.fresh(shard, pane_at[here], captures.identity[here])
    return Sequenced(pane_at, late & ~gone, gone, duplicate)


def fold(
    captures: Captures,
    sequenced: Sequenced,
    layout: Layout,
    readers: dict[Side, SideReader],
    sampling: Sampling | None = None,
) -> Folded:
    """Summarise the captures of a key that has a baseline.

    Parameters
    ----------
    captures, sequenced
        One key's records of one batch.
    layout : Layout
        The baseline's cells.
    readers : dict of Side to SideReader
        Readers of the sides the baseline has features of.
    sampling : Sampling, optional
        What to keep of some rows as they are.
    """
    kept = sequenced.kept
    sides: dict[Side, Columns] = {}
    failures: dict[Side, list[Failure]] = {}
    present = np.zeros((len(Side), len(captures.sides)), np.bool_)
    for n, (side, reader) in enumerate(readers.items()):
        given = [(i, payload) for i in kept.tolist() if (payload := _payload(captures, i, side)) is not None]
        columns, failed = reader.read([payload for _, payload in given])
        index = np.array([i for i, _ in given], np.int64)
        sides[side] = columns._replace(record=index[columns.record])
        failures[side] = [Failure(int(index[f.record]), f.reason) for f in failed]
        present[n, index] = True
    accepted, refusals = _verdicts(captures, kept, present, failures)
    parts = parts_of(layout, sides, sequenced.pane_at, sequenced.late, accepted, sampling, captures.identity)
    return Folded(parts, refusals, accepted)


def _verdicts(
    captures: Captures,
    kept: NDArray[np.int64],
    present: NDArray[np.bool_],
    failures: dict[Side, list[Failure]],
) -> tuple[NDArray[np.bool_], list[Refusal]]:
    """A record is invalid when every side it has and we want can't be read."""
    failed = Counter(f.record for several in failures.values() for f in several)
    accepted = np.zeros(len(captures.sides), np.bool_)
    accepted[kept] = True
    refusals: list[Refusal] = []
    said: set[int] = set()
    for side, several in failures.items():
        for f in several:
            whole = failed[f.record] == int(present[:, f.record].sum())
            if whole:
                accepted[f.record] = False
                if f.record in said:
                    continue
                said.add(f.record)
            refusals.append(Refusal(int(captures.record[f.record]), side, f.reason, whole))
    return accepted, refusals


def _payload(captures: Captures, record: int, side: Side) -> SidePayload | None:
    data = captures.sides[record]
    return data.endpointInput if side is Side.INPUT else data.endpointOutput


def fold_raw(captures: Captures, sequenced: Sequenced, path: str, limits: Limits) -> Folded:
    """Keep the rows of a key that has no baseline yet, as they are."""
    accepted = np.zeros(len(captures.sides), np.bool_)
    refusals: list[Refusal] = []
    parts: dict[tuple[int, bool], Part] = {}
    for i in sequenced.kept.tolist():
        rows: dict[Side, list[Row]] = {}
        failed: list[tuple[Side, Reason]] = []
        for side in Side:
            payload = _payload(captures, i, side)
            if payload is None:
                continue
            try:
                text, form = text_of(payload, limits.payload_bytes)
                rows[side] = rows_of(text, form, path, limits, None)
            except InvalidRecord as error:
                failed.append((side, error.reason))
        whole = not rows
        refusals += [Refusal(int(captures.record[i]), s, r, whole) for s, r in (failed[:1] if whole else failed)]
        if whole:
            continue
        accepted[i] = True
        inputs, outputs = rows.get(Side.INPUT, []), rows.get(Side.OUTPUT, [])
        place = int(sequenced.pane_at[i]), bool(sequenced.late[i])
        part = parts.get(place) or Part(*place, 0, 0, 0, None, [])
        part.raw.extend(_raw_rows(int(captures.identity[i]), int(captures.event_at[i]), inputs, outputs, limits))
        parts[place] = part._replace(
            records=part.records + 1, rows_in=part.rows_in + len(inputs), rows_out=part.rows_out + len(outputs)
        )
    return Folded([parts[place] for place in sorted(parts)], refusals, accepted)


def _raw_rows(identity: int, event_at: int, inputs: list[Row], outputs: list[Row], limits: Limits) -> list[RawRow]:
    """Rows of both sides beside each other; where one side has fewer, its cells are absent."""
    rows = []
    for n in range(max(len(inputs), len(outputs))):
        i = _packed(inputs[n], NAMELESS[Side.INPUT], limits) if n < len(inputs) else b""
        o = _packed(outputs[n], NAMELESS[Side.OUTPUT], limits) if n < len(outputs) else b""
        rows.append(RawRow(identity, n, event_at, i, o))
    return rows


def _packed(row: Row, prefix: str, limits: Limits) -> bytes:
    named = row.items() if isinstance(row, dict) else ((f"{prefix}{i}", cell) for i, cell in enumerate(row))
    return packed((name, _plain(cell, limits.text_characters)) for name, cell in named)


def _plain(cell: object, characters: int) -> Cell:
    """A cell as state can hold it, meaning the same: infinities and huge integers become their text."""
    if isinstance(cell, str) and len(cell) > characters:
        return cell.strip()[:characters]
    if isinstance(cell, float) and not math.isfinite(cell):
        return None if math.isnan(cell) else str(cell)
    if isinstance(cell, int) and not isinstance(cell, bool) and abs(cell) >= 2**63:
        return str(cell)
    return cell if isinstance(cell, Cell) else str(cell)


def columns_of(raw: list[RawRow], readers: dict[Side, SideReader]) -> dict[Side, Columns]:
    """Columns of kept rows, once a baseline is learned."""
    sides: dict[Side, Columns] = {}
    for side, reader in readers.items():
        packed_rows = [row.inputs if side is Side.INPUT else row.outputs for row in raw]
        rows = [(i, [dict[str, object](cells_of(data))]) for i, data in enumerate(packed_rows) if data]
        sides[side] = reader.from_rows(rows)
    return sides


def samples_of_raw(sampling: Sampling, sides: dict[Side, Columns], raw: list[RawRow]) -> Samples:
    """Samples of kept rows: those that ``fold`` would have made of them."""
    identity = np.array([row.identity for row in raw], np.uint64)
    return samples_of(sampling, sides, identity, np.array([row.row for row in raw], np.int64))
