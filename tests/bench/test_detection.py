"""The detection bench, small."""

import numpy as np
import pytest

from tests.bench.detection.laws import DRIFTS, MISSING, laws
from tests.bench.detection.measures import delays, months, upper_limit


def test_laws_are_distributions_and_so_is_what_they_drift_to() -> None:
    for law in laws():
        assert law.chances.sum() == pytest.approx(1.0)
        assert law.missing == MISSING
        for drift in DRIFTS.values():
            drifted = drift(law)
            assert drifted is None or drifted.chances.sum() == pytest.approx(1.0)


def test_ten_months_without_drift_hold_no_more_than_two_alarms() -> None:
    # One a month was asked for; a tenth of that is promised, and three of ten would be one run in a hundred.
    assert months(10, seed=2).alarmed <= 2


def test_one_drifting_feature_is_found_and_named() -> None:
    found = {d.drift: d for d in delays([0, 1, 30], 3, ("mean +0.5 sd, tilted", "missing 1 to 5 %", "unit x1000"))}
    assert len(found) == 3
    assert all(d.found == 1.0 and d.named == 1.0 for d in found.values())
    assert found["mean +0.5 sd, tilted"].median < 600
    assert found["missing 1 to 5 %"].median < 1_000
    assert found["unit x1000"].median <= 100


def test_the_upper_limit_of_a_share_is_the_exact_one() -> None:
    assert upper_limit(0, 200) == pytest.approx(0.0149, abs=1e-4)
    assert upper_limit(5, 100) == pytest.approx(0.1025, abs=1e-3)
    assert np.isclose(upper_limit(3, 3), 1.0)
