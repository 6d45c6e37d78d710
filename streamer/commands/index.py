"""``streamer index``: set up the index on an OpenSearch server, check it, and delete what is old."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from streamer.adapters.opensearch import Server
    from streamer.config.model import Config

app = typer.Typer(help="Set up the index on an OpenSearch server, and look after it.", no_args_is_help=True)

_ConfigFile = Annotated[Path, typer.Option("--config", metavar="FILE", help="The configuration.")]
_CONFIG = Path("streamer.toml")


@app.command()
def install(config: _ConfigFile = _CONFIG) -> None:
    """Put the templates, add new fields to the indices there are, and make the first ones.

    Fields are only added, so it can be done while an older program still writes. It needs more rights
    than the service: see the README.
    """
    from streamer.app.index import install as put
    from streamer.app.index import with_server

    for line in with_server(_loaded(config), put):
        typer.echo(line)


@app.command()
def check(config: _ConfigFile = _CONFIG) -> None:
    """Compare templates and indices with what this program writes, field by field; 1 where they differ."""
    from streamer.adapters.opensearch.setup import check_indices, check_templates
    from streamer.app.index import with_server

    async def differences(loaded: "Config", server: "Server") -> list[str]:
        prefix = loaded.index.opensearch.prefix
        return [*await check_templates(server, prefix), *await check_indices(server, prefix)]

    wrong = with_server(_loaded(config), differences)
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
    from streamer.app.index import with_server
    from streamer.core.eventtime import as_datetime

    loaded = _loaded(config)
    kept_days = days if days is not None else loaded.index.retention_days
    if kept_days is None:
        raise typer.BadParameter("the configuration has no index.retention: say how many days", param_hint="--days")
    prefix, now = loaded.index.opensearch.prefix, as_datetime(SystemClock().now())
    swept = with_server(loaded, lambda _, server: sweep(server, prefix, now, kept_days, dry_run=dry_run))
    for name in swept.deleted:
        typer.echo(f"{'would delete' if dry_run else 'deleted'} {name}")
    typer.echo(f"{len(swept.deleted)} {'to delete' if dry_run else 'deleted'}, {len(swept.kept)} kept")


def _loaded(config: Path) -> "Config":
    import os

    from streamer.config.load import load

    return load(config, os.environ)
