"""Flights with their scores as an endpoint's capture records, and as the table a baseline is built from.

Flights that leave one airport in one scheduled minute are one request of several rows. Bytes and
file names depend on the flights alone.
"""

import csv
import errno
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import NamedTuple
from uuid import NAMESPACE_OID, uuid5

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from streamer.core.errors import SinkError, StorageFull
from streamer.core.eventtime import as_datetime
from streamer.demo.configuration import ENDPOINT, VARIANT
from streamer.demo.flights import FEATURES

_HOUR_MS = 3_600_000
_RECORD = (
    '{"captureData":{"endpointInput":{"observedContentType":"text/csv","mode":"INPUT","data":"%s","encoding":"CSV"},'
    '"endpointOutput":{"observedContentType":"text/csv; charset=utf-8","mode":"OUTPUT","data":"%s","encoding":"CSV"}},'
    '"eventMetadata":{"eventId":"%s","inferenceTime":"%s"},"eventVersion":"0"}'
)


class CapturesWritten(NamedTuple):
    """What was written.

    Attributes
    ----------
    files, records, rows : int
        Files, capture records in them, flights in those.
    first_at, last_at : int
        Least and greatest event time, milliseconds since the epoch; 0 where there is none.
    """

    files: int
    records: int
    rows: int
    first_at: int
    last_at: int


def captures(flights: pd.DataFrame, features: Sequence[str] = FEATURES) -> Iterator[tuple[int, bytes]]:
    """Capture records in event-time order.

    Parameters
    ----------
    flights : DataFrame
        As ``read_flights`` orders them, with a column ``score``.
    features : sequence of str
        What the model was asked with, in its order.

    Yields
    ------
    event_at : int
        Scheduled departure, milliseconds since the epoch.
    payload : bytes
        One line of JSON, no newline.
    """
    at = flights["scheduled_at"].to_numpy(np.int64)
    origin = flights["origin"].to_numpy()
    # Already as they stand in the JSON text: cells hold digits and letters, so only line ends need escaping.
    rows = list(map(",".join, zip(*(_cells(flights[name]) for name in features), strict=True)))
    scores = _cells(flights["score"])
    starts = np.flatnonzero(np.concatenate([[True], (at[1:] != at[:-1]) | (origin[1:] != origin[:-1])])[: len(at)])
    ends = np.append(starts[1:], len(at))[: len(starts)]
    times = _texts_of(at[starts])
    places = zip(starts.tolist(), ends.tolist(), at[starts].tolist(), origin[starts].tolist(), times, strict=True)
    for start, end, event_at, airport, time in places:
        name = uuid5(NAMESPACE_OID, f"{ENDPOINT}/{airport}/{event_at}")
        data, output = "\\n".join(rows[start:end]), "\\n".join(scores[start:end])
        yield event_at, (_RECORD % (data, output, name, time)).encode()


def write_captures(flights: pd.DataFrame, directory: Path, features: Sequence[str] = FEATURES) -> CapturesWritten:
    """Write capture files as data capture does: ``<endpoint>/<variant>/yyyy/mm/dd/hh/<file>``, one an hour.

    Parameters
    ----------
    flights, features
        As for ``captures``.
    directory : Path
        Where the endpoint's folder is made; it must not be there yet.

    Raises
    ------
    SinkError
        The endpoint's folder exists, or a file can't be written.
    StorageFull
        The disk is full.
    """
    root = directory / ENDPOINT
    if root.exists():
        raise SinkError(f"{root}: already there; captures are written to a folder of their own")
    files = records = first_at = last_at = 0
    try:
        for hour, several in groupby(captures(flights, features), key=lambda capture: capture[0] // _HOUR_MS):
            times, payloads = zip(*several, strict=True)
            path = root / VARIANT / _name_of(hour, times[0])
            path.parent.mkdir(parents=True)
            path.write_bytes(b"\n".join(payloads) + b"\n")
            files, records = files + 1, records + len(payloads)
            first_at, last_at = first_at or times[0], times[-1]
    except OSError as error:
        raise _write_error(root, error) from error
    return CapturesWritten(files, records, len(flights), first_at, last_at)


def write_training_table(flights: pd.DataFrame, path: Path, features: Sequence[str] = FEATURES) -> None:
    """Write rows as CSV: ``scheduled``, the features in the captures' order, ``score``.

    Parameters
    ----------
    flights : DataFrame
        With a column ``score``.
    path : Path
        File to write; its folder exists.
    features : sequence of str
        Columns besides, in their order.

    Raises
    ------
    SinkError, StorageFull
        It can't be written; the disk is full.
    """
    names = [*features, "score"]
    columns = [_texts_of(flights["scheduled_at"].to_numpy(np.int64)), *(_cells(flights[name]) for name in names)]
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["scheduled", *names])
            writer.writerows(zip(*columns, strict=True))
    except OSError as error:
        raise _write_error(path, error) from error


def _cells(column: pd.Series) -> list[str]:
    """A column as it is written: shortest text of each number, nothing for a missing value."""
    codes, values = pd.factorize(column)
    texts = np.array([*map(_cell, values.tolist()), ""], dtype=object)
    written: list[str] = texts[codes].tolist()  # the code of a missing value is -1
    return written


def _cell(value: str | float) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _texts_of(at: NDArray[np.int64]) -> list[str]:
    seconds = np.datetime_as_string((at // 1000).astype("datetime64[s]"))
    return [f"{text}Z" for text in seconds.tolist()]


def _name_of(hour: int, first_at: int) -> Path:
    """Path of an hour's file below the variant; its name is the minute, second and millisecond of a write."""
    name = uuid5(NAMESPACE_OID, f"{ENDPOINT}/{VARIANT}/{hour}")
    return Path(
        f"{as_datetime(hour * _HOUR_MS):%Y/%m/%d/%H}",
        f"{as_datetime(first_at):%M-%S}-{first_at % 1000:03}-{name}.jsonl",
    )


def _write_error(path: Path, error: OSError) -> SinkError | StorageFull:
    text = f"{path}: can't be written: {error.strerror or error}"
    return StorageFull(text) if error.errno in (errno.ENOSPC, errno.EDQUOT) else SinkError(text)
