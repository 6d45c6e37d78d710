"""Threshold on the mean, in deviations of the baseline."""

import math

from streamer.core.evidence import student_z
from streamer.core.noise import noise_of
from streamer.core.rules.view import FeatureView, state_of
from streamer.core.types import Cause, Finding, State


def mean_shift(view: FeatureView) -> Finding | None:
    """Judge how far the mean moved against ``rules.mean_shift``; ``None``: not as far, or no number."""
    s, limit, baseline = view.statistics, view.rules.mean_shift, view.statistics.cells.baseline
    if limit is None or s.numbers is None or baseline.mean is None or not baseline.deviation:
        return None
    expected = baseline.mean + view.expected_shift * baseline.deviation
    size = (s.numbers.mean - expected) / baseline.deviation
    noise = noise_of(baseline.dispersion_of("value"), s.valued, int(s.past.sum()))
    z = abs(student_z(size / math.sqrt(noise.variance), noise.degrees))
    state = state_of(large=abs(size) >= limit, significant=z >= view.rules.significant_deviations)
    if state in (State.OK, State.SMALL):
        return None
    return view.finding(
        "mean_shift",
        Cause.DRIFT,
        state,
        live=s.numbers.mean,
        expected=expected,
        size=size,
        unit="sd",
        weight=z,
        words=f"mean {s.numbers.mean:.3g}, baseline {expected:.3g} ({size:+.1f} sd)",
    )
