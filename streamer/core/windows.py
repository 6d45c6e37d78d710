"""Windows: running merges of panes, kept until late records can no longer revise them."""

import msgspec

from streamer.core.panes import Pane, Part
from streamer.core.profile import Profile
from streamer.core.types import Finding


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
    expected_records : float or None
        What the past weeks had.
    skipped : int
        Empty windows before this one that were passed over without documents.
    findings : tuple of Finding
        What the rules said when it closed.
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
    expected_records: float | None = None
    skipped: int = 0
    findings: tuple[Finding, ...] = ()


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
    """

    __slots__ = ("counts", "late", "on_time")

    def __init__(self, counts: WindowCounts) -> None:
        self.counts = counts
        self.on_time: Profile | None = None
        self.late: Profile | None = None

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
