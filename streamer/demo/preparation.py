"""Preparation: everything the demo needs on disk, made as a user would make it."""

import os
import shutil
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import pandas as pd

from streamer.adapters.tables import table_chunks
from streamer.app.baselines import BASELINE_FILE
from streamer.app.whole import write_whole
from streamer.core.baseline.build import BuildOptions, build
from streamer.core.baseline.model import Baseline, encode
from streamer.core.errors import SinkError
from streamer.demo.captures import CapturesWritten, write_captures, write_training_table
from streamer.demo.configuration import TIME_ZONE, ServiceText, configuration_text
from streamer.demo.flights import between, read_flights, training, watched
from streamer.demo.history import service_day_of
from streamer.demo.model import Model, cross_validated_scores, fit, scores

# Says that a directory is the demo's own, and may be made anew.
_MARK: Final = ".streamer-demo"
_DAY_MS: Final = 86_400_000
# The first flights leave at five: enough that every shard gets some.
_MORNING_MS: Final = 3 * 3_600_000


class Prepared(NamedTuple):
    """What was made.

    Attributes
    ----------
    configuration, baseline, captures, out, sqlite, state, service_log : Path
        Where the configuration file goes; the folders of the baseline and of the capture files; where
        results go; the SQLite file; the service's state and its log.
    written : CapturesWritten
        What is in the captures.
    first, last : date
        Service days they cover.
    first_at, ends_at : int
        Start of the first day and end of the last, milliseconds since the epoch.
    morning_after : Path or None
        Folder of the captures of the first hours after it, which close it; ``None`` where it is cut
        short, or the last of the data.
    records : int
        Captures, those of the morning after included.
    flights : DataFrame
        Of the whole year.
    until_at : int
        End of the captures, the morning after included, milliseconds since the epoch.
    model : Model
        The first version.
    """

    configuration: Path
    baseline: Path
    captures: Path
    out: Path
    sqlite: Path
    state: Path
    service_log: Path
    written: CapturesWritten
    first: date
    last: date
    first_at: int
    ends_at: int
    morning_after: Path | None
    records: int
    flights: pd.DataFrame
    until_at: int
    model: Model

    @property
    def judged_until_at(self) -> int | None:
        """Up to where the captures let the watermark go for sure; ``None`` if the last day stays open."""
        return None if self.morning_after is None else self.ends_at

    @property
    def watched(self) -> pd.DataFrame:
        """Flights of the service days watched."""
        at = self.flights["service_day_at"]
        return self.flights[(at >= self.first_at) & (at < self.ends_at)]

    def add(self, versions: str) -> None:
        """Add tables of versions that took over to the configuration file, so that a replay knows them.

        Raises
        ------
        SinkError, StorageFull
            It can't be written.
        """
        write_whole(self.configuration, self.configuration.read_bytes() + versions.encode())

    def configure(self, service: ServiceText | None = None) -> None:
        """Write the configuration file.

        Parameters
        ----------
        service : ServiceText, optional
            What the running service needs; without it, it is one to replay with.

        Raises
        ------
        SinkError, StorageFull
            It can't be written.
        """
        text = configuration_text(
            os.path.relpath(self.baseline, self.configuration.parent),
            os.path.relpath(self.sqlite, self.configuration.parent),
            service,
        )
        write_whole(self.configuration, text.encode())


def prepare(directory: Path, rows: int | None, *, full_year: bool, say: Callable[[str], None]) -> Prepared:
    """Train a model on January, build its baseline, and write what it answered afterwards as captures.

    Parameters
    ----------
    directory : Path
        Where to; empty but for the demo's own mark.
    rows : int or None
        Flights to watch at most, from February on.
    full_year : bool
        Until December instead of July.
    say : callable
        Told what is being done.

    Raises
    ------
    SinkError, StorageFull
        It can't be written.
    """
    say("reading the flights that left New York in 2013")
    flights = read_flights()
    january = training(flights)
    say(f"training on {len(january):,} flights of January")
    model = fit(january)
    train = directory / "train.csv"
    # In-sample scores would be too sure of themselves, and the score would seem to drift on day one.
    write_training_table(january.assign(score=cross_validated_scores(january)), train)
    say("building the baseline")
    baseline = baseline_of(train)
    (directory / "baseline").mkdir()
    write_whole(directory / "baseline" / BASELINE_FILE, encode(baseline))
    every = watched(flights, full_year=full_year)
    later = every.iloc[:rows]
    say(f"answering {len(later):,} flights from February on, and writing what was asked and answered as captures")
    captures = directory / "captures"
    written = write_captures(later.assign(score=scores(model, later)), captures)
    last = service_day_of(written.last_at)
    ends_at = int(later["service_day_at"].iloc[-1]) + _DAY_MS
    morning = between(flights, last + timedelta(days=1), last + timedelta(days=2))
    morning = morning[morning["scheduled_at"] < ends_at + _MORNING_MS]
    morning_after, records, until_at = None, written.records, written.last_at + 1
    # A day that is cut short must not be judged as if nobody had flown any more.
    if len(later) == len(every) and len(morning):
        morning_after, until_at = directory / "morning-after", ends_at + _MORNING_MS
        records += write_captures(morning.assign(score=scores(model, morning)), morning_after).records
    return Prepared(
        configuration=directory / "streamer.toml",
        baseline=directory / "baseline",
        captures=captures,
        out=directory / "out",
        sqlite=directory / "streamer.sqlite",
        state=directory / "state",
        service_log=directory / "service.log",
        written=written,
        first=service_day_of(written.first_at),
        last=last,
        first_at=int(later["service_day_at"].iloc[0]),
        ends_at=ends_at,
        morning_after=morning_after,
        records=records,
        flights=flights,
        until_at=until_at,
        model=model,
    )


def baseline_of(table: Path) -> Baseline:
    """The baseline of a training table as ``write_training_table`` writes it."""
    options = BuildOptions(outputs=("score",), time_column="scheduled", time_zone=TIME_ZONE)
    return build(lambda: table_chunks(table, "scheduled", lambda _: None), options)


def make_anew(directory: Path) -> None:
    """Make a demo's directory, empty but for its mark.

    Raises
    ------
    SinkError
        It is not empty and no demo's own, or can't be written.
    """
    try:
        if directory.exists() and any(directory.iterdir()):
            if not (directory / _MARK).exists():
                raise SinkError(f"{directory} is not empty and no demo's own: choose another with --out")
            shutil.rmtree(directory)
        directory.mkdir(parents=True, exist_ok=True)
        (directory / _MARK).touch()
    except OSError as error:
        raise SinkError(f"can't write {directory}: {error.strerror}") from error
