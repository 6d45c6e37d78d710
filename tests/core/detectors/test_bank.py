"""The bank of e-detectors, step by step."""

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamer.core.baseline.model import Dispersion
from streamer.core.detectors.alternatives import alternatives_of
from streamer.core.detectors.bank import Bank
from streamer.core.detectors.scores import shares_of
from streamer.core.layout import Layout
from streamer.core.settings import Tolerance
from streamer.core.types import Cause
from tests.strategies import baseline, category, number

THRESHOLD = 7_200.0
LAYOUT = Layout(baseline(number("x", rows=10_000), number("y", rows=10_000), category("k", rows=9_000)))
ALTERNATIVES = alternatives_of(LAYOUT, THRESHOLD, 10)


def shares() -> list[NDArray[np.float64]]:
    return [shares_of(LAYOUT, cells) for cells in LAYOUT.features]


def pane(rng: np.random.Generator, of: list[NDArray[np.float64]], rows: int = 50) -> NDArray[np.int64]:
    return np.concatenate([rng.multinomial(rows, p) for p in of]).astype(np.int64)


def tilted(of: list[NDArray[np.float64]], feature: int, theta: float) -> list[NDArray[np.float64]]:
    """One feature's mean moved by about theta deviations."""
    first = LAYOUT.features[feature].start
    at = next(d for d, name in enumerate(ALTERNATIVES.names) if name == "value" and ALTERNATIVES.start[d] == first)
    weighed = of[feature] * np.exp(theta * ALTERNATIVES.scores_of(at))
    return [weighed / weighed.sum() if i == feature else p for i, p in enumerate(of)]


def bank() -> Bank:
    return Bank(ALTERNATIVES, THRESHOLD)


def test_no_change_raises_no_alarm() -> None:
    rng, watched = np.random.default_rng(1), bank()
    levels = []
    for _ in range(3_000):
        watched.step(pane(rng, shares()))
        levels.append(watched.level)
    assert max(levels) < 1.0


def test_a_shift_is_found_and_its_feature_and_time_are_named() -> None:
    rng, watched = np.random.default_rng(2), bank()
    for _ in range(400):
        watched.step(pane(rng, shares()))
    moved, steps = tilted(shares(), 1, 0.5), 0
    while watched.level < 1.0:
        watched.step(pane(rng, moved))
        steps += 1
        assert steps < 30
    (found,) = watched.guilty(0.1)
    assert (found.feature, found.cause) == (1, Cause.DRIFT)
    assert 0.2 < found.size < 1.0
    assert found.earliest <= 402
    assert found.latest >= 398
    assert found.earliest <= found.since <= found.latest


def test_an_alarm_falls_when_the_change_is_over() -> None:
    rng, watched = np.random.default_rng(3), bank()
    for _ in range(2_000):
        watched.step(pane(rng, tilted(shares(), 0, 1.0)))
    assert watched.level >= 1.0
    steps = 0
    while watched.level >= 1.0:
        watched.step(pane(rng, shares()))
        steps += 1
    assert steps < 60


def test_values_out_of_range_are_found_at_once() -> None:
    rng, watched = np.random.default_rng(4), bank()
    far = np.zeros(len(shares()[0]))
    far[-3] = 1.0
    watched.step(pane(rng, [far, *shares()[1:]]))
    assert watched.level >= 1.0
    assert (watched.guilty(0.1)[0].feature, watched.guilty(0.1)[0].direction) == (0, "new")


def test_empty_panes_are_time_and_no_evidence() -> None:
    watched = bank()
    watched.step(pane(np.random.default_rng(7), shares()))
    before = watched.level
    watched.pass_by(1_000_000)
    watched.step(np.zeros(LAYOUT.size, np.int64))
    assert watched.steps == 1_000_002
    assert watched.level == before


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 80), min_size=1, max_size=12), st.integers(0, 12))
@settings(max_examples=60)
def test_restored_anywhere_it_goes_on_as_if_never_stopped(seed: int, rows: list[int], stop: int) -> None:
    rng = np.random.default_rng(seed)
    panes = [pane(rng, shares(), n) for n in rows]
    straight, broken = bank(), bank()
    for i, counts in enumerate(panes):
        straight.step(counts, (i % 24,))
        if i == stop:
            steps, values, broken = broken.steps, broken.values, bank()
            broken.restore(steps, values)
        broken.step(counts, (i % 24,))
    assert np.array_equal(straight.values, broken.values)
    assert straight.steps == broken.steps
    assert straight.guilty(0.1) == broken.guilty(0.1)


@given(st.permutations([0, 1, 2]))
def test_the_order_of_rows_inside_a_pane_does_not_matter(order: list[int]) -> None:
    rng = np.random.default_rng(6)
    parts = [pane(rng, shares()) for _ in range(3)]
    one, two = bank(), bank()
    one.step(sum(parts[1:], parts[0]))
    two.step(sum((parts[i] for i in order[1:]), parts[order[0]]))
    assert np.array_equal(one.values, two.values)


def test_a_drift_too_small_to_matter_is_no_alarm_however_sure_it_is() -> None:
    tolerant = alternatives_of(LAYOUT, THRESHOLD, 10, Tolerance(deviations=0.6, points=0.3))
    strict, lenient = bank(), Bank(tolerant, THRESHOLD)
    rng, moved = np.random.default_rng(8), tilted(shares(), 1, 0.3)
    for _ in range(500):
        counts = pane(rng, moved)
        strict.step(counts)
        lenient.step(counts)
    assert strict.level >= 1.0 > 0.1 > lenient.level
    for _ in range(500):
        lenient.step(pane(rng, tilted(shares(), 1, 1.5)))
    assert [found.feature for found in lenient.guilty(0.1)] == [1]


def test_values_that_go_missing_where_none_ever_did_are_told_at_once_although_days_differ() -> None:
    days = Dispersion(
        rows=(50.0, 100.0, 200.0, 400.0), ratio=(3.0, 10.0, 40.0, 100.0), degrees=(80.0, 60.0, 40.0, 20.0)
    )
    f = msgspec.structs.replace(number("x", rows=10_000), dispersion={"value": days})
    layout = Layout(baseline(f))
    watched = Bank(alternatives_of(layout, THRESHOLD, 3_600), THRESHOLD)
    counts = np.zeros(layout.size, np.int64)
    counts[layout.features[0].values.start] = 25
    counts[layout.features[0].stop - 2] = 25
    panes = 0
    while watched.level < 1.0:
        watched.step(counts)
        panes += 1
        assert panes < 4
    assert watched.guilty(0.1)[0].cause is Cause.MISSING
