"""Decisions: what an operator made up their mind about, as records of a source of their own.

They are read in order, each takes effect once, where the windows of its endpoint stand then, and
leaves a document that says who decided what and what became of it.
"""

from collections.abc import Mapping
from typing import Annotated, Final, Literal, NamedTuple, assert_never

import msgspec

from streamer.core.audit import DecisionDocument, Effect
from streamer.core.baseline.model import Baseline
from streamer.core.cause import Cause
from streamer.core.endpoint import Endpoint
from streamer.core.errors import InvalidRecord, Reason
from streamer.core.eventtime import EARLIEST_AT, LATEST_AT, as_datetime
from streamer.core.identity import hash_of
from streamer.core.mutes import MuteRule
from streamer.core.tracks import AddedVersion
from streamer.core.types import Action, Index
from streamer.core.watermarks import BEGINNING

# One line of JSON is no longer.
LINE_BYTES: Final = 65_536

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
Text = Annotated[str, msgspec.Meta(max_length=2_000)]
Instant = Annotated[int, msgspec.Meta(ge=EARLIEST_AT, lt=LATEST_AT)]


class _Decision(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="decision"):
    """What every decision says.

    Attributes
    ----------
    format : int
        Version of these fields.
    id : str
        Tells it apart: taken once, however often it is read.
    made_at : int
        By the operator's clock, milliseconds since the epoch.
    by, note : str
        Who, and why.
    """

    format: Literal[1] = 1
    id: Name
    made_at: Instant
    by: Name
    note: Text = ""


class Acknowledge(_Decision, frozen=True, kw_only=True, tag="acknowledge"):
    """Somebody looks after an incident: it is told no more, unless it gets graver."""

    incident: Name


class FalseAlarm(_Decision, frozen=True, kw_only=True, tag="false-alarm"):
    """An incident is none: it is resolved, and its cause held back until the condition has a break."""

    incident: Name


class Mute(_Decision, frozen=True, kw_only=True, tag="mute"):
    """Nobody is told of an endpoint's incidents until a watermark.

    Attributes
    ----------
    endpoint : str
        Whose.
    cause : Cause or None
        Only of this kind.
    feature : str or None
        Only while no other feature has a part in it.
    until_at : int
        Milliseconds since the epoch; a time that is over lifts the mute of the same scope.
    """

    endpoint: Name
    cause: Cause | None = None
    feature: Name | None = None
    until_at: Instant


class Accept(_Decision, frozen=True, kw_only=True, tag="accept"):
    """An endpoint's traffic is the new normal: from a window's start on, a new baseline is learned from it."""

    endpoint: Name
    from_at: Instant


class AddVersion(_Decision, frozen=True, kw_only=True, tag="add-version"):
    """A model version answers from a window's start on.

    Attributes
    ----------
    endpoint : str
        Where.
    version : str
        Its name.
    from_at : int
        When it took over; it begins with the first window at or after this that has no record yet.
    baseline : str
        Path of its own baseline; empty: the endpoint's.
    baseline_id : str
        Id of what was there when the decision was made.
    """

    endpoint: Name
    version: Name
    from_at: Instant
    baseline: Text = ""
    baseline_id: Text = ""


Decision = Acknowledge | FalseAlarm | Mute | Accept | AddVersion
_DECODER: Final[msgspec.json.Decoder[Decision]] = msgspec.json.Decoder(Decision)


def encode_decision(decision: Decision) -> bytes:
    """One line of JSON, without a newline."""
    return msgspec.json.encode(decision)


def decode_decision(line: bytes) -> Decision:
    """Read a decision.

    Raises
    ------
    InvalidRecord
        Too long, not JSON, or not a decision this version knows.
    """
    if len(line) > LINE_BYTES:
        raise InvalidRecord(Reason.RECORD_TOO_LARGE)
    try:
        return _DECODER.decode(line)
    except msgspec.ValidationError as error:
        raise InvalidRecord(Reason.BAD_LAYOUT) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRecord(Reason.NOT_JSON) from error


class _Outcome(NamedTuple):
    effect: Effect
    actions: list[Action]
    begins_at: int | None = None


def endpoint_of(decision: Decision, endpoints: Mapping[str, Endpoint]) -> str:
    """Name of the endpoint a decision is about; empty where no endpoint knows of its incident."""
    if not isinstance(decision, Acknowledge | FalseAlarm):
        return decision.endpoint
    books = ((name, endpoint.book) for name, endpoint in endpoints.items())
    found = (n for n, book in books if book.find(decision.incident) is not None or book.is_resolved(decision.incident))
    return next(found, "")


