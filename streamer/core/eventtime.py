"""Event times: milliseconds since the epoch, UTC, and the grids they fall on."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

# 2000-01-01 and 2100-01-01: an event time outside is a broken clock, not a date.
EARLIEST_AT = 946_684_800_000
LATEST_AT = 4_102_444_800_000


def start_of(at: int, span_seconds: int, offset_seconds: int = 0) -> int:
    """Start of the span that holds a time.

    Parameters
    ----------
    at : int
        Milliseconds since the epoch.
    span_seconds, offset_seconds : int
        Spans start at whole multiples of the span past the offset.

    Returns
    -------
    int
        Milliseconds; the largest start not after ``at``.

    Examples
    --------
    >>> start_of(1_500, 1)
    1000
    >>> start_of(1_500, 2, offset_seconds=1)
    1000
    """
    span, offset = span_seconds * 1000, offset_seconds * 1000
    return (at - offset) // span * span + offset


def as_datetime(at: int) -> datetime:
    """Milliseconds since the epoch as an aware UTC datetime."""
    return datetime.fromtimestamp(at / 1000, tz=UTC)


def as_text(at: int) -> str:
    """RFC 3339 text, ``2013-02-08T09:00:00Z``; milliseconds only where there are any."""
    moment = as_datetime(at)
    spec = "milliseconds" if at % 1000 else "seconds"
    return moment.isoformat(timespec=spec).replace("+00:00", "Z")


def parse_time(text: str) -> int:
    """Milliseconds since the epoch of an ISO 8601 time with a zone; without one it is UTC.

    Raises
    ------
    ValueError
        Not a time, or outside 2000 to 2100.
    """
    moment = datetime.fromisoformat(text.strip())
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    at = round(moment.timestamp() * 1000)
    if not EARLIEST_AT <= at < LATEST_AT:
        raise ValueError("time outside 2000 to 2100")
    return at


def hours_of(start_at: int, length: int, zone: ZoneInfo) -> tuple[int, ...]:
    """Hours of day that a span touches in a zone: of the middles of as many pieces as it has hours, one to 24.

    Parameters
    ----------
    start_at, length : int
        Milliseconds since the epoch; milliseconds.
    zone : ZoneInfo
        Whose hours.
    """
    hours = min(max(length // 3_600_000, 1), 24)
    middles = [start_at + (2 * i + 1) * length // (2 * hours) for i in range(hours)]
    return tuple(as_datetime(at).astimezone(zone).hour for at in middles)
