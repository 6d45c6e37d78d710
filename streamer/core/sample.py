"""Sample: a few rows of a pane as they came, the same ones whatever the batches and shards.

Rows are chosen by the hash of their record's identity, so a sample of two parts is the same as that
of both together, and who sends decides nothing that identities do not. Kept only where a detector
of the endpoint asks for it, and only the columns it asks for.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.core.columns import Columns
from streamer.core.mixing import mix
from streamer.core.schema import Side

# Rows of one side of one pane at most.
SAMPLE_ROWS: Final = 64
# The last shift of SplitMix64, and the golden ratio's bits.
_LAST: Final = np.uint64(31)
_STEP: Final = np.uint64(0x9E3779B97F4A7C15)

# Rows of ``Columns.numbers`` that are kept, by side.
Sampling = Mapping[Side, NDArray[np.int64]]


class Sample(NamedTuple):
    """Some rows of one side.

    Attributes
    ----------
    keys : ndarray, shape (rows,), uint64, ascending
        Hash of each row's record and its place in it.
    numbers : ndarray, shape (columns, rows), float64
        The columns asked for; NaN is missing or mistyped.
    """

    keys: NDArray[np.uint64]
    numbers: NDArray[np.float64]


Samples = dict[Side, Sample]


def samples_of(
    sampling: Sampling,
    sides: Mapping[Side, Columns],
    identity: NDArray[np.uint64],
    row: NDArray[np.int64] | None = None,
) -> Samples:
    """Samples of some rows: ~20 us a side of 50 rows.

    Parameters
    ----------
    sampling : Sampling
        Sides and columns wanted.
    sides : mapping of Side to Columns
        Rows.
    identity : ndarray, shape (records,), uint64
        Hash of each record's identity.
    row : ndarray, shape (records,), int64, optional
        Place in its record of each, where every one is a single row; else it is counted.
    """
    found: Samples = {}
    for side, wanted in sampling.items():
        columns = sides.get(side)
        if columns is None or not columns.rows:
            continue
        of = columns.record
        place = np.arange(len(of)) - np.searchsorted(of, of) if row is None else row[of]
        keys = identity[of] + place.astype(np.uint64) * _STEP
        mix(keys)
        keys ^= keys >> _LAST
        if len(keys) > 4 * SAMPLE_ROWS:
            # All rows that share the last key are looked at, so that none is left out by chance.
            last = np.partition(keys, SAMPLE_ROWS - 1)[SAMPLE_ROWS - 1]
            near = np.flatnonzero(keys <= last)
            keys, numbers = keys[near], columns.numbers[np.ix_(wanted, near)]
        else:
            numbers = columns.numbers[wanted]
        # Adding 0.0 makes one zero of both.
        found[side] = _smallest(keys, numbers + 0.0)
    return found


def merged(kept: Samples | None, more: Samples | None) -> Samples | None:
    """The sample of both: associative and commutative to the bit."""
    if not kept or not more:
        return kept or more
    both = dict(kept)
    for side, sample in more.items():
        mine = both.get(side)
        if mine is not None:
            sample = _smallest(np.append(mine.keys, sample.keys), np.append(mine.numbers, sample.numbers, axis=1))
        both[side] = sample
    return both


def _smallest(keys: NDArray[np.uint64], numbers: NDArray[np.float64]) -> Sample:
    order = np.argsort(keys, kind="stable")
    if np.any(keys[order][1:] == keys[order][:-1]):
        # Two shards may bring one identity with different rows: then the rows themselves decide.
        order = np.lexsort((*numbers[::-1], keys))
    first = order[:SAMPLE_ROWS]
    return Sample(keys[first], np.ascontiguousarray(numbers[:, first]))
