"""Timed: an endpoint whose baseline has a time column, and its panes, both drawn as counts.

Rows one by one would take a minute for each endpoint. The cells come from a sample of rows through
``build``; rows by step and cell are drawn from the law each step has, and go where ``build`` brings
its own counts by step: to the product's ``dispersion`` and ``timeline``. That the two agree is tested.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from streamer.core.baseline.build import BuildOptions, Chunk, build
from streamer.core.baseline.cells import number_cells
from streamer.core.baseline.dispersion import missing_dispersion, short
from streamer.core.baseline.model import Baseline, FeatureBaseline, check
from streamer.core.baseline.patterns import patterns_of
from streamer.core.baseline.survey import FEW_VALUES
from streamer.core.baseline.timeline import HOUR, Calendar, Steps, calendar_of, timeline_of, zone_of
from streamer.core.detectors.watch import Watch
from streamer.core.layout import Layout
from streamer.core.schema import Kind, Side
from tests.bench.detection.sources import Feature
from tests.bench.detection.traffic import Traffic

Array = NDArray[np.float64]
Counts = NDArray[np.int64]

# A Monday's midnight.
START_AT: Final = 1_704_067_200_000
MONTH_SECONDS: Final = 30 * 86_400
_SAMPLE_ROWS: Final = 10_000


class Timed:
    """What an endpoint with a baseline of some days sees after them.

    Parameters
    ----------
    traffic : Traffic
        Of the baseline's days and of those after them.
    days : int
        Of the baseline.
    rng : numpy.random.Generator
        Draws everything.
    """

    def __init__(self, traffic: Traffic, days: int, rng: np.random.Generator) -> None:
        self.traffic = traffic
        self.first_hour = days * 24
        self._rng = rng
        columns = _sample(traffic, self.first_hour, rng)
        kinds = dict.fromkeys(columns, Kind.NUMERIC)
        rows = len(next(iter(columns.values())))
        lists = {name: column.tolist() for name, column in columns.items()}
        rough = build(lambda: [Chunk(columns=lists, rows=rows, event_at=None)], BuildOptions(kinds=kinds))
        self.layout = Layout(rough)
        hours = np.arange(self.first_hour)
        by_step = [_inside(self._drawn(i, own, hours, traffic.rows)) for i, own in enumerate(traffic.features)]
        self.layout = Layout(timed(rough, columns, by_step, traffic.rows[: self.first_hour]))

    def watch(self, panes: int, layout: Layout | None = None) -> Watch:
        """The product's, for so many panes an hour, of the endpoint's baseline or of another."""
        return Watch(layout or self.layout, MONTH_SECONDS, HOUR // panes)

    def hours(self, first: int, count: int, panes: int) -> Counts:
        """Hour of each pane, so many to an hour, counted from the end of the baseline; shape (panes,)."""
        return np.repeat(np.arange(self.first_hour + first, self.first_hour + first + count), panes)

    def panes(self, hours: Counts, panes: int) -> Counts:
        """Counts of panes of all features, shape (panes, layout.size), int64."""
        rows = self.traffic.rows // panes
        found = np.empty((len(hours), self.layout.size), np.int64)
        for i, feature in enumerate(self.traffic.features):
            cells = self.layout.features[i]
            found[:, cells.start : cells.stop] = self._drawn(i, feature, hours, rows)
        return found

    def drifting(self, index: int, feature: Feature, hours: Counts, panes: int, usual: Counts) -> Counts:
        """The same panes with one feature drawn from something else, shape (panes, layout.size), int64."""
        cells = self.layout.features[index]
        found = usual.copy()
        found[:, cells.start : cells.stop] = self._drawn(index, feature, hours, self.traffic.rows // panes)
        return found

    def _drawn(self, index: int, feature: Feature, hours: Counts, rows: Counts) -> Counts:
        cuts = self.layout.sides[Side.INPUT].edges[index]
        return feature.counts(cuts, hours, rows[hours], self._rng)


def timed(baseline: Baseline, columns: Mapping[str, Array], by_step: Sequence[Counts], rows: Counts) -> Baseline:
    """Give a baseline other rows, and a time.

    Parameters
    ----------
    baseline : Baseline
        Of number features, whose cells are kept.
    columns : mapping of str to ndarray, shape (sample,), float64
        What it was built from.
    by_step : sequence of ndarray, shape (steps, cells + 2), int64
        For each feature the rows of each hour: value cells, missing, mistyped.
    rows : ndarray, shape (steps,), int64
        Of each hour from ``START_AT`` on.
    """
    steps = Steps(START_AT, START_AT + len(rows) * HOUR * 1000 - 1, HOUR, len(rows))
    calendar = calendar_of(steps, zone_of("UTC"))
    several = zip(baseline.features, by_step, strict=True)
    features = tuple(_timed(f, columns[f.feature.name], own, rows, calendar) for f, own in several)
    timeline = timeline_of(steps, "at", "UTC", rows)
    found = msgspec.structs.replace(baseline, rows=int(rows.sum()), timeline=timeline, features=features)
    check(found)
    return found


def _timed(
    f: FeatureBaseline, column: Array, by_step: Counts, rows: Counts, calendar: Calendar | None
) -> FeatureBaseline:
    own, valued = by_step.sum(axis=0), by_step[:, :-2].astype(np.int32)
    missing, missing_by_hour = missing_dispersion(by_step[:, -2:].sum(axis=1), rows, calendar)
    values = np.sort(column[~np.isnan(column)])
    few = np.unique(values)
    biggest = float(np.abs(values).max())
    cells = number_cells(values, few if len(few) <= FEW_VALUES else None, len(values), biggest)
    patterns = patterns_of(cells.means, own[:-2], valued, calendar)
    several = {**patterns.dispersion, "missing": missing}
    size = math.ldexp(patterns.deviation, cells.scale) / f.deviation if f.deviation else 0.0
    return msgspec.structs.replace(
        f,
        rows=int(rows.sum()),
        missing=int(own[-2]),
        mistyped=int(own[-1]),
        counts=tuple(own[:-2].tolist()),
        # That of cells as a whole is left out: for numbers the detectors do not ask for it.
        dispersion={name: found for name, found in several.items() if found is not None},
        hour_profile=short(np.array(patterns.by_hour.get("value", ())) * size),
        scores_by_hour=patterns.by_hour,
        missing_by_hour=missing_by_hour,
    )


def _sample(traffic: Traffic, hours: int, rng: np.random.Generator) -> dict[str, Array]:
    """Rows of every hour, in proportion; the extremes that all rows together are sure to hold are among them."""
    rows = traffic.rows[:hours]
    of_hour = np.maximum(np.rint(rows * (_SAMPLE_ROWS / rows.sum())).astype(np.int64), 1)
    hour = np.repeat(np.arange(hours), of_hour)
    columns = {}
    for i, feature in enumerate(traffic.features):
        column = feature.source.drawn(feature.states[hour], rng)
        column[rng.random(len(column)) < feature.missing] = np.nan
        extremes = feature.source.extremes
        column[: len(extremes)] = extremes
        columns[f"f{i:02d}"] = column
    return columns


def _inside(counts: Counts) -> Counts:
    """Counts by step without the cells outside the baseline's range, which no row of its own is in."""
    outside = counts[:, [0, 1, -4, -3]]
    if outside.any():
        raise ValueError("a row of the baseline is outside its own range")
    return np.delete(counts, [0, 1, counts.shape[1] - 4, counts.shape[1] - 3], axis=1)
