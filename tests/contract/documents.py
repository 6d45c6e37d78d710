"""Builders and strategies of what sinks are given."""

from typing import Literal

from hypothesis import strategies as st

from streamer.core.errors import Reason
from streamer.core.eventtime import as_datetime
from streamer.core.incident import AlertState, Fingerprint, Incident, Severity
from streamer.core.schema import Kind, Side
from streamer.core.types import (
    Action,
    Cause,
    DeadLetter,
    EndpointDocument,
    FeatureDocument,
    Index,
    Notify,
    OperationsDocument,
    Reject,
    Retrain,
    RetrainingReason,
    RetrainingRequest,
    State,
)
from tests.strategies import START

WINDOW = 300_000


def feature(
    identity: str = "f", revision: int = 1, *, at: int = START, endpoint: str = "churn", name: str = "age"
) -> Index:
    return Index(
        FeatureDocument(
            id=identity,
            revision=revision,
            endpoint=endpoint,
            variant="AllTraffic",
            model_version="7",
            baseline="b1",
            window_start=as_datetime(at),
            window_end=as_datetime(at + WINDOW),
            feature=name,
            side=Side.INPUT,
            feature_kind=Kind.NUMERIC,
            state=State.OK,
            rows=revision,
        )
    )


def window(identity: str = "w", revision: int = 1, *, at: int = START, endpoint: str = "churn") -> Index:
    return Index(
        EndpointDocument(
            id=identity,
            revision=revision,
            endpoint=endpoint,
            variant="AllTraffic",
            model_version="7",
            baseline="b1",
            window_start=as_datetime(at),
            window_end=as_datetime(at + WINDOW),
            state=State.OK,
            complete=True,
            records=revision,
            rows=revision,
            invalid=0,
            partial=0,
            late=0,
            duplicates=0,
        )
    )


def incident(
    identity: str = "i",
    revision: int = 1,
    *,
    at: int = START,
    endpoint: str = "churn",
    state: AlertState = AlertState.FIRING,
    title: str = "churn: drift in age",
    severity: Severity = Severity.WARNING,
) -> Incident:
    resolved = state is AlertState.RESOLVED
    return Incident(
        id=identity,
        revision=revision,
        fingerprint=Fingerprint("fp"),
        endpoint=endpoint,
        cause=Cause.DRIFT,
        state=state,
        severity=severity,
        opened=as_datetime(at),
        since=as_datetime(at),
        changed=as_datetime(at + WINDOW * revision),
        until=as_datetime(at + WINDOW * revision) if resolved else None,
        title=title,
        text=title,
    )


def operations(identity: str = "o", *, at: int = START) -> OperationsDocument:
    return OperationsDocument(
        id=identity,
        instance="pod-1",
        noted=as_datetime(at),
        watermark=as_datetime(at - WINDOW),
        endpoints=1,
        shards=2,
        lag_seconds=0.5,
        records=100,
        rows=120,
        invalid=1,
        late=2,
        outbox_bytes=3,
        snapshot_age_seconds=4.0,
    )


def notify(
    identity: str = "n",
    about: Incident | None = None,
    why: Literal["firing", "changed", "repeat", "resolved"] = "firing",
) -> Notify:
    return Notify(identity, about or incident(), why)


def reject(identity: str = "d", *, endpoint: str = "churn") -> Reject:
    return Reject(
        DeadLetter(
            id=identity,
            shard="files",
            position="a.jsonl:7",
            reason=Reason.NOT_JSON,
            sha256="0" * 64,
            size_bytes=3,
            endpoint=endpoint,
        )
    )


def retrain(identity: str = "r") -> Retrain:
    return Retrain(
        RetrainingRequest(
            id=identity,
            endpoint="churn",
            variant="AllTraffic",
            model_version="7",
            baseline="b1",
            reason=RetrainingReason.SCHEDULE,
            words="every week",
            requested=as_datetime(START),
        )
    )


_letters = st.sampled_from("abc")
_revisions = st.integers(1, 4)
# Few ids and revisions, so that they repeat and come in any order.
actions: st.SearchStrategy[Action] = st.one_of(
    st.builds(lambda i, r: feature(f"f{i}", r), _letters, _revisions),
    st.builds(lambda i, r: window(f"w{i}", r), _letters, _revisions),
    st.builds(lambda i, r: Index(incident(f"i{i}", r)), _letters, _revisions),
    st.builds(lambda i, r: notify(f"n{i}{r}", incident(f"i{i}", r)), _letters, _revisions),
    st.builds(lambda i: Index(operations(f"o{i}")), _letters),
    st.builds(lambda i: reject(f"d{i}"), _letters),
    st.builds(lambda i: retrain(f"r{i}"), _letters),
)
deliveries = st.lists(st.lists(actions, max_size=8), max_size=6)
