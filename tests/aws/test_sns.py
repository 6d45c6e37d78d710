import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.adapters.aws import AccessKeys, Aws, AwsConfig
from streamer.adapters.sns import SnsSink, region_of
from streamer.core.documents import encode, encode_notification
from streamer.core.errors import Absent, Denied, Refused, SinkError, Throttled, Unavailable
from streamer.core.incident import Severity
from streamer.core.types import Action, Index, Retrain, Why
from tests.aws.conftest import Queue, Scripted, make_queue, notify, parsed, retrain, validate

ARN = "arn:aws:sns:eu-west-1:123456789012:model-alerts"


def lambda_handler(records: Mapping[str, Any]) -> list[tuple[str, str]]:
    """A function subscribed to the topic, as somebody else would write it."""
    told = [json.loads(record["Sns"]["Message"].rsplit("\n", 1)[-1]) for record in records["Records"]]
    return [(one["id"], one["incident"]["title"]) for one in told]


def accepted(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {"Successful": [{"Id": e["Id"], "MessageId": "m"} for e in entries], "Failed": []}


def failed(code: str, *ids: str, theirs: bool = True) -> Any:
    def answer(entries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        return {
            "Successful": [{"Id": e["Id"], "MessageId": "m"} for e in entries if e["Id"] not in ids],
            "Failed": [{"Id": i, "Code": code, "Message": "why", "SenderFault": not theirs} for i in ids],
        }

    return answer


def error(code: str, status: int, headers: Mapping[str, str] | None = None) -> ClientError:
    meta: Any = {"HTTPStatusCode": status, "HTTPHeaders": headers or {}}
    return ClientError({"Error": {"Code": code, "Message": "why"}, "ResponseMetadata": meta}, "PublishBatch")


async def subscribed(aws: Aws, name: str, *policy: Mapping[str, Any], raw: bool = True) -> tuple[str, list[Queue]]:
    """A topic, and a queue for each filter policy."""
    sns = await aws.client("sns")
    fifo = name.endswith(".fifo")
    topic = (await sns.create_topic(Name=name, Attributes={"FifoTopic": "true"} if fifo else {}))["TopicArn"]
    queues = []
    for i, one in enumerate(policy):
        queue = await make_queue(aws, f"{name.removesuffix('.fifo')}-{i}{'.fifo' if fifo else ''}")
        attributes = {"RawMessageDelivery": "true" if raw else "false"}
        if one:
            attributes["FilterPolicy"] = json.dumps(one)
        await sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue.arn, Attributes=attributes)
        queues.append(queue)
    return topic, queues


async def test_an_alert_arrives_with_words_for_people_and_json_for_programs(aws: Aws) -> None:
    topic, [queue] = await subscribed(aws, "arrives", {})
    await SnsSink(await aws.client("sns"), topic).deliver([notify()])
    [message] = await queue.received()
    words, _, line = message.rpartition("\n\n")
    assert words == notify().incident.text
    assert line.encode() == encode_notification(notify())
    validate(parsed(message))


async def test_a_lambda_function_parses_what_it_gets(aws: Aws) -> None:
    topic, [queue] = await subscribed(aws, "parsed", {}, raw=False)
    await SnsSink(await aws.client("sns"), topic).deliver([notify()])
    [envelope] = await queue.received()
    assert lambda_handler({"Records": [{"Sns": json.loads(envelope)}]}) == [("n1", "flights: drift in temp")]


async def test_subscribers_choose_by_attributes(aws: Aws) -> None:
    policies: list[dict[str, Any]] = [
        {"severity": ["critical"]},
        {"cause": ["drift"], "why": [{"anything-but": ["repeat"]}]},
        {"kind": ["retraining"]},
        {"endpoint": ["another"]},
    ]
    topic, queues = await subscribed(aws, "chosen", *policies)
    sink = SnsSink(await aws.client("sns"), topic, retraining=True)
    await sink.deliver([notify("a"), notify("b", severity=Severity.CRITICAL, why="repeat"), retrain()])
    assert [[parsed(m)["id"] for m in await queue.received()] for queue in queues] == [["b"], ["a"], ["r1"], []]


async def test_a_fifo_topic_gets_each_notification_once_and_in_order(aws: Aws) -> None:
    topic, [queue] = await subscribed(aws, "once.fifo", {})
    whys: list[Why] = ["firing", "changed", "repeat", "resolved"]
    several = [notify(why, why=why) for why in whys]
    sink = SnsSink(await aws.client("sns"), topic)
    await sink.deliver(several)
    await sink.deliver(several)
    assert [parsed(m)["id"] for m in await queue.received()] == whys


async def test_twenty_five_alerts_all_arrive(aws: Aws) -> None:
    topic, [queue] = await subscribed(aws, "many", {})
    await SnsSink(await aws.client("sns"), topic).deliver([notify(f"n{i}") for i in range(25)])
    assert sorted(parsed(m)["id"] for m in await queue.received()) == sorted(f"n{i}" for i in range(25))


async def test_a_missing_topic_waits_for_a_person(aws: Aws) -> None:
    with pytest.raises(Absent, match="NotFound"):
        await SnsSink(await aws.client("sns"), f"{ARN}-missing").deliver([notify()])


async def test_a_retraining_request_keeps_to_the_published_schema() -> None:
    client = Scripted(accepted)
    await SnsSink(client, ARN, retraining=True).deliver([retrain()])
    [[entry]] = client.calls
    validate(parsed(entry["Message"]))
    assert entry["Message"].endswith(encode(retrain().request).decode())


async def test_a_retraining_request_tells_a_person_which_data_are_new() -> None:
    client = Scripted(accepted, accepted)
    bare = Retrain(msgspec.structs.replace(retrain().request, new=None, model_version=""))
    for action in (retrain(), bare):
        await SnsSink(client, ARN, retraining=True).deliver([action])
    words = [call[0]["Message"].rpartition("\n\n")[0].split("\n")[1:] for call in client.calls]
    assert words == [
        ["model version 7, variant AllTraffic", "new data: 14 Jun 2025 15:06 UTC to 15 Jun 2025 15:06 UTC"],
        ["model version not known, variant AllTraffic"],
    ]


async def test_only_what_is_wanted_is_published() -> None:
    client = Scripted(accepted, accepted)
    actions: list[Action] = [notify(), retrain(), Index(notify().incident)]
    await SnsSink(client, ARN).deliver(actions)
    await SnsSink(client, ARN, alerts=False, retraining=True).deliver(actions)
    assert [[parsed(e["Message"])["id"] for e in call] for call in client.calls] == [["n1"], ["r1"]]


async def test_the_subject_says_how_it_stands_and_what_it_is() -> None:
    client = Scripted(accepted)
    whys: list[Why] = ["firing", "changed", "repeat", "resolved"]
    await SnsSink(client, ARN).deliver([notify(why, why=why) for why in whys])
    assert [e["Subject"] for e in client.calls[0]] == [
        "Firing (warning): flights: drift in temp",
        "Changed (warning): flights: drift in temp",
        "Still firing (warning): flights: drift in temp",
        "Resolved (warning): flights: drift in temp",
    ]


@settings(deadline=None)
@given(title=st.text(max_size=300))
def test_every_subject_is_one_short_line_of_ascii(title: str) -> None:
    client = Scripted(accepted)
    asyncio.run(SnsSink(client, ARN).deliver([notify(title=title)]))
    subject = client.calls[0][0]["Subject"]
    assert len(subject) < 100
    assert subject.isascii()
    assert subject.isprintable()


@settings(deadline=None)
@given(title=st.text(max_size=50), feature=st.text(max_size=50))
def test_the_last_line_is_json_whatever_the_names_are(title: str, feature: str) -> None:
    client = Scripted(accepted)
    asyncio.run(SnsSink(client, ARN).deliver([notify(title=title, features=[feature])]))
    message = client.calls[0][0]["Message"]
    found = json.loads(message.splitlines()[-1])
    assert found == parsed(message)
    assert (found["incident"]["title"], found["incident"]["contributions"][0]["feature"]) == (title, feature)


@settings(deadline=None)
@given(st.integers(0, 3000), st.sampled_from([20_000, 262_144]))
def test_a_message_that_would_be_too_long_leaves_out_the_lightest_and_says_how_many(count: int, most: int) -> None:
    client = Scripted(accepted)
    big = notify(features=[f"feature-{i}" for i in range(count)])
    asyncio.run(SnsSink(client, ARN, most_bytes=most).deliver([big]))
    [entry] = client.calls[0]
    attributes = entry["MessageAttributes"].items()
    size = len(entry["Message"].encode()) + sum(len(n) + len(a["DataType"] + a["StringValue"]) for n, a in attributes)
    assert size <= most
    found = parsed(entry["Message"])
    listed = [c["feature"] for c in found["incident"]["contributions"]]
    assert listed == [f"feature-{i}" for i in range(count - found.get("contributions_left_out", 0))]
    assert count < 1 or listed


async def test_several_long_messages_go_in_several_calls() -> None:
    client = Scripted(accepted, accepted, accepted)
    several = [notify(f"n{i}", features=[f"feature-{j}" for j in range(400)]) for i in range(3)]
    await SnsSink(client, ARN).deliver(several)
    sizes = [sum(len(e["Message"].encode()) for e in call) for call in client.calls]
    assert max(sizes) <= 262_144
    assert sum(map(len, client.calls)) == 3


async def test_a_fifo_message_has_its_group_and_the_actions_id() -> None:
    client = Scripted(accepted)
    await SnsSink(client, f"{ARN}.fifo").deliver([notify("n1", fingerprint="fp")])
    [[entry]] = client.calls
    assert (entry["MessageGroupId"], entry["MessageDeduplicationId"]) == ("fp", "n1")


async def test_a_repetition_has_the_same_bytes() -> None:
    client = Scripted(accepted, accepted)
    sink = SnsSink(client, ARN, retraining=True)
    await sink.deliver([notify(), retrain()])
    await sink.deliver([notify(), retrain()])
    assert client.calls[0] == client.calls[1]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (error("Throttled", 429), Throttled),
        (error("InternalError", 500), Unavailable),
        (error("AuthorizationError", 403), Denied),
        (error("KMSDisabled", 400), Denied),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), Unavailable),
        (TimeoutError(), Unavailable),
        (ConnectionResetError(), Unavailable),
        ({}, Unavailable),
        (failed("InternalError", "0"), Unavailable),
        (failed("Throttled", "0"), Throttled),
        (failed("SomethingNew", "0"), Unavailable),
    ],
    ids=[
        "the topic is throttled",
        "SNS has a fault",
        "no permission",
        "the topic's key is disabled",
        "nobody listens",
        "no answer in time",
        "the connection breaks",
        "an answer without a word on any message",
        "a fault at one message",
        "one message is throttled",
        "a new kind of fault at one message",
    ],
)
async def test_a_fault_loses_nothing_and_the_repetition_sends_what_is_left(answer: Any, expected: type) -> None:
    client = Scripted(answer, accepted)
    sink = SnsSink(client, ARN)
    with pytest.raises(expected):
        await sink.deliver([notify("a"), notify("b")])
    await sink.deliver([notify("a"), notify("b")])
    rest = ["b"] if callable(answer) else []
    assert [parsed(e["Message"])["id"] for e in client.calls[1]] == (["a"] if rest else ["a", "b"])


