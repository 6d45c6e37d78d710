"""Pipeline: answers a request for retraining as a team's own would, up to the version that takes over."""

import shutil
from pathlib import Path
from typing import Final, NamedTuple

import pandas as pd

from streamer.adapters.decisions_file import FILE, append_decision
from streamer.app.baselines import BASELINE_FILE
from streamer.app.whole import write_whole
from streamer.core.baseline.model import Baseline, encode
from streamer.core.decisions import AddVersion
from streamer.core.errors import SinkError
from streamer.core.types import RetrainingRequest, TimeRange
from streamer.demo.captures import write_captures, write_training_table
from streamer.demo.configuration import ENDPOINT
from streamer.demo.flights import SEASONAL
from streamer.demo.model import Model, cross_validated_scores, fit, scores
from streamer.demo.preparation import Prepared, baseline_of
from streamer.demo.producer import hours_of

VERSION: Final = "2"


class Takeover(NamedTuple):
    """A version that answers from a time on.

    Attributes
    ----------
    model : Model
    from_at : int
        Milliseconds since the epoch.
    rows : int
        It was trained on.
    captures : Path
        Folder of what it was asked and answered.
    configuration : str
        Its table in a configuration file.
    """

    model: Model
    from_at: int
    rows: int
    captures: Path
    configuration: str


def asked_for(flights: pd.DataFrame, request: RetrainingRequest) -> pd.DataFrame:
    """Flights in the ranges that a request names, without the stretches it says to leave out."""
    at = pd.to_datetime(flights["scheduled_at"], unit="ms", utc=True)

    def within(several: tuple[TimeRange | None, ...]) -> pd.Series:
        inside = pd.Series(False, index=flights.index)
        for one in several:
            if one is not None:
                inside |= (at >= one.since) & (at < one.until)
        return inside

    return flights[within((request.original, request.new)) & ~within(request.leave_out)]


def retrained(flights: pd.DataFrame, request: RetrainingRequest, table: Path) -> tuple[Model, Baseline, int]:
    """Train a model on what a request asks for, and build its baseline.

    On the same features the next season would ask for the next training: it gets the temperature as its
    distance from the normal of the day.

    Parameters
    ----------
    flights : DataFrame
        As ``read_flights`` gives them.
    request : RetrainingRequest
        As it came out of the queue.
    table : Path
        Where the training rows go.

    Returns
    -------
    model : Model
    baseline : Baseline
        Of the training rows with cross-validated scores.
    rows : int
        It was trained on.
    """
    rows = asked_for(flights, request)
    write_training_table(rows.assign(score=cross_validated_scores(rows, SEASONAL)), table, SEASONAL)
    return fit(rows, SEASONAL), baseline_of(table), len(rows)


def answer(made: Prepared, request: RetrainingRequest, from_at: int) -> Takeover:
    """Train the second version, and let it answer what is asked from a time on.

    Parameters
    ----------
    made : Prepared
        What the service watches; captures from that time on are the second version's now.
    request : RetrainingRequest
        As it came out of the queue.
    from_at : int
        Start of a window, milliseconds since the epoch; nothing at or after it has been put.

    Raises
    ------
    SinkError, StorageFull
        It can't be written.
    """
    folder = made.baseline.with_name("baseline-2")
    captures = made.captures.with_name("captures-2")
    model, baseline, rows = retrained(made.flights, request, made.baseline.with_name("train-2.csv"))
    try:
        folder.mkdir()
        for hour in hours_of(made.captures):
            if hour.start_at >= from_at:
                hour.path.unlink()
        if made.morning_after is not None:
            shutil.rmtree(made.morning_after)
    except OSError as error:
        raise SinkError(f"can't write {made.baseline.parent}: {error.strerror}") from error
    write_whole(folder / BASELINE_FILE, encode(baseline))
    later = made.flights[(made.flights["scheduled_at"] >= from_at) & (made.flights["scheduled_at"] < made.until_at)]
    later = later.assign(score=scores(model, later))
    of_days = later["scheduled_at"] < made.ends_at
    write_captures(later[of_days], captures, SEASONAL)
    if made.morning_after is not None:
        write_captures(later[~of_days], made.morning_after, SEASONAL)
    decision = AddVersion(
        id=f"takeover-{request.id}",
        made_at=from_at,
        by="the demo's pipeline",
        note=f"answers {request.id}",
        endpoint=ENDPOINT,
        version=VERSION,
        from_at=from_at,
        baseline=str((folder / BASELINE_FILE).absolute()),
        baseline_id=baseline.id,
    )
    append_decision(made.state / FILE, decision)
    since = pd.Timestamp(from_at, unit="ms", tz="UTC").isoformat().replace("+00:00", "Z")
    table = f'\n[[endpoint.version]]\nid = "{VERSION}"\nfrom = {since}\nbaseline = "{folder.name}"\n'
    return Takeover(model, from_at, rows, captures, table)
