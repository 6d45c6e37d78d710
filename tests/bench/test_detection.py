"""The detection bench, small."""

import numpy as np
import pytest

from streamer.core.baseline.build import BuildOptions, Chunk, build
from streamer.core.baseline.timeline import HOUR
from streamer.core.schema import Kind, Side
from tests.bench.detection.clustered import Drifting, alerts, delays, upper_mean
from tests.bench.detection.laws import DRIFTS, MISSING, OPEN_DRIFTS, laws
from tests.bench.detection.measures import delays as independent_delays
from tests.bench.detection.measures import months, upper_limit
from tests.bench.detection.sources import STEP, STILL, independent, shapes
from tests.bench.detection.timed import START_AT, Timed, timed
from tests.bench.detection.traffic import Family, Traffic, fine, traffic


def test_laws_are_distributions_and_so_is_what_they_drift_to() -> None:
    for law in laws():
        assert law.chances.sum() == pytest.approx(1.0)
        assert law.missing == MISSING
        for drift in (*DRIFTS.values(), *OPEN_DRIFTS.values()):
            drifted = drift(law)
            assert drifted is None or drifted.chances.sum() == pytest.approx(1.0)


def test_ten_months_without_drift_hold_no_more_than_two_alarms() -> None:
    # One a month was asked for; a tenth of that is promised, and three of ten would be one run in a hundred.
    assert months(laws(), 10, seed=2).alarmed <= 2


def test_one_drifting_feature_is_found_and_named() -> None:
    drifts = {name: DRIFTS[name] for name in ("mean +0.5 sd, tilted", "missing 1 to 5 %", "unit x1000")}
    found = {d.drift: d for d in independent_delays(laws(), drifts, [0, 1, 30], 3)}
    assert len(found) == 3
    assert all(d.found == 1.0 and d.named == 1.0 for d in found.values())
    assert found["mean +0.5 sd, tilted"].median < 600
    assert found["missing 1 to 5 %"].median < 1_000
    assert found["unit x1000"].median <= 100


def test_the_upper_limit_of_a_share_is_the_exact_one() -> None:
    assert upper_limit(0, 200) == pytest.approx(0.0149, abs=1e-4)
    assert upper_limit(5, 100) == pytest.approx(0.1025, abs=1e-3)
    assert np.isclose(upper_limit(3, 3), 1.0)


def test_the_upper_limit_of_a_mean_is_the_exact_one() -> None:
    assert upper_mean(0, 100) == pytest.approx(0.02996, abs=1e-4)
    assert upper_mean(10, 1) == pytest.approx(16.962, abs=1e-2)


def test_a_tilted_law_moves_by_what_its_state_says() -> None:
    normal = shapes()[0]
    mean = normal.table @ normal.values
    deviation = np.sqrt(normal.table[STILL] @ np.square(normal.values - mean[STILL]))
    moved = (mean - mean[STILL]) / deviation
    # In deviations of the values cut at their ends, which are a little less.
    for state in (STILL - 25, STILL + 5, STILL + 50):
        assert moved[state] == pytest.approx((state - STILL) * STEP, rel=0.05, abs=1e-9)


def test_a_baseline_from_counts_by_step_is_the_one_built_from_its_rows() -> None:
    hours, rows, rng = 24 * 8, 25, np.random.default_rng(4)
    own = traffic(Family.MIX, 8, {}, rng).features[:3]
    hour = np.repeat(np.arange(hours), rows)
    columns = {f"f{i}": feature.source.drawn(feature.states[hour], rng) for i, feature in enumerate(own)}
    for column in columns.values():
        column[rng.random(len(column)) < 0.02 + 0.1 * (hour % 24 < 6)] = np.nan
    event_at = START_AT + hour * HOUR * 1000 + np.arange(len(hour)) % rows
    chunk = Chunk(
        columns={name: column.tolist() for name, column in columns.items()}, rows=len(hour), event_at=event_at
    )
    options = BuildOptions(kinds=dict.fromkeys(columns, Kind.NUMERIC))
    built = build(lambda: [chunk], options)
    rough = build(lambda: [chunk._replace(event_at=None)], options)
    by_step = []
    for f in rough.features:
        column = columns[f.feature.name]
        cell = np.where(np.isnan(column), len(f.counts), np.searchsorted(f.edges, column))
        counts = np.bincount(hour * (len(f.counts) + 2) + cell, minlength=hours * (len(f.counts) + 2))
        by_step.append(counts.reshape(hours, -1))
    found = timed(rough, columns, by_step, np.full(hours, rows))
    for one, other in zip(found.features, built.features, strict=True):
        assert other.hour_profile
        assert other.missing_by_hour
        assert one.counts == other.counts
        assert one.hour_profile == other.hour_profile
        assert one.missing_by_hour == other.missing_by_hour
        assert one.scores_by_hour == other.scores_by_hour
        assert set(one.dispersion) == set(other.dispersion) - {"cells"}
        assert all(one.dispersion[name] == other.dispersion[name] for name in one.dispersion)
    assert built.timeline is not None
    assert found.timeline is not None
    assert (found.timeline.steps, found.timeline.volume) == (built.timeline.steps, built.timeline.volume)


def test_counts_are_drawn_in_the_shares_rows_would_have() -> None:
    rng = np.random.default_rng(5)
    endpoint = Timed(Traffic([independent(1, 48)], 0, np.full(48, 500)), 1, rng)
    counts = endpoint.panes(endpoint.hours(0, 24, 1), 1).sum(axis=0)
    cuts = endpoint.layout.sides[Side.INPUT].edges[0]
    drawn = shapes()[1].drawn(np.full(12_000, STILL), rng)
    rows = np.bincount(np.searchsorted(cuts, drawn), minlength=len(cuts)) * (1 - MISSING)
    assert counts.sum() == 12_000
    assert np.abs(counts[:-2] - rows).max() < 6 * np.sqrt(rows.max())
    assert counts[-2] == pytest.approx(12_000 * MISSING, abs=50)


def test_clustered_months_without_drift_hold_fewer_alerts_than_were_asked_for() -> None:
    found = alerts(Family.MIX, {}, 4, seed=2)
    assert found.months == 4
    assert found.rate <= 1.0


def test_a_drift_of_a_feature_with_days_and_of_one_without_is_found_in_one_endpoint() -> None:
    beside, moving = delays(
        Family.HOUR,
        {},
        1,
        7,
        [Drifting("mean +0.25 sd", False, fine(Family.HOUR), 60, 2), Drifting("mean +1 sd", True, 1, 48, 2)],
    )
    assert (beside.found, beside.named) == (1.0, 1.0)
    assert beside.median < 2_000
    assert (moving.found, moving.named) == (1.0, 1.0)


def test_series_whose_weeks_are_drawn_keep_their_hours_of_day() -> None:
    recorded = np.arange(4 * 168, dtype=np.float64)[:, None]
    found = traffic(Family.METRO, 15, {Family.METRO: recorded}, np.random.default_rng(6))
    states = found.features[0].states
    assert (states % 24 == np.arange(15 * 24) % 24).all()
    assert (np.diff(states)[:167] == 1).all()
    assert found.clustered == 1
