"""A batch of records to captures by key, with what was refused: the first half of ``fold``."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray

from streamer.core.decode.capture import CaptureData, Envelope, read_envelope
from streamer.core.decode.names import Names, first_known, names_in_envelope, names_in_partition_key, names_in_path
from streamer.core.errors import InvalidRecord, Reason
from streamer.core.eventtime import parse_time
from streamer.core.settings import Limits
from streamer.core.types import Batch, Key

# Most records of a poll share their second, so its text is parsed once.
_TIMES_KEPT = 4_096
# A partition key names an endpoint; where keys are random ones the cache is of no use and stays small.
_KEYS_KEPT = 4_096
_LONGEST_KEY = 256
# No spelling of a time is longer; padding would only fill the memory of times.
_TIME_CHARACTERS = 64


class Rejected(NamedTuple):
    """A record that can't be used.

    Attributes
    ----------
    record : int
        Its index in the batch.
    reason : Reason
        Why.
    endpoint : str
        Whose it is, where that is known without its payload.
    """

    record: int
    reason: Reason
    endpoint: str


class Captures(NamedTuple):
    """Readable captures of one key, in the batch's order.

    Attributes
    ----------
    record : ndarray, shape (n,), int64
        Their indices in the batch.
    event_at : ndarray, shape (n,), int64
        Event times, milliseconds since the epoch.
    identity : ndarray, shape (n,), uint64
        Hash of the ``eventId``; of shard and position where there is none.
    sides : list of CaptureData
        What was captured.
    """

    record: NDArray[np.int64]
    event_at: NDArray[np.int64]
    identity: NDArray[np.uint64]
    sides: list[CaptureData]


class Decoded(NamedTuple):
    """What one batch holds.

    Attributes
    ----------
    captures : dict of Key to Captures
        By key.
    rejected : list of Rejected
        Records that are invalid.
    ignored : int
        Records of endpoints that are not watched.
    event_at : ndarray, shape (batch,), int64
        Event time of every record; 0 where it is unknown.
    """

    captures: dict[Key, Captures]
    rejected: list[Rejected]
    ignored: int
    event_at: NDArray[np.int64]


class _Group(NamedTuple):
    record: list[int]
    event_at: list[int]
    ids: list[bytes]
    sides: list[CaptureData]


class BatchDecoder:
    """Reads records of any shard.

    Parameters
    ----------
    limits : Limits
        Bounds on hostile payloads.
    default : Names
        Endpoint and variant of records that name none: the configuration's word.
    key_of : callable
        ``(names, event_at) -> Key or None``; ``None``: not watched.
    """

    def __init__(self, limits: Limits, default: Names, key_of: Callable[[Names, int], Key | None]) -> None:
        self.limits = limits
        self.default = default
        self.key_of = key_of
        self._times: dict[str, int] = {}
        self._by_key: dict[tuple[str, Names], Names] = {}

    def decode(self, batch: Batch, now: int) -> Decoded:
        """Read a batch.

        Parameters
        ----------
        batch : Batch
            Records of one poll.
        now : int
            Wall clock, milliseconds since the epoch: bounds event times from above.

        Returns
        -------
        Decoded
            Every record is in exactly one of captures, rejected, ignored.
        """
        groups: dict[Key, _Group] = {}
        rejected: list[Rejected] = []
        ignored = 0
        times = [0] * len(batch.payloads)
        latest = now + self.limits.future_seconds * 1000
        by_path = first_known(names_in_path(batch.path), self.default)
        partition_keys = batch.partition_keys or ()
        # One key's records of one time meet the same answer: ask once.
        known: dict[tuple[Names, int], Key | None] = {}
        for i, payload in enumerate(batch.payloads):
            names = by_path
            if partition_keys:
                names = self._named(partition_keys[i], by_path)
            try:
                envelope = read_envelope(payload, self.limits.record_bytes)
                if envelope.endpoint or envelope.variant or envelope.modelVersion:
                    given = names_in_envelope(envelope.endpoint, envelope.variant, envelope.modelVersion)
                    names = first_known(given, names)
                event_at = self._event_at(envelope, latest)
                sides = _sides(envelope, names)
            except InvalidRecord as error:
                rejected.append(Rejected(i, error.reason, names.endpoint))
                continue
            times[i] = event_at
            asked = (names, event_at)
            if asked in known:
                key = known[asked]
            else:
                key = known[asked] = self.key_of(names, event_at)
            if key is None:
                ignored += 1
                continue
            group = groups.get(key)
            if group is None:
                group = groups[key] = _Group([], [], [], [])
            group.record.append(i)
            group.event_at.append(event_at)
            group.sides.append(sides)
            metadata = envelope.eventMetadata
            if metadata is not None and metadata.eventId:
                group.ids.append(metadata.eventId.encode())
            else:
                # Paths may hold bytes that are no UTF-8, as lone surrogates.
                group.ids.append(f"{batch.shard}\0{batch.positions[i]}".encode("utf-8", "surrogatepass"))
        captures = {key: _captures(group) for key, group in groups.items()}
        return Decoded(captures, rejected, ignored, np.array(times, np.int64))

    def _named(self, partition_key: str, by_path: Names) -> Names:
        if "/" not in partition_key:
            # A key that only spreads; there may be as many as records.
            return by_path
        asked = (partition_key, by_path)
        names = self._by_key.get(asked)
        if names is None:
            names = first_known(names_in_partition_key(partition_key), by_path)
            if len(partition_key) <= _LONGEST_KEY:
                if len(self._by_key) >= _KEYS_KEPT:
                    self._by_key.clear()
                self._by_key[asked] = names
        return names

    def _event_at(self, envelope: Envelope, latest: int) -> int:
        metadata = envelope.eventMetadata
        text = metadata.inferenceTime if metadata is not None else None
        if not text:
            raise InvalidRecord(Reason.NO_EVENT_TIME)
        at = self._times.get(text)
        if at is None:
            if len(text) > _TIME_CHARACTERS:
                raise InvalidRecord(Reason.BAD_EVENT_TIME)
            try:
                at = parse_time(text)
            except (ValueError, OverflowError) as error:
                raise InvalidRecord(Reason.BAD_EVENT_TIME) from error
            if len(self._times) >= _TIMES_KEPT:
                self._times.clear()
            self._times[text] = at
        if at > latest:
            raise InvalidRecord(Reason.EVENT_TIME_IN_FUTURE)
        return at


def _sides(envelope: Envelope, names: Names) -> CaptureData:
    if not names.endpoint:
        raise InvalidRecord(Reason.NO_ENDPOINT)
    sides = envelope.captureData
    if sides is None or (sides.endpointInput is None and sides.endpointOutput is None):
        raise InvalidRecord(Reason.NO_PAYLOAD)
    return sides


def _captures(group: _Group) -> Captures:
    return Captures(
        np.array(group.record, np.int64),
        np.array(group.event_at, np.int64),
        identities(group.ids),
        group.sides,
    )


def identities(ids: Sequence[bytes]) -> NDArray[np.uint64]:
    """64-bit hashes (XXH3) of identities, shape (n,), uint64: the same in every run."""
    return np.fromiter(map(xxhash.xxh3_64_intdigest, ids), np.uint64, len(ids))
