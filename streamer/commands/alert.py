"""``streamer alert``: list incidents, and say what a person decided about them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

# A light module: the help must not wait for numpy.
from streamer.core.cause import Cause

if TYPE_CHECKING:
    from streamer.config.model import Config
    from streamer.core.decisions import Decision
    from streamer.core.types import Incident

app = typer.Typer(help="List incidents; acknowledge, refute or mute them.", no_args_is_help=True)

ConfigFile = Annotated[Path, typer.Option("--config", metavar="FILE", help="The configuration.")]
State = Annotated[
    Path | None, typer.Option("--state", metavar="DIR", help="The state directory, instead of the configured one.")
]
By = Annotated[str, typer.Option("--by", metavar="NAME", help="Who decides; the present user when left out.")]
Note = Annotated[str, typer.Option("--note", metavar="TEXT", help="Why; kept with the decision.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
CONFIG = Path("streamer.toml")
_ID_CHARACTERS = 32
_SHORT_CHARACTERS = 8
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

    configured = _load(config)
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
        table.add_row(*cells, _plain(incident.title), _plain(_decided(incident)))
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


def write(decision: "Decision", config: Path, state: Path | None) -> None:
    """Write a decision into the state directory, for the service to take.

    Raises
    ------
    ConfigError
        There is no state directory in the configuration.
    SinkError
        It can't be written to.
    """
    from streamer.adapters.decisions_file import FILE, append_decision
    from streamer.core.decisions import decode_decision, encode_decision
    from streamer.core.errors import ConfigError, InvalidRecord, SinkError

    try:
        # What the service would refuse is not written: a time beyond 2100, bytes that are no text.
        decode_decision(encode_decision(decision))
    except (InvalidRecord, UnicodeEncodeError) as error:
        raise typer.BadParameter("expected plain text, and times from 2000 to 2100") from error
    directory = state
    if directory is None:
        configured = _load(config)
        if configured.state.directory is None:
            raise ConfigError(f"{config}: decisions need a state directory, [state] directory; or give --state DIR")
        directory = configured.path_of(configured.state.directory)
    try:
        append_decision(directory / FILE, decision)
    except SinkError as error:
        raise SinkError(f"the decision was not written: {error}") from error
    typer.echo(f"decision {decision.id} is written; the service takes it when it reads on")


def new_id() -> str:
    """An id no other decision has."""
    import secrets

    return secrets.token_hex(16)


def signed(by: str) -> tuple[int, str]:
    """The time, milliseconds since the epoch, and who decides."""
    import getpass

    from streamer.adapters.clock import SystemClock

    if not by:
        try:
            by = getpass.getuser()
        except (KeyError, OSError) as error:
            # In a container the user may have a number and no name.
            raise typer.BadParameter("the present user has no name: say who decides", param_hint="--by") from error
    return SystemClock().now(), checked_name(by, "--by")


def checked_name(text: str, hint: str) -> str:
    """A name of a length decisions may have."""
    if not 1 <= len(text) <= 256:
        raise typer.BadParameter(f"expected 1 to 256 characters, found {len(text):,}", param_hint=hint)
    return text


def checked_note(text: str) -> str:
    """A note of a length decisions may have."""
    if len(text) > 2_000:
        raise typer.BadParameter(f"expected at most 2,000 characters, found {len(text):,}", param_hint="--note")
    return text


def time_of(text: str, hint: str) -> int:
    """Milliseconds since the epoch of a time on the command line."""
    from streamer.core.eventtime import parse_time

    try:
        return parse_time(text)
    except (ValueError, OverflowError) as error:
        expected = f"{text!r}: expected a time such as 2026-11-01T00:00:00Z, from 2000 to 2100"
        raise typer.BadParameter(expected, param_hint=hint) from error


def _load(config: Path) -> "Config":
    import os

    from streamer.config.load import load

    return load(config, os.environ)


def _index_of(config: "Config") -> Path | None:
    return None if config.index.sqlite is None else config.path_of(config.index.sqlite)


def _whole_id(text: str, config: Path) -> str:
    """An incident's id from its first characters, by way of the index; a whole one needs no index."""
    if len(text) == _ID_CHARACTERS and set(text) <= set("0123456789abcdef"):
        return text
    index = _index_of(_load(config))
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
    from streamer.core.types import Incident

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


def _plain(text: str) -> str:
    """Names come from outside: nothing in them may steer the terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
