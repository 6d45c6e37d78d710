"""Profile: the mergeable summary of some rows, exact under any grouping and order.

Only integer counts and sums, minima, maxima and bit registers are kept, so merging is associative
and commutative to the last bit (architecture: "only parts whose merge is exact").
"""

import numpy as np
from numpy.typing import NDArray

from streamer.core.columns import Columns
from streamer.core.layout import GRID_LIMIT, Layout, SideLayout
from streamer.core.mixing import mix
from streamer.core.schema import Side

REGISTERS = 1024
# Squares of grid units stay below 2**34, so this many rows sum exactly in float64.
_EXACT_ROWS = 2**18
# Below this many rows one comparison with all cuts at once beats a loop over features.
_FEW_ROWS = 24


class Profile:
    """Counts, sums, extremes and distinct registers of some rows.

    Attributes
    ----------
    counts : ndarray, shape (layout.size,), int64
        Rows in each cell.
    sums : ndarray, shape (2, layout.numbers), int64
        Sum and sum of squares of the values in grid units, values cut at ``GRID_LIMIT``.
    extremes : ndarray, shape (2, layout.numbers), float64
        Minimum and maximum; infinities where there was no value.
    registers : ndarray, shape (layout.numbers, REGISTERS // 8), uint8
        One bit per hash bucket that was hit (linear counting).
    """

    __slots__ = ("counts", "extremes", "registers", "sums")

    def __init__(
        self,
        counts: NDArray[np.int64],
        sums: NDArray[np.int64],
        extremes: NDArray[np.float64],
        registers: NDArray[np.uint8],
    ) -> None:
        self.counts = counts
        self.sums = sums
        self.extremes = extremes
        self.registers = registers

    @classmethod
    def empty(cls, layout: Layout) -> "Profile":
        """The profile of no rows: the neutral element of ``add``."""
        extremes = np.empty((2, layout.numbers))
        extremes[0], extremes[1] = np.inf, -np.inf
        return cls(
            np.zeros(layout.size, np.int64),
            np.zeros((2, layout.numbers), np.int64),
            extremes,
            np.zeros((layout.numbers, REGISTERS // 8), np.uint8),
        )

    def add(self, other: "Profile") -> None:
        """Merge another profile of the same layout into this one, exactly."""
        self.counts += other.counts
        self.sums += other.sums
        np.minimum(self.extremes[0], other.extremes[0], out=self.extremes[0])
        np.maximum(self.extremes[1], other.extremes[1], out=self.extremes[1])
        self.registers |= other.registers

    def copy(self) -> "Profile":
        """A profile that shares no memory with this one."""
        return Profile(self.counts.copy(), self.sums.copy(), self.extremes.copy(), self.registers.copy())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Profile) and all(
            np.array_equal(getattr(self, name), getattr(other, name)) for name in self.__slots__
        )

    __hash__ = None  # type: ignore[assignment]  # arrays change in place


def profile_of(layout: Layout, sides: dict[Side, Columns]) -> Profile:
    """Summarise rows.

    Parameters
    ----------
    layout : Layout
        Cells and grid.
    sides : dict of Side to Columns
        Rows of each side; a side may be absent.

    Returns
    -------
    Profile
        ``profile_of(a + b) == profile_of(a) merged with profile_of(b)``, to the bit.
    """
    profile = Profile.empty(layout)
    for side, columns in sides.items():
        how = layout.sides[side]
        for first in range(0, columns.rows, _EXACT_ROWS):
            part = columns.between(first, first + _EXACT_ROWS)
            if len(how.edges):
                _count_numbers(profile, how, part)
            if len(how.category_cells):
                _count_categories(profile, how, part.codes)
    return profile


def _count_numbers(profile: Profile, how: SideLayout, columns: Columns) -> None:
    values = columns.numbers
    cells = np.empty(values.shape, np.int64)
    if values.shape[1] < _FEW_ROWS:
        # Cell = number of cuts below the value; NaN is behind all of them, infinity included.
        np.sum(how.padded[:, :, None] < values[:, None, :], axis=1, out=cells)
        lengths = np.array([len(cuts) for cuts in how.edges]).reshape(-1, 1)
        np.copyto(cells, lengths, where=np.isnan(values))
    else:
        for row, cuts, out in zip(values, how.edges, cells, strict=True):
            out[:] = cuts.searchsorted(row)
    cells += how.number_start
    profile.counts += np.bincount(cells.ravel(), minlength=len(profile.counts))
    if columns.mistyped is not None:
        wrong = columns.mistyped.sum(axis=1)
        profile.counts[how.number_stop - 2] -= wrong
        profile.counts[how.number_stop - 1] += wrong
    mine = slice(how.first, how.first + len(how.edges))
    with np.errstate(over="ignore"):  # a value too large for the grid becomes infinite, then is cut
        grid = np.rint((values - how.center) * how.scale)
    absent = np.isnan(grid)
    grid[absent] = 0.0
    np.clip(grid, -GRID_LIMIT, GRID_LIMIT, out=grid)
    profile.sums[0, mine] += grid.sum(axis=1).astype(np.int64)
    profile.sums[1, mine] += np.einsum("fr,fr->f", grid, grid).astype(np.int64)
    low, high = profile.extremes[0, mine], profile.extremes[1, mine]
    # Adding 0.0 makes one zero of both: which of them an extreme shows must not depend on the order.
    np.minimum(low, np.fmin.reduce(values, axis=1, initial=np.inf) + 0.0, out=low)
    np.maximum(high, np.fmax.reduce(values, axis=1, initial=-np.inf) + 0.0, out=high)
    profile.registers[mine] |= registers_of(values, absent)


def registers_of(values: NDArray[np.float64], absent: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Linear-counting registers of each row of values.

    Parameters
    ----------
    values : ndarray, shape (features, rows), float64
        Values; -0.0 and 0.0 count as one.
    absent : ndarray, shape (features, rows), bool
        Values to leave out.

    Returns
    -------
    ndarray, shape (features, REGISTERS // 8), uint8
        Packed bits.

    References
    ----------
    Whang, Vander-Zanden, Taylor (1990), "A linear-time probabilistic counting algorithm".
    """
    bits = (values + 0.0).view(np.uint64)
    # Two rounds: after one, whole numbers fall on the registers in a lattice and count up to threefold.
    mix(bits)
    bucket = (bits >> np.uint64(54)).view(np.int64)
    bucket[absent] = REGISTERS
    hit = np.zeros((len(values), REGISTERS + 8), np.bool_)
    hit.ravel()[(bucket + np.arange(len(values)).reshape(-1, 1) * (REGISTERS + 8)).ravel()] = True
    return np.packbits(hit[:, :REGISTERS], axis=1)


def distinct_of(registers: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Estimated distinct values from registers, shape (features,).

    ~4 % off at 1,000 values; beyond about 5,000 the registers are full and the number is a floor.
    """
    hit = np.unpackbits(registers, axis=1).sum(axis=1)
    free = np.maximum(REGISTERS - hit, 0.5)
    estimate: NDArray[np.float64] = -REGISTERS * np.log(free / REGISTERS)
    return np.rint(estimate).astype(np.int64)


def _count_categories(profile: Profile, how: SideLayout, codes: NDArray[np.int32]) -> None:
    cells = np.empty(codes.shape, np.int64)
    for row, lookup, out in zip(codes, how.category_cells, cells, strict=True):
        # UNSEEN and MISSING are -2 and -1: they index the lookup from its end.
        out[:] = lookup[row]
    cells += how.category_start
    profile.counts += np.bincount(cells.ravel(), minlength=len(profile.counts))
