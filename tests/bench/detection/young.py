"""Young: false alerts a month with a baseline of two weeks, refitted every week that is silent, or left as it is."""

import math
from typing import Final

import numpy as np

from streamer.core.baseline.refit import refitted
from streamer.core.baseline.timeline import HOUR
from streamer.core.baseline.weather import Weather
from streamer.core.layout import Layout
from streamer.core.track import DOUBTED
from tests.bench.detection.clustered import (
    DAYS,
    OPEN_DAYS,
    SURE,
    Alerts,
    Series,
    endpoint,
    starts,
    step,
    upper_mean,
)
from tests.bench.detection.timed import Timed
from tests.bench.detection.traffic import Family

YOUNG_DAYS: Final = 14


def young(family: Family, series: Series, months: int, seed: int, *, is_refitted: bool) -> Alerts:
    """Watch endpoints in which nothing drifts for a month each, in panes of an hour."""
    several = [_watch(endpoint(family, series, seed, at, YOUNG_DAYS), is_refitted) for at in range(months)]
    count = np.array([len(own) for own in several])
    mean = float(count.mean())
    return Alerts(
        family=family,
        panes_an_hour=1,
        months=months,
        rate=mean,
        upper=max(upper_mean(int(count.sum()), months), mean + SURE * float(count.std()) / math.sqrt(months)),
        alarmed=float((count > 0).mean()),
        directions={},
    )


def _watch(timed: Timed, is_refitted: bool) -> list[int]:
    """Times at which an alert began."""
    watch = timed.watch(1)
    weather = Weather(timed.layout) if is_refitted else None
    found: list[int] = []
    open_until: dict[int, int] = {}
    hours = timed.hours(0, DAYS * 24, 1)
    for at, counts in zip(starts(hours, 1), timed.panes(hours, 1), strict=True):
        for guilty in step(watch, counts, at):
            if open_until.get(guilty.feature, -1) < at:
                found.append(at)
            open_until[guilty.feature] = at + OPEN_DAYS * 24 * HOUR * 1000
        if weather is None:
            continue
        weather.take(at, counts)
        if max(open_until.values(), default=-1) >= at:
            weather.spoil(at)
        elif weather.is_due and watch.level < DOUBTED:
            weather.used = len(weather.days)
            watch = timed.watch(1, Layout(refitted(timed.layout, weather.table(), "UTC")))
            weather = None if weather.is_enough else weather
    return found
