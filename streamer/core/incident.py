"""Incidents: one trouble of one endpoint each, as it is written and told."""

from datetime import datetime
from enum import StrEnum
from typing import NewType

import msgspec

from streamer.core.cause import Cause

Fingerprint = NewType("Fingerprint", str)


class AlertState(StrEnum):
    """Where an incident stands."""

    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


class Severity(StrEnum):
    """How soon a person should look."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Contribution(msgspec.Struct, frozen=True, kw_only=True):
    """One feature's part in an incident, at its worst window so far."""

    feature: str
    variant: str
    model_version: str
    rule: str
    since: datetime
    live: float
    expected: float
    size: float
    unit: str
    weight: float
    rows: int
    words: str


class Verdict(StrEnum):
    """What a person made of an incident, which ended it."""

    FALSE_ALARM = "false alarm"
    NEW_NORMAL = "accepted as the new normal"


class Incident(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="incident"):
    """One trouble of one endpoint, from its first broken window to its end.

    Attributes
    ----------
    id : str
        Hash of ``fingerprint`` and ``opened``.
    revision : int
        Number of changes; grows by one each.
    fingerprint : Fingerprint
        Hash of endpoint and cause: what makes two incidents the same trouble.
    opened : datetime
        Watermark time at which it was first seen; never changes.
    since : datetime
        Start of the first broken window, as is thought now.
    changed : datetime
        Watermark time of this revision.
    until : datetime or None
        End of the last broken window, once resolved.
    contributions : tuple of Contribution
        Heaviest first; the endpoint as a whole has an empty feature.
    title, text : str
        One line, and what a person reads in ten seconds.
    acknowledged_by : str or None
        Who looks after it: it is not told again, unless it gets graver.
    verdict : Verdict or None
        The decision that resolved it; ``None`` where it ended by itself or goes on.
    muted_until : datetime or None
        Nobody is told of it before the watermark gets there.
    """

    id: str
    revision: int
    fingerprint: Fingerprint
    endpoint: str
    cause: Cause
    state: AlertState
    severity: Severity
    opened: datetime
    since: datetime
    changed: datetime
    until: datetime | None = None
    contributions: tuple[Contribution, ...] = ()
    title: str
    text: str
    assumes_independence: bool = False
    acknowledged_by: str | None = None
    verdict: Verdict | None = None
    muted_until: datetime | None = None
