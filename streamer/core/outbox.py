"""Outbox: what was decided and not yet acknowledged, in segments that a snapshot holds.

::

    add ──> current ──seal──> segment n ──(pointer moved) commit──> published to each sink ──> dropped

Nothing is published before the snapshot that holds it is durable, so a restart repeats effects and
never invents them. A segment is one immutable chunk of a snapshot; it is dropped from the next one
when every sink has acknowledged all of it.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, assert_never

import msgspec

from streamer.core.documents import Notification, encode, encode_notification
from streamer.core.errors import StateError
from streamer.core.incident import Incident
from streamer.core.types import (
    Action,
    DeadLetter,
    DecisionDocument,
    EndpointDocument,
    FeatureDocument,
    Index,
    Notify,
    Reject,
    Retrain,
    RetrainingRequest,
)

PREFIX: Final = "outbox/"
_Line = FeatureDocument | EndpointDocument | Incident | DecisionDocument | Notification | DeadLetter | RetrainingRequest
_DECODER: Final = msgspec.json.Decoder(_Line)


def encode_actions(actions: Iterable[Action]) -> bytes:
    """Actions as JSON Lines, in order."""
    return b"\n".join(map(_encoded, actions))


def _encoded(action: Action) -> bytes:
    match action:
        case Index(document):
            return encode(document)
        case Notify():
            return encode_notification(action)
        case Reject(letter):
            return encode(letter)
        case Retrain(request):
            return encode(request)
    assert_never(action)


def decode_actions(data: bytes) -> list[Action]:
    """Actions as ``encode_actions`` wrote them.

    Raises
    ------
    StateError
        Not ours, or torn.
    """
    try:
        return [_action(_DECODER.decode(line)) for line in data.split(b"\n") if line]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise StateError("a segment of the outbox can't be read") from error


def _action(line: _Line) -> Action:
    match line:
        case FeatureDocument() | EndpointDocument() | Incident() | DecisionDocument():
            return Index(line)
        case Notification():
            return Notify(line.id, line.incident, line.why)
        case DeadLetter():
            return Reject(line)
        case RetrainingRequest():
            return Retrain(line)
    assert_never(line)


class Segment(msgspec.Struct):
    """What was decided between two snapshots.

    Attributes
    ----------
    number : int
        Grows by one each.
    actions : tuple of Action
        In order.
    data : bytes
        The same, encoded once.
    committed : bool
        Whether a durable snapshot holds it, so that it may be published.
    waiting : set of str
        Sinks that have not acknowledged all of it.
    """

    number: int
    actions: tuple[Action, ...]
    data: bytes
    committed: bool
    waiting: set[str]

    @property
    def chunk(self) -> str:
        """Its name in a snapshot."""
        return f"{PREFIX}{self.number:012d}"


class Outbox:
    """Actions on their way to the sinks.

    Parameters
    ----------
    sinks : sequence of str
        Names of all sinks.
    limit_bytes : int
        Beyond this it is full: reading stops until sinks take some.
    """

    def __init__(self, sinks: Sequence[str], limit_bytes: int = 268_435_456) -> None:
        self._sinks = tuple(sinks)
        self._limit = limit_bytes
        self._current: list[Action] = []
        self._lines: list[bytes] = []
        self._lines_bytes = 0
        self._segments: dict[int, Segment] = {}
        self._sealed_bytes = 0
        self._next = 1

    def add(self, actions: Iterable[Action]) -> None:
        """Take in what was decided; it is published once a snapshot holds it.

        Encoded at once, ~3 us each: when the segment is sealed there may be tens of thousands.
        """
        for action in actions:
            line = _encoded(action)
            self._current.append(action)
            self._lines.append(line)
            self._lines_bytes += len(line) + 1

    @property
    def size_bytes(self) -> int:
        """Bytes held, as they stand in a snapshot."""
        return self._lines_bytes + self._sealed_bytes

    @property
    def is_full(self) -> bool:
        """Whether reading has to stop."""
        return self.size_bytes >= self._limit

    def seal(self) -> dict[str, bytes]:
        """Close the current segment, for a snapshot that is being made.

        Returns
        -------
        dict of str to bytes
            Chunks of all segments that some sink has not acknowledged.
        """
        if self._current:
            data = b"\n".join(self._lines)
            self._hold(Segment(self._next, tuple(self._current), data, False, set(self._sinks)))
            self._next += 1
            self._current, self._lines, self._lines_bytes = [], [], 0
        return {segment.chunk: segment.data for segment in self._segments.values()}

    def commit(self, chunks: Iterable[str]) -> None:
        """Free the segments of a snapshot for publishing, once its pointer has moved."""
        durable = set(chunks)
        for segment in self._segments.values():
            if segment.chunk in durable:
                segment.committed = True
        self._drop()

    def pending(self, sink: str) -> Segment | None:
        """The oldest segment a sink may publish and has not acknowledged."""
        waiting = (s for s in self._segments.values() if s.committed and sink in s.waiting)
        return min(waiting, key=lambda s: s.number, default=None)

    def acknowledge(self, sink: str, number: int) -> None:
        """Note that a sink has made all of a segment durable."""
        if number in self._segments:
            self._segments[number].waiting.discard(sink)
            self._drop()

    def _drop(self) -> None:
        for number in [n for n, s in self._segments.items() if not s.waiting and s.committed]:
            self._sealed_bytes -= len(self._segments.pop(number).data)

    def _hold(self, segment: Segment) -> None:
        self._segments[segment.number] = segment
        self._sealed_bytes += len(segment.data)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is on its way."""
        return not self._current and not self._segments

    @property
    def next_number(self) -> int:
        """Number of the next segment; a snapshot holds it, so that names are never used twice."""
        return self._next

    @classmethod
    def restore(
        cls, sinks: Sequence[str], chunks: Mapping[str, bytes], next_number: int, limit_bytes: int = 268_435_456
    ) -> "Outbox":
        """Outbox of a snapshot: every segment is published again, to every sink.

        Raises
        ------
        StateError
            A segment is not ours.
        """
        outbox = cls(sinks, limit_bytes)
        outbox._next = next_number
        for name in sorted(name for name in chunks if name.startswith(PREFIX)):
            number = int(name.removeprefix(PREFIX))
            actions = tuple(decode_actions(chunks[name]))
            outbox._hold(Segment(number, actions, chunks[name], True, set(sinks)))
        return outbox
