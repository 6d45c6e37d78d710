"""``streamer replay``: what would have been said of these captures."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamer.commands.printing import printing
from streamer.printable import printable

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from types import FrameType

    from rich.console import Console

    from streamer.app.backtest import Beside, Fired
    from streamer.summary import Summary


def replay(
    ctx: typer.Context,
    paths: Annotated[
        list[str], typer.Argument(metavar="FILE|DIR|-...", help="Capture files, directories of them, - for stdin.")
    ],
    config: Annotated[Path, typer.Option(metavar="FILE", help="The configuration.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where results go.")],
    force: Annotated[bool, typer.Option("--force", help="Replace results that are there.")] = False,
    beside: Annotated[
        Path | None,
        typer.Option(metavar="PATH", help="Alerts, results or an index to set the alerts of this run beside."),
    ] = None,
    no_index: Annotated[bool, typer.Option("--no-index", help="Leave the configured index alone.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no live alerts, no tables.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object.")] = False,
) -> None:
    """Read captures, write documents, alerts, dead letters and a summary: the same whenever it is run.

    Ends with 0 however bad the records are: each is accounted for in summary.json.

    With --beside, the alerts that this configuration raises are set beside those that were raised: in
    alerts.jsonl of an earlier replay or of the demo (or their folder), or in the service's SQLite index. With
    --json they are under the summary's key "beside".
    """
    import asyncio
    import os

    from rich.console import Console

    from streamer.adapters.terminal import TerminalSink
    from streamer.app.backtest import compare, encode_beside, read_earlier
    from streamer.app.incidents import Incidents
    from streamer.app.replay import Replay
    from streamer.config.load import load
    from streamer.progress import progress

    quiet = quiet or bool(ctx.find_root().params.get("quiet"))
    live = Console(stderr=True)
    configured = load(config, os.environ)
    # Before the run, which may write to the same index or replace the same results.
    earlier = None if beside is None else read_earlier(beside)
    incidents = Incidents()
    run = Replay(
        configured,
        paths,
        out,
        replace=force,
        with_index=not no_index,
        sinks=[*(() if quiet else (TerminalSink(live),)), *(() if earlier is None else (incidents,))],
    )
    with progress("replay", run.total_bytes, quiet=quiet, console=live) as shown:

        def on_batch(replay: Replay) -> None:
            shown.set(replay.bytes_read)
            shown.note(replay.note())

        termination = _Termination()
        try:
            summary = asyncio.run(termination.around(run.run(on_batch)))
        except (KeyboardInterrupt, asyncio.CancelledError) as error:
            typer.echo("streamer: interrupted; no results were written", err=True)
            raise typer.Exit(143 if termination.came else 130) from error
    compared = None if earlier is None else compare(earlier, incidents.fired, summary)
    with printing():
        if as_json:
            typer.echo(summary.encode() if compared is None else encode_beside(summary, compared), nl=False)
        elif not quiet:
            _show(summary, out, Console())
            if compared is not None:
                _show_beside(compared, Console())
    if not summary.records.accounted_for:
        typer.echo("the headings of the records do not add up: please report this", err=True)
        raise typer.Exit(1)


class _Termination:
    """SIGTERM during a run: the run is cancelled, as asyncio does on SIGINT, and can clean up."""

    def __init__(self) -> None:
        self.came = False

    async def around(self, run: "Coroutine[None, None, Summary]") -> "Summary":
        """Await a run; the first SIGTERM cancels it, a second one interrupts it at once."""
        import asyncio
        import signal

        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def heard(number: int, frame: "FrameType | None") -> None:
            if self.came or task is None:
                raise KeyboardInterrupt
            self.came = True
            task.cancel()
            # The loop may be asleep.
            loop.call_soon_threadsafe(lambda: None)

        before = signal.signal(signal.SIGTERM, heard)
        try:
            return await run
        finally:
            # None: set by other than Python code, and unknown to it.
            signal.signal(signal.SIGTERM, before if before is not None else signal.SIG_DFL)


def _show(summary: "Summary", out: Path, console: "Console") -> None:
    """The summary as a person reads it."""
    from rich.table import Table

    table = Table(show_header=False, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, text in _lines(summary, out):
        table.add_row(name, text)
    console.print(table, markup=False)


def _lines(summary: "Summary", out: Path) -> list[tuple[str, str]]:
    records, source, run = summary.records, summary.source, summary.run
    headings = {
        "accepted": records.accepted,
        "invalid": records.invalid,
        "duplicate": records.duplicate,
        "late, still in time to revise": records.late_revised,
        "too late": records.late_dropped,
        "ignored": records.ignored,
    }
    lines = [
        ("records", f"{records.read:,} = " + _counts(headings)),
        ("rows", f"{summary.rows_in:,} in, {summary.rows_out:,} out"),
    ]
    if records.invalid:
        lines.append(("invalid", _counts(records.invalid_by_reason)))
    if records.partial:
        lines.append(("one side only", _counts(records.partial_by_reason)))
    files = f"{source.files:,}, {source.bytes / 1e6:,.1f} MB"
    if source.blank_lines or source.empty_files.count:
        files += f"; {source.empty_files.count:,} empty, {source.blank_lines:,} blank lines"
    lines.append(("files", files))
    lines += [("unreadable", printable(problem)) for problem in source.problems.first]
    if summary.first_window is not None and summary.last_window is not None:
        lines.append(("time", f"{summary.first_window:%Y-%m-%d %H:%M} to {summary.last_window:%Y-%m-%d %H:%M} UTC"))
    lines.append(
        (
            "windows",
            f"{summary.windows:,}, endpoints {len(summary.endpoints):,}, still open {summary.incomplete_windows:,}",
        )
    )
    for cause, ended in summary.incidents.items():
        lines.append((cause, _counts({_ENDED[how]: count for how, count in ended.items()})))
    if not summary.incidents:
        lines.append(("incidents", "none"))
    lines.append(("took", f"{run.wall_seconds:,.1f} s, {run.records_per_second:,.0f} records a second"))
    lines.append(("results", printable(str(out))))
    return lines


_ENDED = {
    "pending": "still pending",
    "firing": "still firing",
    "resolved": "fired and resolved",
    "passed": "passed before firing",
}


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count) or "0"


def _show_beside(beside: "Beside", console: "Console") -> None:
    """What fired there and here, one trouble a row."""
    from rich.table import Table
    from rich.text import Text

    # A text, as brackets in a title would be read as markup.
    table = Table(title=Text(f"There: {printable(beside.path)}"), title_justify="left")
    for name in ("when (UTC)", "endpoint", "cause", "there", "here"):
        table.add_column(name, overflow="fold")
    for row in beside.rows:
        sides = [side for side in (row.there, row.here) if side is not None]
        spans = list(dict.fromkeys(map(_span, sides)))
        # Where the times differ, each side says its own.
        when = spans[0] if len(spans) == 1 else ""
        told = (_told(side, with_span=len(spans) > 1) for side in (row.there, row.here))
        table.add_row(when, printable(row.endpoint), row.cause.value, *told)
    if beside.rows:
        console.print()
        console.print(table, markup=False)
    left_out = {
        "incidents outside the time that was read": beside.outside,
        "incidents of endpoints that were not read": beside.elsewhere,
        "lines that can't be read": beside.torn,
    }
    if any(left_out.values()):
        console.print(f"left out of there: {_counts(left_out)}", highlight=False, soft_wrap=True)
    line = f"{beside.both:,} in both, {beside.only_there:,} only there, {beside.only_here:,} only here"
    console.print(line, highlight=False, soft_wrap=True)


def _told(side: "Fired | None", *, with_span: bool) -> str:
    if side is None:
        return "-"
    return f"{_span(side)}\n{printable(side.title)}" if with_span else printable(side.title)


def _span(side: "Fired") -> str:
    until = "still firing" if side.until is None else f"{side.until:%Y-%m-%d %H:%M}"
    return f"{side.since:%Y-%m-%d %H:%M} to {until}"
