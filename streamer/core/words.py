"""Words: what an incident says to a person who has ten seconds."""

from collections.abc import Sequence
from typing import Final

from streamer.core.eventtime import as_datetime
from streamer.core.incident import AlertState, Contribution, Incident, Severity
from streamer.core.rules.view import percent
from streamer.core.types import Cause

# More features than this are counted, not listed.
_LISTED: Final = 5
INDEPENDENCE: Final = (
    "Records are taken as independent, because the baseline has no time column: "
    "records of one hour often share their weather, so false alarms are likelier."
)


def title_of(endpoint: str, cause: Cause, contributions: Sequence[Contribution]) -> str:
    """One line: whose trouble, what it is, and the feature that shows it most."""
    first = contributions[0]
    match cause:
        case Cause.VOLUME:
            change = f"traffic {first.size * 100 - 100:+.0f} % against the past weeks"
            what = change if first.expected >= 1 else "traffic where there used to be none"
        case Cause.SILENCE:
            what = "no traffic"
        case Cause.UNREADABLE:
            what = f"{percent(first.live)} of records can't be read"
        case Cause.MISSING | Cause.WILD | Cause.DRIFT:
            others = len({c.feature for c in contributions}) - 1
            more = f" and {others} more" if others else ""
            what = f"{cause.value} in {first.feature or 'whole rows'}{more}"
    return f"{endpoint}: {what}"


def text_of(incident: Incident) -> str:
    """A few lines: state, since when, what and how much, heaviest first."""
    lines = [f"{incident.title}", _standing(incident)]
    several = len({(c.variant, c.model_version) for c in incident.contributions}) > 1
    for c in incident.contributions[:_LISTED]:
        who = f"{c.feature}: " if c.feature else ""
        where = f" [variant {c.variant}{f', version {c.model_version}' if c.model_version else ''}]" if several else ""
        lines.append(f"- {who}{c.words}, since {when(c.since.timestamp())}{where}")
    hidden = len(incident.contributions) - _LISTED
    if hidden > 0:
        lines.append(f"- and {hidden} more")
    if incident.verdict is not None:
        lines.append(f"An operator's word: {incident.verdict}.")
    if incident.acknowledged_by is not None:
        lines.append(f"Acknowledged by {incident.acknowledged_by}: it is not repeated unless it gets graver.")
    if incident.muted_until is not None:
        lines.append(f"Muted until {when(incident.muted_until.timestamp())}.")
    if incident.assumes_independence:
        lines.append(INDEPENDENCE)
    return "\n".join(lines)


def _standing(incident: Incident) -> str:
    since = when(incident.since.timestamp())
    if incident.state is AlertState.RESOLVED and incident.until is not None:
        return f"resolved: {since} to {when(incident.until.timestamp())}"
    return f"{incident.state.value}, {incident.severity.value}, since {since}"


def when(seconds: float) -> str:
    """A time a person reads: ``8 Feb 2013 09:00 UTC``."""
    moment = as_datetime(round(seconds * 1000))
    return f"{moment.day} {moment:%b %Y %H:%M} UTC"


def severity_of(cause: Cause, contributions: Sequence[Contribution]) -> Severity:
    """How soon a person should look: at once where the model gets nothing useful at all."""
    first = contributions[0]
    match cause:
        case Cause.SILENCE:
            critical = True
        case Cause.VOLUME:
            critical = first.size <= 0.5 or first.size >= 2.0
        case Cause.UNREADABLE | Cause.MISSING:
            critical = any(c.live >= 0.5 for c in contributions)
        case Cause.WILD | Cause.DRIFT:
            critical = False
    return Severity.CRITICAL if critical else Severity.WARNING
