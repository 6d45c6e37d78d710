"""Evidence on one scale: how many normal deviations a difference is beyond its own noise.

Every test a rule makes ends in such a number, so that one limit
(``Rules.significant_deviations``) holds for all. All are approximations in closed form: the core
carries no statistics library, and a rule asks only whether a number is beyond about 5.
"""

import math
from typing import Final

# A share is bounded and the root of its deviance is already near normal, so a clump of missing
# values in the baseline, whose kurtosis leaves 2 degrees of freedom, must not hide a dead feed.
SHARE_DEGREES: Final = 8.0
# Below this the approximation of F fails; such a variance ratio proves nothing anyway.
_LEAST_DEGREES: Final = 3.0


def student_z(t: float, degrees: float) -> float:
    """Normal deviations as improbable as ``t`` of Student's distribution.

    Signed; exact at infinite degrees. Up to ``t`` = 20 it is within 0.04 for 10 degrees or more, and
    within 0.1, understated, for 3.

    References
    ----------
    D. L. Wallace (1959), "Bounds on normal approximations to Student's and the chi-square
    distributions", Annals of Mathematical Statistics 30, section 2.

    Examples
    --------
    >>> round(student_z(10.0, 10.0), 2)
    4.77
    """
    if math.isinf(degrees):
        return t
    size = (8 * degrees + 1) / (8 * degrees + 3) * math.sqrt(degrees * math.log1p(t * t / degrees))
    return math.copysign(size, t)


def variance_ratio_z(ratio: float, over: float, under: float) -> float:
    """Normal deviations of a variance ratio with ``over`` and ``under`` degrees of freedom.

    References
    ----------
    E. Paulson (1942), "An approximate normalization of the analysis of variance distribution",
    Annals of Mathematical Statistics 13; with ``under`` infinite it is Wilson and Hilferty's (1931).

    Examples
    --------
    >>> round(variance_ratio_z(1.0, 20.0, math.inf), 1)
    0.1
    """
    a, b = 2 / (9 * over), 2 / (9 * max(under, _LEAST_DEGREES))
    root = math.cbrt(max(ratio, 0.0))
    return ((1 - b) * root - (1 - a)) / math.sqrt(b * root * root + a)


def shares_z(live: float, rows: float, past: float, past_rows: float) -> float:
    """Signed root of the deviance between two shares; positive when the live one is larger.

    Good for rare things, too: none of either is no evidence, and nothing is smoothed.

    Parameters
    ----------
    live, past : float
        Rows that have it, now and in the baseline; fractions of a row are allowed.
    rows, past_rows : float
        All rows, in rows' worth of independent ones; positive.
    """
    together = (live + past) / (rows + past_rows)
    deviance = (
        _part(live, rows * together)
        + _part(rows - live, rows * (1 - together))
        + _part(past, past_rows * together)
        + _part(past_rows - past, past_rows * (1 - together))
    )
    return math.copysign(math.sqrt(max(0.0, 2 * deviance)), live / rows - past / past_rows)


def count_z(count: float, expected: float) -> float:
    """Signed root of the deviance of a Poisson count; ``expected`` is positive.

    Examples
    --------
    >>> round(count_z(0.0, 12.5), 2)
    -5.0
    """
    deviance = _part(count, expected) - count + expected
    return math.copysign(math.sqrt(max(0.0, 2 * deviance)), count - expected)


def chance_z(surprise: float) -> float:
    """Normal deviations whose two-sided chance is ``exp(-surprise)``; 0 up to a surprise of 1.

    Within 0.03 beyond, and understated from a surprise of 2 on.

    References
    ----------
    Mills' ratio: the chance beyond z is about ``exp(-z * z / 2) / (z * sqrt(2 pi))`` on each side.
    """
    if surprise <= 1.0:
        return 0.0
    square = 2 * surprise
    return math.sqrt(max(0.0, square - math.log(math.pi * square / 2)))


def _part(seen: float, expected: float) -> float:
    # Rounding may leave a whisker of a row where none is expected: no evidence of anything.
    ratio = seen / expected if expected > 0 else 0.0
    return seen * math.log(ratio) if ratio > 0 else 0.0
