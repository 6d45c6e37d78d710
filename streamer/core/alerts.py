"""Alerts: findings over time become incidents, one per endpoint and cause.

::

    (nothing) --broken--> PENDING --hold over--> FIRING --not broken for keep_firing--> RESOLVED
                             |
                             +--not broken--> RESOLVED, without a notification

All in watermark time, so that a replay raises what it would have raised. A window that could not
be judged (too few rows) neither breaks nor heals. States and durations as in Prometheus and vmalert
(``for``, ``keep_firing_for``, ``repeat_interval``).

A person may acknowledge an incident (no more repeats), mute (nobody is told for a while), or end it
by a verdict: then its cause is held back until the condition has had a break.
"""

from collections.abc import Collection, Iterable
from typing import Final

import msgspec

from streamer.core.contributions import merged
from streamer.core.eventtime import as_datetime
from streamer.core.identity import hash_of
from streamer.core.incident import AlertState, Contribution, Fingerprint, Incident, Severity, Verdict
from streamer.core.mutes import Held, MuteRule, muted_until
from streamer.core.settings import AlertSpans
from streamer.core.types import Action, Cause, Finding, Index, Judge, Notify, State, Why
from streamer.core.words import severity_of, text_of, title_of

# So many incidents that are over are remembered by id, to tell "already resolved" from "no such incident".
_REMEMBERED: Final = 100

_Judged = Collection[tuple[Cause, Judge]]


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
    acknowledged_by, verdict
        As in ``Incident``.
    judges : tuple of Judge
        Who had a part in it, in the order of ``Judge``: each must find nothing more before it is over.
    muted, owed : bool
        Whether nobody is told of it now, and whether there was something to tell meanwhile.
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
    acknowledged_by: str | None = None
    verdict: Verdict | None = None
    judges: tuple[Judge, ...] = (Judge.RULES,)
    muted: bool = False
    owed: bool = False


class AlertBookState(msgspec.Struct, frozen=True):
    """A book as it stands in a snapshot."""

    endpoint: str
    incidents: list[Open]
    held: list[Held] = []
    mutes: list[MuteRule] = []
    resolved: list[str] = []
    at: int = 0


