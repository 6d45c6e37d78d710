"""Noise: how far a window and a baseline differ by chance, when rows of one hour share their weather."""

from typing import NamedTuple

from streamer.core.baseline.model import Dispersion


class Noise(NamedTuple):
    """How far two means or shares differ by chance, in one number.

    Attributes
    ----------
    live_rows, past_rows : float
        How many independent rows the window's and the baseline's are worth.
    degrees : float
        Degrees of freedom of what is known about that.
    """

    live_rows: float
    past_rows: float
    degrees: float

    @property
    def variance(self) -> float:
        """Variance of the difference of two means of deviation 1."""
        return 1 / self.live_rows + 1 / self.past_rows


def noise_of(dispersion: Dispersion, live: int, past: int) -> Noise:
    """Noise between a window of ``live`` and a baseline of ``past`` rows, both at least 1.

    Rows of one hour share its weather, so a block is worth fewer independent rows than it has:
    as many as its length had in the baseline itself.
    """
    ratio, degrees = dispersion.at(live)
    whole, _ = dispersion.at(past)
    return Noise(live / ratio, past / whole, degrees)