async def test_a_message_that_is_never_taken_is_named_and_the_others_are_sent() -> None:
    client = Scripted(failed("InvalidParameter", "1", theirs=False))
    with pytest.raises(Refused, match="InvalidParameter") as refusal:
        await SnsSink(client, ARN).deliver([notify("a"), notify("b"), notify("c")])
    assert refusal.value.ids == ("b",)


async def test_a_throttled_call_says_how_long_to_wait() -> None:
    client = Scripted(error("Throttled", 429, {"retry-after": "7"}))
    with pytest.raises(Throttled) as throttled:
        await SnsSink(client, ARN).deliver([notify()])
    assert throttled.value.retry_after_seconds == 7.0


class Silent:
    """A service that takes a call and never answers."""

    async def publish_batch(
        self, *, TopicArn: str, PublishBatchRequestEntries: Sequence[Mapping[str, object]]
    ) -> Mapping[str, Any]:
        await asyncio.Event().wait()
        return {}


async def test_a_call_without_an_answer_ends_in_time() -> None:
    with pytest.raises(Unavailable, match="no answer in time"):
        await SnsSink(Silent(), ARN, call_seconds=0.0).deliver([notify()])


async def test_nobody_listening_is_a_fault_that_passes() -> None:
    keys = AccessKeys(access_key="testing", secret_key="testing")
    config = AwsConfig(region="eu-west-1", endpoint_urls={"sns": "http://127.0.0.1:1"}, keys=keys)
    async with Aws(config) as aws:
        with pytest.raises(Unavailable, match="EndpointConnectionError"):
            await SnsSink(await aws.client("sns"), ARN).deliver([notify()])


@pytest.mark.parametrize("arn", ["", "model-alerts", "arn:aws:sqs:eu-west-1:123456789012:q", f"{ARN} ", f"{ARN}\n"])
def test_what_is_no_topic_is_refused_at_the_start(arn: str) -> None:
    with pytest.raises(SinkError, match="expected a topic's ARN"):
        SnsSink(Scripted(), arn)


def test_a_topic_tells_its_region() -> None:
    assert region_of("arn:aws-cn:sns:cn-north-1:123456789012:a.fifo") == "cn-north-1"


async def test_commit_and_close_leave_the_client_to_its_owner() -> None:
    client = Scripted(accepted)
    sink = SnsSink(client, ARN)
    await sink.commit()
    await sink.close()
    await sink.deliver([notify()])
    assert len(client.calls) == 1
