"""Everything that may go wrong, as one tree.

::

    StreamerError
    ├── ConfigError       the start is refused: exit 78, every problem at once
    ├── BaselineError     a baseline can't be read or built: exit 78 at start
    ├── InvalidRecord     one record; counted by reason, dead-lettered, never stops a shard
    ├── SourceError       a source can't be opened: the start is refused, exit 1
    ├── SinkError         a sink can't be opened, or is not ours to write to: exit 1
    ├── Retryable         may work later; carries ``retry_after_seconds``
    │   ├── StorageFull   a disk or a quota is full; without retries the run stops, exit 1
    │   ├── Throttled     the far side asks for less
    │   ├── Unavailable   no connection, no answer in time, or a fault on the far side
    │   ├── ExpiredIterator  a place in a shard must be asked for again
    │   └── NeedsPerson   works once somebody has put it right: tried on, nothing dropped, logged at error
    │       ├── Denied    no credentials, no permission, or a key that may not be used
    │       └── Absent    the stream, topic, bus or bucket named in the configuration is not there
    ├── Refused           the far side will never accept this; dropped, counted, logged at error
    ├── LeaseLost         another process took the state over: nothing more may be published, exit 1
    └── StateError        a blob of state can't be read: foreign, torn or of another version
        └── StateInUse    another living process holds the state: the start is refused, exit 1

Anything else that rises is a bug and ends the process with exit code 1.
"""

from collections.abc import Sequence
from enum import StrEnum


class StreamerError(Exception):
    """Root of every error this package raises on purpose."""


class ConfigError(StreamerError):
    """The configuration can't be used; the text lists every problem found."""


class BaselineError(StreamerError):
    """A baseline can't be read, built or used; the text says which and why."""


class StateError(StreamerError):
    """A blob of state can't be read: foreign, torn or of an unknown version."""


class StateInUse(StateError):
    """Another living process holds the state; two at once would publish everything twice."""


class LeaseLost(StreamerError):
    """Another process took the state over: this one must publish nothing more."""


class SourceError(StreamerError):
    """A source can't be opened; the text says which and why."""


class SinkError(StreamerError):
    """A sink can't be opened, or what is there is not ours to write to; the text says which and why."""


class Retryable(StreamerError):
    """The far side may accept this later.

    Parameters
    ----------
    text : str
        What was tried and what came back, without payload.
    retry_after_seconds : float, optional
        The least wait the far side asked for.
    """

    def __init__(self, text: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(text)
        self.retry_after_seconds = retry_after_seconds


class StorageFull(Retryable):
    """A disk or a quota is full: the same delivery works once there is room again."""


class Throttled(Retryable):
    """The far side asks for fewer or smaller requests."""


class Unavailable(Retryable):
    """The far side can't be reached, did not answer in time, or has a fault of its own."""


class ExpiredIterator(Retryable):
    """A place in a shard is no longer known to the far side; the same place can be asked for again."""


class NeedsPerson(Retryable):
    """Nothing but a person can put this right, and then the same request works.

    It is a branch of ``Retryable`` because what waits is not to blame: a topic whose policy was
    changed by mistake must not cost an alert.
    """


class Denied(NeedsPerson):
    """No credentials, no permission, or an encryption key that may not be used."""


class Absent(NeedsPerson):
    """The stream, topic, bus or bucket that the configuration names is not there."""


class Refused(StreamerError):
    """The far side will never accept this; the action is dropped and counted.

    Parameters
    ----------
    text : str
        What was tried and what came back, without payload.
    ids : sequence of str
        Ids of the actions that were refused, where it is known: all others of the same delivery
        were accepted. Empty when it is about the whole of what was asked.
    """

    def __init__(self, text: str, ids: Sequence[str] = ()) -> None:
        super().__init__(text)
        self.ids = tuple(ids)


class Reason(StrEnum):
    """Why a record, or one side of it, could not be used: a closed set, also a metric label."""

    RECORD_TOO_LARGE = "record-too-large"
    NOT_JSON = "not-json"
    TOO_DEEP = "too-deep"
    NOT_A_CAPTURE = "not-a-capture"
    NO_EVENT_TIME = "no-event-time"
    BAD_EVENT_TIME = "bad-event-time"
    EVENT_TIME_IN_FUTURE = "event-time-in-future"
    NO_ENDPOINT = "no-endpoint"
    BAD_NAME = "bad-name"
    NO_PAYLOAD = "no-payload"
    EMPTY_PAYLOAD = "empty-payload"
    PAYLOAD_TOO_LARGE = "payload-too-large"
    BAD_ENCODING = "bad-encoding"
    BAD_BASE64 = "bad-base64"
    BAD_GZIP = "bad-gzip"
    NOT_TEXT = "not-text"
    BAD_CSV = "bad-csv"
    BAD_JSON = "bad-json"
    BAD_LAYOUT = "bad-layout"
    COLUMN_COUNT = "column-count"
    TOO_MANY_ROWS = "too-many-rows"
    TOO_MANY_FEATURES = "too-many-features"
    LATE = "late"


class InvalidRecord(StreamerError):
    """One record, or one side of it, can't be used.

    Parameters
    ----------
    reason : Reason
        The counter it goes to; the text never holds any of the payload.
    """

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason
