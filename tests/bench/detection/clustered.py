"""Clustered: false alerts a month, and records to a drift's alert, where rows of an hour hang together."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from streamer.core.baseline.timeline import HOUR
from streamer.core.detectors.bank import Guilty
from streamer.core.detectors.watch import Watch
from tests.bench.detection.sources import DRIFTS, Feature
from tests.bench.detection.timed import START_AT, Timed
from tests.bench.detection.traffic import Family, traffic

Array = NDArray[np.float64]
Series = Mapping[Family, Array]

BASELINE_DAYS: Final = 28
DAYS: Final = 30
# An alert stays open so long after its last alarm: further alarms of its feature belong to it.
OPEN_DAYS: Final = 3
_WARM_HOURS: Final = 48
# Days drawn together.
_AT_ONCE: Final = 5
SURE: Final = NormalDist().inv_cdf(0.95)


class Alerts(msgspec.Struct, frozen=True, kw_only=True):
    """Months of a family without drift, each of an endpoint with a baseline of its own.

    Attributes
    ----------
    family : Family
    panes_an_hour, months : int
    rate, upper : float
        Alerts a month, an alarm being laid on the strongest feature, and the upper 95 % limit: the wider of
        Poisson's and that of the spread between endpoints.
    alarmed : float
        Share of months with one.
    directions : dict of str to int
        Alerts by whether the feature is clustered and by the direction it was said to have moved in.
    """

    family: Family
    panes_an_hour: int
    months: int
    rate: float
    upper: float
    alarmed: float
    directions: dict[str, int]


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One feature of an endpoint drifts from an hour on, again and again another one.

    Attributes
    ----------
    family : Family
    drift : str
        A key of ``DRIFTS``.
    is_clustered : bool
        Whether the feature moves with the time.
    panes_an_hour, runs : int
    median : float
        Records until an alert names the feature; infinite when fewer than half were found.
    found : float
        Share found in the longest time given.
    alerts : int
        Runs with an alert of any feature.
    named : float
        Share of first alerts, of whatever feature, that name the guilty one first.
    anyway : float
        Share of first alerts that the same hours raise by then without a drift, too: false ones.
    """

    family: Family
    drift: str
    is_clustered: bool
    panes_an_hour: int
    runs: int
    median: float
    found: float
    alerts: int
    named: float
    anyway: float


class Drifting(NamedTuple):
    """Which features drift, how, and how long one waits for an alert.

    Attributes
    ----------
    drift : str
    is_clustered : bool
    panes_an_hour : int
    hours : int
        Waited at most.
    features : int
        Of each endpoint.
    """

    drift: str
    is_clustered: bool
    panes_an_hour: int
    hours: int
    features: int


class _Run(NamedTuple):
    records: float
    # Whether the first alert names the guilty feature, and whether it is raised by then without a drift, too.
    first: bool | None
    anyway: bool


def endpoint(family: Family, series: Series, seed: int, at: int, days: int = BASELINE_DAYS) -> Timed:
    """The ``at``-th endpoint of a family, with a baseline of so many days."""
    rng = np.random.default_rng([seed, list(Family).index(family), at])
    return Timed(traffic(family, days + DAYS, series, rng), days, rng)


def alerts(
    family: Family, series: Series, months: int, seed: int, panes_an_hour: int = 1, density: float = 1.0
) -> Alerts:
    """Watch endpoints in which nothing drifts for a month each, with so many times the baseline's rows."""
    several = [_alerts(_of_density(endpoint(family, series, seed, at), density), panes_an_hour) for at in range(months)]
    count = np.array([len(own) for own in several])
    return Alerts(
        family=family,
        panes_an_hour=panes_an_hour,
        months=months,
        rate=float(count.mean()),
        upper=max(upper_mean(int(count.sum()), months), float(count.mean() + SURE * count.std() / math.sqrt(months))),
        alarmed=float((count > 0).mean()),
        directions=dict(Counter(name for own in several for name in own).most_common()),
    )


def _of_density(timed: Timed, density: float) -> Timed:
    rows = np.maximum(np.rint(timed.traffic.rows * density).astype(np.int64), 1)
    timed.traffic = timed.traffic._replace(rows=rows)
    return timed


def _alerts(timed: Timed, panes_an_hour: int) -> list[str]:
    watch = timed.watch(panes_an_hour)
    clustered, found = timed.traffic.clustered, []
    open_until: dict[int, int] = {}
    for day in range(0, DAYS, _AT_ONCE):
        hours = timed.hours(day * 24, _AT_ONCE * 24, panes_an_hour)
        for at, counts in zip(starts(hours, panes_an_hour), timed.panes(hours, panes_an_hour), strict=True):
            for guilty in step(watch, counts, at):
                if open_until.get(guilty.feature, -1) < at:
                    found.append(f"{'clustered' if guilty.feature < clustered else 'independent'} {guilty.direction}")
                open_until[guilty.feature] = at + OPEN_DAYS * 24 * HOUR * 1000
    return found


