"""The terminal: which lines, and that nothing in them can steer it."""

from io import StringIO

import pytest
from rich.console import Console

from streamer.adapters.terminal import TerminalSink
from streamer.core.errors import Retryable
from streamer.core.incident import AlertState
from streamer.core.types import Action
from tests.contract.documents import feature, incident, notify, reject


class BrokenFile(StringIO):
    """A terminal that has gone."""

    def write(self, text: str) -> int:
        raise OSError(5, "Input/output error")


async def printed(*actions: Action, terminal: bool = False) -> str:
    out = StringIO()
    console = Console(file=out, force_terminal=terminal, color_system="standard" if terminal else None, width=40)
    sink = TerminalSink(console)
    await sink.deliver(actions)
    await sink.commit()
    await sink.close()
    return out.getvalue()


async def test_an_incident_that_begins_to_fire_is_one_plain_line() -> None:
    text = await printed(notify())
    assert text == "2026-01-05 09:05  firing        churn: drift in age  since 2026-01-05 09:00\n"


async def test_the_end_of_an_incident_says_from_when_to_when() -> None:
    over = incident(revision=3, state=AlertState.RESOLVED)
    text = await printed(notify("n", over, "resolved"))
    assert text.split("  ")[-1] == "since 2026-01-05 09:00, until 2026-01-05 09:15\n"


async def test_only_notifications_are_printed() -> None:
    assert await printed(feature(), reject()) == ""


async def test_a_repeated_notification_is_printed_once() -> None:
    assert (await printed(notify("n"), notify("n"), notify("m"))).count("\n") == 2


async def test_markup_in_a_name_is_text() -> None:
    assert "[red]x[/red] [/] :skull:" in await printed(notify("n", incident(title="[red]x[/red] [/] :skull:")))


@pytest.mark.parametrize("steering", ["\x1b[2J", "\r", "\n", "\x07", "\u202e", "\x9b2J"])
async def test_a_name_can_not_steer_the_terminal(steering: str) -> None:
    text = await printed(notify("n", incident(title=f"a{steering}b")))
    assert steering not in text.removesuffix("\n")


async def test_a_terminal_gets_colour() -> None:
    assert "\x1b[33mfiring" in await printed(notify(), terminal=True)


async def test_a_terminal_that_has_gone_may_come_back() -> None:
    with pytest.raises(Retryable, match="can't print"):
        await TerminalSink(Console(file=BrokenFile())).deliver([notify()])
