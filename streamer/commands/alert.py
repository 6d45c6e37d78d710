"""``streamer alert``: list incidents, and say what a person decided about them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamer.commands.deciding import (
    CONFIG,
    By,
    ConfigFile,
    Note,
    State,
    checked_name,
    checked_note,
    load_config,
    new_id,
    signed,
    time_of,
    write,
)

# A light module: the help must not wait for numpy.
from streamer.core.cause import Cause
from streamer.printable import printable

if TYPE_CHECKING:
    from streamer.config.model import Config
    from streamer.core.incident import Incident

app = typer.Typer(help="List incidents; acknowledge, refute or mute them.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_ID_CHARACTERS = 32
_SHORT_CHARACTERS = 8
_UNPRINTABLE = "\N{REPLACEMENT CHARACTER}"
# Wide tables cut; nobody reads more at once.
_MOST = 1_000


@app.command("list")
def list_incidents(
    config: ConfigFile = CONFIG,
    endpoint: Annotated[str | None, typer.Option(metavar="NAME", help="Only of this endpoint.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Resolved ones, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show incidents that are pending or firing, the newest first, as the SQLite index has them."""
    import json

    from rich.console import Console
    from rich.table import Table

    from streamer.core.documents import encode

    configured = load_config(config)
    index = _index_of(configured)
    if index is None or not index.is_file():
        what = "no SQLite index is configured" if index is None else f"there is no index {index} yet"
        typer.echo(json.dumps({"index": None, "incidents": []}) if as_json else what)
        return
    found = _incidents(index, endpoint=endpoint, everything=everything)
    if as_json:
        incidents = [json.loads(encode(incident)) for incident in found]
        typer.echo(json.dumps({"index": str(index), "incidents": incidents}, indent=2, ensure_ascii=False))
        return
    if not found:
        typer.echo("no incidents" if everything else "no open incidents")
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("id", "state", "severity", "since", "what", "decided"):
        table.add_column(name, overflow="fold")
    for incident in found:
        since = f"{incident.since:%Y-%m-%d %H:%M}"
        cells = [incident.id[:_SHORT_CHARACTERS], incident.state.value, incident.severity.value, since]
        # Names come from outside: nothing in them may steer the terminal.
        table.add_row(*cells, *(printable(text, _UNPRINTABLE) for text in (incident.title, _decided(incident))))
    Console().print(table, markup=False)


@app.command()
def acknowledge(
    incident: Annotated[str, typer.Argument(help="Id, or its first characters as the list shows them.")],
    config: ConfigFile = CONFIG,
    state: State = None,
    by: By = "",
    note: Note = "",
) -> None:
    """Say that somebody looks after an incident: it is told no more, unless it gets graver."""
    from streamer.core.decisions import Acknowledge

    identity, (made, who) = _whole_id(incident, config), signed(by)
    write(
        Acknowledge(id=new_id(), made_at=made, by=who, note=checked_note(note), incident=identity),
        config,
        state,
    )


@app.command("false-alarm")
def false_alarm(
    incident: Annotated[str, typer.Argument(help="Id, or its first characters as the list shows them.")],
    config: ConfigFile = CONFIG,
    state: State = None,
    by: By = "",
    note: Note = "",
) -> None:
    """Say that an incident is none: it is resolved, and not raised again before its condition has had a break."""
    from streamer.core.decisions import FalseAlarm

    identity, (made, who) = _whole_id(incident, config), signed(by)
    write(
        FalseAlarm(id=new_id(), made_at=made, by=who, note=checked_note(note), incident=identity),
        config,
        state,
    )


@app.command()
def mute(
    endpoint: Annotated[str, typer.Argument(help="Name of the endpoint.")],
    span: Annotated[
        str | None, typer.Option("--for", metavar="SPAN", help='From now on, such as "2 h"; 0 lifts a mute.')
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="Event time at which it ends (ISO 8601).")] = None,
    cause: Annotated[Cause | None, typer.Option(help="Only incidents of this kind.")] = None,
    feature: Annotated[str | None, typer.Option(metavar="NAME", help="Only while no other feature is in it.")] = None,
    config: ConfigFile = CONFIG,
    state: State = None,
    by: By = "",
    note: Note = "",
) -> None:
    """Tell nobody of an endpoint's incidents for a while; they are still found and kept in the index."""
    from streamer.config.durations import parse_duration
    from streamer.core.decisions import Mute

    if (span is None) == (until is None):
        raise typer.BadParameter("give either --for or --until", param_hint="--for")
    made, who = signed(by)
    if until is not None:
        until_at = time_of(until, "--until")
    else:
        try:
            until_at = made + parse_duration(span) * 1000
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--for") from error
    write(
        Mute(
            id=new_id(),
            made_at=made,
            by=who,
            note=checked_note(note),
            endpoint=checked_name(endpoint, "ENDPOINT"),
            cause=cause,
            feature=None if feature is None else checked_name(feature, "--feature"),
            until_at=until_at,
        ),
        config,
        state,
    )


def _index_of(config: "Config") -> Path | None:
    return None if config.index.sqlite is None else config.path_of(config.index.sqlite)


def _whole_id(text: str, config: Path) -> str:
    """An incident's id from its first characters, by way of the index; a whole one needs no index."""
    if len(text) == _ID_CHARACTERS and set(text) <= set("0123456789abcdef"):
        return text
    index = _index_of(load_config(config))
    if index is None or not index.is_file():
        raise typer.BadParameter("without a SQLite index, give the whole id of 32 hex digits", param_hint="INCIDENT")
    found = [i.id for i in _incidents(index, everything=True, begins=text)] if text else []
    if len(found) != 1:
        raise typer.BadParameter(f"{len(found)} incidents have an id that begins so", param_hint="INCIDENT")
    return found[0]


def _incidents(
    index: Path, *, endpoint: str | None = None, everything: bool = False, begins: str = ""
) -> "list[Incident]":
    import sqlite3
    from contextlib import closing

    import msgspec

    from streamer.core.errors import SinkError
    from streamer.core.incident import Incident

    query = (
        "SELECT body FROM documents WHERE kind = 'incident' AND (? OR state != 'resolved') "
        "AND (? IS NULL OR endpoint = ?) AND substr(id, 1, ?) = ? ORDER BY window_start DESC, id LIMIT ?"
    )
    values = (everything, endpoint, endpoint, len(begins), begins, _MOST)
    try:
        # Only read: the service may be writing to it.
        with closing(sqlite3.connect(f"{index.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0)) as db:
            rows = db.execute(query, values).fetchall()
        return [msgspec.json.decode(body, type=Incident) for (body,) in rows]
    except (sqlite3.Error, msgspec.MsgspecError) as error:
        raise SinkError(f"can't read the index {index}: {error}") from error


def _decided(incident: "Incident") -> str:
    """What people said of it, in a few words."""
    words = [incident.verdict.value] if incident.verdict is not None else []
    if incident.acknowledged_by is not None:
        words.append(f"acknowledged by {incident.acknowledged_by}")
    if incident.muted_until is not None:
        words.append(f"muted until {incident.muted_until:%Y-%m-%d %H:%M}")
    return ", ".join(words)
