r"""Amazon SNS: alerts, and retraining requests where wanted, to whoever subscribed to a topic.

What a subscriber gets is stable. The subject is one line of ASCII. The message is text for a person, an
empty line, and one line of JSON; so a Lambda function parses it with
``json.loads(record["Sns"]["Message"].rsplit("\n", 1)[-1])``. The JSON is a ``Notification`` or a
``RetrainingRequest`` of ``documents.schema.json``. Filter policies can use the attributes: ``kind``
(``notification`` or ``retraining``) and ``endpoint`` on both, ``cause``, ``severity``, ``state`` and
``why`` on notifications, ``reason`` on requests.
"""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final, Protocol

from streamer.adapters.aws_errors import calling, of_code
from streamer.core.documents import encode, encode_notification
from streamer.core.errors import SinkError, Unavailable
from streamer.core.identity import hash_of
from streamer.core.types import Action, Notify, Retrain
from streamer.core.words import when
from streamer.delivery import Delivery, Entry, Outcome, Wanted

_ARN: Final = re.compile(r"arn:[a-z0-9-]+:sns:([a-z0-9-]+):\d{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?")
_MOST_ENTRIES: Final = 10
_SUBJECT_CHARACTERS: Final = 99
_TITLES: Final = {"firing": "Firing", "changed": "Changed", "repeat": "Still firing", "resolved": "Resolved"}
# SQS takes no other characters, and a subscriber may split at lines as Unicode has them.
_UNFIT: Final = re.compile("[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class SnsClient(Protocol):
    """What is used of the SDK's client."""

    async def publish_batch(
        self, *, TopicArn: str, PublishBatchRequestEntries: Sequence[Mapping[str, object]]
    ) -> Mapping[str, Any]:
        """Publish up to ten messages; each is answered by itself."""
        ...


def region_of(topic_arn: str) -> str:
    """Region of a topic: its client must be of the same.

    Raises
    ------
    SinkError
        It is no topic's ARN.
    """
    found = _ARN.fullmatch(topic_arn)
    if found is None:
        raise SinkError(f"sns: expected a topic's ARN (arn:aws:sns:region:account:name), found {topic_arn!r}")
    return found[1]


class SnsSink:
    """Publishes to a topic.

    To a FIFO topic, everything about one incident's endpoint and cause is one message group, in
    order, and the action's id is the deduplication id: a repetition within five minutes is not
    delivered again. On a standard topic a repetition has the same ``id`` in its JSON.

    Parameters
    ----------
    client : SnsClient
        Of the topic's region; belongs to who made it.
    topic_arn : str
        Where to. Its name ends with ``.fifo`` for a FIFO topic.
    alerts, retraining : bool
        What is published.
    most_bytes : int
        The topic's bound on a message with its attributes, and on a call. An alert's lightest
        contributions are left out where it would be longer.
    call_seconds : float
        Longest time for one call.

    Raises
    ------
    SinkError
        The ARN is none.
    """

    name = "sns"

    def __init__(
        self,
        client: SnsClient,
        topic_arn: str,
        *,
        alerts: bool = True,
        retraining: bool = False,
        most_bytes: int = 262_144,
        call_seconds: float = 30.0,
    ) -> None:
        region_of(topic_arn)
        self._client = client
        self._topic_arn = topic_arn
        self._is_fifo = topic_arn.endswith(".fifo")
        self._alerts = alerts
        self._retraining = retraining
        self._most_bytes = most_bytes
        self._call_seconds = call_seconds
        self._delivery = Delivery(self._publish, most_entries=_MOST_ENTRIES, most_bytes=most_bytes)

    async def deliver(self, actions: Sequence[Action]) -> None:
        """Publish the alerts and requests among these, ten to a call.

        Raises
        ------
        Retryable
            Some are not accepted yet: deliver all again. Those accepted are not sent a second time.
        Refused
            SNS will never take those in ``ids``; all others are accepted.
        """
        wanted = []
        for action in actions:
            match action:
                case Notify() if self._alerts:
                    wanted.append(Wanted(action.id, partial(self._notification, action)))
                case Retrain() if self._retraining:
                    wanted.append(Wanted(action.request.id, partial(self._request, action)))
        await self._delivery.deliver(wanted)

    async def commit(self) -> None:
        """Nothing: what is accepted is final."""

    async def close(self) -> None:
        """Nothing: the client belongs to who made it."""

    def _notification(self, notify: Notify) -> Entry[dict[str, object]]:
        incident = notify.incident
        attributes = {
            "kind": "notification",
            "endpoint": incident.endpoint,
            "cause": incident.cause.value,
            "severity": incident.severity.value,
            "state": incident.state.value,
            "why": notify.why,
        }
        subject = _subject(f"{_TITLES[notify.why]} ({incident.severity.value}): {incident.title}")
        text = _UNFIT.sub("\ufffd", incident.text) + "\n\n"
        room = self._most_bytes - len(text.encode()) - _size_bytes(subject, attributes)
        line = encode_notification(notify, room)
        return self._entry(notify.id, incident.fingerprint, subject, text, line, attributes)

    def _request(self, retrain: Retrain) -> Entry[dict[str, object]]:
        request = retrain.request
        attributes = {"kind": "retraining", "endpoint": request.endpoint, "reason": request.reason.value}
        lines = [request.words, f"model version {request.model_version or 'not known'}, variant {request.variant}"]
        if request.new is not None:
            since, until = (when(t.timestamp()) for t in (request.new.since, request.new.until))
            lines.append(f"new data: {since} to {until}")
        text = _UNFIT.sub("\ufffd", "\n".join(lines)) + "\n\n"
        subject = _subject(f"Retraining requested: {request.endpoint}")
        group = hash_of("retraining", request.endpoint)
        return self._entry(request.id, group, subject, text, encode(request), attributes)

    def _entry(
        self, identity: str, group: str, subject: str, text: str, line: bytes, attributes: Mapping[str, str]
    ) -> Entry[dict[str, object]]:
        message = text + _UNFIT.sub(lambda found: f"\\u{ord(found[0]):04x}", line.decode())
        body: dict[str, object] = {
            "Subject": subject,
            "Message": message,
            "MessageAttributes": {
                name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
            },
        }
        if self._is_fifo:
            body |= {"MessageGroupId": group, "MessageDeduplicationId": identity}
        size_bytes = len(message.encode()) + _size_bytes(subject, attributes)
        return Entry(identity, body, size_bytes, group if self._is_fifo else "")

    async def _publish(self, entries: Sequence[Entry[dict[str, object]]]) -> list[Outcome]:
        numbered = [{"Id": str(i), **entry.body} for i, entry in enumerate(entries)]
        async with calling(f"publish to {self._topic_arn}", self._call_seconds):
            answer = await self._client.publish_batch(TopicArn=self._topic_arn, PublishBatchRequestEntries=numbered)
        silent = Unavailable(f"can't publish to {self._topic_arn}: no word on some messages")
        outcomes: dict[str, Outcome] = {entry["Id"]: silent for entry in numbered if isinstance(entry["Id"], str)}
        for accepted in answer.get("Successful", ()):
            outcomes[accepted["Id"]] = None
        for failed in answer.get("Failed", ()):
            code = str(failed.get("Code", "no code"))
            text = f"can't publish to {self._topic_arn}: {code} (one message)"
            outcomes[failed["Id"]] = of_code(code, text, status=400 if failed.get("SenderFault") else 500)
        return [outcomes[str(i)] for i in range(len(entries))]


def _subject(title: str) -> str:
    plain = "".join(c if " " <= c <= "~" else "?" for c in title)
    return plain if len(plain) <= _SUBJECT_CHARACTERS else plain[: _SUBJECT_CHARACTERS - 3] + "..."


def _size_bytes(subject: str, attributes: Mapping[str, str]) -> int:
    return len(subject) + sum(len(name) + len("String") + len(value.encode()) for name, value in attributes.items())
