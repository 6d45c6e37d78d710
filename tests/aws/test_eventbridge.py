import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from streamer.adapters.aws import Aws
from streamer.adapters.eventbridge import ALERT, RETRAINING, EventBridgeSink
from streamer.core.documents import encode, encode_notification
from streamer.core.errors import Denied, Refused, Retryable, SinkError, Throttled, Unavailable
from streamer.core.types import Action, Index
from tests.aws.conftest import Queue, Scripted, make_queue, notify, retrain, validate

Answer = Callable[[Sequence[Mapping[str, Any]]], dict[str, Any]]


def failed(codes: Mapping[int, str]) -> Answer:
    def answer(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        answers = [
            {"ErrorCode": codes[i], "ErrorMessage": "why"} if i in codes else {"EventId": f"e{i}"}
            for i in range(len(entries))
        ]
        return {"FailedEntryCount": len(codes), "Entries": answers}

    return answer


accepted = failed({})


def error(code: str, status: int) -> ClientError:
    meta: Any = {"HTTPStatusCode": status}
    return ClientError({"Error": {"Code": code, "Message": "why"}, "ResponseMetadata": meta}, "PutEvents")


def ids(client: Scripted) -> list[list[str]]:
    return [[json.loads(entry["Detail"])["id"] for entry in call] for call in client.calls]


async def routed(aws: Aws, bus: str, pattern: Mapping[str, Any]) -> Queue:
    """A queue that gets the events of a bus that fit a pattern."""
    events, queue = await aws.client("events"), await make_queue(aws, f"queue-{bus}")
    await events.create_event_bus(Name=bus)
    await events.put_rule(Name="rule", EventBusName=bus, EventPattern=json.dumps(pattern))
    await events.put_targets(Rule="rule", EventBusName=bus, Targets=[{"Id": "queue", "Arn": queue.arn}])
    return queue


async def test_a_retraining_request_reaches_a_rule_and_its_target(aws: Aws) -> None:
    queue = await routed(aws, "requests", {"source": ["streamer"], "detail-type": [RETRAINING]})
    await EventBridgeSink(await aws.client("events"), "requests").deliver([notify(), retrain()])
    [event] = map(json.loads, await queue.received())
    assert event["detail"] == json.loads(encode(retrain().request))
    assert (event["source"], event["detail-type"], event["resources"]) == ("streamer", RETRAINING, [])
    validate(event["detail"])


async def test_a_rule_can_choose_alerts_by_what_is_in_them(aws: Aws) -> None:
    pattern = {"detail-type": [ALERT], "detail": {"incident": {"severity": ["warning"], "cause": ["drift"]}}}
    queue = await routed(aws, "alerts", pattern)
    await EventBridgeSink(await aws.client("events"), "alerts").deliver([notify(), retrain()])
    [event] = map(json.loads, await queue.received())
    assert event["detail"] == json.loads(encode_notification(notify()))
    validate(event["detail"])


async def test_an_event_is_of_the_time_at_which_it_was_decided() -> None:
    client = Scripted(accepted)
    await EventBridgeSink(client, "default").deliver([notify(), retrain()])
    times: list[datetime] = [entry["Time"] for entry in client.calls[0]]
    assert times == [notify().incident.changed, retrain().request.requested]


async def test_a_repetition_is_equal_in_all() -> None:
    client = Scripted(accepted, accepted)
    sink = EventBridgeSink(client, "default")
    await sink.deliver([notify(), retrain()])
    await sink.deliver([notify(), retrain()])
    assert client.calls[0] == client.calls[1]


async def test_only_what_is_wanted_is_put() -> None:
    client = Scripted(accepted, accepted)
    actions: list[Action] = [notify(), retrain(), Index(notify().incident)]
    await EventBridgeSink(client, "default", retraining=False).deliver(actions)
    await EventBridgeSink(client, "default", alerts=False).deliver(actions)
    assert ids(client) == [["n1"], ["r1"]]


async def test_ten_events_go_in_one_call() -> None:
    client = Scripted(accepted, accepted, accepted)
    await EventBridgeSink(client, "default").deliver([notify(f"n{i}") for i in range(25)])
    assert [len(call) for call in client.calls] == [10, 10, 5]


async def test_a_call_stays_within_its_bytes() -> None:
    client = Scripted(*[accepted] * 4)
    several = [notify(f"n{i}", features=[f"feature-{j}" for j in range(count)]) for i, count in enumerate([3000, 9, 9])]
    await EventBridgeSink(client, "default").deliver(several)
    counted = [
        sum(14 + len(e["Source"] + e["DetailType"]) + len(e["Detail"].encode()) for e in c) for c in client.calls
    ]
    assert max(counted) <= 256_000
    assert [i for call in ids(client) for i in call] == ["n0", "n1", "n2"]


async def test_an_alert_that_would_be_too_long_says_how_many_contributions_it_leaves_out() -> None:
    client = Scripted(accepted)
    await EventBridgeSink(client, "default").deliver([notify(features=[f"feature-{j}" for j in range(3000)])])
    detail = json.loads(client.calls[0][0]["Detail"])
    assert len(detail["incident"]["contributions"]) + detail["contributions_left_out"] == 3000
    validate(detail)


@pytest.mark.parametrize(
    "code", ["ThrottlingException", "InternalFailure", "InternalException", "AccessDeniedException"]
)
async def test_of_a_call_that_failed_in_part_only_the_rest_is_repeated(code: str) -> None:
    client = Scripted(failed({1: code}), accepted)
    sink = EventBridgeSink(client, "default")
    actions: list[Action] = [notify("a"), notify("b"), retrain()]
    with pytest.raises(Retryable, match=code):
        await sink.deliver(actions)
    await sink.deliver(actions)
    assert ids(client) == [["a", "b", "r1"], ["b"]]


@pytest.mark.parametrize("code", ["MalformedDetail", "InvalidArgument", "InvalidAccountIdException", "SomethingNew"])
async def test_an_event_that_is_never_taken_is_named_and_the_others_are_put(code: str) -> None:
    client = Scripted(failed({0: code}))
    with pytest.raises(Refused, match=code) as refusal:
        await EventBridgeSink(client, "default").deliver([notify("a"), notify("b")])
    assert refusal.value.ids == ("a",)


async def test_refused_and_left_in_one_call_each_get_what_is_theirs() -> None:
    client = Scripted(failed({0: "MalformedDetail", 1: "InternalFailure"}), accepted)
    sink = EventBridgeSink(client, "default")
    actions = [notify("a"), notify("b"), notify("c")]
    with pytest.raises(Unavailable):
        await sink.deliver(actions)
    with pytest.raises(Refused) as refusal:
        await sink.deliver(actions)
    assert (refusal.value.ids, ids(client)) == (("a",), [["a", "b", "c"], ["b"]])


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (error("ThrottlingException", 400), Throttled),
        (error("InternalException", 500), Unavailable),
        (error("AccessDeniedException", 400), Denied),
        (ReadTimeoutError(endpoint_url="http://127.0.0.1"), Unavailable),
        ({"FailedEntryCount": 0, "Entries": []}, Unavailable),
        ({}, Unavailable),
    ],
    ids=[
        "the bus is throttled",
        "EventBridge has a fault",
        "no permission",
        "no answer in time",
        "an answer to none of them",
        "an empty answer",
    ],
)
async def test_when_a_whole_call_fails_all_of_it_is_repeated(answer: Any, expected: type[Retryable]) -> None:
    client = Scripted(answer, accepted)
    sink = EventBridgeSink(client, "default")
    with pytest.raises(expected):
        await sink.deliver([notify("a"), notify("b")])
    await sink.deliver([notify("a"), notify("b")])
    assert ids(client) == [["a", "b"], ["a", "b"]]


