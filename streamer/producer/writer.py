"""CaptureWriter: captures on their way from a request to a stream, without holding the request up."""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from math import inf
from threading import Condition, Event, Thread
from time import monotonic
from typing import Final, NamedTuple
from uuid import uuid4

from streamer.producer.capture import RECORD_BYTES, Origin, Payload, Record, TooLarge, capture_line, record_of
from streamer.producer.put import BATCH_BYTES, BATCH_RECORDS, KinesisClient, NotPut, put_records

_LOG: Final = logging.getLogger("streamer.producer")


class Written(NamedTuple):
    """What became of captures so far.

    Attributes
    ----------
    sent : int
        Taken by the stream.
    waiting : int
        Taken from requests, and neither sent nor lost yet.
    overflowed : int
        Lost because too many waited: the stream was slow or away.
    unsent : int
        Lost because the stream did not take them in time, or refused them.
    invalid : int
        Lost because they can't be captures: too large, or without a time zone.
    """

    sent: int = 0
    waiting: int = 0
    overflowed: int = 0
    unsent: int = 0
    invalid: int = 0


class CaptureWriter:
    """Writes the captures of one variant.

    ``write`` neither waits nor raises: a request is worth more than its capture. What is lost is counted
    and logged. A thread sends what waits; it starts with the first capture, so a server may fork before.

    Parameters
    ----------
    client : KinesisClient
        ``boto3.client("kinesis")``, best with ``Config(retries={"total_max_attempts": 1})`` and short timeouts.
    stream : str
        Name or ARN.
    origin : Origin
        Whose captures they are.
    most_bytes : int
        Bytes that may wait; more are lost.
    record_bytes : int
        Largest record the stream takes.
    linger_seconds : float
        How long captures may wait for others to fill a call.
    within_seconds : float
        How long it is tried to send what waits; then it is lost.
    strict : bool
        Whether ``write`` raises where it would return ``False``.
    wait : callable
        Waits for so many seconds between attempts.
    """

    def __init__(
        self,
        client: KinesisClient,
        stream: str,
        origin: Origin,
        *,
        most_bytes: int = 16 * 2**20,
        record_bytes: int = RECORD_BYTES,
        linger_seconds: float = 1.0,
        within_seconds: float = 60.0,
        strict: bool = False,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        self._client = client
        self._stream = stream
        self._origin = origin
        self._most_bytes = most_bytes
        self._record_bytes = record_bytes
        self._linger_seconds = linger_seconds
        self._within_seconds = within_seconds
        self._strict = strict
        self._wait = wait or Event().wait
        self._changed = Condition()
        # All below is read and written with the condition held.
        self._waiting: deque[Record] = deque()
        self._bytes = 0
        self._written = Written()
        self._thread: Thread | None = None
        self._is_closed = False
        self._closes_at = inf

    @property
    def written(self) -> Written:
        """What became of captures so far."""
        with self._changed:
            return self._written

    def write(
        self,
        request: Payload | None,
        response: Payload | None,
        *,
        inferred_at: datetime,
        event_id: str | None = None,
        inference_id: str | None = None,
        custom_attributes: Sequence[str] = (),
    ) -> bool:
        """Hand over one capture.

        Parameters
        ----------
        request, response, inferred_at, inference_id, custom_attributes
            As for ``capture_line``.
        event_id : str, optional
            Its identity; a new one when it is left out.

        Returns
        -------
        bool
            Whether it will be sent, if the stream takes it. Always true when ``strict``.

        Raises
        ------
        AttributeError, TypeError, ValueError
            Only when ``strict``: it can't be a capture, or fits into no record (``TooLarge``).
        BufferError
            Only when ``strict``: too many wait, or the writer is closed.
        """
        try:
            line = capture_line(
                request,
                response,
                event_id=str(uuid4()) if event_id is None else event_id,
                inferred_at=inferred_at,
                inference_id=inference_id,
                custom_attributes=custom_attributes,
            )
            record = record_of(line, self._origin, most_bytes=self._record_bytes)
        except (AttributeError, TypeError, ValueError) as error:  # whatever it is given
            self._lose("invalid", "capture too large" if isinstance(error, TooLarge) else "capture invalid")
            if self._strict:
                raise
            return False
        if self._enqueue(record):
            return True
        self._lose("overflowed", "captures overflow")
        if self._strict:
            raise BufferError("too many captures wait, or the writer is closed")
        return False

    def close(self, within_seconds: float = 10.0) -> Written:
        """Send what waits, and end; safe to call twice.

        Parameters
        ----------
        within_seconds : float
            Time for it; what is not sent by then is lost and counted, or still being tried for the
            length of one call.
        """
        with self._changed:
            self._is_closed = True
            self._closes_at = min(self._closes_at, monotonic() + within_seconds)
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(within_seconds)
        return self.written

    def _enqueue(self, record: Record) -> bool:
        with self._changed:
            if self._is_closed or self._bytes + record.size > self._most_bytes:
                return False
            self._waiting.append(record)
            self._bytes += record.size
            self._written = self._written._replace(waiting=self._written.waiting + 1)
            if self._thread is None:
                self._thread = Thread(target=self._run, name="capture-writer", daemon=True)
                self._thread.start()
            if len(self._waiting) == 1 or self._is_full():
                self._changed.notify_all()
            return True

    def _is_full(self) -> bool:
        return len(self._waiting) >= BATCH_RECORDS or self._bytes >= BATCH_BYTES

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._is_closed)
                if not self._waiting:
                    return
                self._changed.wait_for(lambda: self._is_full() or self._is_closed, self._linger_seconds)
                records = list(self._waiting)
                self._waiting.clear()
            self._send(records)

    def _send(self, records: Sequence[Record]) -> None:
        ends_at = monotonic() + self._within_seconds
        reason = ""
        try:
            sent = put_records(
                self._client,
                self._stream,
                records,
                seconds_left=lambda: min(ends_at, self._closes_at) - monotonic(),
                wait=self._wait,
            ).records
        except NotPut as error:
            sent, reason = error.put.records, error.reason
        lost = len(records) - sent
        with self._changed:
            # Their room is free only now: what is being sent is held, too.
            self._bytes -= sum(record.size for record in records)
            counts = self._written
            self._written = counts._replace(
                sent=counts.sent + sent, unsent=counts.unsent + lost, waiting=counts.waiting - len(records)
            )
        if lost:
            _LOG.error("captures not sent", extra={"captures": lost, "reason": reason})

    def _lose(self, counter: str, text: str) -> None:
        with self._changed:
            number = getattr(self._written, counter) + 1
            self._written = self._written._replace(**{counter: number})
        # Logged at 1, 2, 4, 8 …: an outage must not fill the log.
        if number & (number - 1) == 0:
            _LOG.warning(text, extra={"captures": number})
