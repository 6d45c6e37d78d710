"""``streamer index``: set up the index on an OpenSearch server, check it, and delete what is old."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from streamer.adapters.opensearch import Server
    from streamer.config.model import Config

app = typer.Typer(help="Set up the index on an OpenSearch server, and look after it.", no_args_is_help=True)

_ConfigFile = Annotated[Path, typer.Option("--config", metavar="FILE", help="The configuration.")]
_CONFIG = Path("streamer.toml")
_T = TypeVar("_T")


@app.command()
def install(config: _ConfigFile = _CONFIG) -> None:
    """Put the templates, add new fields to the indices there are, and make the first ones.

    Fields are only added, so it can be done while an older program still writes. It needs more rights
    than the service: see the README.
    """
    from streamer.adapters.clock import SystemClock
    from streamer.adapters.opensearch.setup import install as put
    from streamer.app.index import shelf_of
    from streamer.core.eventtime import as_datetime

    loaded = _loaded(config)
    for line in _with_server(loaded, lambda server: put(server, shelf_of(loaded), as_datetime(SystemClock().now()))):
        typer.echo(line)


@app.command()
def check(config: _ConfigFile = _CONFIG) -> None:
    """Compare templates and indices with what this program writes, field by field; 1 where they differ."""
    from streamer.adapters.opensearch.setup import check_indices, check_templates

    loaded = _loaded(config)
    prefix = loaded.index.opensearch.prefix

    async def differences(server: "Server") -> list[str]:
        return [*await check_templates(server, prefix), *await check_indices(server, prefix)]

    wrong = _with_server(loaded, differences)
    for line in wrong:
        typer.echo(line)
    if wrong:
        typer.echo('"streamer index install" adds what is missing', err=True)
        raise typer.Exit(1)
    typer.echo("the index is as this program writes it")


@app.command()
def retention(
    config: _ConfigFile = _CONFIG,
    days: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Keep so many; index.retention when left out.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be deleted, and delete nothing.")] = False,
) -> None:
    """Delete the indices whose every document is older than the retention; once a day is enough.

    Each is deleted by its own name, and only one that this program could have made. Incidents, notifications and
    decisions are kept for 400 days at least.
    """
    from streamer.adapters.clock import SystemClock
    from streamer.adapters.opensearch.setup import sweep
    from streamer.core.eventtime import as_datetime

    loaded = _loaded(config)
    kept_days = days if days is not None else loaded.index.retention_days
    if kept_days is None:
        raise typer.BadParameter("the configuration has no index.retention: say how many days", param_hint="--days")
    prefix, now = loaded.index.opensearch.prefix, as_datetime(SystemClock().now())
    swept = _with_server(loaded, lambda server: sweep(server, prefix, now, kept_days, dry_run=dry_run))
    for name in swept.deleted:
        typer.echo(f"{'would delete' if dry_run else 'deleted'} {name}")
    typer.echo(f"{len(swept.deleted)} {'to delete' if dry_run else 'deleted'}, {len(swept.kept)} kept")


def _loaded(config: Path) -> "Config":
    import os

    from streamer.config.load import load

    return load(config, os.environ)


def _with_server(config: "Config", call: Callable[["Server"], Awaitable[_T]]) -> _T:
    import asyncio

    from streamer.adapters.aws import Aws
    from streamer.app.aws import aws_config
    from streamer.app.index import server_of

    async def with_server() -> _T:
        async with Aws(aws_config(config)) as aws:
            server = await server_of(config, aws)
            try:
                return await call(server)
            finally:
                await server.close()

    return asyncio.run(with_server())
