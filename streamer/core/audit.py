"""The audit trail: one document for each decision an operator made."""

from datetime import datetime
from enum import StrEnum

import msgspec

from streamer.core.cause import Cause


class Effect(StrEnum):
    """What became of a decision."""

    APPLIED = "applied"
    NO_INCIDENT = "no such incident"
    RESOLVED = "already resolved"
    NO_ENDPOINT = "no such endpoint"
    OVER = "already over"
    KNOWN = "version known already"
    NO_BASELINE = "baseline not found, or another than was meant"


class DecisionDocument(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="decision"):
    """One decision of an operator, and what became of it: the audit trail.

    Attributes
    ----------
    id : str
        Hash of the decision's own id.
    revision : int
        Always 1: it is written once.
    decision : str
        ``acknowledge``, ``false-alarm``, ``mute``, ``accept`` or ``add-version``.
    by, note, made : str, str, datetime
        Who, why, and when by the operator's clock.
    taken : datetime or None
        Watermark when it took effect; ``None`` before any record.
    effect : Effect
        Whether it changed anything.
    endpoint, incident, cause, feature : str, str, Cause or None, str or None
        What it is about; empty or ``None`` where it does not say.
    until, begins : datetime or None
        End of a mute; start of the first window of a new baseline or version.
    model_version, baseline : str
        The version added, and the id of its baseline; empty otherwise.
    """

    id: str
    revision: int = 1
    decision: str
    by: str
    note: str
    made: datetime
    taken: datetime | None = None
    effect: Effect
    endpoint: str = ""
    incident: str = ""
    cause: Cause | None = None
    feature: str | None = None
    until: datetime | None = None
    begins: datetime | None = None
    model_version: str = ""
    baseline: str = ""