async def test_a_call_that_is_refused_is_taken_apart() -> None:
    client = Scripted(error("ValidationException", 400), accepted, error("ValidationException", 400))
    with pytest.raises(Refused) as refusal:
        await EventBridgeSink(client, "default").deliver([notify("a"), notify("b")])
    assert (refusal.value.ids, ids(client)) == (("b",), [["a", "b"], ["a"], ["b"]])


@pytest.mark.parametrize("source", ["", "aws.sagemaker"])
def test_a_reserved_source_is_refused_at_the_start(source: str) -> None:
    with pytest.raises(SinkError, match="expected a source"):
        EventBridgeSink(Scripted(), "default", source=source)


async def test_commit_and_close_leave_the_client_to_its_owner() -> None:
    client = Scripted(accepted)
    sink = EventBridgeSink(client, "default")
    await sink.commit()
    await sink.close()
    await sink.deliver([notify()])
    assert len(client.calls) == 1


def test_two_sinks_of_one_service_are_told_apart_by_their_names() -> None:
    alerts = EventBridgeSink(Scripted(), "alerts", retraining=False)
    requests = EventBridgeSink(Scripted(), "requests", alerts=False, name="eventbridge-retraining")
    assert [alerts.name, requests.name] == ["eventbridge", "eventbridge-retraining"]
