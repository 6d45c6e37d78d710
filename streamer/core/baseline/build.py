"""Build: the rows of a training table become a baseline, in two passes and bounded memory."""

import math
from collections.abc import Callable, Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streamer.core.baseline.cells import grid_of, label_cells, number_cells
from streamer.core.baseline.chunks import Chunk, blocks, without
from streamer.core.baseline.columns import BuildOptions, Column, columns_of, skipped_by
from streamer.core.baseline.dispersion import (
    cells_dispersion,
    missing_dispersion,
    shares_by_time,
    short,
)
from streamer.core.baseline.kinds import kind_of, truth_of
from streamer.core.baseline.model import Baseline, Dispersion, FeatureBaseline, check
from streamer.core.baseline.patterns import patterns_of
from streamer.core.baseline.survey import FEW_VALUES, ColumnSurvey, Survey, survey_of
from streamer.core.baseline.tally import TEXT_CHARACTERS, LabelTally, NumberTally, Tally
from streamer.core.baseline.timeline import Calendar, Steps, calendar_of, steps_of, timeline_of, zone_of
from streamer.core.errors import BaselineError
from streamer.core.schema import Feature, Kind

__all__ = ["BuildOptions", "Chunk", "build"]

# Those with a dispersion, in the order they are written.
_SCORES: Final = ("value", "value by day", "rank", "rank by day", "spread", "rank spread", "missing", "cells")


def build(chunks: Callable[[], Iterable[Chunk]], options: BuildOptions) -> Baseline:
    """Make a baseline of a table.

    The same rows in the same order give the same bytes, however they are cut into chunks. Memory
    is bounded whatever the rows: about 1 MB a column, and 100 MB for counts by step.

    Parameters
    ----------
    chunks : callable
        Gives the table's chunks from its beginning; called twice.
    options : BuildOptions
        How to read it.

    Returns
    -------
    Baseline
        Counts, extremes and moments are exact; quantiles and cuts come from up to 50,000 rows.

    Raises
    ------
    BaselineError
        No rows, unknown columns, a kind that does not fit, or too many rows without a time.
    """
    zone = zone_of(options.time_zone)
    if options.step_seconds is not None and options.step_seconds < 1:
        raise BaselineError("a step is at least 1 second long")
    survey = survey_of(blocks(chunks()), options.kinds, skipped_by(options), options.missing)
    if not survey.rows:
        raise BaselineError("the table has no rows")
    columns = columns_of(list(survey.columns), options)
    if options.time_column and not survey.has_times:
        raise BaselineError(f"no times were read from column {options.time_column!r}")
    tallies = [_tally_of(column, survey.columns[column.name]) for column in columns]
    steps = None
    if survey.has_times:
        steps = steps_of(survey, sum(tally.width for tally in tallies), options.step_seconds)
    tally = Tally(tallies, steps.length if steps else 0)
    _count(tally, chunks, columns, steps, survey, options.missing)
    calendar = calendar_of(steps, zone) if steps else None
    timeline = None
    if steps:
        timeline = timeline_of(steps, options.time_column, options.time_zone, tally.rows_by_step)
    features = tuple(_feature(tally, i, survey.rows, calendar) for i in range(len(tallies)))
    baseline = Baseline(rows=survey.rows, timeline=timeline, features=features)
    check(baseline)
    return baseline


def _tally_of(column: Column, survey: ColumnSurvey) -> NumberTally | LabelTally:
    kind = kind_of(column.name, survey)
    feature = Feature(name=column.name, side=column.side, kind=kind)
    if kind is Kind.TEXT:
        lengths = np.minimum(survey.sample(lengths=True), TEXT_CHARACTERS)
        different = np.unique(lengths)
        few = different if len(different) <= FEW_VALUES else None
        return NumberTally(feature, number_cells(lengths, few, len(lengths), TEXT_CHARACTERS))
    if kind.is_number:
        sample = survey.sample(lengths=False)
        return NumberTally(feature, number_cells(sample, survey.few, survey.numbers, survey.biggest))
    labels = dict(survey.labels or {})
    if kind is Kind.BOOLEAN:
        spelled = dict.fromkeys(map(truth_of, labels), 0)
        for label, rows in labels.items():
            spelled[truth_of(label)] += rows
        cells = label_cells(spelled, ("false", "true") if spelled.keys() <= {"false", "true"} else ())
    else:
        cells = label_cells(labels)
        spelled = labels
    distinct = len(spelled) if survey.kind is None or kind is Kind.BOOLEAN else survey.distinct.count()
    feature = Feature(name=column.name, side=column.side, kind=kind, values=cells.values)
    return LabelTally(feature, cells, distinct)


