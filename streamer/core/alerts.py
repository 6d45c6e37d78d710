"""Alerts: findings over time become incidents, one per endpoint and cause.

::

    (nothing) --broken--> PENDING --hold over--> FIRING --not broken for keep_firing--> RESOLVED
                             |
                             +--not broken--> RESOLVED, without a notification

All in watermark time, so that a replay raises what it would have raised. A window that could not
be judged (too few rows) neither breaks nor heals. States and durations as in Prometheus and vmalert
(``for``, ``keep_firing_for``, ``repeat_interval``).
"""

from collections.abc import Collection, Iterable
from datetime import datetime

import msgspec

from streamer.core.eventtime import as_datetime
from streamer.core.identity import hash_of
from streamer.core.rounding import rounded
from streamer.core.settings import AlertSpans
from streamer.core.types import (
    Action,
    AlertState,
    Cause,
    Contribution,
    Finding,
    Fingerprint,
    Incident,
    Index,
    Notify,
    Severity,
    State,
    Why,
)
from streamer.core.words import severity_of, text_of, title_of


class Open(msgspec.Struct):
    """An incident that is pending or firing.

    Attributes
    ----------
    cause : Cause
        What kind of trouble.
    since_at : int
        Start of the first broken window, milliseconds since the epoch.
    active_at : int
        Watermark at which it was first seen: the hold counts from here.
    until_at : int
        End of the last broken window.
    notified_at : int
        Watermark of the last notification.
    state, severity, revision
        As in ``Incident``.
    contributions : list of Contribution
        Heaviest first.
    assumes_independence : bool
        Whether a baseline without time had a part in it.
    """

    cause: Cause
    since_at: int
    active_at: int
    until_at: int
    notified_at: int = 0
    state: AlertState = AlertState.PENDING
    severity: Severity = Severity.INFO
    revision: int = 0
    contributions: list[Contribution] = []
    assumes_independence: bool = False


class AlertBookState(msgspec.Struct, frozen=True):
    """A book as it stands in a snapshot."""

    endpoint: str
    incidents: list[Open]


