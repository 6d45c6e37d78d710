"""Deciding: what all commands share that write down what a person decided."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from streamer.config.model import Config
    from streamer.core.decisions import Decision

ConfigFile = Annotated[Path, typer.Option("--config", metavar="FILE", help="The configuration.")]
State = Annotated[
    Path | None, typer.Option("--state", metavar="DIR", help="The state directory, instead of the configured one.")
]
By = Annotated[str, typer.Option("--by", metavar="NAME", help="Who decides; the present user when left out.")]
Note = Annotated[str, typer.Option("--note", metavar="TEXT", help="Why; kept with the decision.")]
CONFIG = Path("streamer.toml")


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
        configured = load_config(config)
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


def load_config(config: Path) -> "Config":
    """The configuration, with what the environment says.

    Raises
    ------
    ConfigError
        It can't be read, or says what can't be.
    """
    import os

    from streamer.config.load import load

    return load(config, os.environ)
