"""Amazon EventBridge: retraining requests and alerts as events on a bus, for rules to act on.

The ``detail`` of ``Retraining Requested`` is a ``RetrainingRequest`` of ``documents.schema.json``, that of
``Model Monitoring Alert`` a ``Notification``. EventBridge delivers at least once and has no
deduplication: ``detail.id`` is the same on every repetition, and so is all else.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final, Protocol

from streamer.adapters.aws_errors import calling, of_code
from streamer.core.documents import encode, encode_notification
from streamer.core.errors import SinkError, Unavailable
from streamer.core.types import Action, Notify, Retrain, RetrainingRequest
from streamer.delivery import Delivery, Entry, Outcome, Wanted

ALERT: Final = "Model Monitoring Alert"
RETRAINING: Final = "Retraining Requested"
_MOST_ENTRIES: Final = 10
# A time counts as this many.
_TIME_BYTES: Final = 14


class EventsClient(Protocol):
    """What is used of the SDK's client."""

    async def put_events(self, *, Entries: Sequence[Mapping[str, object]]) -> Mapping[str, Any]:
        """Put up to ten events; each is answered by itself."""
        ...


class EventBridgeSink:
    """Puts events on a bus.

    Parameters
    ----------
    client : EventsClient
        Of the bus's region; belongs to who made it.
    bus : str
        Name or ARN.
    source : str
        The events' ``source``; ``aws.`` is reserved.
    alerts, retraining : bool
        What is put.
    most_bytes : int
        Bound on one call, and so on one event; what rules can hand to their targets is no longer,
        either. An alert's lightest contributions are left out where it would be longer.
    call_seconds : float
        Longest time for one call.
    name : str
        Of this sink among those of one service.

    Raises
    ------
    SinkError
        The source is reserved or empty.
    """

    def __init__(
        self,
        client: EventsClient,
        bus: str,
        *,
        source: str = "streamer",
        alerts: bool = True,
        retraining: bool = True,
        most_bytes: int = 256_000,
        call_seconds: float = 30.0,
        name: str = "eventbridge",
    ) -> None:
        if not source or source.startswith("aws."):
            raise SinkError(f"eventbridge: expected a source that does not start with 'aws.', found {source!r}")
        self.name = name
        self._client = client
        self._bus = bus
        self._source = source
        self._alerts = alerts
        self._retraining = retraining
        self._most_bytes = most_bytes
        self._call_seconds = call_seconds
        self._delivery = Delivery(self._put, most_entries=_MOST_ENTRIES, most_bytes=most_bytes)

    async def deliver(self, actions: Sequence[Action]) -> None:
        """Put the alerts and requests among these, ten to a call.

        Raises
        ------
        Retryable
            Some are not accepted yet: deliver all again. Those accepted are not put a second time.
        Refused
            EventBridge will never take those in ``ids``; all others are accepted.
        """
        wanted = []
        for action in actions:
            match action:
                case Notify() if self._alerts:
                    wanted.append(Wanted(action.id, partial(self._alert, action)))
                case Retrain(request) if self._retraining:
                    wanted.append(Wanted(request.id, partial(self._request, request)))
        await self._delivery.deliver(wanted)

    async def commit(self) -> None:
        """Nothing: what is accepted is final."""

    async def close(self) -> None:
        """Nothing: the client belongs to who made it."""

    def _alert(self, notify: Notify) -> Entry[dict[str, object]]:
        detail = encode_notification(notify, self._most_bytes - self._frame_bytes(ALERT))
        return self._entry(notify.id, ALERT, detail, notify.incident.changed)

    def _request(self, request: RetrainingRequest) -> Entry[dict[str, object]]:
        return self._entry(request.id, RETRAINING, encode(request), request.requested)

    def _frame_bytes(self, detail_type: str) -> int:
        return _TIME_BYTES + len(self._source.encode()) + len(detail_type)

    def _entry(self, identity: str, detail_type: str, detail: bytes, at: datetime) -> Entry[dict[str, object]]:
        body: dict[str, object] = {
            "Time": at,
            "Source": self._source,
            "Resources": [],
            "DetailType": detail_type,
            "Detail": detail.decode(),
            "EventBusName": self._bus,
        }
        return Entry(identity, body, len(detail) + self._frame_bytes(detail_type))

    async def _put(self, entries: Sequence[Entry[dict[str, object]]]) -> list[Outcome]:
        async with calling(f"put events on {self._bus}", self._call_seconds):
            answer = await self._client.put_events(Entries=[entry.body for entry in entries])
        answers = list(answer.get("Entries", ()))
        # Answers are told apart by nothing but their place.
        if len(answers) != len(entries):
            raise Unavailable(f"can't put events on {self._bus}: {len(answers)} answers to {len(entries)} events")
        outcomes: list[Outcome] = []
        for one in answers:
            if "EventId" in one:
                outcomes.append(None)
                continue
            code = str(one.get("ErrorCode", "no code"))
            text = f"can't put events on {self._bus}: {code} (one event)"
            outcomes.append(of_code(code, text, status=400, said=str(one.get("ErrorMessage", ""))))
        return outcomes
