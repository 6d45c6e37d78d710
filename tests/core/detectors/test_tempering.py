"""Tempering by the baseline's own blocks."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.baseline.model import INDEPENDENT, Dispersion
from streamer.core.detectors.tempering import (
    envelope_of,
    error_of,
    levels_of,
    nats_of,
    spread_envelope_of,
    student_square,
    tempering,
)

HOUR = 3_600
LEVEL = 12.0


def blocks(*ratio: float, degrees: float = 100.0) -> Dispersion:
    return Dispersion(rows=tuple(100.0 * 2**i for i in range(len(ratio))), ratio=ratio, degrees=(degrees,) * len(ratio))


def phi(theta: float, dispersion: Dispersion, level: float = LEVEL) -> float:
    levels = levels_of(dispersion, HOUR)
    envelope = envelope_of(levels, np.full(levels.shape[1], level))
    return float(tempering(np.array([theta]), np.array([theta**2 / 2]), levels[0], envelope, level)[0])


def test_independent_records_are_not_tempered() -> None:
    assert phi(0.25, INDEPENDENT) == 1.0
    assert phi(0.25, blocks(1.0, 1.0, 1.0, degrees=math.inf)) == pytest.approx(1.0, abs=1e-6)


@given(st.floats(0.05, 2.0), st.floats(1.0, 50.0), st.floats(1.0, 4.0))
def test_more_shared_weather_tempers_more(theta: float, ratio: float, factor: float) -> None:
    calm, wild = blocks(ratio, ratio, ratio), blocks(ratio * factor, ratio * factor, ratio * factor)
    assert 1.0 <= phi(theta, calm) <= phi(theta, wild) * (1 + 1e-12)


@given(st.floats(2.0, 1e6))
def test_fewer_degrees_of_freedom_reach_further(degrees: float) -> None:
    assert float(student_square(LEVEL, degrees)) >= 2 * LEVEL - 1e-9


def test_a_shock_does_not_slow_an_alternative_that_decides_long_before() -> None:
    # A shock of a tenth of a deviation a block of 100 rows: 4 deviations are told from it by single rows.
    shocked = blocks(2.0, 2.0, 2.0)
    assert phi(4.0, shocked) == 1.0
    assert phi(0.25, shocked) > 1.5


def test_the_line_stays_over_the_envelope_at_every_length() -> None:
    levels = levels_of(blocks(3.0, 5.0, 9.0, degrees=8.0), HOUR)
    theta, loss = np.array([0.3]), np.array([0.045])
    envelope = np.sqrt(student_square(LEVEL, levels[2]) * levels[1] * levels[0])
    assert envelope_of(levels, np.full(9, LEVEL)) == pytest.approx(envelope)
    found = tempering(theta, loss, levels[0], envelope, LEVEL)
    assert np.all(theta * envelope - loss * levels[0] <= LEVEL * found * (1 + 1e-12))


def test_the_envelope_is_carried_on_to_a_week() -> None:
    assert levels_of(blocks(1.0, 2.0, 4.0), HOUR).shape == (3, 9)
    assert levels_of(blocks(1.0, 2.0, 4.0), HOUR)[1, 3] == 8.0


def test_a_baseline_knows_its_mean_the_worse_the_more_its_blocks_vary() -> None:
    assert error_of(levels_of(INDEPENDENT, HOUR), 10_000, 2.0) == 0.02
    assert error_of(levels_of(blocks(4.0), 7 * 86_400), 10_000, 2.0) > 0.04


def test_long_blocks_are_few_so_they_need_not_be_as_improbable() -> None:
    nats = nats_of(LEVEL, levels_of(blocks(1.0, 1.0, 1.0), HOUR))
    assert nats[0] == LEVEL
    assert np.all(np.diff(nats) < 0)
    assert nats[-1] > LEVEL / 2


def test_shocks_of_the_mean_widen_the_spread_by_their_square() -> None:
    calm, levels = levels_of(blocks(1.0), HOUR), levels_of(blocks(41.0, degrees=math.inf), HOUR)
    assert spread_envelope_of(calm, nats_of(LEVEL, calm), 0.7)[0] == 0.0
    # Of 100 rows with a shock of variance 40 / 100, as improbable as 12 nats: (24 - 1) * 40 * curvature.
    assert spread_envelope_of(levels, nats_of(LEVEL, levels), 0.7)[0] == pytest.approx(0.7 * 23 * 40)
