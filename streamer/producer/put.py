"""PutRecords until every record is taken: in order, in bounded batches, what failed again and alone.

A call may take effect and its answer be lost, so a record may be put twice; whoever reads the stream
drops captures of an ``eventId`` it knows.

References
----------
Brooker, M. (2015). Exponential Backoff And Jitter. AWS Architecture Blog ("Full Jitter").
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from random import Random
from threading import Event
from typing import Any, Final, NamedTuple, Protocol

import botocore.exceptions as sdk
from botocore.parsers import ResponseParserError

from streamer.producer.capture import Record

BATCH_RECORDS: Final = 500
# The service takes 10 MiB; BASE64 makes a third more of it on the way.
BATCH_BYTES: Final = 5 * 2**20
_FIRST_SECONDS: Final = 0.1
_MOST_SECONDS: Final = 5.0
_LATER: Final = frozenset(
    {
        "InternalFailure",
        "InternalFailureException",
        "KMSThrottlingException",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestTimeout",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
    }
)


class KinesisClient(Protocol):
    """What is used of ``boto3.client("kinesis")``; best made without retries of its own."""

    def put_records(self, **request: Any) -> Mapping[str, Any]:
        """Put records, each of which may fail alone."""
        ...


class Put(NamedTuple):
    """What became of records.

    Attributes
    ----------
    records, sent_bytes : int
        Records the stream took, and their bytes, keys included.
    calls : int
        Calls made.
    repeated : int
        Times a record was sent again.
    """

    records: int = 0
    sent_bytes: int = 0
    calls: int = 0
    repeated: int = 0


class NotPut(Exception):
    """Records are left that the stream did not take.

    Parameters
    ----------
    reason : str
        The service's error code, or the SDK's name for what happened; never the service's text.
    put : Put
        What was done before: batches that were taken whole, and what was taken of the last one.
    unsent : int
        Records of the batch in hand that were not taken; there may be others behind it.
    is_refused : bool
        Whether trying again is no use before a person has changed something.
    """

    def __init__(self, reason: str, put: Put, unsent: int, *, is_refused: bool) -> None:
        super().__init__(f"{reason}: {put.records} records put, {unsent} or more not")
        self.reason = reason
        self.put = put
        self.unsent = unsent
        self.is_refused = is_refused


def put_records(
    client: KinesisClient,
    stream: str,
    records: Iterable[Record],
    *,
    seconds_left: Callable[[], float],
    wait: Callable[[float], object] | None = None,
    chance: Random | None = None,
) -> Put:
    """Put records in their order, as far as the service keeps it.

    A batch follows when the one before was taken whole. Within a batch, records that were refused
    come after those that were not.

    Parameters
    ----------
    client : KinesisClient
        Of Kinesis.
    stream : str
        Its name or ARN.
    records : iterable of Record
        Read as they are needed: one batch is held.
    seconds_left : callable
        Time that may still be spent on this; no attempt begins when there is none, but for the first.
    wait : callable, optional
        Waits for so many seconds.
    chance : random.Random, optional
        Source of the jitter.

    Returns
    -------
    Put
        Every record was taken.

    Raises
    ------
    NotPut
        Time is up, or the service refuses for good.
    """
    sending = _Sending(client, stream, seconds_left, wait or Event().wait, chance or Random())
    batch: list[Record] = []
    size = 0
    for record in records:
        if batch and (len(batch) == BATCH_RECORDS or size + record.size > BATCH_BYTES):
            sending.send(batch)
            batch, size = [], 0
        batch.append(record)
        size += record.size
    if batch:
        sending.send(batch)
    return sending.put


class _Sending:
    """One run of batches."""

    def __init__(
        self,
        client: KinesisClient,
        stream: str,
        seconds_left: Callable[[], float],
        wait: Callable[[float], object],
        chance: Random,
    ) -> None:
        self._client = client
        self._target = {"StreamARN" if stream.startswith("arn:") else "StreamName": stream}
        self._seconds_left = seconds_left
        self._wait = wait
        self._chance = chance
        self.put = Put()

    def send(self, batch: Sequence[Record]) -> None:
        """Put a batch whole.

        Raises
        ------
        NotPut
            As for ``put_records``.
        """
        failures = 0
        while True:
            left, reason = self._attempt(batch)
            if not left:
                return
            # A shard that takes some of them is not one that is down.
            failures = failures + 1 if len(left) == len(batch) else 1
            batch = left
            spare = self._seconds_left()
            if spare <= 0:
                raise NotPut(reason, self.put, len(batch), is_refused=False)
            ceiling = min(_MOST_SECONDS, _FIRST_SECONDS * 2 ** min(failures - 1, 16), spare)
            self._wait(self._chance.uniform(0.0, ceiling))
            self.put = self.put._replace(repeated=self.put.repeated + len(batch))

    def _attempt(self, batch: Sequence[Record]) -> tuple[Sequence[Record], str]:
        """Records left, in their order, and why the first of them is."""
        entries = [{"Data": record.data, "PartitionKey": record.partition_key} for record in batch]
        self.put = self.put._replace(calls=self.put.calls + 1)
        try:
            answer = self._client.put_records(**self._target, Records=entries)
        except sdk.ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", "Unknown"))
            status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
            if code in _LATER or status >= 500:
                return batch, code
            raise NotPut(code, self.put, len(batch), is_refused=True) from error
        except (sdk.HTTPClientError, sdk.ConnectionError, ResponseParserError) as error:
            return batch, type(error).__name__
        except sdk.BotoCoreError as error:
            raise NotPut(type(error).__name__, self.put, len(batch), is_refused=True) from error
        answers = answer.get("Records", ())
        if len(answers) != len(batch):
            # The SDK takes an answer that was cut off for an empty one.
            return batch, "TornAnswer"
        left = [record for record, one in zip(batch, answers, strict=True) if one.get("ErrorCode")]
        taken = [record for record, one in zip(batch, answers, strict=True) if not one.get("ErrorCode")]
        self.put = self.put._replace(
            records=self.put.records + len(taken),
            sent_bytes=self.put.sent_bytes + sum(record.size for record in taken),
        )
        return left, next((str(one["ErrorCode"]) for one in answers if one.get("ErrorCode")), "")