def starts(hours: NDArray[np.int64], panes: int) -> list[int]:
    """Starts of panes, milliseconds since the epoch, from the hour of each, so many to an hour."""
    within = np.arange(len(hours)) % panes * (HOUR // panes)
    found: list[int] = (START_AT + (hours * HOUR + within) * 1000).tolist()
    return found


def step(watch: Watch, counts: NDArray[np.int64], at: int) -> list[Guilty]:
    """Whom a pane's alarm is laid on; nobody, where there is none."""
    watch.take(at, counts)
    return watch.guilty(float(watch.parts.max()))[:1] if watch.level >= 1.0 else []


def delays(family: Family, series: Series, endpoints: int, seed: int, drifting: Sequence[Drifting]) -> list[Found]:
    """Let one feature drift at a time, from the end of two days without drift on."""
    runs: list[list[_Run]] = [[] for _ in drifting]
    for at in range(endpoints):
        timed = endpoint(family, series, seed, at)
        for own, asked in zip(runs, drifting, strict=True):
            own.extend(_runs(timed, asked, np.random.default_rng([seed, at])))
    return [_found(family, asked, own) for asked, own in zip(drifting, runs, strict=True)]


def _runs(timed: Timed, asked: Drifting, rng: np.random.Generator) -> list[_Run]:
    panes = asked.panes_an_hour
    watch = timed.watch(panes)
    hours = timed.hours(0, _WARM_HOURS, panes)
    for at, counts in zip(starts(hours, panes), timed.panes(hours, panes), strict=True):
        watch.take(at, counts)
    if watch.level >= 1.0:
        # An alert is open before anything drifts: there is nothing to be first.
        return []
    state, arrays = watch.to_state()
    hours = timed.hours(_WARM_HOURS, asked.hours, panes)
    usual = timed.panes(hours, panes)
    clustered, count = timed.traffic.clustered, len(timed.traffic.features)
    all_such = np.arange(clustered) if asked.is_clustered else np.arange(clustered, count)
    at_all = _first_alarm(watch, starts(hours, panes), usual)
    found = []
    for index in rng.permutation(all_such)[: asked.features].tolist():
        watch.restore(state, arrays)
        drifted = DRIFTS[asked.drift](timed.traffic.features[index])
        found.append(_run(timed, watch, index, drifted, hours, panes, usual, at_all))
    return found


def _first_alarm(watch: Watch, at: Sequence[int], counts: NDArray[np.int64]) -> int:
    """Start of the first pane that raises the alarm; beyond them all where none does."""
    return next((start for start, own in zip(at, counts, strict=True) if step(watch, own, start)), at[-1] + 1)


def _run(
    timed: Timed,
    watch: Watch,
    index: int,
    drifted: Feature,
    hours: NDArray[np.int64],
    panes: int,
    usual: NDArray[np.int64],
    at_all: int,
) -> _Run:
    records, first, anyway = 0, None, False
    rows = timed.traffic.rows // panes
    # A day at a time: most drifts are found in the first.
    for start in range(0, len(hours), 24 * panes):
        part = slice(start, start + 24 * panes)
        drawn = timed.drifting(index, drifted, hours[part], panes, usual[part])
        for hour, at, counts in zip(hours[part].tolist(), starts(hours[part], panes), drawn, strict=True):
            records += int(rows[hour])
            guilty = [one.feature for one in step(watch, counts, at)]
            if guilty and first is None:
                first = guilty[0] == index
                anyway = not first and at >= at_all
            if index in guilty:
                return _Run(float(records), first, anyway)
    return _Run(math.inf, first, anyway)


def _found(family: Family, asked: Drifting, runs: Sequence[_Run]) -> Found:
    records = np.array([run.records for run in runs])
    first = [run.first for run in runs if run.first is not None]
    return Found(
        family=family,
        drift=asked.drift,
        is_clustered=asked.is_clustered,
        panes_an_hour=asked.panes_an_hour,
        runs=len(runs),
        median=float(np.median(records)) if runs else math.inf,
        found=float(np.isfinite(records).mean()) if runs else 0.0,
        alerts=len(first),
        named=sum(first) / len(first) if first else 0.0,
        anyway=sum(run.anyway for run in runs) / len(first) if first else 0.0,
    )


def upper_mean(hits: int, tries: int) -> float:
    """Upper 95 % limit of a mean number of hits (Garwood 1936), by halving.

    Examples
    --------
    >>> round(upper_mean(0, 1), 3), round(upper_mean(3, 10), 3)
    (2.996, 0.775)
    """
    below, above = float(hits), 10.0 * hits + 10.0
    for _ in range(60):
        mean = (below + above) / 2
        term = chance = math.exp(-mean)
        for i in range(1, hits + 1):
            term *= mean / i
            chance += term
        below, above = (mean, above) if chance > 0.05 else (below, mean)
    return above / tries
