"""Missing values: the share of rows without a usable value, over the baseline's own variation."""

from streamer.core.evidence import SHARE_DEGREES, shares_z, student_z
from streamer.core.rules.view import FeatureView, noise_of, percent, state_of
from streamer.core.types import Cause, Finding, State


def missing(view: FeatureView) -> Finding | None:
    """Judge the share of rows whose value is absent or not of its kind; ``None``: nothing to say."""
    s, baseline = view.statistics, view.statistics.cells.baseline
    live, past = s.missing + s.mistyped, baseline.missing + baseline.mistyped
    share, expected = s.share(live), past / baseline.rows if baseline.rows else 0.0
    rise = share - expected
    if rise <= 0:
        return None
    noise = noise_of(baseline.dispersion_of("missing"), s.rows, max(baseline.rows, 1))
    z = shares_z(share * noise.live_rows, noise.live_rows, expected * noise.past_rows, noise.past_rows)
    z = student_z(z, max(noise.degrees, SHARE_DEGREES))
    state = state_of(
        large=rise >= view.rules.missing_points - 1e-12, significant=z >= view.rules.significant_deviations
    )
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
    )
