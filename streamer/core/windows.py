"""Windows: running merges of panes, kept until late records can no longer revise them."""

import msgspec

from streamer.core.panes import Pane, Part
from streamer.core.profile import Profile
from streamer.core.rawrows import RAW_ROWS, RawRow, smallest
from streamer.core.types import Finding, State


class WindowCounts(msgspec.Struct):
    """Records and rows of one window; a struct so that a snapshot holds it as it is.

    Attributes
    ----------
    start_at : int
        Start, milliseconds since the epoch.
    records, rows_in, rows_out : int
        On-time records and their rows: what was decided on.
    late_records, late_rows_in, late_rows_out : int
        Late ones, which revise the document only.
    partial : int
        Accepted records one side of which could not be read.
    duplicates : int
        Repetitions that were left out.
    closed : bool
        Whether the watermark passed its end and rules looked at it.
    revision : int
        Revision of the document last written; 0 before.
    expected_rows : float or None
        What the past weeks had, for all versions of the variant.
    variant_rows : int
        What all versions of the variant have together.
    state : State
        The gravest of what the rules said when it closed.
    skipped : int
        Empty windows before this one that were passed over without documents.
    findings : tuple of Finding
        What the rules said when it closed: of its features, its variant and its endpoint.
    states : dict of str to State
        State of each feature that was not ``OK`` then, by side and name.
    evidence : tuple of float
        Of each feature then, as part of what raises the alarm; empty where drift is not looked for.
    budget_used : float or None
        Part of what raises the alarm that the evidence of all the endpoint's keys had reached then.
    """

    start_at: int
    records: int = 0
    rows_in: int = 0
    rows_out: int = 0
    late_records: int = 0
    late_rows_in: int = 0
    late_rows_out: int = 0
    partial: int = 0
    duplicates: int = 0
    closed: bool = False
    revision: int = 0
    expected_rows: float | None = None
    variant_rows: int = 0
    state: State = State.OK
    skipped: int = 0
    findings: tuple[Finding, ...] = ()
    states: dict[str, State] = {}
    evidence: tuple[float, ...] = ()
    budget_used: float | None = None

    @property
    def rows(self) -> int:
        """On-time predictions: rows of the longer side."""
        return max(self.rows_in, self.rows_out)


class Window:
    """One window of one key.

    Parameters
    ----------
    counts : WindowCounts
        Its numbers.

    Attributes
    ----------
    on_time : Profile or None
        Merge of its panes: what rules and detectors see.
    late : Profile or None
        Rows that came late: only the document has them.
    raw : list of RawRow
        Late rows that came while the key had no baseline: one may be learned that holds for them.
    """

    __slots__ = ("counts", "late", "on_time", "raw")

    def __init__(self, counts: WindowCounts) -> None:
        self.counts = counts
        self.on_time: Profile | None = None
        self.late: Profile | None = None
        self.raw: list[RawRow] = []

    def add_pane(self, pane: Pane) -> None:
        """Merge a closed pane."""
        self.counts.records += pane.records
        self.counts.rows_in += pane.rows_in
        self.counts.rows_out += pane.rows_out
        self.on_time = _merged(self.on_time, pane.profile)

    def add_late(self, part: Part, *, with_profile: bool) -> None:
        """Merge late records."""
        self.counts.late_records += part.records
        self.counts.late_rows_in += part.rows_in
        self.counts.late_rows_out += part.rows_out
        if with_profile:
            self.late = _merged(self.late, part.profile)
        if part.raw:
            self.raw = smallest(self.raw, part.raw, RAW_ROWS)

    def read_late(self, profile: Profile) -> None:
        """Merge what a learned baseline made of the late rows kept."""
        self.late = _merged(self.late, profile)
        self.raw = []

    @property
    def whole(self) -> Profile | None:
        """All rows, late ones included."""
        if self.on_time is None or self.late is None:
            return self.late if self.on_time is None else self.on_time
        both = self.on_time.copy()
        both.add(self.late)
        return both

    def complete(self, invalid: int) -> int:
        """How complete its document is: every record read that belongs to it. It only grows."""
        c = self.counts
        return c.records + c.late_records + c.duplicates + invalid


def _merged(a: Profile | None, b: Profile | None) -> Profile | None:
    if b is None:
        return a
    if a is None:
        return b.copy()
    a.add(b)
    return a
