"""Refit: a young baseline and the weeks of traffic since, as one.

What the baseline knew and what the days since show are pooled: rows, and how blocks of rows vary.
The cells stay where they are, so that what was counted in them stays true. A slow drift that nothing
told of is learned with it; a week's worth is not.
"""

from collections.abc import Mapping
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from streamer.core.baseline.dispersion import (
    LEAST_STEPS,
    OVERLAP,
    cells_dispersion,
    missing_dispersion,
    shares_by_time,
    short,
)
from streamer.core.baseline.model import Baseline, Dispersion, FeatureBaseline, Share, Timeline
from streamer.core.baseline.patterns import middles_of, patterns_of
from streamer.core.baseline.timeline import HOUR, LEAST_DAYS, Calendar, calendar_of, zone_of
from streamer.core.baseline.weather import Table, days_of
from streamer.core.layout import FeatureCells, Layout

_COLUMN: Final = "event time"


def refitted(layout: Layout, table: Table, time_zone: str) -> Baseline:
    """The baseline with the traffic since.

    Parameters
    ----------
    layout : Layout
        Of the baseline.
    table : Table
        Traffic by hour, in the layout's cells.
    time_zone : str
        Where hours of day are told, where the baseline does not say.

    Returns
    -------
    Baseline
        With cells in the same places, for evidence alone: what is shown beside a window stays that
        of training.
    """
    baseline = layout.baseline
    zone = baseline.timeline.time_zone if baseline.timeline is not None else time_zone
    pool = _Pool(baseline, table, calendar_of(table.steps, zone_of(zone)))
    features = tuple(pool.feature(layout, cells) for cells in layout.features)
    timeline = Timeline(
        column=_COLUMN,
        start_at=table.steps.start_at,
        end_at=table.steps.end_at,
        step_seconds=HOUR,
        steps=table.steps.length + pool.own_steps,
        time_zone=zone,
        volume_start_at=table.steps.start_at,
        volume=(),
    )
    return msgspec.structs.replace(baseline, rows=max(f.rows for f in features), timeline=timeline, features=features)


class _Pool:
    """Pools each feature's own knowledge with its traffic's."""

    def __init__(self, baseline: Baseline, table: Table, calendar: Calendar | None) -> None:
        self._table, self._calendar = table, calendar
        timeline = baseline.timeline
        # Blocks of other lengths can't be pooled; and then the baseline spans less than two days.
        same = timeline is not None and timeline.step_seconds == HOUR
        self.own_steps = timeline.steps if same and timeline is not None else 0
        live = len(table.by_step) / 24
        own = days_of(baseline) if same and days_of(baseline) >= LEAST_DAYS else 0.0
        self._part = own / (own + live)

    def feature(self, layout: Layout, cells: FeatureCells) -> FeatureBaseline:
        """One feature."""
        f = cells.baseline
        by_step = self._table.by_step[:, cells.start : cells.stop]
        counts = layout.baseline_counts(cells) + by_step.sum(axis=0, dtype=np.int64)
        rows_by_step = by_step.sum(axis=1, dtype=np.int64)
        absent = by_step[:, -2:] if cells.is_number else by_step[:, -1:]
        hits = absent.sum(axis=1, dtype=np.int64)
        missing, missing_by_hour = missing_dispersion(hits, rows_by_step, self._calendar)
        valued, scores_by_hour = _valued(by_step, cells.is_number), f.scores_by_hour
        together = cells_dispersion(valued)
        live: dict[str, Dispersion | None] = {"missing": missing, "cells": together}
        shares = f.shares
        if cells.is_number:
            inside = np.maximum(counts[2:-4], 0)
            patterns = patterns_of(middles_of(f), inside, valued, self._calendar)
            live |= patterns.dispersion
            own_hours = {name: f.score_by_hour(name) for name in (*f.scores_by_hour, *patterns.by_hour)}
            scores_by_hour = self._hours(own_hours, patterns.by_hour)
        else:
            live["value"] = together
            names = f.feature.values[: len(f.counts)]
            shares = self._shares(f, shares_by_time(valued, together, names, self._calendar))
        dispersion = {name: self._dispersion(f.dispersion.get(name), one) for name, one in live.items()}
        share = f.missing_share if not f.mistyped else (f.missing + f.mistyped) / f.rows
        by_hour = self._hour(f.missing_by_hour, missing_by_hour, share, hits.sum() / max(rows_by_step.sum(), 1))
        return msgspec.structs.replace(
            f,
            **_counted(counts, len(f.counts), is_number=cells.is_number),
            dispersion={**f.dispersion, **{name: one for name, one in dispersion.items() if one is not None}},
            scores_by_hour=scores_by_hour,
            shares=shares,
            missing_by_hour=by_hour,
        )

    def _hours(
        self, own: Mapping[str, tuple[float, ...]], live: Mapping[str, tuple[float, ...]]
    ) -> dict[str, tuple[float, ...]]:
        several = {name: self._hour(own.get(name, ()), live.get(name, ()), 0.0, 0.0) for name in sorted({*own, *live})}
        return {name: one for name, one in several.items() if one}

    def _hour(
        self, own: tuple[float, ...], live: tuple[float, ...], own_mean: float, live_mean: float
    ) -> tuple[float, ...]:
        """What differs between hours, by how many days each side knows; where no hour differs, it is the mean."""
        if not own and not live:
            return ()
        mixed = self._part * np.array(own or (own_mean,) * 24) + (1 - self._part) * np.array(live or (live_mean,) * 24)
        return short(mixed)

    def _shares(self, f: FeatureBaseline, live: dict[str, Share]) -> dict[str, Share]:
        found: dict[str, Share] = {}
        whole = max(sum(f.counts) + f.other, 1)
        for name, count in zip(f.feature.values, f.counts, strict=False):
            own, other = f.shares.get(name), live.get(name)
            if own is None or other is None:
                kept = own or other
                if kept is not None:
                    found[name] = kept
                continue
            dispersion = self._dispersion(own.dispersion, other.dispersion)
            assert dispersion is not None
            usual = count / whole
            found[name] = Share(dispersion, self._hour(own.by_hour, other.by_hour, usual, usual))
        return found

    def _dispersion(self, own: Dispersion | None, live: Dispersion | None) -> Dispersion | None:
        if own is None or not own.rows or not self.own_steps:
            return live
        return own if live is None else pooled(own, self.own_steps, live, len(self._table.by_step))


