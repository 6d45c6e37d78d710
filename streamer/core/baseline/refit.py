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
    LONGEST,
    cells_dispersion,
    denser,
    missing_dispersion,
    separate_blocks,
    shares_by_time,
    short,
)
from streamer.core.baseline.hourly import HOURS, ended
from streamer.core.baseline.model import Baseline, Dispersion, FeatureBaseline, Share, Timeline, growth_of
from streamer.core.baseline.patterns import is_by_day, over_time
from streamer.core.baseline.timeline import HOUR, LEAST_DAYS, Calendar, zone_of
from streamer.core.baseline.weather import Table, days_of
from streamer.core.layout import Layout

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
    pool = _Pool(baseline, table, table.calendar(zone_of(zone)))
    features = tuple(pool.feature(layout, at) for at in range(len(layout.features)))
    timeline = Timeline(
        column=_COLUMN,
        start_at=table.steps.start_at,
        end_at=table.steps.end_at,
        step_seconds=HOUR,
        steps=table.known_steps + pool.own_steps,
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
        own = days_of(baseline) if same and days_of(baseline) >= LEAST_DAYS else 0.0
        self._part = own / (own + table.known_steps / HOURS)
        self._days = 0 if calendar is None else len(np.unique(calendar.day[calendar.day >= 0]))

    def feature(self, layout: Layout, at: int) -> FeatureBaseline:
        """One feature."""
        cells, series = layout.features[at], self._table.series(at)
        f = cells.baseline
        counts = layout.baseline_counts(cells) + self._table.counts[cells.start : cells.stop]
        missing, missing_by_hour = missing_dispersion(series.absent, series.rows, self._calendar)
        live, hours, shares = {"missing": missing}, f.scores_by_hour, f.shares
        if cells.is_number:
            # Evidence does not ask for that of a number's cells as a whole, which takes the longest.
            valued = np.maximum(series.rows - series.absent, 0).astype(np.float64)
            of_scores, by_hour = over_time(self._table.scores(at, ended(counts)), valued, self._calendar)
            live |= of_scores
            own = {name: f.score_by_hour(name) for name in (*f.scores_by_hour, *by_hour)}
            hours = self._hours(own, by_hour)
        else:
            live["value"] = live["cells"] = together = cells_dispersion(series.cells)
            names = [f.feature.values[value] for value in series.values]
            shares = self._shares(f, shares_by_time(series.cells, together, names, self._calendar))
        dispersion = {name: self._dispersion(f.dispersion.get(name), one, name) for name, one in live.items()}
        absent = (f.missing + f.mistyped) / max(f.rows, 1)
        seen = int(series.absent.sum()) / max(int(series.rows.sum()), 1)
        return msgspec.structs.replace(
            f,
            **_counted(counts, len(f.counts), is_number=cells.is_number),
            dispersion={**f.dispersion, **{name: one for name, one in dispersion.items() if one is not None}},
            scores_by_hour=hours,
            shares=shares,
            missing_by_hour=self._hour(f.missing_by_hour, missing_by_hour, absent, seen),
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

    def _dispersion(self, own: Dispersion | None, live: Dispersion | None, name: str = "") -> Dispersion | None:
        """Of both; ``name`` says whether its steps are hours or days."""
        if own is None or not own.rows or not self.own_steps:
            return live
        if live is None:
            return own
        if is_by_day(name):
            return pooled(own, self.own_steps // HOURS, live, self._days)
        return pooled(own, self.own_steps, live, self._table.known_steps)


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
    # Rows of a block as they are now: what its shocks add grows with them.
    factor = live.rows[0] / own.rows[0]
    ratios = denser(np.array(own.ratio), factor).tolist()
    several = [(own_steps, ratios, own.degrees), (live_steps, live.ratio, live.degrees)]
    rows, ratio, degrees = list(live.rows), list[float](), list[float]()
    while 2 ** len(ratio) <= (own_steps + live_steps) // LONGEST:
        at = len(ratio)
        known = [(separate_blocks(steps, 2**at), r[at], d[at]) for steps, r, d in several if at < len(r)]
        blocks = sum(count for count, _, _ in known)
        if known:
            ratio.append(sum(count * r for count, r, _ in known) / blocks)
            tail = sum(count * max(1 / d - 1 / count, 0.0) for count, _, d in known) / blocks
        else:
            # Longer than either shows.
            blocks = separate_blocks(own_steps + live_steps, 2**at)
            ratio.append(ratio[-1] * growth_of(ratio))
            tail = 0.0
        degrees.append(1 / (1 / blocks + tail))
        if at >= len(rows):
            rows.append(2 * rows[-1])
    kept = rows[: len(ratio)]
    return Dispersion(rows=short(np.array(kept)), ratio=short(np.array(ratio)), degrees=short(np.array(degrees)))


def _counted(counts: NDArray[np.int64], cells: int, *, is_number: bool) -> dict[str, object]:
    rows = int(counts.sum())
    if is_number:
        beyond = (*counts[:2].tolist(), *counts[-4:-2].tolist())
        inside = tuple(counts[2:-4].tolist())
        missing, mistyped = counts[-2:].tolist()
        return {"rows": rows, "counts": inside, "beyond": beyond, "missing": missing, "mistyped": mistyped}
    own, (other, unseen, missing) = tuple(counts[:cells].tolist()), counts[cells:].tolist()
    return {"rows": rows, "counts": own, "other": other, "beyond": (unseen,), "missing": missing}