class AlertBook:
    """The incidents of one endpoint.

    Parameters
    ----------
    endpoint : str
        Whose.
    spans : AlertSpans
        Hold, keep-firing and repeat.
    """

    def __init__(self, endpoint: str, spans: AlertSpans) -> None:
        self._endpoint = endpoint
        self._spans = spans
        self._open: dict[Cause, Open] = {}

    def advance(
        self, at: int, findings: Iterable[Finding], judged: Collection[Cause], *, assumes_independence: bool
    ) -> list[Action]:
        """Take in what the rules said of the windows that end at a time.

        Parameters
        ----------
        at : int
            That time; never less than before.
        findings : iterable of Finding
            Of all variants and versions; only broken ones count.
        judged : collection of Cause
            Causes there was enough data to judge.
        assumes_independence : bool
            Whether a baseline without time had a part in it.

        Returns
        -------
        list of Action
            Each changed incident to index, and whom to tell.
        """
        broken: dict[Cause, list[Finding]] = {}
        for finding in findings:
            if finding.state is State.BROKEN:
                broken.setdefault(finding.cause, []).append(finding)
        actions: list[Action] = []
        for cause in Cause:
            mine = broken.get(cause, [])
            incident = self._open.get(cause)
            if incident is None:
                if not mine:
                    continue
                since_at = min(f.since_at for f in mine)
                incident = self._open[cause] = Open(cause, since_at, active_at=at, until_at=at)
            if mine:
                actions += self._broken(incident, at, mine, assumes_independence=assumes_independence)
            elif cause in judged:
                actions += self._quiet(incident, at)
            actions += self._repeat(incident, at)
        return actions

    def _broken(self, incident: Open, at: int, findings: list[Finding], *, assumes_independence: bool) -> list[Action]:
        incident.until_at = max(incident.until_at, *(f.until_at for f in findings))
        incident.assumes_independence |= assumes_independence
        before = incident.contributions
        incident.contributions = _merged(before, findings)
        severity = severity_of(incident.cause, incident.contributions)
        graver = severity is Severity.CRITICAL and incident.severity is not Severity.CRITICAL
        if graver or incident.severity is Severity.INFO:
            incident.severity = severity
        if incident.state is AlertState.PENDING and at - incident.active_at >= self._spans.hold * 1000:
            incident.state = AlertState.FIRING
            return self._changed(incident, at, "firing")
        if incident.state is AlertState.FIRING and graver:
            return self._changed(incident, at, "changed")
        return self._changed(incident, at) if incident.contributions != before else []

    def _quiet(self, incident: Open, at: int) -> list[Action]:
        if incident.state is AlertState.PENDING:
            del self._open[incident.cause]
            incident.state = AlertState.RESOLVED
            return self._changed(incident, at)
        if at - incident.until_at < self._spans.keep_firing * 1000:
            return []
        del self._open[incident.cause]
        incident.state = AlertState.RESOLVED
        return self._changed(incident, at, "resolved")

    def _repeat(self, incident: Open, at: int) -> list[Action]:
        due = self._spans.repeat and at - incident.notified_at >= self._spans.repeat * 1000
        return self._changed(incident, at, "repeat") if incident.state is AlertState.FIRING and due else []

    def _changed(self, incident: Open, at: int, why: Why | None = None) -> list[Action]:
        incident.revision += 1
        document = self._document(incident, at)
        actions: list[Action] = [Index(document)]
        if why is not None:
            incident.notified_at = at
            actions.append(Notify(hash_of(document.id, why, str(document.revision)), document, why))
        return actions

    def _document(self, incident: Open, at: int) -> Incident:
        fingerprint = Fingerprint(hash_of(self._endpoint, incident.cause))
        resolved = incident.state is AlertState.RESOLVED
        document = Incident(
            id=hash_of(fingerprint, str(incident.since_at)),
            revision=incident.revision,
            fingerprint=fingerprint,
            endpoint=self._endpoint,
            cause=incident.cause,
            state=incident.state,
            severity=incident.severity,
            since=as_datetime(incident.since_at),
            changed=as_datetime(at),
            until=as_datetime(incident.until_at) if resolved else None,
            contributions=tuple(incident.contributions),
            title=title_of(self._endpoint, incident.cause, incident.contributions),
            text="",
            assumes_independence=incident.assumes_independence,
        )
        return msgspec.structs.replace(document, text=text_of(document))

    def to_state(self) -> AlertBookState:
        """Everything needed to go on as if never stopped."""
        incidents = [msgspec.structs.replace(self._open[cause]) for cause in Cause if cause in self._open]
        return AlertBookState(self._endpoint, incidents)

    @classmethod
    def from_state(cls, state: AlertBookState, spans: AlertSpans) -> "AlertBook":
        """Book as it was."""
        book = cls(state.endpoint, spans)
        book._open = {incident.cause: msgspec.structs.replace(incident) for incident in state.incidents}
        return book


def _merged(before: list[Contribution], findings: list[Finding]) -> list[Contribution]:
    """The worst window of each feature so far, heaviest first."""
    worst = {(c.feature, c.variant, c.model_version): c for c in before}
    for f in findings:
        who = (f.feature, f.key.variant, f.key.version)
        known = worst.get(who)
        if known is None or f.weight > known.weight:
            since = as_datetime(f.since_at) if known is None else min(known.since, as_datetime(f.since_at))
            worst[who] = _contribution(f, since=since)
    return sorted(worst.values(), key=lambda c: (-c.weight, c.feature, c.variant, c.model_version))


def _contribution(finding: Finding, since: datetime) -> Contribution:
    return Contribution(
        feature=finding.feature,
        variant=finding.key.variant,
        model_version=finding.key.version,
        rule=finding.rule,
        since=since,
        live=rounded(finding.live),
        expected=rounded(finding.expected),
        size=rounded(finding.size),
        unit=finding.unit,
        weight=rounded(finding.weight),
        rows=finding.rows,
        words=finding.words,
    )
