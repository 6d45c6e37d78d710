"""``streamer demo``: six months of real flights in a minute, the whole way from Kinesis to SQS."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from streamer.demo.processes import Process


def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where everything goes.")] = Path("var/demo"),
    records: Annotated[
        int | None, typer.Option(min=100, help="Flights to watch at most; all of them without it.")
    ] = None,
    full_year: Annotated[bool, typer.Option("--full-year", help="Until December instead of July.")] = False,
    days_per_second: Annotated[float, typer.Option(min=0, help="Days of 2013 a second; 0: no waiting.")] = 3.0,
    opensearch: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Write to this OpenSearch server, too, which is set up first."),
    ] = None,
    keep_running: Annotated[
        bool, typer.Option("--keep-running", help="Leave the service, its metrics and the SQLite file until Ctrl-C.")
    ] = False,
) -> None:
    """Train a model on January's flights and watch it from February on: real data, nothing prepared.

    A producer puts what the model was asked and answered into Kinesis, the service reads it, and what
    it tells through SNS and EventBridge is read from queues. AWS is emulated on this machine, with
    credentials that are made up: yours are not read.

    A drift that lasts a week asks for retraining: a second version is trained on the range asked for, and
    takes over. Then the incidents found, beside what happened in New York on those days, and how much of the
    lateness each version foresaw.
    """
    import asyncio
    import json
    import os

    from rich.console import Console

    from streamer.demo import require_extra

    require_extra()
    from streamer.adapters.clock import SystemClock
    from streamer.adapters.terminal import TerminalSink
    from streamer.app.incidents import Incidents
    from streamer.config.load import parse
    from streamer.demo.labels import foreseen, tell
    from streamer.demo.live import Live, write_received
    from streamer.demo.pace import Pace
    from streamer.demo.preparation import make_anew, prepare
    from streamer.demo.stage import DRAINING_SECONDS, emulated_aws, running_service
    from streamer.demo.story import RetrainingLines, told
    from streamer.progress import progress

    screen, console = Console(stderr=True), Console()

    def say(text: str) -> None:
        screen.print(f"· {text}", highlight=False)

    if opensearch is not None:
        # Before it is written anywhere.
        parse(f"[index.opensearch]\nurl = {json.dumps(opensearch)}\n", {}, "--opensearch")
    incidents, clock = Incidents(), SystemClock()
    try:
        make_anew(out)
        with emulated_aws(out, os.environ, days_per_second) as aws:
            made = prepare(out, records, full_year=full_year, say=say)
            say("starting the service on emulated Kinesis, SNS, SQS and EventBridge")
            with running_service(made, aws, os.environ, opensearch) as (service, cloud):
                say(f"/metrics: {service.url}/metrics")
                with progress("watching", made.records, console=screen) as shown:
                    live = Live(
                        cloud,
                        service,
                        [service, *aws],
                        Pace(days_per_second * 86_400, clock),
                        clock,
                        (TerminalSink(screen), RetrainingLines(screen), incidents),
                        shown,
                        say,
                    )
                    asyncio.run(live.run(made, published=keep_running))
                if not keep_running:
                    say("stopping the service: it publishes what it has decided, and ends")
                    service.drain(DRAINING_SECONDS)
                    asyncio.run(live.take())
                alerts, requests = write_received(live.received, made.out)
                told(incidents.fired, made.first, made.last, console)
                second = live.takeover
                tell(foreseen(made.watched, made.model, *(second[:2] if second else ())), console)
                if second is not None:
                    made.add(second.configuration)
                console.print(f"{live.sentence()}\n{live.gauges.sentence()}", highlight=False)
                if made.judged_until_at is None:
                    console.print(
                        f"{made.last:%d %B} stays open, as nothing came after it, and is not judged.", highlight=False
                    )
                places = {
                    "window documents": f"{made.sqlite}" + ("" if opensearch is None else f", {opensearch}"),
                    "alerts": alerts,
                    "retraining": requests,
                    "captures": f"{made.captures}" + ("" if second is None else f", {second.captures}"),
                    "configuration": made.configuration,
                    "baseline": made.baseline,
                    "service's log": made.service_log,
                }
                for name, path in places.items():
                    console.print(f"{name:>17}: {path}", highlight=False, markup=False, soft_wrap=True)
                if keep_running:
                    _keep(service, console)
    except KeyboardInterrupt as error:
        typer.echo("streamer: interrupted", err=True)
        raise typer.Exit(130) from error


def _keep(service: "Process", console: "Console") -> None:
    """Leave everything running until Ctrl-C, or until the service ends by itself."""
    import asyncio

    from streamer.drain import on_stop_signal
    from streamer.retry import stop_or_timeout

    async def wait() -> None:
        stop = asyncio.Event()
        with on_stop_signal(stop.set):
            for path in ("metrics", "healthz", "readyz"):
                console.print(f"{path:>17}: {service.url}/{path}", highlight=False, markup=False, soft_wrap=True)
            console.print("The service goes on until Ctrl-C.", highlight=False)
            while not await stop_or_timeout(stop, 1.0):
                service.check()

    asyncio.run(wait())
