"""Progress: a bar on a terminal, a line every ten seconds elsewhere, nothing when quiet."""

import io
from collections.abc import Iterator

import pytest
import structlog
from rich.console import Console
from structlog.testing import LogCapture

from streamer.progress import progress


class Seconds:
    """A monotonic clock moved by hand."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def lines() -> Iterator[LogCapture]:
    capture = LogCapture()
    structlog.configure(processors=[capture])
    yield capture
    structlog.reset_defaults()


def test_elsewhere_a_line_is_due_every_ten_seconds(lines: LogCapture) -> None:
    clock = Seconds()
    with progress("replay", 200, monotonic=clock) as shown:
        for _ in range(100):
            clock.at += 0.25
            shown.advance(1)
    assert [(e["event"], e["seconds"], e["percent"]) for e in lines.entries] == [
        ("progress", 10.0, 20.0),
        ("progress", 20.0, 40.0),
        ("done", 25.0, 50.0),
    ]


def test_a_line_has_the_note_and_the_title(lines: LogCapture) -> None:
    with progress("replay", None, monotonic=Seconds()) as shown:
        shown.note("2013-02-08")
    assert lines.entries == [
        {"of": "replay", "seconds": 0.0, "note": "2013-02-08", "event": "done", "log_level": "info"}
    ]


def test_work_that_fails_is_not_said_to_be_done(lines: LogCapture) -> None:
    with pytest.raises(KeyError), progress("replay", 1, monotonic=Seconds()):
        raise KeyError
    assert lines.entries == []


def test_quiet_says_nothing(lines: LogCapture, capsys: pytest.CaptureFixture[str]) -> None:
    with progress("replay", 1, quiet=True) as shown:
        shown.advance(1)
    assert (lines.entries, *capsys.readouterr()) == ([], "", "")


def test_it_never_goes_back_or_past_the_end() -> None:
    with progress("replay", 10, quiet=True) as shown:
        shown.set(5)
        shown.set(3)
        assert shown.done == 5
        shown.advance(100)
        assert shown.done == 10


def test_without_an_end_it_goes_on() -> None:
    with progress("replay", None, quiet=True) as shown:
        shown.advance(100)
    assert shown.done == 100


def _terminal() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=120, color_system=None)


def _drawn(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_on_a_terminal_there_is_a_bar_with_its_note() -> None:
    console = _terminal()
    with progress("replay", 10, console=console) as shown:
        shown.note("1,234 records")
        shown.advance(5)
    assert "replay" in _drawn(console)
    assert "50%" in _drawn(console)
    assert "1,234 records" in _drawn(console)


def test_names_are_not_taken_for_markup() -> None:
    console = _terminal()
    with progress("[red]title", 1, console=console) as shown:
        shown.note("[bold]note")
    assert "[red]title" in _drawn(console)
    assert "[bold]note" in _drawn(console)


def test_what_is_printed_meanwhile_stands_above_the_bar() -> None:
    console = _terminal()
    with progress("replay", 1, console=console):
        console.print("firing")
    assert "firing" in _drawn(console)
