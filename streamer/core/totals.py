"""Totals: every record read, under exactly one heading, so that nothing vanishes."""

import msgspec


class Totals(msgspec.Struct):
    """Counts since the start.

    ``records = accepted + invalid + duplicate + late + ignored``, always.

    Attributes
    ----------
    records : int
        Records read.
    accepted : int
        On time, readable, first of their identity.
    invalid : dict of str to int
        By reason.
    duplicate : int
        Seen before in their shard and pane.
    late_revised, late_dropped : int
        Late: those that revise a window's document, and those too late even for that.
    ignored : int
        Of endpoints that are not watched.
    partial : dict of str to int
        Accepted or late records one side of which could not be read, by reason; not a heading of its own.
    rows_in, rows_out : int
        Rows of accepted and late-but-revising records, by side.
    """

    records: int = 0
    accepted: int = 0
    invalid: dict[str, int] = {}
    duplicate: int = 0
    late_revised: int = 0
    late_dropped: int = 0
    ignored: int = 0
    partial: dict[str, int] = {}
    rows_in: int = 0
    rows_out: int = 0

    @property
    def late(self) -> int:
        """All late records."""
        return self.late_revised + self.late_dropped

    @property
    def accounted(self) -> int:
        """Sum of all headings; equal to ``records``."""
        return self.accepted + sum(self.invalid.values()) + self.duplicate + self.late + self.ignored


def add_reason(counts: dict[str, int], reason: str, by: int = 1) -> None:
    """Count a reason."""
    counts[reason] = counts.get(reason, 0) + by
