"""What named detectors of a key say when a window ends, and who can't go on after a restart."""

import msgspec
import numpy as np
import pytest

from streamer.core.baseline.model import FeatureBaseline
from streamer.core.columns import Columns
from streamer.core.detectors.kinds import KINDS, Value
from streamer.core.detectors.roster import Roster, RosterState, misfit
from streamer.core.layout import Layout
from streamer.core.profile import profile_of
from streamer.core.sample import samples_of
from streamer.core.schema import Feature, Kind, Side
from streamer.core.settings import DetectorSettings, EndpointSettings
from streamer.core.types import Cause, Finding, Key, State
from tests.strategies import START, baseline, category, number

LAYOUT = Layout(baseline(number("x"), number("y"), category("k"), number("score", Side.OUTPUT)))
KEY = Key("e", "v", "")
PANES = 30
ALL = set(Cause)


def detector(kind: str, feature: str = "x", watches: str = "", **parameters: Value) -> DetectorSettings:
    chosen = watches or KINDS[kind].watches[0]
    return DetectorSettings(name=f"my {kind}", kind=kind, feature=feature, watches=chosen, parameters=parameters)


def roster(*detectors: DetectorSettings) -> Roster:
    return Roster(EndpointSettings(name="e", detectors=detectors), LAYOUT)


def window(
    watched: Roster, start: int, *, shift: float = 0.0, missing: float = 0.0
) -> tuple[list[Finding], set[Cause]]:
    """A window of panes of 50 rows; both inputs are shifted, or lack values."""
    for pane in range(PANES):
        chance = np.random.default_rng(start * PANES + pane)
        numbers = np.clip(chance.uniform(0, 10, (2, 50)) + shift, 0, 14)
        numbers[:, chance.random(50) < missing] = np.nan
        columns = {
            Side.INPUT: Columns(numbers, None, np.zeros((1, 50), np.int32), np.arange(50)),
            Side.OUTPUT: Columns(numbers[:1], None, np.empty((0, 50), np.int32), np.arange(50)),
        }
        profile = profile_of(LAYOUT, columns)
        identity = chance.integers(0, 2**63, 50).astype(np.uint64)
        at = START + (start * PANES + pane) * 10_000
        watched.take(at, profile.counts, profile.sums, samples_of(watched.sampling, columns, identity))
    return watched.close(KEY, START + start * PANES * 10_000, START + (start + 1) * PANES * 10_000)


@pytest.mark.parametrize(
    "chosen",
    [detector("adwin", clock=1), detector("page_hinkley", threshold=10.0), detector("kswin")],
    ids=lambda d: d.kind,
)
def test_a_shift_of_the_mean_is_told_in_deviations_of_the_baseline(chosen: DetectorSettings) -> None:
    kind, watched = chosen.kind, roster(chosen)
    quiet = [window(watched, i) for i in range(5)]
    assert all(found == [] for found, _ in quiet)
    (found,), judged = window(watched, 5, shift=2.886)
    assert judged == ALL
    assert (found.rule, found.feature, found.cause, found.state) == (f"my {kind}", "x", Cause.DRIFT, State.BROKEN)
    assert found.size == pytest.approx(1.0, abs=0.1)
    assert found.rows == PANES * 50
    assert found.words.startswith(f"{kind} fired: mean +")
    assert window(watched, 6, shift=2.886)[0] == []


def test_a_risen_share_of_missing_values_is_an_incident_of_its_own_cause() -> None:
    watched = roster(detector("hddm_a"))
    assert window(watched, 0, missing=0.02) == ([], ALL)
    (found,), _ = window(watched, 1, missing=0.9)
    assert (found.cause, found.unit, found.expected) == (Cause.MISSING, "points", 0.0)
    assert found.live == pytest.approx(0.9, abs=0.03)


def test_values_are_watched_in_the_sample() -> None:
    watched = roster(detector("adwin", "score", "values"))
    assert {side: rows.tolist() for side, rows in watched.sampling.items()} == {Side.OUTPUT: [0]}
    assert window(watched, 0)[0] == []
    (found,), _ = window(watched, 1, shift=2.0)
    assert found.feature == "score"


def test_rows_unlike_the_first_ones_are_told_by_their_rate() -> None:
    watched = roster(detector("half_space_trees", "", window_size=100, calibration_rows=400))
    assert window(watched, 0) == ([], ALL - {Cause.DRIFT})
    assert window(watched, 1)[1] == ALL
    (found,), _ = window(watched, 2, shift=9.0)
    assert (found.feature, found.cause, found.state, found.unit) == ("", Cause.DRIFT, State.BROKEN, "points")
    assert found.live > 0.3
    assert found.expected < 0.01
    assert window(watched, 3)[0] == []


def test_a_window_without_rows_judges_nothing() -> None:
    watched = roster(detector("adwin"), detector("half_space_trees", ""))
    assert watched.close(KEY, START, START + 60_000) == ([], ALL - {Cause.DRIFT})


def test_who_asks_for_no_rows_gets_none() -> None:
    assert roster(detector("adwin"), detector("hddm_w")).sampling == {}


def test_a_state_of_another_river_begins_anew_and_says_so() -> None:
    several = detector("adwin"), detector("half_space_trees", "", window_size=100)
    watched = roster(*several)
    window(watched, 0)
    state = watched.to_state()
    later = roster(*several)
    later.restore(RosterState("0.1", state.posts))
    (said,) = later.restarted
    assert said.startswith("the detector my adwin begins anew: its state is of river 0.1, and this is 0.26")
    # Trees are the house's own: their state is of no version.
    assert later.to_state().posts[1] == state.posts[1]
    assert later.to_state().posts[0] != state.posts[0]


def test_a_detector_configured_otherwise_begins_anew_and_the_others_go_on() -> None:
    watched = roster(detector("adwin"), detector("page_hinkley"))
    window(watched, 0)
    state = watched.to_state()
    later = roster(detector("adwin", delta=0.1), detector("page_hinkley"))
    later.restore(state)
    assert later.restarted == ("the detector my adwin begins anew: it is configured otherwise",)
    assert later.to_state().posts[1] == state.posts[1]


def constant() -> FeatureBaseline:
    feature = Feature(name="c", side=Side.INPUT, kind=Kind.NUMERIC)
    return msgspec.structs.replace(number("c"), feature=feature, deviation=0.0)


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        pytest.param(detector("adwin", "x"), None, id="a number that varies"),
        pytest.param(detector("adwin", "k", "missing"), None, id="missing values of a category"),
        pytest.param(detector("adwin", "z"), "no such feature", id="an unknown feature"),
        pytest.param(detector("adwin", "k"), "is no number", id="the mean of a category"),
        pytest.param(detector("adwin", "c", "values"), "never varies", id="values of a constant"),
    ],
)
def test_what_does_not_fit_the_baseline_is_told(chosen: DetectorSettings, expected: str | None) -> None:
    why = misfit(chosen, Layout(baseline(number("x"), category("k"), constant())))
    assert why is None if expected is None else expected in str(why)


def test_rows_without_a_number_that_varies_cant_be_watched() -> None:
    assert misfit(detector("half_space_trees", ""), Layout(baseline(category("k"), constant()))) is not None
