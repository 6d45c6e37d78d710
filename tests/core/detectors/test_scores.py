"""The directions a feature may move in, with what the baseline knows of their hours."""

import msgspec
import numpy as np
import pytest

from streamer.core.baseline.model import Dispersion, Share
from streamer.core.detectors.scores import Direction, directions_of
from streamer.core.layout import Layout
from tests.strategies import baseline, category, number

HOURS = tuple(float(hour) for hour in range(24))
ONE = Dispersion(rows=(10.0,), ratio=(4.0,), degrees=(9.0,))
TWO = Dispersion(rows=(10.0,), ratio=(2.0,), degrees=(9.0,))


def of_number(**changes: object) -> dict[str, Direction]:
    layout = Layout(baseline(msgspec.structs.replace(number("x", rows=1_000), **changes)))
    found: dict[str, Direction] = {}
    for direction in directions_of(layout, layout.features[0]):
        found.setdefault(direction.name, direction)
    return found


def test_each_score_has_its_own_hours_and_dispersion() -> None:
    known = {"value": ONE, "rank": TWO}
    found = of_number(dispersion=known, hour_profile=HOURS, scores_by_hour={"spread": HOURS[::-1]})
    assert (found["value"].by_hour, found["value"].dispersion) == (HOURS, ONE)
    assert (found["rank"].by_hour, found["rank"].dispersion) == ((), TWO)
    assert found["spread"].by_hour == HOURS[::-1]


def test_ranks_of_a_baseline_that_tells_none_vary_like_its_values() -> None:
    assert of_number(dispersion={"value": ONE})["rank"].dispersion == ONE


def test_a_category_with_a_pattern_of_its_own_is_held_against_it() -> None:
    shares = {"b": Share(TWO, (0.5, *(0.25,) * 23))}
    label = msgspec.structs.replace(category("k", rows=900), dispersion={"cells": ONE}, shares=shares)
    layout = Layout(baseline(label))
    found = [d for d in directions_of(layout, layout.features[0]) if d.name == "category"]
    assert [d.dispersion for d in found] == [ONE, TWO, ONE]
    steps = [np.ptp(d.score) for d in found]
    usual = label.counts[1] / label.rows
    assert found[1].by_hour[0] == pytest.approx((0.5 - usual) * steps[1])
    assert found[0].by_hour == ()
