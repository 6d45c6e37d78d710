"""One run over the past: capture files in, results and a summary out."""

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import BinaryIO, Final

from streamer.adapters.clock import SystemClock
from streamer.adapters.files import FilesSource
from streamer.adapters.jsonlines import ALERTS, DEAD_LETTERS, DOCUMENTS, PARTIAL, JsonLinesSink
from streamer.adapters.sqlite import SqliteSink
from streamer.app.baselines import baselines_of
from streamer.app.whole import write_whole
from streamer.config.model import Config
from streamer.core.engine import Engine
from streamer.core.errors import SinkError
from streamer.core.eventtime import as_datetime
from streamer.core.watermarks import BEGINNING
from streamer.ports import Clock, Sink
from streamer.pump import pump
from streamer.summary import Names, SourceNotes, Stopwatch, Summary, Tally, summarise

SUMMARY: Final = "summary.json"
RESULTS: Final = (DOCUMENTS, ALERTS, DEAD_LETTERS, SUMMARY)


class Replay:
    """One run over capture files, from the first record to ``summary.json``.

    Parameters
    ----------
    config : Config
        What is watched and how.
    paths : sequence of str
        Files, directories, ``-`` for standard input.
    out : Path
        Directory of the results.
    replace : bool
        Whether results that are there already may be replaced.
    with_index : bool
        Whether documents go to the configured index, too.
    sinks : sequence of Sink
        Further sinks: the terminal.
    clock : Clock
        Refuses event times ahead of it, and times the run.
    stdin : binary file, optional
        Instead of the process's own.

    Raises
    ------
    ConfigError
        A baseline can't be read.
    SourceError
        A path can't be read.
    SinkError
        There are results already.
    """

    def __init__(
        self,
        config: Config,
        paths: Sequence[str],
        out: Path,
        *,
        replace: bool = False,
        with_index: bool = True,
        sinks: Sequence[Sink] = (),
        clock: Clock | None = None,
        stdin: BinaryIO | None = None,
    ) -> None:
        settings = config.engine_settings()
        self.engine = Engine(settings, baselines_of(config))
        self.bytes_read = 0
        self._source = FilesSource(
            paths, record_bytes=settings.limits.record_bytes, on_bytes=self._note_bytes, stdin=stdin
        )
        self._config, self._out, self._with_index = config, out, with_index
        self._sinks = tuple(sinks)
        self._tally = Tally()
        self._clock = clock if clock is not None else SystemClock()
        there = [name for name in RESULTS if (out / name).exists()]
        if there and not replace:
            raise SinkError(f"{out} holds results already ({', '.join(there)}); --force replaces them")

    @property
    def total_bytes(self) -> int | None:
        """Bytes there are to read; ``None`` where nobody knows."""
        return self._source.total_bytes

    def note(self) -> str:
        """How far it has come, in a few words."""
        at = self.engine.watermarks.at
        day = "" if at == BEGINNING else f"{as_datetime(at):%Y-%m-%d}, "
        firing = f", {self._tally.firing} firing" if self._tally.firing else ""
        return f"{day}{self.engine.totals.records:,} records{firing}"

    def _note_bytes(self, count: int) -> None:
        self.bytes_read += count

    async def run(self, on_batch: Callable[["Replay"], None] = lambda replay: None) -> Summary:
        """Read everything and write every result, the summary last.

        Parameters
        ----------
        on_batch : callable
            Called after each batch, for progress.

        Returns
        -------
        Summary
            What ``summary.json`` holds.

        Raises
        ------
        SinkError, Retryable, Refused
            A result can't be written. No result file is left that is not whole.
        """
        began = Stopwatch(self._clock)
        try:
            async with AsyncExitStack() as closing:
                results = JsonLinesSink(self._out)
                closing.push_async_callback(results.close)
                sinks: list[Sink] = [results, *self._index(closing), *self._sinks, self._tally]
                # Its presence says that all of the results are of one whole run.
                _remove(self._out / SUMMARY)
                await pump(self.engine, self._source, sinks, self._clock, lambda engine: on_batch(self))
        finally:
            for name in RESULTS:
                with suppress(OSError):
                    (self._out / (name + PARTIAL)).unlink(missing_ok=True)
        summary = summarise(self.engine.totals, self._tally, self._notes(), began.stop(self.engine.totals.records))
        write_whole(self._out / SUMMARY, summary.encode())
        return summary

    def _index(self, closing: AsyncExitStack) -> list[Sink]:
        index = self._config.index
        if index.sqlite is None or not self._with_index:
            return []
        sink = SqliteSink(self._config.path_of(index.sqlite), retention_days=index.retention_days)
        closing.push_async_callback(sink.close)
        return [sink]

    def _notes(self) -> SourceNotes:
        source = self._source
        return SourceNotes(
            files=source.files,
            bytes=self.bytes_read,
            blank_lines=source.blank_lines,
            empty_files=Names.of(sorted(source.empty_files)),
            problems=Names.of(sorted(f"{problem.path}: {problem.text}" for problem in source.problems)),
        )


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise SinkError(f"{path}: can't be removed: {error.strerror}") from error
