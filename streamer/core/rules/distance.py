"""Thresholds on distances between live and baseline distributions: one rule, a row for each distance."""

import math
from collections.abc import Callable
from typing import Final, NamedTuple

from streamer.core.distances import Distances
from streamer.core.evidence import chance_z, variance_ratio_z
from streamer.core.noise import Noise, noise_of
from streamer.core.rules.shares import surplus_z
from streamer.core.rules.view import FeatureView, state_of
from streamer.core.types import Cause, Finding


class _Row(NamedTuple):
    """How one distance is judged.

    Attributes
    ----------
    words : str
        The distance in words, with a place for its value.
    unit : str
        Of its findings.
    z : callable
        Normal deviations of its evidence; ``None``: it says nothing here.
    expected : float
        Its mean under no change, as shown.
    """

    words: str
    unit: str
    z: Callable[[FeatureView, Distances, Noise], float | None]
    expected: float = 0.0


def distance(view: FeatureView, rule: str) -> Finding | None:
    """Judge the distance that ``rule`` names against its threshold; ``None``: below it, or no value."""
    found, row = view.statistics.distances, DISTANCES[rule]
    limit: float | None = getattr(view.rules, rule)
    if limit is None or found is None:
        return None
    live: float | None = getattr(found, rule)
    if live is None or live < limit:
        return None
    s = view.statistics
    noise = noise_of(s.cells.baseline.dispersion_of("cells"), s.valued, int(s.past.sum()))
    z = row.z(view, found, noise)
    if z is None:
        return None
    state = state_of(large=True, significant=z >= view.rules.significant_deviations)
    return view.finding(
        rule,
        Cause.DRIFT,
        state,
        live=live,
        expected=row.expected,
        size=live,
        unit=row.unit,
        weight=z,
        words=f"distribution changed: {row.words.format(live)} (limit {limit:g}){_moved(view)}",
    )


def _of_cells(view: FeatureView, found: Distances, noise: Noise) -> float | None:
    """Evidence of the chi-square over cells; none with fewer than two in use.

    The deviance must say so, too: a second row of a very rare category is a hundred times its expectation,
    which is no wonder among many such categories.
    """
    if found.chi_square is None or found.deviance is None:
        return None
    return variance_ratio_z(min(found.chi_square, found.deviance), found.chi_square_degrees, noise.degrees)


def _of_cells_and_outside(view: FeatureView, found: Distances, noise: Noise) -> float:
    """The same, or of what the baseline never had: in the chi-square it is folded into other cells."""
    z = _of_cells(view, found, noise)
    return _of_outside(view) if z is None else max(z, _of_outside(view))


def _of_reached(found: float | None, noise: Noise) -> float:
    """Evidence of the largest difference between two distribution functions.

    References
    ----------
    P. Massart (1990), "The tight constant in the Dvoretzky-Kiefer-Wolfowitz inequality", Annals of
    Probability 18, with the two-sample effective size ``n N / (n + N)``.
    """
    return 0.0 if found is None else chance_z(2 * found**2 / noise.variance - math.log(2))


def _of_ks(view: FeatureView, found: Distances, noise: Noise) -> float:
    return _of_reached(found.ks, noise)


def _of_moved(view: FeatureView, found: Distances, noise: Noise) -> float:
    """Evidence that values moved: many a little, or a few far beyond the range."""
    return max(_of_reached(found.l_infinity_simple, noise), _of_outside(view))


def _of_largest(view: FeatureView, found: Distances, noise: Noise) -> float:
    if view.statistics.cells.is_number:
        return _of_reached(found.l_infinity_simple, noise)
    return _of_cells_and_outside(view, found, noise)


def _of_outside(view: FeatureView) -> float:
    s = view.statistics
    if s.cells.is_number:
        return surplus_z(view, s.below + s.above, "value")
    return surplus_z(view, s.unseen, "cells")


# Named as in the configuration, in documents and in ``Distances``.
DISTANCES: Final = {
    "psi": _Row("PSI {:.2f}", "psi", _of_cells),
    "ks": _Row("KS distance {:.2f}", "ks", _of_ks),
    "js": _Row("Jensen-Shannon distance {:.2f}", "js", _of_cells_and_outside),
    "wasserstein": _Row("values moved by {:.2f} baseline deviations", "sd", _of_moved),
    "hellinger": _Row("Hellinger distance {:.2f}", "hellinger", _of_cells_and_outside),
    "chi_square": _Row("chi-square {:.1f} times that of chance", "chi_square", _of_cells, 1.0),
    "l_infinity_simple": _Row("L-infinity distance {:.2f}", "l_infinity_simple", _of_largest),
    "l_infinity_robust": _Row("robust L-infinity distance {:.2f}", "l_infinity_robust", _of_largest),
}


def _moved(view: FeatureView) -> str:
    numbers, baseline = view.statistics.numbers, view.statistics.cells.baseline
    if numbers is None or baseline.mean is None:
        return ""
    mean = f", mean {numbers.mean:.3g} (baseline {baseline.mean:.3g})"
    return f"{mean}, deviation {numbers.deviation:.3g} (baseline {baseline.deviation or 0.0:.3g})"
