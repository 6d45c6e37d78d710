"""Preparation: everything the demo needs on disk, made as a user would make it."""

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Final, NamedTuple

from streamer.adapters.tables import table_chunks
from streamer.app.baselines import BASELINE_FILE
from streamer.app.whole import write_whole
from streamer.core.baseline.build import BuildOptions, build
from streamer.core.baseline.model import encode
from streamer.core.errors import SinkError
from streamer.demo.captures import CapturesWritten, write_captures, write_training_table
from streamer.demo.configuration import TIME_ZONE, configuration_text
from streamer.demo.flights import read_flights, training, watched
from streamer.demo.history import service_day_of
from streamer.demo.model import cross_validated_scores, fit, scores

# Says that a directory is the demo's own, and may be made anew.
_MARK: Final = ".streamer-demo"


class Prepared(NamedTuple):
    """What was made.

    Attributes
    ----------
    configuration, captures, out, sqlite : Path
        The configuration file; the folder of capture files; where results go; the SQLite file.
    written : CapturesWritten
        What is in the captures.
    first, last : date
        Service days they cover.
    """

    configuration: Path
    captures: Path
    out: Path
    sqlite: Path
    written: CapturesWritten
    first: date
    last: date


def prepare(directory: Path, rows: int | None, *, full_year: bool, say: Callable[[str], None]) -> Prepared:
    """Train a model on January, build its baseline, and write what it answered afterwards as captures.

    Parameters
    ----------
    directory : Path
        Where to; made anew when it is a demo's own.
    rows : int or None
        Flights to watch at most, from February on.
    full_year : bool
        Until December instead of July.
    say : callable
        Told what is being done.

    Raises
    ------
    SinkError, StorageFull
        The directory is not the demo's own, or can't be written.
    """
    _make_anew(directory)
    say("reading the flights that left New York in 2013")
    flights = read_flights()
    january = training(flights)
    say(f"training on {len(january):,} flights of January")
    pipeline = fit(january)
    train = directory / "train.csv"
    # In-sample scores would be too sure of themselves, and the score would seem to drift on day one.
    write_training_table(january.assign(score=cross_validated_scores(january)), train)
    say("building the baseline")
    options = BuildOptions(outputs=("score",), time_column="scheduled", time_zone=TIME_ZONE)
    baseline = build(lambda: table_chunks(train, "scheduled", lambda _: None), options)
    (directory / "baseline").mkdir()
    write_whole(directory / "baseline" / BASELINE_FILE, encode(baseline))
    later = watched(flights, full_year=full_year).iloc[:rows]
    say(f"answering {len(later):,} flights from February on, and writing what was asked and answered as captures")
    captures = directory / "captures"
    written = write_captures(later.assign(score=scores(pipeline, later)), captures)
    configuration = directory / "streamer.toml"
    write_whole(configuration, configuration_text("baseline", "streamer.sqlite").encode())
    return Prepared(
        configuration=configuration,
        captures=captures,
        out=directory / "out",
        sqlite=directory / "streamer.sqlite",
        written=written,
        first=service_day_of(written.first_at),
        last=service_day_of(written.last_at),
    )


def _make_anew(directory: Path) -> None:
    try:
        if directory.exists() and any(directory.iterdir()):
            if not (directory / _MARK).exists():
                raise SinkError(f"{directory} is not empty and no demo's own: choose another with --out")
            shutil.rmtree(directory)
        directory.mkdir(parents=True, exist_ok=True)
        (directory / _MARK).touch()
    except OSError as error:
        raise SinkError(f"can't write {directory}: {error.strerror}") from error