def pooled(own: Dispersion, own_steps: int, live: Dispersion, live_steps: int) -> Dispersion:
    """Dispersion of two stretches of time with steps of one length.

    Ratios are averaged by how many separate blocks each has; of two laws' tails the mean one stays,
    however many blocks there are. What blocks of more rows show in excess of independent rows is as
    much larger.

    Parameters
    ----------
    own, live : Dispersion
        Of each.
    own_steps, live_steps : int
        How long they are.
    """
    short_one = min(len(own.rows), len(live.rows))
    factor = np.ones(len(own.rows))
    factor[:short_one] = np.array(live.rows[:short_one]) / np.array(own.rows[:short_one])
    factor[short_one:] = factor[short_one - 1] if short_one else 1.0
    ratio = np.array(own.ratio)
    mine = np.array([np.array(own.rows) * factor, np.where(ratio > 1, 1 + (ratio - 1) * factor, ratio), own.degrees])
    other = np.array([live.rows, live.ratio, live.degrees])
    blocks = [_separate(own_steps, mine.shape[1]), _separate(live_steps, other.shape[1])]
    tails = [np.maximum(1 / one[2] - 1 / count, 0.0) for one, count in zip((mine, other), blocks, strict=True)]
    weight = blocks[0][:short_one] / (blocks[0][:short_one] + blocks[1][:short_one])
    longer, its_blocks = (mine, blocks[0]) if mine.shape[1] > other.shape[1] else (other, blocks[1])
    found = longer.copy()
    found[0, :short_one] = other[0, :short_one]
    found[1, :short_one] = weight * mine[1, :short_one] + (1 - weight) * other[1, :short_one]
    tail = weight * tails[0][:short_one] + (1 - weight) * tails[1][:short_one]
    found[2, :short_one] = 1 / (1 / (blocks[0][:short_one] + blocks[1][:short_one]) + tail)
    assert len(its_blocks) == found.shape[1]
    return Dispersion(rows=short(np.maximum.accumulate(found[0])), ratio=short(found[1]), degrees=short(found[2]))


def _separate(steps: int, lengths: int) -> NDArray[np.float64]:
    """Separate blocks of 1, 2, 4 … steps, as ``dispersion_of`` counts them."""
    length = 2.0 ** np.arange(lengths)
    found: NDArray[np.float64] = np.where(length > 3, OVERLAP, 1.0) * max(steps, LEAST_STEPS) / length
    return found


def _valued(by_step: NDArray[np.int32], is_number: bool) -> NDArray[np.int32]:
    """Rows with a value that has a cell; of numbers those outside the range count at its ends."""
    if not is_number:
        return by_step[:, :-2]
    valued = by_step[:, 2:-4].copy()
    valued[:, 0] += by_step[:, :2].sum(axis=1, dtype=np.int32)
    valued[:, -1] += by_step[:, -4:-2].sum(axis=1, dtype=np.int32)
    return valued


def _counted(counts: NDArray[np.int64], cells: int, *, is_number: bool) -> dict[str, object]:
    rows = int(counts.sum())
    if is_number:
        beyond = (*counts[:2].tolist(), *counts[-4:-2].tolist())
        inside = tuple(counts[2:-4].tolist())
        missing, mistyped = counts[-2:].tolist()
        return {"rows": rows, "counts": inside, "beyond": beyond, "missing": missing, "mistyped": mistyped}
    own, (other, unseen, missing) = tuple(counts[:cells].tolist()), counts[cells:].tolist()
    return {"rows": rows, "counts": own, "other": other, "beyond": (unseen,), "missing": missing}
