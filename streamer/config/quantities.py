"""Sizes, shares and times as an operator writes them: ``"1 MiB"``, ``"5 %"``, ``2026-11-01T00:00:00Z``."""

import math
import re
from datetime import datetime
from typing import Final

from streamer.core.eventtime import as_text, parse_time

_BYTES: Final = {
    "b": 1,
    "bytes": 1,
    "kb": 1_000,
    "mb": 1_000_000,
    "gb": 1_000_000_000,
    "kib": 1_024,
    "mib": 1_048_576,
    "gib": 1_073_741_824,
}
_SIZE: Final = re.compile(r"\s*(\d{1,12})\s*([a-z]+)\s*", re.ASCII)
_SHARE: Final = re.compile(r"\s*(\d{1,6}(?:\.\d{1,12})?)\s*%\s*", re.ASCII)
_SIZE_EXPECTED: Final = 'expected a size such as "1 MiB" or a whole number of bytes'
_SHARE_EXPECTED: Final = 'expected a share such as "5 %" or 0.05'
_TIME_EXPECTED: Final = "expected a time with a zone, such as 2026-11-01T00:00:00Z, from 2000 to 2100"


def parse_size(value: object) -> int:
    """Bytes of a size.

    Raises
    ------
    ValueError
        The text says what was expected, not what was found.

    Examples
    --------
    >>> parse_size("1 MiB"), parse_size("8 MB"), parse_size(512)
    (1048576, 8000000, 512)
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    found = _SIZE.fullmatch(value.lower()) if isinstance(value, str) else None
    if found is None or found[2] not in _BYTES:
        raise ValueError(_SIZE_EXPECTED)
    return int(found[1]) * _BYTES[found[2]]


def size_text(size_bytes: int) -> str:
    """Shortest text of a size that ``parse_size`` reads back.

    Examples
    --------
    >>> size_text(1_048_576), size_text(1_500)
    ('1 MiB', '1500 B')
    """
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10), ("MB", 10**6), ("kB", 10**3)):
        if size_bytes and size_bytes % size == 0:
            return f"{size_bytes // size} {unit}"
    return f"{size_bytes} B"


def parse_share(value: object) -> float:
    """Share, 0 to 1 for 0 to 100 %; relative changes may be larger.

    Raises
    ------
    ValueError
        The text says what was expected, not what was found.

    Examples
    --------
    >>> parse_share("5 %"), parse_share(0.25)
    (0.05, 0.25)
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not math.isfinite(value):
            raise ValueError(_SHARE_EXPECTED)
        return float(value)
    found = _SHARE.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(_SHARE_EXPECTED)
    return float(found[1]) / 100


def share_text(share: float) -> str:
    """Text of a share that ``parse_share`` reads back.

    Examples
    --------
    >>> share_text(0.05)
    '5 %'
    """
    text = f"{share * 100:.10g} %"
    return text if "e" not in text and parse_share(text) == share else repr(share)


def parse_instant(value: object) -> int:
    """Milliseconds since the epoch of a time; one without a zone could be hours off, so it is refused.

    Raises
    ------
    ValueError
        The text says what was expected, not what was found.
    """
    try:
        moment = datetime.fromisoformat(value.strip()) if isinstance(value, str) else value
        if isinstance(moment, datetime) and moment.tzinfo is not None:
            return parse_time(moment.isoformat())
    except (ValueError, OverflowError) as error:
        raise ValueError(_TIME_EXPECTED) from error
    raise ValueError(_TIME_EXPECTED)


def instant_text(at: int) -> str:
    """RFC 3339 text of a time, as TOML writes it."""
    return as_text(at)
