import math

import pytest

from streamer.core.baseline.model import INDEPENDENT, Dispersion
from streamer.core.noise import noise_of


def test_independent_rows_are_worth_themselves() -> None:
    noise = noise_of(INDEPENDENT, 100, 400)
    assert (noise.live_rows, noise.past_rows, noise.degrees) == (100, 400, math.inf)
    assert noise.variance == pytest.approx(1 / 100 + 1 / 400)


def test_rows_that_share_their_hours_weather_are_worth_fewer() -> None:
    clustered = Dispersion(rows=(100.0, 200.0), ratio=(4.0, 4.0), degrees=(20.0, 10.0))
    noise = noise_of(clustered, 100, 200)
    assert (noise.live_rows, noise.past_rows, noise.degrees) == (25, 50, 20)