def _count(
    tally: Tally,
    chunks: Callable[[], Iterable[Chunk]],
    columns: list[Column],
    steps: Steps | None,
    survey: Survey,
    missing: tuple[float, ...],
) -> None:
    rows = 0
    # A label or a text is what it is, even if it looks like such a number.
    missing_in = [missing if own.feature.kind in (Kind.NUMERIC, Kind.INTEGER) else () for own in tally.features]
    for block in blocks(chunks()):
        absent = [None] * block.rows
        found = (block.columns.get(column.name, absent) for column in columns)
        cells = [without(own, marks) for own, marks in zip(found, missing_in, strict=True)]
        step = steps.of(block.event_at) if steps is not None and block.event_at is not None else None
        tally.add(cells, step)
        rows += block.rows
    if rows != survey.rows:
        raise BaselineError(f"the table had {survey.rows} rows at first and {rows} later: it changed while it was read")


def _feature(tally: Tally, index: int, rows: int, calendar: Calendar | None) -> FeatureBaseline:
    counted, own = tally.features[index], tally.counts(index)
    by_step = tally.steps_of(index)
    if isinstance(counted, NumberTally):
        return _number(counted, own, rows, by_step, tally.rows_by_step, calendar)
    cells = counted.cells.cells
    missing, missing_by_hour = missing_dispersion(by_step[:, cells + 1].astype(np.int64), tally.rows_by_step, calendar)
    valued = by_step[:, : cells + 1]
    together = cells_dispersion(valued)
    # A category has no value to move up or down: its cells stand for it.
    several = {"value": together, "missing": missing, "cells": together}
    return FeatureBaseline(
        feature=counted.feature,
        rows=rows,
        missing=int(own[cells + 1]),
        distinct=counted.distinct,
        counts=tuple(own[:cells].tolist()),
        other=int(own[cells]),
        shares=shares_by_time(valued, together, counted.feature.values[:cells], calendar),
        dispersion=_known(several),
        missing_by_hour=missing_by_hour,
    )


def _number(
    counted: NumberTally,
    own: NDArray[np.int64],
    rows: int,
    by_step: NDArray[np.int32],
    rows_by_step: NDArray[np.int64],
    calendar: Calendar | None,
) -> FeatureBaseline:
    moments = counted.moments()
    if moments is None:
        kind = counted.feature.kind.value
        raise BaselineError(f"column {counted.feature.name!r} holds no {kind} value, so it can't be {kind}")
    valued = by_step[:, :-2]
    absent = by_step[:, -2:].sum(axis=1)
    missing, missing_by_hour = missing_dispersion(absent, rows_by_step, calendar)
    patterns = patterns_of(counted.cells.means, own[:-2], valued, calendar)
    several = {**patterns.dispersion, "missing": missing, "cells": cells_dispersion(valued)}
    # The score is of values cut at 1 % and 99 %, told in their own deviation.
    size = math.ldexp(patterns.deviation, counted.cells.scale) / moments.deviation if patterns.deviation else 0.0
    profile = np.array(patterns.by_hour.get("value", ())) * size
    grid = grid_of(moments.mean, moments.deviation, max(abs(moments.minimum), abs(moments.maximum)))
    return FeatureBaseline(
        feature=counted.feature,
        rows=rows,
        missing=int(own[-2]),
        mistyped=int(own[-1]),
        mean=moments.mean,
        deviation=moments.deviation,
        minimum=moments.minimum,
        maximum=moments.maximum,
        quantiles=counted.cells.quantiles,
        distinct=counted.distinct.count(),
        edges=tuple(counted.cells.edges.tolist()),
        counts=tuple(own[:-2].tolist()),
        unit=grid.unit,
        center=grid.center,
        dispersion=_known(several),
        hour_profile=short(profile),
        scores_by_hour=dict(sorted(patterns.by_hour.items())),
        missing_by_hour=missing_by_hour,
    )


def _known(several: dict[str, Dispersion | None]) -> dict[str, Dispersion]:
    """In one order, whatever was found first."""
    found = {score: several.get(score) for score in _SCORES}
    return {score: dispersion for score, dispersion in found.items() if dispersion is not None}
