"""Values that heap up at one place move no mean, and are found all the same."""

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.core.baseline.model import Dispersion
from streamer.core.detectors.alternatives import alternatives_of
from streamer.core.detectors.bank import Bank
from streamer.core.detectors.ranges import NAME
from streamer.core.detectors.scores import shares_of
from streamer.core.detectors.tilts import tilts_of
from streamer.core.layout import Layout
from tests.strategies import baseline, number

THRESHOLD = 7_200.0
ROWS = 50


def evenly(**other: object) -> Layout:
    """One number in twenty even cells."""
    edges = tuple(float(i) for i in range(1, 20))
    f = number("x", rows=10_000)
    changed = {"edges": edges, "counts": (500,) * 20, "minimum": 0.0, "maximum": 20.0, "distinct": 10_000}
    return Layout(baseline(msgspec.structs.replace(f, **{**changed, "quantiles": (), **other})))


def panes_until(layout: Layout, shares: NDArray[np.float64], most: int = 600) -> tuple[int, str]:
    bank = Bank(alternatives_of(layout, THRESHOLD, 360.0), THRESHOLD)
    rng = np.random.default_rng(1)
    for pane in range(most):
        counts = np.zeros(layout.size, np.int64)
        counts[layout.features[0].values] = rng.multinomial(ROWS, shares)
        bank.step(counts)
        if bank.level >= 1.0:
            return pane, bank.guilty(0.1)[0].direction
    return most, ""


def heaped(at: int, share: float) -> NDArray[np.float64]:
    shares = np.full(20, (1 - share) / 20)
    shares[at] += share
    return shares


@pytest.mark.parametrize("at", [6, 10, 19])
def test_a_tenth_of_the_rows_at_one_place_is_found_within_a_thousand(at: int) -> None:
    pane, direction = panes_until(evenly(), heaped(at, 0.1))
    assert pane * ROWS < 1_000
    assert direction == NAME


def test_rows_as_in_the_baseline_raise_no_alarm() -> None:
    assert panes_until(evenly(), heaped(0, 0.0))[1] == ""


def test_where_hours_differ_ranges_are_left_out() -> None:
    by_hour = {"value": (0.5,) * 12 + (-0.5,) * 12}
    assert NAME in alternatives_of(evenly(), THRESHOLD, 360.0).names
    assert NAME not in alternatives_of(evenly(scores_by_hour=by_hour), THRESHOLD, 360.0).names


def test_a_range_varies_as_much_as_the_score_that_varies_most() -> None:
    wild = Dispersion(rows=(100.0, 200.0, 400.0), ratio=(30.0, 50.0, 90.0), degrees=(50.0, 50.0, 50.0))
    usual, slow = evenly(), evenly(dispersion={"spread": wild})
    taken = [panes_until(layout, heaped(10, 0.1))[0] for layout in (usual, slow)]
    assert taken[1] > 3 * taken[0]


def test_its_worth_is_that_of_any_tilt_of_the_same_score() -> None:
    layout = evenly()
    a = alternatives_of(layout, THRESHOLD, 360.0)
    direction = a.names.index(NAME)
    mine = np.flatnonzero(a.direction == direction)
    cells = layout.features[0]
    error = 2.5 / np.sqrt(10_000)
    thetas = a.size[mine]
    several = tilts_of(
        a.scores_of(direction),
        shares_of(layout, cells),
        thetas,
        error,
        np.empty(0),
        np.empty((len(thetas), 0)),
        1.0,
    )
    assert a.gain[mine] == pytest.approx([gain for _, gain, _, _ in several])
    assert a.loss[mine] == pytest.approx([loss for _, _, loss, _ in several])
