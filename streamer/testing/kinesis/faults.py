"""Faults: what may go wrong between a stream and who reads or writes it, as a script.

A fault strikes the calls it matches, in the order in which they come; nothing is left to chance.
``Throttle(3)`` strikes three calls, ``Throttle(seconds=60)`` every call of the next minute, and
``Throttle()`` every call until it is removed. When several match a call, the one set first strikes.

================== ======================================================================================
Throttle           refused: the shard's or the account's rate is exceeded
Unavailable        refused: an error of the service's own, status 500 or 503
Deny               refused: the caller may not do this
Missing            refused: there is no such stream
ExpireIterator     refused: the iterator has expired, however young it is
FailEntries        PutRecords takes some of the records and not the others
Redeliver          GetRecords delivers records that it delivered before
EmptyRead          GetRecords has no records though there are some, and says how far behind it is
EndWithoutChildren GetRecords says that the shard ends here and names no children, which is not true
HideReshard        ListShards shows the stream as it was some time ago
Reset              the connection is reset, before or after the call took effect
Stall              half of the answer, then nothing for a while
Truncate           half of the answer, then the end of the connection
================== ======================================================================================
"""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Final

import msgspec

_READ: Final = frozenset({"GetRecords"})


class Fault(msgspec.Struct, frozen=True, tag_field="kind", forbid_unknown_fields=True):
    """What all faults have in common: which calls they strike, and how many.

    Parameters
    ----------
    calls : int, optional
        Strikes as many calls, then is over.
    seconds : float, optional
        Strikes for as long, then is over.
    after : int
        Lets as many matching calls pass first.
    operation, stream, shard : str
        Strikes calls of this operation, on this stream, on this shard; empty matches all.
    """

    calls: int | None = None
    seconds: float | None = None
    after: int = 0
    operation: str = ""
    stream: str = ""
    shard: str = ""

    # The operations it makes sense for; none means all.
    only: ClassVar[frozenset[str]] = frozenset()


class Throttle(Fault, frozen=True, tag=True):
    """Refuse: ``ProvisionedThroughputExceededException``, or ``LimitExceededException`` for calls about streams."""


class Unavailable(Fault, frozen=True, tag=True):
    """Refuse: ``InternalFailure`` or ``ServiceUnavailable`` by its status."""

    status: int = 500


class Deny(Fault, frozen=True, tag=True):
    """Refuse: ``AccessDeniedException``."""


class Missing(Fault, frozen=True, tag=True):
    """Refuse: ``ResourceNotFoundException`` of the stream."""


class ExpireIterator(Fault, frozen=True, tag=True):
    """Refuse: ``ExpiredIteratorException``."""

    only = _READ


class FailEntries(Fault, frozen=True, tag=True):
    """Take the records of a PutRecords call but every n-th, which gets an error code."""

    only = frozenset({"PutRecords"})
    every: Annotated[int, msgspec.Meta(ge=1)] = 2
    code: str = "ProvisionedThroughputExceededException"


class Redeliver(Fault, frozen=True, tag=True):
    """Read from as many records earlier as asked for, or from the oldest; the next iterator is right."""

    only = _READ
    records: int = 1


class EmptyRead(Fault, frozen=True, tag=True):
    """Answer without records, with an iterator at the same place."""

    only = _READ
    behind_milliseconds: int = 1000


class EndWithoutChildren(Fault, frozen=True, tag=True):
    """Answer with the records and neither an iterator nor children: not a valid end of a shard."""

    only = _READ


class HideReshard(Fault, frozen=True, tag=True):
    """Leave out shards younger than this; shards closed since look open."""

    only = frozenset({"ListShards"})
    age_seconds: float = 60.0


class Reset(Fault, frozen=True, tag=True):
    """Reset the connection; the call took effect or not."""

    applied: bool = False


class Stall(Fault, frozen=True, tag=True):
    """Send half of the answer, wait, send the rest; without a wait it lasts until faults are cleared."""

    wait_seconds: float | None = None


class Truncate(Fault, frozen=True, tag=True):
    """Send half of the answer and close the connection."""


AnyFault = (
    Throttle
    | Unavailable
    | Deny
    | Missing
    | ExpireIterator
    | FailEntries
    | Redeliver
    | EmptyRead
    | EndWithoutChildren
    | HideReshard
    | Reset
    | Stall
    | Truncate
)
# Where the connection, not the service, is at fault.
Transport = Reset | Stall | Truncate


class Call(msgspec.Struct, frozen=True):
    """What a fault may match: an operation, and the stream and shard it is about, if any."""

    operation: str
    stream: str = ""
    shard: str = ""


class Armed(msgspec.Struct):
    """A fault that has been set, and how often it has been met."""

    id: int
    fault: AnyFault
    set_at: int
    passed: int = 0
    struck: int = 0

    def is_over(self, now: int) -> bool:
        """Whether it will strike no more."""
        fault = self.fault
        spent = fault.calls is not None and self.struck >= fault.calls
        return spent or (fault.seconds is not None and now >= self.set_at + fault.seconds * 1000)

    def matches(self, call: Call) -> bool:
        """Whether the call is one it is about."""
        fault = self.fault
        return (
            fault.operation in ("", call.operation)
            and fault.stream in ("", call.stream)
            and fault.shard in ("", call.shard)
            and (not fault.only or call.operation in fault.only)
        )


class Script:
    """The faults that are set, in order."""

    def __init__(self) -> None:
        self._armed: dict[int, Armed] = {}
        self._given = 0

    def __iter__(self) -> Iterator[Armed]:
        """Every fault set and not removed, over or not."""
        return iter(self._armed.values())

    def arm(self, fault: AnyFault, now: int) -> int:
        """Arm a fault; what comes back removes it."""
        self._given += 1
        self._armed[self._given] = Armed(self._given, fault, now)
        return self._given

    def remove(self, fault: int) -> None:
        """Disarm one; nothing happens when it is not there."""
        self._armed.pop(fault, None)

    def clear(self) -> None:
        """Disarm all."""
        self._armed.clear()

    def struck(self, fault: int) -> int:
        """How many calls a fault has struck."""
        return self._armed[fault].struck

    def strike(self, call: Call, now: int) -> AnyFault | None:
        """The fault that strikes a call, if any; it is counted."""
        for armed in self._armed.values():
            if armed.is_over(now) or not armed.matches(call):
                continue
            if armed.passed < armed.fault.after:
                armed.passed += 1
                continue
            armed.struck += 1
            return armed.fault
        return None
