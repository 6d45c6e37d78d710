"""Missing values: the share of rows without a usable value, over the baseline's own variation."""

from typing import Final

from streamer.core.evidence import SHARE_DEGREES, shares_z, student_z
from streamer.core.noise import noise_of
from streamer.core.rules.view import FeatureView, Run, percent, state_of
from streamer.core.types import Cause, Finding, State

# A run is unheard of when it is longer than all of the baseline's missing time, this many times.
_TIMES_ALL: Final = 3.0


def missing(view: FeatureView) -> Finding | None:
    """Judge the share of rows whose value is absent or not of its kind; ``None``: nothing to say."""
    s, baseline = view.statistics, view.statistics.cells.baseline
    past = baseline.missing + baseline.mistyped
    expected = past / baseline.rows if baseline.rows else 0.0
    if view.expected_missing is not None:
        expected = view.expected_missing
    bad, rows = s.missing + s.mistyped, s.rows
    share = s.share(bad)
    rise = share - expected
    if rise <= 0:
        return None
    large = rise >= view.rules.missing_points - 1e-12
    run = view.run if large else None
    if run is not None:
        bad, rows = bad + run.bad, rows + run.rows
    together = bad / rows
    noise = noise_of(baseline.dispersion_of("missing"), rows, max(baseline.rows, 1))
    z = shares_z(together * noise.live_rows, noise.live_rows, expected * noise.past_rows, noise.past_rows)
    z = student_z(z, max(noise.degrees, SHARE_DEGREES))
    if large and _is_unheard_of(view, together, expected):
        z = max(z, view.rules.significant_deviations)
    state = state_of(large=large, significant=z >= view.rules.significant_deviations)
    if state is State.OK:
        return None
    of_kind = f", {percent(s.share(s.mistyped))} of another kind" if s.mistyped else ""
    return view.finding(
        "missing",
        Cause.MISSING,
        state,
        live=share,
        expected=expected,
        size=rise,
        unit="points",
        weight=z,
        words=f"without a usable value in {percent(share)} of rows{of_kind} (baseline {percent(expected)})",
        since_at=None if run is None else run.since_at,
    )


def _is_unheard_of(view: FeatureView, share: float, expected: float) -> bool:
    """Whether values were missing for longer in this run than in all of the baseline, by far.

    A few outages in a baseline make any window of an outage look like one more of them; but no
    outage lasts for longer than all of them together.
    """
    if view.baseline_ms is None or view.run is None:
        return False
    return (view.end_at - view.run.since_at) * share >= _TIMES_ALL * view.baseline_ms * expected


def run_of(view: FeatureView, finding: Finding | None) -> Run | None:
    """The run of windows that the next one goes on with; ``None``: this one ended it."""
    if finding is None or finding.state not in (State.NOT_ENOUGH, State.BROKEN):
        return None
    s, before = view.statistics, view.run
    bad = s.missing + s.mistyped
    if before is None:
        return Run(view.start_at, s.rows, bad)
    return Run(before.since_at, before.rows + s.rows, before.bad + bad)
