"""``streamer demo``: six months of real flights in a minute."""

from pathlib import Path
from typing import Annotated

import typer


def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where everything goes.")] = Path("var/demo"),
    records: Annotated[
        int | None, typer.Option(min=100, help="Flights to watch at most; all of them without it.")
    ] = None,
    full_year: Annotated[bool, typer.Option("--full-year", help="Until December instead of July.")] = False,
    days_per_second: Annotated[float, typer.Option(min=0, help="Days of 2013 a second; 0: no waiting.")] = 3.0,
) -> None:
    """Train a model on January's flights and watch it from February on: real data, nothing prepared.

    Then the incidents found, and beside them what happened in New York on those days.
    """
    import asyncio
    import os

    from rich.console import Console

    from streamer.demo import require_extra

    require_extra()
    from streamer.adapters.clock import SystemClock
    from streamer.adapters.terminal import TerminalSink
    from streamer.app.replay import Replay
    from streamer.config.load import load
    from streamer.demo.pace import Pace
    from streamer.demo.preparation import prepare
    from streamer.demo.story import Incidents, told
    from streamer.progress import progress

    live, console = Console(stderr=True), Console()
    made = prepare(out, records, full_year=full_year, say=lambda text: live.print(f"· {text}", highlight=False))
    incidents = Incidents()
    pace = Pace(days_per_second * 86_400, SystemClock(), asyncio.sleep)
    # The demo's own configuration is not to be changed by what is set for another one.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STREAMER_")}
    run = Replay(
        load(made.configuration, environment),
        [str(made.captures)],
        made.out,
        sinks=(TerminalSink(live), incidents, pace),
    )
    with progress("watching", run.total_bytes, console=live) as shown:

        def on_batch(replay: Replay) -> None:
            shown.set(replay.bytes_read)
            shown.note(replay.note())

        try:
            summary = asyncio.run(run.run(on_batch))
        except KeyboardInterrupt as error:
            typer.echo("streamer: interrupted", err=True)
            raise typer.Exit(130) from error
    told(incidents.fired, made.first, made.last, console)
    read = summary.records
    console.print(
        f"{read.read:,} records with {made.written.rows:,} flights, every one accounted for: "
        f"{read.accepted:,} accepted, {read.invalid:,} invalid, {read.duplicate:,} duplicate, "
        f"{read.late_revised + read.late_dropped:,} late.",
        highlight=False,
    )
    places = {
        "window documents": made.sqlite,
        "alerts": made.out / "alerts.jsonl",
        "all results": made.out,
        "configuration": made.configuration,
        "baseline": made.configuration.parent / "baseline",
    }
    for name, path in places.items():
        console.print(f"{name:>17}: {path}", highlight=False, markup=False, soft_wrap=True)
