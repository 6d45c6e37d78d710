"""``streamer baseline accept``: take an endpoint's present traffic as the new normal."""

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


def accept(
    endpoint: Annotated[str, typer.Argument(help="Name of the endpoint.")],
    since: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="From when on (ISO 8601); now when left out.")
    ] = None,
    config: ConfigFile = CONFIG,
    state: State = None,
    by: By = "",
    note: Note = "",
) -> None:
    """Accept traffic as the new normal: a baseline is learned from it, and an open drift is resolved.

    It begins with the next window at or after the time that has no record yet.
    """
    from streamer.core.decisions import Accept

    made, who = signed(by)
    write(
        Accept(
            id=new_id(),
            made_at=made,
            by=who,
            note=checked_note(note),
            endpoint=checked_name(endpoint, "ENDPOINT"),
            from_at=made if since is None else time_of(since, "--from"),
        ),
        config,
        state,
    )
