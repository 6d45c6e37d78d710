"""Thresholds on distances between live and baseline distributions: PSI and Kolmogorov-Smirnov."""

import math

from streamer.core.evidence import chance_z, variance_ratio_z
from streamer.core.rules.view import FeatureView, noise_of, state_of
from streamer.core.types import Cause, Finding, State


def psi(view: FeatureView) -> Finding | None:
    """Judge the population stability index against ``rules.psi``; ``None``: below it, or no value."""
    s, limit = view.statistics, view.rules.psi
    if limit is None or s.psi is None or s.chi is None:
        return None
    noise = noise_of(s.cells.baseline.dispersion_of("cells"), s.valued, int(s.past.sum()))
    cells = int(((s.live + s.past) > 0).sum())
    z = variance_ratio_z(s.chi / noise.variance, cells - 1, noise.degrees)
    return _finding(view, "psi", s.psi, limit, z)


def ks(view: FeatureView) -> Finding | None:
    """Judge the Kolmogorov-Smirnov distance against ``rules.ks``; ``None``: below it, or no number.

    References
    ----------
    P. Massart (1990), "The tight constant in the Dvoretzky-Kiefer-Wolfowitz inequality", Annals of
    Probability 18, with the two-sample effective size ``n N / (n + N)``.
    """
    s, limit = view.statistics, view.rules.ks
    if limit is None or s.numbers is None:
        return None
    noise = noise_of(s.cells.baseline.dispersion_of("cells"), s.valued, int(s.past.sum()))
    surprise = 2 * s.numbers.ks**2 / noise.variance - math.log(2)
    return _finding(view, "ks", s.numbers.ks, limit, chance_z(surprise))


def _finding(view: FeatureView, rule: str, live: float, limit: float, z: float) -> Finding | None:
    state = state_of(large=live >= limit, significant=z >= view.rules.significant_deviations)
    if state in (State.OK, State.SMALL):
        return None
    name = {"psi": "PSI", "ks": "KS distance"}[rule]
    return view.finding(
        rule,
        Cause.DRIFT,
        state,
        live=live,
        expected=0.0,
        size=live,
        unit=rule,
        weight=z,
        words=f"distribution changed: {name} {live:.2f} (limit {limit:g}){_moved(view)}",
    )


def _moved(view: FeatureView) -> str:
    numbers, baseline = view.statistics.numbers, view.statistics.cells.baseline
    if numbers is None or baseline.mean is None:
        return ""
    mean = f", mean {numbers.mean:.3g} (baseline {baseline.mean:.3g})"
    return f"{mean}, deviation {numbers.deviation:.3g} (baseline {baseline.deviation or 0.0:.3g})"
