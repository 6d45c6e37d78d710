"""Distinct values: counted exactly to 10,000, estimated beyond, in bounded memory."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

EXACT: Final = 10_000


class Distinct:
    """How many different hashes were given, in any order and any number of times.

    The smallest hashes are kept: all of them up to ``EXACT``, beyond that their density tells how
    many there are, within about 1 % (one standard error). 80 kB at most.

    References
    ----------
    Z. Bar-Yossef, T. S. Jayram, R. Kumar, D. Sivakumar, L. Trevisan (2002), "Counting distinct
    elements in a data stream", algorithm 2; the unbiased form is K. Beyer et al. (2007), "On
    synopses for distinct-value estimation under multiset operations", section 3.

    Examples
    --------
    >>> distinct = Distinct()
    >>> distinct.add(hashes_of(np.array([1.0, 2.0, 2.0, -0.0, 0.0])))
    >>> distinct.count()
    3
    """

    def __init__(self) -> None:
        self._least = np.empty(0, np.uint64)

    def add(self, hashes: NDArray[np.uint64]) -> None:
        """Count hashes, shape (n,)."""
        if len(self._least) > EXACT:
            hashes = hashes[hashes < self._least[-1]]
        elif len(self._least):
            at = np.minimum(np.searchsorted(self._least, hashes), len(self._least) - 1)
            hashes = hashes[self._least[at] != hashes]
        if len(hashes):
            self._least = np.unique(np.concatenate([self._least, hashes]))[: EXACT + 1]

    def count(self) -> int:
        """Distinct hashes so far."""
        if len(self._least) <= EXACT:
            return len(self._least)
        return round(EXACT / ((int(self._least[-1]) + 1) / 2**64))


def hashes_of(values: NDArray[np.float64]) -> NDArray[np.uint64]:
    """A different hash for every number; both zeros are one number.

    Parameters
    ----------
    values : ndarray, shape (n,), float64
        Without NaN.
    """
    return mixed((values + 0.0).view(np.uint64))


def mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scatter 64-bit numbers evenly, no two to the same place.

    References
    ----------
    G. L. Steele, D. Lea, C. H. Flood (2014), "Fast splittable pseudorandom number generators",
    figure 15 (SplitMix64's ``mix64``, variant 13).
    """
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
