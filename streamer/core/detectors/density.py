"""Density: how many rows a step of the traffic has, in the baseline's.

A training table is a sample of the traffic, or a variant gets a part of it. What the rows of a step
share weighs the more against each row's own chance, the more rows there are.
"""

from typing import Final

import msgspec

from streamer.core.baseline.model import Baseline

_DAY_SECONDS: Final = 86_400
# Of two means the larger counts: one follows what grows, the other keeps through a weekend.
_MEMORY_SECONDS: Final = (_DAY_SECONDS, 7 * _DAY_SECONDS)
# A change by less is no matter: evidence goes with the root of it.
_APART: Final = 1.5


class DensityState(msgspec.Struct, frozen=True):
    """Density as it stands in a snapshot.

    Attributes
    ----------
    assumed : float
        See ``Density``.
    means : tuple of float
        Rows of a step, of the last day and week.
    steps : int
        With rows, that are over.
    step : int or None
        The open one, since the epoch.
    rows : float
        Of the open one.
    """

    assumed: float
    means: tuple[float, ...]
    steps: int
    step: int | None
    rows: float


class Density:
    """Rows of the steps that have any, as against the baseline's.

    Parameters
    ----------
    baseline : Baseline
        Whose steps; one whose blocks are not known has none.
    pane_seconds : int
        Length of a pane.

    Attributes
    ----------
    assumed : float
        What evidence is weighed by: follows what is seen, from the first pane on; downward when a day is seen.
    """

    def __init__(self, baseline: Baseline, pane_seconds: int) -> None:
        timeline = baseline.timeline
        self._step_seconds = _DAY_SECONDS if timeline is None else timeline.step_seconds
        # Panes of a step; a longer pane is as many steps.
        self._panes = self._step_seconds / pane_seconds
        several = (f.dispersion_of("value").rows for f in baseline.features)
        self._usual = max((rows[0] for rows in several if rows), default=0.0)
        self.assumed = 1.0
        self._means, self._steps = (0.0,) * len(_MEMORY_SECONDS), 0
        self._step: int | None = None
        self._rows = 0.0

    def take(self, at: int, rows: int) -> bool:
        """Count a pane; whether what is to be assumed is another now.

        Parameters
        ----------
        at : int
            Its start, milliseconds since the epoch.
        rows : int
            Of it.
        """
        step, before = at // (self._step_seconds * 1000), self.assumed
        if step != self._step:
            if self._rows and self._usual:
                self._end_step()
            self._step, self._rows = step, 0.0
        self._rows += rows * min(self._panes, 1.0)
        if not self._steps and self._usual:
            self._believe(rows * self._panes / self._usual)
        return self.assumed != before

    def _end_step(self) -> None:
        self._steps += 1
        memories = (min(self._steps, max(seconds // self._step_seconds, 1)) for seconds in _MEMORY_SECONDS)
        self._means = tuple(m + (self._rows - m) / steps for m, steps in zip(self._means, memories, strict=True))
        self._believe(max(self._means) / self._usual)

    def _believe(self, seen: float) -> None:
        # A few hours may be the night's.
        knows_a_day = self._steps * self._step_seconds >= _DAY_SECONDS
        if seen > self.assumed * _APART or (knows_a_day and seen < self.assumed / _APART):
            self.assumed = seen

    def to_state(self) -> DensityState:
        """Everything needed to go on as if never stopped."""
        return DensityState(self.assumed, self._means, self._steps, self._step, self._rows)

    def restore(self, state: DensityState) -> None:
        """Go on from a state."""
        self.assumed, self._means, self._steps = state.assumed, state.means, state.steps
        self._step, self._rows = state.step, state.rows
