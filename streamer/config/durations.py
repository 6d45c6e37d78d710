"""Durations as an operator writes them: ``"5 min"``, ``"7d"``, ``"1 h 30 min"``, or a number of seconds."""

import re
from typing import Final

# Months and years have no fixed length, so they are not here.
_SECONDS: Final = {
    "s": 1,
    "sec": 1,
    "second": 1,
    "seconds": 1,
    "m": 60,
    "min": 60,
    "minute": 60,
    "minutes": 60,
    "h": 3_600,
    "hour": 3_600,
    "hours": 3_600,
    "d": 86_400,
    "day": 86_400,
    "days": 86_400,
    "w": 604_800,
    "week": 604_800,
    "weeks": 604_800,
}
_PART: Final = re.compile(r"\s*(\d{1,12})\s*([a-z]+)\s*", re.ASCII)
# A hundred years: anything longer is a slip of the finger.
_LONGEST: Final = 3_155_760_000
EXPECTED: Final = 'a duration such as "5 min" or a whole number of seconds'


def parse_duration(value: object) -> int:
    """Whole seconds of a duration.

    Parameters
    ----------
    value : object
        Text such as ``"10 s"``, ``"5 min"``, ``"1 h 30 min"``, ``"7d"``, ``"2 weeks"``, or whole seconds.

    Returns
    -------
    int
        Seconds, 0 or more.

    Raises
    ------
    ValueError
        The text says what was expected, not what was found.

    Examples
    --------
    >>> parse_duration("1 h 30 min")
    5400
    >>> parse_duration(90)
    90
    """
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(f"expected {EXPECTED}")  # noqa: TRY004 - pydantic reports ValueError by its text
    seconds = value if isinstance(value, int) else _seconds_of(value)
    if not 0 <= seconds <= _LONGEST:
        raise ValueError(f"expected {EXPECTED}, at most 100 years")
    return seconds


def _seconds_of(text: str) -> int:
    if re.fullmatch(r"\s*\d{1,12}\s*", text, re.ASCII):
        return int(text)
    seconds, at = 0, 0
    while at < len(text) or at == 0:
        part = _PART.match(text.lower(), at)
        unit = _SECONDS.get(part[2]) if part else None
        if part is None or unit is None:
            raise ValueError(f"expected {EXPECTED}")
        seconds += int(part[1]) * unit
        at = part.end()
    return seconds


def duration_text(seconds: int) -> str:
    """Shortest text of whole seconds that ``parse_duration`` reads back.

    Examples
    --------
    >>> duration_text(5400)
    '90 min'
    >>> duration_text(86_400)
    '1 d'
    """
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
