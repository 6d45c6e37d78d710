"""Causes: the kinds of trouble an incident may be about, and who judges them."""

from enum import StrEnum


class Cause(StrEnum):
    """What kind of trouble an incident is about: one incident per endpoint and cause."""

    MISSING = "missing values"
    WILD = "wild values"
    DRIFT = "drift"
    VOLUME = "traffic volume"
    UNREADABLE = "unreadable records"
    SILENCE = "silence"


class Judge(StrEnum):
    """Who found something: an incident is over when each that had a part in it finds nothing more."""

    RULES = "rules"
    EVIDENCE = "evidence"
    DETECTORS = "named detectors"
