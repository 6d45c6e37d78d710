"""Dead letters: records set aside, known again by place and digest, never by their payload."""

import hashlib
from datetime import datetime

from streamer.core.errors import Reason
from streamer.core.eventtime import as_datetime
from streamer.core.identity import hash_of
from streamer.core.schema import Side
from streamer.core.types import Batch, DeadLetter
from streamer.core.watermarks import BEGINNING, Lateness


def letter_of(
    shard: str,
    position: str,
    payload: bytes,
    reason: Reason,
    endpoint: str = "",
    side: Side | None = None,
    noted: datetime | None = None,
) -> DeadLetter:
    """Dead letter of a record, or of one side of it.

    Parameters
    ----------
    shard, position : str
        Where it stands.
    payload : bytes
        Only its digest and its size are kept.
    reason : Reason
        Why it can't be used.
    endpoint : str
        Whose it is, where that is known.
    side : Side, optional
        The side that can't be read, if the other one can.
    noted : datetime, optional
        Newest event time of its shard up to it.
    """
    return DeadLetter(
        id=hash_of(shard, position, reason, side or ""),
        shard=shard,
        position=position,
        reason=reason,
        sha256=hashlib.sha256(payload).hexdigest(),
        size_bytes=len(payload),
        side=side,
        endpoint=endpoint,
        noted=noted,
    )


def letter_in(
    batch: Batch, lateness: Lateness, record: int, reason: Reason, endpoint: str, side: Side | None = None
) -> DeadLetter:
    """Dead letter of a batch's record; see ``letter_of``."""
    at = int(lateness.greatest_at[record])
    noted = None if at == BEGINNING else as_datetime(at)
    return letter_of(batch.shard, batch.positions[record], batch.payloads[record], reason, endpoint, side, noted)
