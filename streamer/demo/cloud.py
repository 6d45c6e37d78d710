"""Cloud: the demo's topic, bus and queues on emulated AWS, and what arrives in the queues."""

import json
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, Final, NamedTuple

import botocore.exceptions as sdk
import msgspec
from botocore.config import Config
from botocore.session import Session

from streamer.adapters.eventbridge import RETRAINING
from streamer.core.documents import Notification
from streamer.core.errors import SourceError
from streamer.core.types import Notify, Retrain, RetrainingRequest
from streamer.demo.processes import ACCESS_KEY, REGION, SECRET_KEY

STREAM: Final = "inference-captures"
TOPIC: Final = "model-alerts"
BUS: Final = "model-retraining"


class Addresses(NamedTuple):
    """Where emulated AWS listens.

    Attributes
    ----------
    kinesis, others : str
        Of Kinesis; of SNS, SQS and EventBridge.
    """

    kinesis: str
    others: str


class _Event(msgspec.Struct):
    detail: RetrainingRequest


_NOTIFICATION: Final = msgspec.json.Decoder(Notification)
_EVENT: Final = msgspec.json.Decoder(_Event)


class Cloud:
    """Clients of emulated AWS, and two queues: one subscribed to the topic, one a target of the bus.

    Parameters
    ----------
    addresses : Addresses
        Where it listens.

    Attributes
    ----------
    kinesis : botocore client
        For the producer; without retries of its own.
    topic_arn : str
        Of the topic.

    Raises
    ------
    SourceError
        It refuses.
    """

    def __init__(self, addresses: Addresses) -> None:
        # Neither profiles nor files of the user's have a say here.
        session = Session(
            {
                "profile": (None, None, None, None),
                "config_file": (None, None, os.devnull, None),
                "credentials_file": (None, None, os.devnull, None),
            }
        )
        self.kinesis = _client(session, "kinesis", addresses.kinesis)
        self._sqs = _client(session, "sqs", addresses.others)
        with (
            _calling("set up"),
            closing(_client(session, "sns", addresses.others)) as sns,
            closing(_client(session, "events", addresses.others)) as events,
        ):
            self._alerts, alerts_arn = self._queue("model-alerts")
            self._requests, requests_arn = self._queue("model-retraining")
            self.topic_arn: str = sns.create_topic(Name=TOPIC)["TopicArn"]
            raw = {"RawMessageDelivery": "true"}
            sns.subscribe(TopicArn=self.topic_arn, Protocol="sqs", Endpoint=alerts_arn, Attributes=raw)
            events.create_event_bus(Name=BUS)
            pattern = json.dumps({"source": ["streamer"], "detail-type": [RETRAINING]})
            events.put_rule(Name="retraining", EventBusName=BUS, EventPattern=pattern)
            target = {"Id": "queue", "Arn": requests_arn}
            events.put_targets(Rule="retraining", EventBusName=BUS, Targets=[target])

    def close(self) -> None:
        """Give back the connections."""
        self.kinesis.close()
        self._sqs.close()

    def _queue(self, name: str) -> tuple[str, str]:
        url: str = self._sqs.create_queue(QueueName=name)["QueueUrl"]
        found = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return url, found["Attributes"]["QueueArn"]

    def received(self) -> list[Notify | Retrain]:
        """Everything in the queues, which are empty then.

        Raises
        ------
        SourceError
            They can't be read, or hold something else.
        """
        found: list[Notify | Retrain] = []
        try:
            for body in self._taken(self._alerts):
                # The text for people comes first, the last line is for programs.
                told = _NOTIFICATION.decode(body.rsplit("\n", 1)[-1])
                found.append(Notify(told.id, told.incident, told.why))
            found += [Retrain(_EVENT.decode(body).detail) for body in self._taken(self._requests)]
        except msgspec.MsgspecError as error:
            raise SourceError("a message in a queue is none of streamer's") from error
        return found

    def _taken(self, url: str) -> Iterator[str]:
        with _calling("read a queue"):
            while messages := self._sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
                for message in messages:
                    yield message["Body"]
                    self._sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def _client(session: Session, service: str, url: str) -> Any:
    config = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=20, proxies={})
    # Through Any: the stubs name every service, and ours comes as a value.
    create: Any = session.create_client
    return create(
        service,
        region_name=REGION,
        endpoint_url=url,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        config=config,
    )


@contextmanager
def _calling(doing: str) -> Iterator[None]:
    try:
        yield
    except (sdk.ClientError, sdk.BotoCoreError) as error:
        raise SourceError(f"emulated AWS: can't {doing}: {type(error).__name__}") from error
