"""``streamer bench``: what a record costs on this machine."""

from typing import Annotated

import typer


def bench(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    records: Annotated[int, typer.Option(min=1_000, help="Records to time.")] = 50_000,
    hostile: Annotated[int, typer.Option(min=0, help="Mutated captures to throw at the engine.")] = 100_000,
    endpoints: Annotated[int, typer.Option(min=0, help="Endpoints of 40 features to hold open.")] = 1_000,
) -> None:
    """Measure CPU per record and stage, memory of many endpoints, and what hostile input does."""
    import msgspec
    from rich.console import Console
    from rich.table import Table

    from streamer.bench import alone, cost, memory
    from streamer.bench import hostile as hostile_bench

    # Each in a process of its own: one measurement's freed memory would hide the next one's.
    results: dict[str, object] = {"cost": alone.run(cost.measure, records)}
    if endpoints:
        results["memory"] = alone.run(memory.measure, endpoints)
    if hostile:
        results["hostile"] = alone.run(hostile_bench.measure, hostile)
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
