"""Traffic: what an endpoint's records as a whole are like, whatever is in them."""

from streamer.core.due import Due
from streamer.core.errors import Reason
from streamer.core.eventtime import start_of
from streamer.core.rules.history import Expectation, VolumeHistory
from streamer.core.rules.silence import silence
from streamer.core.rules.unreadable import unreadable
from streamer.core.rules.volume import volume
from streamer.core.settings import EndpointSettings, Rules
from streamer.core.totals import add_reason
from streamer.core.types import Cause, Finding, Key, State


class Traffic:
    """Records that came and that could not be read, of one endpoint.

    Parameters
    ----------
    name : str
        The endpoint's.
    settings : EndpointSettings
        How it is watched.

    Attributes
    ----------
    invalid : dict of int to int
        Records that could not be read, by start of window.
    reasons : dict of int to dict of str to int
        Why records, or one side of them, could not be read, by start of window.
    volumes : dict of str to VolumeHistory
        Records of the past weeks by variant: versions of a variant share its traffic.
    """

    def __init__(self, name: str, settings: EndpointSettings) -> None:
        self._name = name
        self._settings = settings
        self._window = settings.spans.window * 1000
        self.invalid: dict[int, int] = {}
        self.reasons: dict[int, dict[str, int]] = {}
        self.volumes: dict[str, VolumeHistory] = {}

    def note_invalid(self, at: int, reason: Reason) -> None:
        """Count a record that could not be read, at its own or its shard's time."""
        start = self._start_of(at)
        self.invalid[start] = self.invalid.get(start, 0) + 1
        self.note_reason(at, reason)

    def note_reason(self, at: int, reason: Reason) -> None:
        """Count why a record, or one side of it, could not be read."""
        add_reason(self.reasons.setdefault(self._start_of(at), {}), reason)

    def _start_of(self, at: int) -> int:
        return start_of(at, self._settings.spans.window, self._settings.spans.offset)

    def next_close_at(self, closed_at: int) -> list[int]:
        """Ends of the windows after a time that have records which could not be read."""
        return [start + self._window for start in self.invalid if start >= closed_at]

    def forget(self, gone_at: int) -> None:
        """Let go of the windows that start by a time."""
        for counts in (self.invalid, self.reasons):
            for start in [start for start in counts if start <= gone_at]:
                del counts[start]

    def judge(self, due: list[Due], end_at: int, rules: Rules) -> tuple[list[Finding], set[Cause]]:
        """Ask the rules on the endpoint and its variants.

        Parameters
        ----------
        due : list of Due
            The windows that end.
        end_at : int
            When they end, milliseconds since the epoch.
        rules : Rules
            Those of the endpoint.

        Returns
        -------
        findings : list of Finding
        judged : set of Cause
            There was data to judge them.
        """
        start_at = end_at - self._window
        invalid = self.invalid.get(start_at, 0)
        records = sum(d.window.counts.records for d in due)
        findings: list[Finding | None] = []
        judged: set[Cause] = set()
        if rules.unreadable and records + invalid:
            judged.add(Cause.UNREADABLE)
            partial = sum(d.window.counts.partial for d in due)
            reasons = self.reasons.get(start_at, {})
            key = Key(self._name, "", "")
            findings.append(unreadable(key, rules, start_at, end_at, records, invalid, partial, reasons))
        explained = any(f is not None and f.state is State.BROKEN for f in findings)
        for variant in sorted({d.track.key.variant for d in due}):
            mine = [d for d in due if d.track.key.variant == variant]
            key = Key(self._name, variant, "")
            rows = sum(d.window.counts.rows for d in mine)
            arrived = bool(rows or invalid)
            history = self._history(variant, mine)
            past = history.expected(start_at)
            for d in mine:
                d.window.counts.expected_rows = None if past is None else past.rows
                d.window.counts.variant_rows = rows
            history.add(start_at, rows, arrived=arrived)
            if rules.silence:
                findings.append(silence(key, rules, self._window, end_at, history))
            # Records that came and could not be read are no change of traffic.
            if rules.volume and past is not None and not explained:
                judged.add(Cause.VOLUME)
                findings += _volume(key, rules, end_at - self._window, end_at, rows, past, history)
            if arrived:
                judged.add(Cause.SILENCE)
        return [f for f in findings if f is not None], judged

    def _history(self, variant: str, due: list[Due]) -> VolumeHistory:
        history = self.volumes.get(variant)
        if history is None:
            history = self.volumes[variant] = VolumeHistory(self._settings.spans, self._settings.time_zone)
            timelines = [b.timeline for d in due if (b := d.track.baseline) is not None and b.timeline is not None]
            if self._settings.rules.baseline_is_traffic and timelines:
                history.seed(timelines[0])
        return history


def _volume(
    key: Key, rules: Rules, start_at: int, end_at: int, rows: int, past: Expectation, history: VolumeHistory
) -> list[Finding | None]:
    """Ask about a window's rows, and where it alone proves nothing, about the last hour's."""
    alone = volume(key, rules, start_at, end_at, rows, past)
    lately = history.expected_lately()
    if lately is None or (alone is not None and alone.state is State.BROKEN):
        return [alone]
    together = volume(key, rules, end_at - 3_600_000, end_at, *lately, of=" in the last hour")
    broken = together is not None and together.state is State.BROKEN
    return [together if broken else alone]
