"""Mixing: bits that are alike become bits that are not."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

# Shifts and odd factors of the finaliser of SplitMix64 (Steele, Lea, Flood 2014, "Fast splittable
# pseudorandom number generators", variant 13 of D. Stafford).
_MIX: Final = (
    (np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)),
    (np.uint64(27), np.uint64(0x94D049BB133111EB)),
)


def mix(bits: NDArray[np.uint64]) -> None:
    """Mix bits in place; the upper half is well mixed, the lower one needs SplitMix64's last shift by 31."""
    for shift, factor in _MIX:
        bits ^= bits >> shift
        bits *= factor
