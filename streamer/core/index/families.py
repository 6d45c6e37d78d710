"""Families: kinds of documents that share a mapping, and the dated indices each is spread over.

::

    streamer-features-2026.11.29
    prefix   family   stretch of time, UTC

A document's date never changes with its revisions, so that each has one place: a late window and a
replay find what is there already. (A data stream or a rollover alias would store them twice.)
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from operator import attrgetter
from typing import Final, NamedTuple

import msgspec

from streamer.core.audit import DecisionDocument
from streamer.core.documents import Notification
from streamer.core.incident import Incident
from streamer.core.operations import OperationsDocument
from streamer.core.types import DeadLetter, EndpointDocument, FeatureDocument, Kept

# Dead letters of a shard that had no event time yet.
UNDATED: Final = "undated"
# Incidents, what was told of them and what was decided go back further than windows: they are few,
# and an incident that is still open must keep its place.
LEAST_DAYS: Final = 400


class Family(StrEnum):
    """Documents with one mapping."""

    FEATURES = "features"
    ENDPOINTS = "endpoints"
    INCIDENTS = "incidents"
    NOTIFICATIONS = "notifications"
    DECISIONS = "decisions"
    OPERATIONS = "operations"
    DEAD_LETTERS = "deadletters"

    @property
    def is_rare(self) -> bool:
        """Whether a year has so few that they share an index, whatever the partition."""
        return self in (Family.INCIDENTS, Family.NOTIFICATIONS, Family.DECISIONS)


class Partition(StrEnum):
    """How long a stretch of time shares an index."""

    DAY = "day"
    MONTH = "month"
    YEAR = "year"


Indexed = Kept | Notification | DeadLetter

_LETTERS: Final = {Partition.DAY: 10, Partition.MONTH: 7, Partition.YEAR: 4}
_STRETCH: Final = re.compile(r"(\d{4})(?:\.(\d\d)(?:\.(\d\d))?)?")


class Stretch(NamedTuple):
    """Half-open stretch of time one index is for."""

    since: datetime
    until: datetime


class Filed(NamedTuple):
    """How the documents of a family are filed.

    Attributes
    ----------
    document : type
        All of them.
    time : str
        Field that dates them, which never changes with their revisions, so that each has one place.
    """

    document: type[msgspec.Struct]
    time: str


FILED: Final[Mapping[Family, Filed]] = {
    Family.FEATURES: Filed(FeatureDocument, "window_start"),
    Family.ENDPOINTS: Filed(EndpointDocument, "window_start"),
    Family.INCIDENTS: Filed(Incident, "opened"),
    Family.NOTIFICATIONS: Filed(Notification, "incident.opened"),
    Family.DECISIONS: Filed(DecisionDocument, "made"),
    Family.OPERATIONS: Filed(OperationsDocument, "noted"),
    Family.DEAD_LETTERS: Filed(DeadLetter, "noted"),
}
_FAMILIES: Final = {filed.document: family for family, filed in FILED.items()}
_TIMES: Final[Mapping[type, Callable[[Indexed], datetime | None]]] = {
    filed.document: attrgetter(filed.time) for filed in FILED.values()
}


def family_of(document: Indexed) -> Family:
    """The family a document belongs to."""
    return _FAMILIES[type(document)]


def date_of(document: Indexed) -> datetime | None:
    """The time a document is filed under; the same for each of its revisions."""
    return _TIMES[type(document)](document)


@lru_cache(maxsize=1_000)
def index_name(prefix: str, family: Family, day: int | None, partition: Partition) -> str:
    """Name of the index for one day.

    Parameters
    ----------
    prefix : str
        Before every index of ours.
    family : Family
        Whose documents.
    day : int or None
        Proleptic ordinal of the day, UTC; ``None`` for what has no date.
    partition : Partition
        How long a stretch shares an index; rare families have one a year.

    Examples
    --------
    >>> index_name("streamer", Family.FEATURES, 739_949, Partition.MONTH)
    'streamer-features-2026.11'
    """
    if day is None:
        return f"{prefix}-{family}-{UNDATED}"
    text = date.fromordinal(day).isoformat().replace("-", ".")
    return f"{prefix}-{family}-{text[: _LETTERS[Partition.YEAR if family.is_rare else partition]]}"


def pattern_of(prefix: str, family: Family) -> str:
    """Pattern that all indices of a family match, and no other's."""
    return f"{prefix}-{family}-*"


def stretch_of(name: str, prefix: str, family: Family) -> Stretch | None:
    """The time an index is for; ``None`` for a name that is not one of ours, or undated."""
    found = _STRETCH.fullmatch(name.removeprefix(f"{prefix}-{family}-"))
    if found is None or not name.startswith(f"{prefix}-{family}-"):
        return None
    year, month, day = found.groups()
    try:
        since = datetime(int(year), int(month or 1), int(day or 1), tzinfo=UTC)
        if day is not None:
            return Stretch(since, since + timedelta(days=1))
        following = (since.year + (month is None or month == "12"), since.month % 12 + 1 if month is not None else 1)
        return Stretch(since, datetime(*following, 1, tzinfo=UTC))
    except (ValueError, OverflowError):
        return None


def is_kept(name: str, prefix: str, family: Family, oldest: datetime) -> bool:
    """Whether an index still holds something that is kept; always, if it is not one of our dated ones.

    Parameters
    ----------
    name, prefix : str
        The index, and what stands before all of ours.
    family : Family
        Whose it is.
    oldest : datetime
        As ``oldest_kept`` has it.
    """
    stretch = stretch_of(name, prefix, family)
    return stretch is None or stretch.until > oldest


def oldest_kept(family: Family, now: datetime, days: int) -> datetime:
    """What is kept begins here: an index that ends before is deleted, and no document goes into it."""
    return now - timedelta(days=max(days, LEAST_DAYS) if family.is_rare else days)