class AlertBook:
    """The incidents of one endpoint.

    Parameters
    ----------
    endpoint : str
        Whose.
    spans : AlertSpans
        Hold, keep-firing and repeat.

    Attributes
    ----------
    at : int
        Watermark it was last advanced to; 0 before any.
    """

    def __init__(self, endpoint: str, spans: AlertSpans) -> None:
        self._endpoint = endpoint
        self._spans = spans
        self.at = 0
        self._open: dict[Cause, Open] = {}
        self._held: dict[Cause, Held] = {}
        self._mutes: list[MuteRule] = []
        self._resolved: list[str] = []

    def advance(
        self,
        at: int,
        findings: Iterable[Finding],
        judged: _Judged,
        *,
        assumes_independence: bool,
    ) -> list[Action]:
        """Take in what rules and detectors said of the panes and windows that end at a time.

        Parameters
        ----------
        at : int
            That time; never less than before.
        findings : iterable of Finding
            Of all variants and versions: broken ones make an incident, unproven ones keep it from healing.
        judged : collection of (Cause, Judge)
            Causes there was enough data to judge, and by whom they were.
        assumes_independence : bool
            Whether a baseline without time had a part in it.

        Returns
        -------
        list of Action
            Each changed incident to index, and whom to tell.
        """
        broken: dict[Cause, list[Finding]] = {}
        doubted: set[tuple[Cause, Judge]] = set()
        for finding in findings:
            if finding.state is State.BROKEN:
                broken.setdefault(finding.cause, []).append(finding)
            elif finding.state is State.NOT_ENOUGH:
                # As large as trouble is, and not proven: no trouble yet, and no end of one either.
                doubted.add((finding.cause, finding.judge))
        judged = frozenset(judged) - doubted
        self.at = at
        self._mutes = [mute for mute in self._mutes if mute.until_at > at]
        actions: list[Action] = []
        for cause in Cause:
            mine = broken.get(cause, [])
            if self._holds_back(cause, at, mine, judged):
                continue
            incident = self._open.get(cause)
            if incident is None:
                if not mine:
                    continue
                since_at = min(f.since_at for f in mine)
                incident = self._open[cause] = Open(cause, since_at, active_at=at, until_at=at, judges=())
            if mine:
                actions += self._broken(incident, at, mine, assumes_independence=assumes_independence)
            elif _is_judged(cause, incident.judges, judged):
                actions += self._quiet(incident, at)
            if incident.state is not AlertState.RESOLVED:
                actions += self._unmute(incident, at)
                actions += self._repeat(incident, at)
        return actions

    def find(self, identity: str) -> Open | None:
        """The incident of this id that is pending or firing."""
        return next((incident for incident in self._open.values() if self._id(incident) == identity), None)

    def is_open(self, cause: Cause) -> bool:
        """Whether an incident of this cause is pending, firing, or held back."""
        return cause in self._open or cause in self._held

    def wrong_since(self, causes: Iterable[Cause]) -> int | None:
        """Since when, as is thought now, there is an incident of one of these causes; ``None``: there is none."""
        return min((self._open[cause].since_at for cause in causes if cause in self._open), default=None)

    def is_resolved(self, identity: str) -> bool:
        """Whether the incident of this id is over, and not for long."""
        return identity in self._resolved

    def acknowledge(self, incident: Open, by: str, at: int) -> list[Action]:
        """Tell of an open incident no more, unless it gets graver."""
        incident.acknowledged_by = by
        return self._changed(incident, at)

    def refute(self, incident: Open, at: int) -> list[Action]:
        """Resolve an open incident as a false alarm, and hold its cause back until it has a break."""
        self._held[incident.cause] = Held(incident.cause, incident.until_at, judges=incident.judges)
        return self._end(incident, at, Verdict.FALSE_ALARM)

    def accept(self, at: int, until_at: int) -> list[Action]:
        """Resolve an open drift, as it is the new normal from a time on; hold drift back until then."""
        incident = self._open.get(Cause.DRIFT)
        if incident is not None or Cause.DRIFT in self._held:
            self._held[Cause.DRIFT] = Held(Cause.DRIFT, at, until_at)
        return self._end(incident, at, Verdict.NEW_NORMAL) if incident is not None else []

    def mute(self, rule: MuteRule, at: int) -> list[Action] | None:
        """Tell nobody of some incidents until a time; one of the past lifts the mute of the same scope.

        Returns
        -------
        list of Action or None
            ``None`` when the time is past and there was no such mute.
        """
        others = [m for m in self._mutes if (m.cause, m.feature) != (rule.cause, rule.feature)]
        if rule.until_at <= at:
            if len(others) == len(self._mutes):
                return None
            # Those that still fire are told when their next window closes.
            self._mutes = others
            return []
        before = {cause: self._muted_until(incident) for cause, incident in self._open.items()}
        self._mutes = [*others, rule]
        actions: list[Action] = []
        for cause in (cause for cause in Cause if cause in before):
            incident = self._open[cause]
            if self._muted_until(incident) != before[cause]:
                incident.muted = True
                actions += self._changed(incident, at)
        return actions

    def _holds_back(self, cause: Cause, at: int, findings: list[Finding], judged: _Judged) -> bool:
        held = self._held.get(cause)
        if held is None:
            return False
        if held.opens_at is not None:
            if at > held.opens_at:
                del self._held[cause]
            return at <= held.opens_at
        if findings:
            held.until_at = max(held.until_at, *(f.until_at for f in findings))
            held.judges = _with(held.judges, findings)
        elif _is_judged(cause, held.judges, judged) and at - held.until_at >= self._spans.keep_firing * 1000:
            del self._held[cause]
        return True

    def _muted_until(self, incident: Open) -> int:
        return muted_until(self._mutes, incident.cause, [c.feature for c in incident.contributions])

    def _end(self, incident: Open, at: int, verdict: Verdict | None) -> list[Action]:
        was = incident.state
        del self._open[incident.cause]
        incident.state, incident.verdict = AlertState.RESOLVED, verdict
        self._resolved = [*self._resolved, self._id(incident)][-_REMEMBERED:]
        return self._changed(incident, at, "resolved" if was is AlertState.FIRING else None)

    def _broken(self, incident: Open, at: int, findings: list[Finding], *, assumes_independence: bool) -> list[Action]:
        incident.until_at = max(incident.until_at, *(f.until_at for f in findings))
        incident.judges = _with(incident.judges, findings)
        incident.assumes_independence |= assumes_independence
        before = incident.contributions
        incident.contributions = merged(before, findings)
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
        firing = incident.state is AlertState.FIRING
        if firing and at - incident.until_at < self._spans.keep_firing * 1000:
            return []
        return self._end(incident, at, None)

    def _unmute(self, incident: Open, at: int) -> list[Action]:
        was, incident.muted = incident.muted, self._muted_until(incident) > at
        if incident.state is not AlertState.FIRING or not was or incident.muted:
            return []
        if incident.notified_at == at or (incident.acknowledged_by is not None and not incident.owed):
            return self._changed(incident, at)
        first = not incident.notified_at
        return self._changed(incident, at, "firing" if first else "changed" if incident.owed else "repeat")

    def _repeat(self, incident: Open, at: int) -> list[Action]:
        due = self._spans.repeat and at - incident.notified_at >= self._spans.repeat * 1000
        silent = incident.muted or incident.acknowledged_by is not None
        return (
            self._changed(incident, at, "repeat") if incident.state is AlertState.FIRING and due and not silent else []
        )

    def _changed(self, incident: Open, at: int, why: Why | None = None) -> list[Action]:
        incident.revision += 1
        until_at = self._muted_until(incident)
        document = self._document(incident, at, until_at if until_at > at else None)
        actions: list[Action] = [Index(document)]
        if why is not None and until_at > at:
            incident.muted = incident.owed = True
        elif why is not None:
            incident.notified_at, incident.owed = at, False
            actions.append(Notify(hash_of(document.id, why, str(document.revision)), document, why))
        return actions

    def _fingerprint(self, incident: Open) -> Fingerprint:
        return Fingerprint(hash_of(self._endpoint, incident.cause))

    def _id(self, incident: Open) -> str:
        return hash_of(self._fingerprint(incident), str(incident.active_at))

    def _document(self, incident: Open, at: int, muted_until_at: int | None) -> Incident:
        resolved = incident.state is AlertState.RESOLVED
        document = Incident(
            id=self._id(incident),
            revision=incident.revision,
            fingerprint=self._fingerprint(incident),
            endpoint=self._endpoint,
            cause=incident.cause,
            state=incident.state,
            severity=incident.severity,
            opened=as_datetime(incident.active_at),
            since=as_datetime(incident.since_at),
            changed=as_datetime(at),
            until=as_datetime(incident.until_at) if resolved else None,
            contributions=tuple(incident.contributions),
            title=title_of(self._endpoint, incident.cause, incident.contributions),
            text="",
            assumes_independence=incident.assumes_independence,
            acknowledged_by=incident.acknowledged_by,
            verdict=incident.verdict,
            muted_until=None if muted_until_at is None else as_datetime(muted_until_at),
        )
        return msgspec.structs.replace(document, text=text_of(document))

    def to_state(self) -> AlertBookState:
        """Everything needed to go on as if never stopped."""
        incidents = [msgspec.structs.replace(self._open[cause]) for cause in Cause if cause in self._open]
        held = [msgspec.structs.replace(self._held[cause]) for cause in Cause if cause in self._held]
        return AlertBookState(self._endpoint, incidents, held, list(self._mutes), list(self._resolved), self.at)

    @classmethod
    def from_state(cls, state: AlertBookState, spans: AlertSpans) -> "AlertBook":
        """Book as it was."""
        book = cls(state.endpoint, spans)
        book._open = {incident.cause: msgspec.structs.replace(incident) for incident in state.incidents}
        book._held = {held.cause: msgspec.structs.replace(held) for held in state.held}
        book._mutes, book._resolved = list(state.mutes), list(state.resolved)
        book.at = state.at
        return book


def _is_judged(cause: Cause, judges: tuple[Judge, ...], judged: _Judged) -> bool:
    return all((cause, judge) in judged for judge in judges)


def _with(judges: tuple[Judge, ...], findings: list[Finding]) -> tuple[Judge, ...]:
    return tuple(judge for judge in Judge if judge in judges or any(f.judge is judge for f in findings))
