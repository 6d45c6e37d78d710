"""AWS for tests: moto as a server on this machine, clients of it, and a client that fails as scripted."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import jsonschema
import pytest

from streamer.adapters.aws import AccessKeys, Aws, AwsConfig
from streamer.core.documents import json_schema
from streamer.core.eventtime import as_datetime
from streamer.core.incident import AlertState, Contribution, Fingerprint, Incident, Severity
from streamer.core.types import Cause, Notify, Retrain, RetrainingReason, RetrainingRequest, TimeRange, Why
from tests.aws import endpoint

REGION = "eu-west-1"
SERVICES = ("sns", "sqs", "events", "sts")
AT = 1_750_000_000_000


@pytest.fixture
def moto_url() -> str:
    return endpoint()


@pytest.fixture
def aws_config(moto_url: str) -> AwsConfig:
    return AwsConfig(
        region=REGION,
        endpoint_urls=dict.fromkeys(SERVICES, moto_url),
        keys=AccessKeys(access_key="testing", secret_key="testing"),
    )


@pytest.fixture
async def aws(aws_config: AwsConfig) -> AsyncIterator[Aws]:
    async with Aws(aws_config) as opened:
        yield opened


class Queue:
    """What arrives at an SQS queue."""

    def __init__(self, sqs: Any, url: str, arn: str) -> None:
        self._sqs = sqs
        self.url = url
        self.arn = arn

    async def received(self) -> list[str]:
        """Bodies of all there is, in the order received; they are gone from the queue."""
        bodies: list[str] = []
        while found := (await self._sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10)).get("Messages"):
            for one in found:
                bodies.append(one["Body"])
                await self._sqs.delete_message(QueueUrl=self.url, ReceiptHandle=one["ReceiptHandle"])
        return bodies


async def make_queue(aws: Aws, name: str) -> Queue:
    sqs = await aws.client("sqs")
    attributes = {"FifoQueue": "true"} if name.endswith(".fifo") else {}
    url = (await sqs.create_queue(QueueName=name, Attributes=attributes))["QueueUrl"]
    found = await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return Queue(sqs, url, found["Attributes"]["QueueArn"])


class Scripted:
    """Stands in for a client: each call gets the next answer, or raises it, and is noted.

    An answer that is callable is called with what was sent.
    """

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)
        self.calls: list[Sequence[Mapping[str, Any]]] = []

    async def publish_batch(
        self, *, TopicArn: str, PublishBatchRequestEntries: Sequence[Mapping[str, object]]
    ) -> Mapping[str, Any]:
        return self._answer(PublishBatchRequestEntries)

    async def put_events(self, *, Entries: Sequence[Mapping[str, object]]) -> Mapping[str, Any]:
        return self._answer(Entries)

    def _answer(self, entries: Sequence[Mapping[str, object]]) -> Mapping[str, Any]:
        self.calls.append(entries)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        found: Mapping[str, Any] = answer(entries) if callable(answer) else answer
        return found


def parsed(message: str) -> dict[str, Any]:
    """What the README tells subscribers to do."""
    found: dict[str, Any] = json.loads(message.rsplit("\n", 1)[-1])
    return found


def contribution(feature: str = "temp") -> Contribution:
    return Contribution(
        feature=feature,
        variant="AllTraffic",
        model_version="1",
        rule="psi",
        since=as_datetime(AT),
        live=1.5,
        expected=0.25,
        size=0.5,
        unit="psi",
        weight=9.0,
        rows=500,
        words="PSI 0.5 where 0.2 is allowed",
    )


def notify(
    identity: str = "n1",
    *,
    why: Why = "firing",
    title: str = "flights: drift in temp",
    severity: Severity = Severity.WARNING,
    fingerprint: str = "f1",
    features: Sequence[str] = ("temp",),
) -> Notify:
    return Notify(
        identity,
        Incident(
            id="i1",
            revision=2,
            fingerprint=Fingerprint(fingerprint),
            endpoint="flights",
            cause=Cause.DRIFT,
            state=AlertState.RESOLVED if why == "resolved" else AlertState.FIRING,
            severity=severity,
            opened=as_datetime(AT),
            since=as_datetime(AT),
            changed=as_datetime(AT + 60_000),
            contributions=tuple(contribution(f) for f in features),
            title=title,
            text=f"{title}\nfiring, warning, since 15 Jun 2025 15:06 UTC",
        ),
        why,
    )


def retrain() -> Retrain:
    return Retrain(
        RetrainingRequest(
            id="r1",
            endpoint="flights",
            variant="AllTraffic",
            model_version="7",
            baseline="b1",
            reason=RetrainingReason.INCIDENT,
            words="flights: drift in temp, since 15 Jun 2025 15:06 UTC",
            incident="i1",
            features=("temp",),
            requested=as_datetime(AT),
            new=TimeRange(as_datetime(AT - 86_400_000), as_datetime(AT)),
        )
    )


def validate(found: Mapping[str, Any]) -> None:
    jsonschema.Draft202012Validator(json_schema()).validate(found)
