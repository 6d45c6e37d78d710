"""Parts and panes: what ``fold`` makes of a batch, and what ``close`` makes of the parts.

A part summarises one batch's rows of one key in one pane. Parts of a pane merge exactly, whatever
the batches and shards they came from, so a pane is the same on every replay.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.core.columns import Columns
from streamer.core.layout import Layout
from streamer.core.profile import Profile, profile_of
from streamer.core.rawrows import RAW_ROWS, RawRow, smallest
from streamer.core.sample import Samples, Sampling, merged, samples_of
from streamer.core.schema import Side


class Part(NamedTuple):
    """Some rows of one key that fall in one pane.

    Attributes
    ----------
    pane_at : int
        Start of the pane, milliseconds.
    late : bool
        Whether its records were late: they revise the window and are no part of the pane.
    records, rows_in, rows_out : int
        Records, and rows of either side.
    profile : Profile or None
        ``None`` while the key has no baseline.
    raw : list of RawRow
        The rows themselves, while the key has no baseline.
    samples : Samples or None
        Some rows as they came, where a detector asks for them.
    """

    pane_at: int
    late: bool
    records: int
    rows_in: int
    rows_out: int
    profile: Profile | None
    raw: list[RawRow]
    samples: Samples | None = None


class Pane:
    """What is known of one pane so far: the exact merge of its parts.

    Parameters
    ----------
    start_at : int
        Start, milliseconds since the epoch.
    """

    __slots__ = ("profile", "raw", "records", "rows_in", "rows_out", "samples", "start_at")

    def __init__(self, start_at: int) -> None:
        self.start_at = start_at
        self.records = 0
        self.rows_in = 0
        self.rows_out = 0
        self.profile: Profile | None = None
        self.raw: list[RawRow] = []
        self.samples: Samples | None = None

    def add(self, part: Part) -> None:
        """Merge a part, exactly."""
        self.records += part.records
        self.rows_in += part.rows_in
        self.rows_out += part.rows_out
        if part.profile is not None:
            if self.profile is None:
                self.profile = part.profile
            else:
                self.profile.add(part.profile)
        if part.raw:
            self.raw = smallest(self.raw, part.raw, RAW_ROWS)
        if part.samples:
            self.samples = merged(self.samples, part.samples)


def parts_of(
    layout: Layout,
    sides: dict[Side, Columns],
    pane_at: NDArray[np.int64],
    late: NDArray[np.bool_],
    accepted: NDArray[np.bool_],
    sampling: Sampling | None = None,
    identity: NDArray[np.uint64] | None = None,
) -> list[Part]:
    """Split columns by pane and summarise each piece.

    Parameters
    ----------
    layout : Layout
        Cells of the key's baseline.
    sides : dict of Side to Columns
        Rows; ``record`` indexes the arrays below.
    pane_at : ndarray, shape (records,), int64
        Pane of each record.
    late : ndarray, shape (records,), bool
        Whether it was late.
    accepted : ndarray, shape (records,), bool
        Whether it counts as a record.
    sampling : Sampling, optional
        What to keep of some rows as they are, late ones never.
    identity : ndarray, shape (records,), uint64, optional
        Hash of each record's identity: chooses them.

    Returns
    -------
    list of Part
        In order of pane, on-time before late.
    """
    code = pane_at * 2 + late
    found, group = np.unique(code, return_inverse=True)
    records = np.bincount(group, weights=accepted, minlength=len(found)).astype(np.int64)
    pieces = {side: _pieces(columns, group, len(found)) for side, columns in sides.items()}
    parts = []
    for i, value in enumerate(found.tolist()):
        mine = {side: split[i] for side, split in pieces.items() if split[i].rows}
        if not records[i] and not mine:
            continue
        rows = {side: columns.rows for side, columns in mine.items()}
        profile = profile_of(layout, mine)
        parts.append(
            Part(
                pane_at=value // 2,
                late=bool(value % 2),
                records=int(records[i]),
                rows_in=rows.get(Side.INPUT, 0),
                rows_out=rows.get(Side.OUTPUT, 0),
                profile=profile,
                raw=[],
                samples=samples_of(sampling, mine, identity)
                if sampling and identity is not None and not value % 2
                else None,
            )
        )
    return parts


def _pieces(columns: Columns, group: NDArray[np.intp], groups: int) -> list[Columns]:
    """Columns of each group of records, rows in their order."""
    if groups == 1:
        return [columns]
    of_row = group[columns.record]
    if len(of_row) and np.any(np.diff(of_row) < 0):
        order = np.argsort(of_row, kind="stable")
        columns, of_row = columns.take(order), of_row[order]
    bounds = np.searchsorted(of_row, np.arange(groups + 1)).tolist()
    return [columns.between(first, last) for first, last in pairwise(bounds)]