def apply(decision: Decision, endpoint: Endpoint | None, at: int, baseline: Baseline | None) -> list[Action]:
    """Let a decision take effect.

    Parameters
    ----------
    decision : Decision
        As it was read.
    endpoint : Endpoint or None
        The one it is about, as ``endpoint_of`` says; ``None``: not watched.
    at : int
        The watermark; ``BEGINNING`` before any record.
    baseline : Baseline or None
        What is at the path an ``AddVersion`` names; ``None``: nothing that can be read.

    Returns
    -------
    list of Action
        Incidents that changed, whom to tell, and the decision's own document.
    """
    if isinstance(decision, Acknowledge | FalseAlarm):
        outcome = _on_incident(decision, endpoint)
    elif endpoint is None:
        outcome = _Outcome(Effect.NO_ENDPOINT, [])
    elif isinstance(decision, Mute):
        rule = MuteRule(decision.cause, decision.feature, decision.until_at)
        muted = endpoint.book.mute(rule, endpoint.decided_at)
        outcome = _Outcome(Effect.OVER, []) if muted is None else _Outcome(Effect.APPLIED, muted)
    elif isinstance(decision, Accept):
        outcome = _accepted(decision, endpoint, at)
    elif isinstance(decision, AddVersion):
        outcome = _added(decision, endpoint, at, baseline)
    else:
        assert_never(decision)
    return [*outcome.actions, Index(_document(decision, endpoint, at, outcome))]


def _on_incident(decision: Acknowledge | FalseAlarm, endpoint: Endpoint | None) -> _Outcome:
    incident = endpoint.book.find(decision.incident) if endpoint is not None else None
    if endpoint is None or incident is None:
        return _Outcome(Effect.NO_INCIDENT if endpoint is None else Effect.RESOLVED, [])
    if isinstance(decision, Acknowledge):
        return _Outcome(Effect.APPLIED, endpoint.book.acknowledge(incident, decision.by, endpoint.decided_at))
    # No model is to be trained because of it, and none of its data is left out.
    retraining = endpoint.retraining.state
    retraining.open.pop(incident.cause, None)
    if incident.cause is Cause.DRIFT:
        retraining.drift = None
    return _Outcome(Effect.APPLIED, endpoint.book.refute(incident, endpoint.decided_at))


def _accepted(decision: Accept, endpoint: Endpoint, at: int) -> _Outcome:
    begins_at = endpoint.tracks.boundary(max(decision.from_at, endpoint.closed_at, at))
    endpoint.tracks.accept(begins_at)
    endpoint.retraining.state.drift = None
    return _Outcome(Effect.APPLIED, endpoint.book.accept(endpoint.decided_at, begins_at), begins_at)


def _added(decision: AddVersion, endpoint: Endpoint, at: int, baseline: Baseline | None) -> _Outcome:
    tracks = endpoint.tracks
    seen = {version.id for version in tracks.versions} | {track.key.version for track in tracks.values()}
    if decision.version in seen:
        return _Outcome(Effect.KNOWN, [])
    own = baseline if decision.baseline else None
    if decision.baseline and (own is None or decision.baseline_id not in ("", own.id)):
        return _Outcome(Effect.NO_BASELINE, [])
    begins_at = tracks.boundary(max(decision.from_at, endpoint.closed_at, at))
    tracks.add(AddedVersion(decision.version, begins_at, own))
    return _Outcome(Effect.APPLIED, [], begins_at)


def _document(decision: Decision, endpoint: Endpoint | None, at: int, outcome: _Outcome) -> DecisionDocument:
    mute = decision if isinstance(decision, Mute) else None
    added = decision if isinstance(decision, AddVersion) else None
    about, named = (
        (decision.incident, "") if isinstance(decision, Acknowledge | FalseAlarm) else ("", decision.endpoint)
    )
    return DecisionDocument(
        id=hash_of("decision", decision.id),
        decision=str(type(decision).__struct_config__.tag),
        by=decision.by,
        note=decision.note,
        made=as_datetime(decision.made_at),
        taken=None if at == BEGINNING else as_datetime(at),
        effect=outcome.effect,
        endpoint=endpoint.name if endpoint is not None else named,
        incident=about,
        cause=mute.cause if mute is not None else None,
        feature=mute.feature if mute is not None else None,
        until=as_datetime(mute.until_at) if mute is not None else None,
        begins=None if outcome.begins_at is None else as_datetime(outcome.begins_at),
        model_version=added.version if added is not None else "",
        baseline=added.baseline_id if added is not None else "",
    )
