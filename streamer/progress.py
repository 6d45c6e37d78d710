"""Progress of long work: a bar on a terminal, elsewhere a log line every ten seconds, or nothing."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    from rich.console import Console

LINE_SECONDS: Final = 10.0


class Progress:
    """How far some work has come; this one shows nothing.

    Parameters
    ----------
    total : float or None
        Where it ends, in units of the caller's choice; ``None`` if nobody knows.

    Attributes
    ----------
    done : float
        How much is done; never more than ``total``, never less than before.
    """

    def __init__(self, total: float | None) -> None:
        self.total = total
        self.done = 0.0
        self._text = ""

    def advance(self, by: float) -> None:
        """Note that so much more is done."""
        self.set(self.done + by)

    def set(self, done: float) -> None:
        """Note how much is done in all."""
        done = max(done, self.done)
        self.done = done if self.total is None else min(done, self.total)
        self._show()

    def note(self, text: str) -> None:
        """Put a short live text beside the bar."""
        self._text = text
        self._show()

    def _show(self) -> None:
        return


class _Lines(Progress):
    """A log line every ten seconds of a clock."""

    def __init__(self, title: str, total: float | None, monotonic: Callable[[], float]) -> None:
        super().__init__(total)
        self._log = structlog.get_logger().bind(of=title)
        self._monotonic = monotonic
        self._started = self._last = monotonic()

    def _show(self) -> None:
        now = self._monotonic()
        if now - self._last >= LINE_SECONDS:
            self._last = now
            self.line("progress")

    def line(self, event: str) -> None:
        """Write one line now."""
        fields: dict[str, object] = {"seconds": round(self._monotonic() - self._started, 1)}
        if self.total:
            fields["percent"] = round(100 * self.done / self.total, 1)
        if self._text:
            fields["note"] = self._text
        self._log.info(event, **fields)


class _Bar(Progress):
    """A line that ``rich`` redraws ten times a second."""

    def __init__(self, total: float | None, show: Callable[[float, str], None]) -> None:
        super().__init__(total)
        self._draw = show

    def _show(self) -> None:
        self._draw(self.done, self._text)


@contextmanager
def progress(
    title: str,
    total: float | None,
    *,
    quiet: bool = False,
    console: "Console | None" = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> Iterator[Progress]:
    """Show the progress of the work in the block, on standard error.

    Parameters
    ----------
    title : str
        What is being done, in two or three words.
    total : float or None
        Where it ends; ``None`` if nobody knows.
    quiet : bool
        Show nothing.
    console : rich Console, optional
        Where the bar is drawn; what else is printed there appears above it. Without one, standard error.
    monotonic : callable
        Seconds from an arbitrary start: when a line is due.

    Yields
    ------
    Progress
        To be told how much is done.
    """
    terminal = console.is_terminal if console is not None else sys.stderr.isatty()
    if quiet:
        yield Progress(total)
    elif terminal:
        with _bar(title, total, console) as bar:
            yield bar
    else:
        lines = _Lines(title, total, monotonic)
        yield lines
        lines.line("done")


@contextmanager
def _bar(title: str, total: float | None, console: "Console | None") -> Iterator[Progress]:
    # Here, because half of the commands never need it and it takes a while to import.
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    on = console if console is not None else Console(stderr=True)
    # What goes to a terminal must pass above the bar; what goes to a file must stay out of it.
    with Bars(*columns, console=on, redirect_stdout=sys.stdout.isatty(), redirect_stderr=True) as bars:
        task = bars.add_task(escape(title), total=total, note="")
        yield _Bar(total, lambda done, note: bars.update(task, completed=done, note=note))
