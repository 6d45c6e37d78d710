"""Rounding of what is shown: nine digits, so that the last bit of a logarithm is no difference."""

import math


def rounded(value: float, digits: int = 9) -> float:
    """So many significant digits of a finite number; others as they are.

    Mathematical libraries differ in the last bit from one processor to the next; documents must
    not.

    Examples
    --------
    >>> rounded(0.1 + 0.2)
    0.3
    """
    return float(f"{value:.{digits}g}") if math.isfinite(value) else value
