"""``streamer model version add``: a new version of a model answers from a time on."""

from pathlib import Path
from typing import Annotated

import typer

from streamer.commands.deciding import (
    CONFIG,
    By,
    ConfigFile,
    Note,
    State,
    checked_name,
    checked_note,
    new_id,
    signed,
    time_of,
    write,
)

app = typer.Typer(help="Say what changed about a model.", no_args_is_help=True)
version = typer.Typer(help="Versions of a model.", no_args_is_help=True)
app.add_typer(version, name="version")


@version.command()
def add(
    endpoint: Annotated[str, typer.Argument(help="Name of the endpoint.")],
    name: Annotated[str, typer.Argument(metavar="VERSION", help="Name of the version; stamped on its documents.")],
    since: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="When it took over (ISO 8601); now when left out.")
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option(metavar="DIR|FILE", help="Its own baseline; without one the endpoint's.")
    ] = None,
    config: ConfigFile = CONFIG,
    state: State = None,
    by: By = "",
    note: Note = "",
) -> None:
    """Let a version answer from the next window on that has no record yet, at or after a time.

    A version that a record names itself wins.
    """
    from streamer.core.decisions import AddVersion

    made, who = signed(by)
    path, identity = "", ""
    if baseline is not None:
        from streamer.app.baselines import read_baseline

        path, identity = str(baseline.absolute()), read_baseline(baseline).id
    write(
        AddVersion(
            id=new_id(),
            made_at=made,
            by=who,
            note=checked_note(note),
            endpoint=checked_name(endpoint, "ENDPOINT"),
            version=checked_name(name, "VERSION"),
            from_at=made if since is None else time_of(since, "--from"),
            baseline=path,
            baseline_id=identity,
        ),
        config,
        state,
    )
