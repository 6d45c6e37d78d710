"""The terminal: one line when an incident begins to fire, gets graver, goes on or ends."""

from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.text import Text

from streamer.core.errors import Retryable
from streamer.core.incident import Incident, Severity
from streamer.core.types import Action, Notify
from streamer.printable import printable

_STYLES: Final = {Severity.INFO: "cyan", Severity.WARNING: "yellow", Severity.CRITICAL: "bold red"}
_WORDS: Final = {"firing": "firing", "changed": "graver", "repeat": "still firing", "resolved": "resolved"}
# Ids of the last notifications, so that a repeated delivery prints nothing.
_REMEMBERED: Final = 1_000


class TerminalSink:
    """Prints notifications; on anything but a terminal as plain lines.

    Names come from outside: they are never read as markup, and what could steer a terminal is shown as ``?``.

    Parameters
    ----------
    console : Console
        Where to.
    """

    name = "terminal"

    def __init__(self, console: Console) -> None:
        self._console = console
        self._said: dict[str, None] = {}

    async def deliver(self, actions: Sequence[Action]) -> None:
        """Print the notifications among these.

        Raises
        ------
        Retryable
            The terminal takes nothing.
        """
        for action in actions:
            if isinstance(action, Notify) and action.id not in self._said:
                try:
                    self._console.print(_line(action), soft_wrap=True, highlight=False)
                except OSError as error:
                    raise Retryable(f"can't print: {error.strerror or error}") from error
                self._said[action.id] = None
                if len(self._said) > _REMEMBERED:
                    del self._said[next(iter(self._said))]

    async def commit(self) -> None:
        """Nothing is left to do."""

    async def close(self) -> None:
        """Nothing is held."""


def _line(notify: Notify) -> Text:
    incident = notify.incident
    style = "green" if notify.why == "resolved" else _STYLES[incident.severity]
    return Text.assemble(
        (f"{incident.changed:%Y-%m-%d %H:%M}", "dim"),
        "  ",
        (f"{_WORDS[notify.why]:<12}", style),
        f"  {printable(incident.title)}",
        (f"  {_span(incident)}", "dim"),
    )


def _span(incident: Incident) -> str:
    since = f"since {incident.since:%Y-%m-%d %H:%M}"
    return since if incident.until is None else f"{since}, until {incident.until:%Y-%m-%d %H:%M}"
