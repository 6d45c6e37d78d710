import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.errors import Reason, StateError
from streamer.core.eventtime import as_datetime
from streamer.core.incident import AlertState, Fingerprint, Incident, Severity
from streamer.core.outbox import Outbox, decode_actions, encode_actions
from streamer.core.types import (
    Action,
    Cause,
    DeadLetter,
    EndpointDocument,
    Index,
    Notify,
    Reject,
    Retrain,
    RetrainingReason,
    RetrainingRequest,
    State,
)

AT = as_datetime(1_767_571_200_000)
INCIDENT = Incident(
    id="i", revision=1, fingerprint=Fingerprint("f"), endpoint="e", cause=Cause.DRIFT, state=AlertState.FIRING,
    severity=Severity.WARNING, opened=AT, since=AT, changed=AT, title="t", text="a\nb",
)  # fmt: skip
WINDOW = EndpointDocument(
    id="w", revision=3, endpoint="e", variant="v", model_version="1", baseline="b", window_start=AT, window_end=AT,
    state=State.OK, complete=True, records=1, rows=1, invalid=0, partial=0, late=0, duplicates=0,
)  # fmt: skip
REQUEST = RetrainingRequest(
    id="r", endpoint="e", variant="v", model_version="1", baseline="b", reason=RetrainingReason.SCHEDULE, words="w",
    requested=AT,
)  # fmt: skip


def letter(n: int) -> Reject:
    return Reject(DeadLetter(id=str(n), shard="s", position=str(n), reason=Reason.LATE, sha256="0", size_bytes=n))


ALL: list[Action] = [Index(WINDOW), Index(INCIDENT), Notify("n", INCIDENT, "firing"), letter(1), Retrain(REQUEST)]


def test_actions_of_every_kind_survive_being_written_down() -> None:
    assert decode_actions(encode_actions(ALL)) == ALL
    assert decode_actions(b"") == []


@pytest.mark.parametrize("data", [b"{", b'{"kind":"foreign"}', b"\xff", b"[" * 5000])
def test_what_is_no_segment_is_refused(data: bytes) -> None:
    with pytest.raises(StateError):
        decode_actions(data)


def test_nothing_may_be_published_before_its_snapshot_is_durable() -> None:
    outbox = Outbox(["a"])
    outbox.add(ALL)
    assert outbox.pending("a") is None
    chunks = outbox.seal()
    assert outbox.pending("a") is None
    outbox.commit(chunks)
    segment = outbox.pending("a")
    assert segment is not None
    assert list(segment.actions) == ALL


def test_a_segment_goes_when_every_sink_has_it_and_not_before() -> None:
    outbox = Outbox(["a", "b"])
    outbox.add(ALL)
    outbox.commit(outbox.seal())
    outbox.acknowledge("a", 1)
    assert list(outbox.seal()) == ["outbox/000000000001"]
    assert outbox.pending("a") is None
    outbox.acknowledge("b", 1)
    assert outbox.seal() == {}
    assert outbox.is_empty


def test_what_is_decided_while_a_snapshot_is_written_waits_for_the_next() -> None:
    outbox = Outbox(["a"])
    outbox.add(ALL[:1])
    chunks = outbox.seal()
    outbox.add(ALL[1:2])
    outbox.commit(chunks)
    segment = outbox.pending("a")
    assert segment is not None
    assert list(segment.actions) == ALL[:1]
    assert len(outbox.seal()) == 2


def test_it_is_full_at_its_limit_and_free_when_sinks_took_some() -> None:
    outbox = Outbox(["a"], limit_bytes=2_000)
    outbox.add([letter(n) for n in range(20)])
    assert outbox.is_full
    outbox.commit(outbox.seal())
    outbox.acknowledge("a", 1)
    assert not outbox.is_full


def test_restored_it_publishes_everything_again_under_new_numbers_for_what_is_new() -> None:
    outbox = Outbox(["a", "b"])
    outbox.add(ALL)
    chunks = outbox.seal()
    outbox.commit(chunks)
    outbox.acknowledge("a", 1)
    restored = Outbox.restore(["a", "b"], chunks, outbox.next_number)
    assert [restored.pending(sink) is not None for sink in ("a", "b")] == [True, True]
    restored.add(ALL)
    assert list(restored.seal()) == ["outbox/000000000001", "outbox/000000000002"]


def test_without_a_sink_nothing_is_kept() -> None:
    outbox = Outbox([])
    outbox.add(ALL)
    outbox.commit(outbox.seal())
    assert outbox.is_empty


steps = st.lists(st.sampled_from(["add", "seal", "commit", "take a", "take b", "crash"]), max_size=60)


@given(steps)
def test_whatever_is_killed_when_every_durable_action_reaches_every_sink_in_order(played: list[str]) -> None:
    outbox, made = Outbox(["a", "b"]), 0
    sealed: dict[str, bytes] = {}
    durable: dict[str, bytes] = {}
    durable_next = 1
    seen: dict[str, list[str]] = {"a": [], "b": []}

    def take(sink: str) -> bool:
        segment = outbox.pending(sink)
        if segment is None:
            return False
        seen[sink] += [a.letter.id for a in segment.actions if isinstance(a, Reject)]
        outbox.acknowledge(sink, segment.number)
        return True

    for step in played:
        match step:
            case "add":
                made += 1
                outbox.add([letter(made)])
            case "seal":
                sealed, sealed_next = outbox.seal(), outbox.next_number
            case "commit":
                if sealed:
                    durable, durable_next = sealed, sealed_next
                outbox.commit(sealed)
            case "crash":
                outbox = Outbox.restore(["a", "b"], durable, durable_next)
                sealed = durable
            case _:
                take(step.removeprefix("take "))
    outbox.commit(outbox.seal())
    for sink in ("a", "b"):
        while take(sink):
            pass
        firsts = list(dict.fromkeys(map(int, seen[sink])))
        assert firsts == sorted(firsts)
    assert seen["a"][-1:] == seen["b"][-1:]
    assert msgspec.json.encode(outbox.is_empty) == b"true"
