"""The story: incidents of the run, and beside them, told apart, what happened in New York then."""

from collections.abc import Sequence
from datetime import date

from rich.console import Console
from rich.table import Table

from streamer.core.incident import Incident
from streamer.core.types import Action, Retrain
from streamer.demo.history import HISTORY, Comparison, Found, Happening, compare, days_of


class RetrainingLines:
    """A sink that prints one line for each retraining that is asked for.

    Parameters
    ----------
    console : Console
        Where to.
    """

    name = "retraining lines"

    def __init__(self, console: Console) -> None:
        self._console = console

    async def deliver(self, actions: Sequence[Action]) -> None:
        """Print the requests among these."""
        for action in actions:
            if isinstance(action, Retrain):
                request = action.request
                days = sum((spell.until - spell.since).days for spell in request.leave_out)
                left_out = f", leaving out {days} d of bad data" if days else ""
                line = f"{request.requested:%Y-%m-%d %H:%M}  retraining    {request.words}{left_out}"
                self._console.print(line, soft_wrap=True, highlight=False, markup=False)

    async def commit(self) -> None:
        """Nothing is left to do."""

    async def close(self) -> None:
        """Nothing is held."""


def found_of(incident: Incident) -> Found:
    """An incident as history compares it."""
    return Found(
        since_at=round(incident.since.timestamp() * 1000),
        until_at=None if incident.until is None else round(incident.until.timestamp() * 1000),
        cause=incident.cause.value,
        features=tuple(dict.fromkeys(c.feature for c in incident.contributions if c.feature)),
    )


def told(incidents: Sequence[Incident], first: date, last: date, console: Console) -> Comparison:
    """Print what was found beside what happened, and what was not found.

    Parameters
    ----------
    incidents : sequence of Incident
        Those that fired.
    first, last : date
        Service days that were watched.
    console : Console
        Where to.

    Returns
    -------
    Comparison
        What was printed.
    """
    found = [found_of(incident) for incident in incidents]
    comparison = compare(found, HISTORY, first, last)
    table = Table(title="What the monitor found, and what happened in New York then", title_justify="left")
    table.add_column("days (2013)", no_wrap=True)
    table.add_column("found: cause, feature, size")
    table.add_column("happened, and who says so", style="cyan")
    for incident, as_found, explained in zip(incidents, found, comparison.explained, strict=True):
        table.add_row(_days(as_found), _what(incident), "\n".join(map(_happened, explained)) or "nothing known")
    console.print(table)
    if comparison.not_found:
        missed = Table(title="Not found", title_justify="left")
        missed.add_column("days (2013)", no_wrap=True)
        missed.add_column("happened, and who says so", style="cyan")
        for happening in comparison.not_found:
            missed.add_row(_span(happening.first, happening.last), _happened(happening))
        console.print(missed)
    return comparison


def _what(incident: Incident) -> str:
    parts = []
    for c in incident.contributions:
        name = f"{c.feature}: " if c.feature else ""
        parts.append(f"{incident.cause.value}, {name}{c.words}")
    return "\n".join(parts)


def _happened(happening: Happening) -> str:
    return f"{happening.what} ({happening.source})"


def _days(found: Found) -> str:
    first, last = days_of(found)
    return f"{_day(first)} on, still firing" if last is None else _span(first, last)


def _span(first: date, last: date) -> str:
    return _day(first) if first == last else f"{_day(first)} to {_day(last)}"


def _day(day: date) -> str:
    return f"{day.day} {day:%b}"
