"""Causes: the kinds of trouble an incident may be about."""

from enum import StrEnum


class Cause(StrEnum):
    """What kind of trouble an incident is about: one incident per endpoint and cause."""

    MISSING = "missing values"
    WILD = "wild values"
    DRIFT = "drift"
    VOLUME = "traffic volume"
    UNREADABLE = "unreadable records"
    SILENCE = "silence"
