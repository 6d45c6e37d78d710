"""How often a detector fires where nothing changes, tried on panes drawn from the baseline."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.baseline.model import INDEPENDENT, Baseline, Dispersion, Timeline
from streamer.core.detectors.kinds import KINDS, Value
from streamer.core.detectors.rehearsal import UNKNOWN_ROWS, rehearse, shock_variances
from streamer.core.layout import Layout
from streamer.core.settings import DetectorSettings, EndpointSettings
from tests.strategies import START, baseline, number

ENDPOINT = EndpointSettings(name="e")
CLUSTERED = Dispersion(rows=(300.0, 600.0, 1_200.0), ratio=(20.0, 30.0, 40.0), degrees=(100.0,) * 3)
TIMELINE = Timeline(
    column="t",
    start_at=START,
    end_at=START + 600_000_000,
    step_seconds=60,
    steps=10_000,
    time_zone="UTC",
    volume_start_at=START,
    volume=(),
)


def detector(kind: str, **parameters: Value) -> DetectorSettings:
    watches = KINDS[kind].watches[0]
    feature = "" if watches == "rows" else "x"
    return DetectorSettings(name=kind, kind=kind, feature=feature, watches=watches, parameters=parameters)


def with_time(dispersion: Dispersion) -> Baseline:
    f = msgspec.structs.replace(number("x"), dispersion={"value": dispersion})
    return msgspec.structs.replace(baseline(f), rows=3_000_000, timeline=TIMELINE)


def test_it_is_the_same_for_a_seed() -> None:
    layout = Layout(baseline())
    chosen = detector("page_hinkley", threshold=2.0)
    assert rehearse(ENDPOINT, chosen, layout) == rehearse(ENDPOINT, chosen, layout)


def test_hours_that_vary_make_alarms_that_independent_records_do_not() -> None:
    chosen = detector("page_hinkley")
    alone, together = (rehearse(ENDPOINT, chosen, Layout(with_time(d))) for d in (INDEPENDENT, CLUSTERED))
    assert alone is not None
    assert together is not None
    assert (alone.clustered, together.clustered) == (False, True)
    assert alone.rows == together.rows == 50
    assert alone.alarms == 0
    assert together.monthly > 10


def test_rows_that_change_in_nothing_raise_no_alarm() -> None:
    found = rehearse(ENDPOINT, detector("half_space_trees", calibration_rows=1_000), Layout(baseline()))
    assert found is not None
    assert (found.alarms, found.rows, found.clustered) == (0, UNKNOWN_ROWS, False)
    assert found.at_most == pytest.approx(3 * 259_200 / found.panes)


def test_what_does_not_fit_is_not_tried() -> None:
    assert rehearse(ENDPOINT, detector("adwin"), Layout(baseline(number("y")))) is None


@given(st.lists(st.floats(0, 1e-2), min_size=1, max_size=8))
def test_shocks_give_blocks_of_every_length_the_excess_they_came_from(variances: list[float]) -> None:
    levels = np.arange(len(variances))
    excess = [sum(v if j >= i else v * 2.0 ** (j - i) for j, v in enumerate(variances)) for i in levels.tolist()]
    rows = 100.0 * 2.0**levels
    dispersion = Dispersion(
        rows=tuple(rows.tolist()),
        ratio=tuple((1 + np.array(excess) * rows).tolist()),
        degrees=(10.0,) * len(variances),
    )
    assert shock_variances(dispersion) == pytest.approx(np.array(variances), abs=1e-9)
