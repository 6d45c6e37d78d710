"""``streamer bench``: what a record costs on this machine."""

from typing import Annotated

import typer


def bench(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    records: Annotated[int, typer.Option(min=1_000, help="Records to time.")] = 50_000,
    hostile: Annotated[int, typer.Option(min=0, help="Mutated captures to throw at the engine.")] = 100_000,
    endpoints: Annotated[int, typer.Option(min=0, help="Endpoints of 40 features to hold open.")] = 1_000,
    service: Annotated[
        bool, typer.Option("--service", help="Measure the running service, too: about five minutes more.")
    ] = False,
    opensearch: Annotated[
        str | None, typer.Option(metavar="URL", help="Let the service write to this OpenSearch server, too.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=1.0, help="Real time of each of the service's measurements.")] = 60.0,
    steady: Annotated[
        int, typer.Option(min=10_000, help="Records over which the service's memory must not grow.")
    ] = 1_000_000,
) -> None:
    """Measure CPU per record and stage, memory of many endpoints, and what hostile input does.

    With --service also the running service, on an emulated stream: seconds from a record to its alert,
    how long the event loop is held, CPU against a replay, and memory over a million records.
    """
    import msgspec
    from rich.console import Console
    from rich.table import Table

    from streamer.bench import alone, callbacks, cost, detectors, evidence, fetch, latency, memory
    from streamer.bench import hostile as hostile_bench
    from streamer.bench import service as service_bench
    from streamer.bench import steady as steady_bench

    # Each in a process of its own: one measurement's freed memory would hide the next one's.
    results: dict[str, object] = {"cost": alone.run(cost.measure, records)}
    results["evidence"] = alone.run(evidence.measure, evidence.RECORDS)
    results["detectors"] = alone.run(detectors.measure, 2_000)
    if endpoints:
        results["memory"] = alone.run(memory.measure, endpoints)
    if hostile:
        results["hostile"] = alone.run(hostile_bench.measure, hostile)
    results["fetch"] = alone.run(fetch.measure, fetch.ANSWER_RECORDS)
    if service:
        # Those start processes of their own.
        results["latency"] = latency.measure(seconds)
        results["callbacks"] = callbacks.measure(endpoints or 1, seconds, opensearch_url=opensearch)
        results["service"] = service_bench.measure()
        results["steady"] = alone.run(steady_bench.measure, steady)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(results), indent=2).decode())
        return
    console = Console()
    for name, result in results.items():
        table = Table(title=name, title_justify="left", show_header=False)
        for field, value in msgspec.to_builtins(result).items():
            table.add_row(field, _shown(value))
        console.print(table)


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:,.2f}"
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)
