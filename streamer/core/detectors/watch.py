"""Watch: one key's bank, fed with the panes of its windows, and what it says when a window ends."""

import math
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from streamer.core.detectors.alternatives import alternatives_of
from streamer.core.detectors.bank import Bank, Guilty
from streamer.core.eventtime import as_text, hours_of
from streamer.core.evidence import chance_z
from streamer.core.layout import Layout
from streamer.core.settings import DEFAULT_TOLERANCE, Tolerance
from streamer.core.types import Cause, Finding, Judge, Key, State

RULE: Final = "evidence"


class WatchState(msgspec.Struct, frozen=True):
    """A watch as it stands in a snapshot; the bank's array is kept beside it.

    Attributes
    ----------
    threshold : float
        The bank's: another one's evidence is of no use.
    steps : int
        The bank's.
    until_at : int or None
        End of the last pane taken in, milliseconds since the epoch; ``None`` before the first.
    keys : int
        The bank's.
    alternatives : str
        Digest of the bank's: evidence of others is of no use.
    """

    threshold: float
    steps: int
    until_at: int | None
    keys: int = 1
    alternatives: str = ""


class Watch:
    """Detection of drift for one key.

    Parameters
    ----------
    layout : Layout
        Cells of the key's baseline.
    apart_seconds : float
        To a false alarm, in the mean.
    pane_seconds : int
        Length of a pane.
    tolerance : Tolerance
        Of drift that is too small to be worth an alert.

    Attributes
    ----------
    bank : Bank
        Evidence of every alternative.
    resolution : list of float or None
        Smallest shift of each feature's mean, in deviations, that can be told from weather; ``None``
        where none can.
    until_at : int or None
        End of the last pane taken in, milliseconds since the epoch.
    restarted : bool
        Whether a state was of no use.
    """

    def __init__(
        self, layout: Layout, apart_seconds: float, pane_seconds: int, tolerance: Tolerance = DEFAULT_TOLERANCE
    ) -> None:
        self._layout = layout
        self._pane = pane_seconds * 1000
        self._threshold = max(apart_seconds / pane_seconds, 2.0)
        self.bank = Bank(alternatives_of(layout, self._threshold, pane_seconds, tolerance), self._threshold)
        self.resolution = [x if math.isfinite(x) else None for x in self.bank.alternatives.resolution.tolist()]
        self.until_at: int | None = None
        self.restarted = False
        self._zone = layout.baseline.zone

    def take(self, pane_at: int, counts: NDArray[np.int64]) -> None:
        """Take in a closed pane; the empty ones before it have gone by.

        Parameters
        ----------
        pane_at : int
            Its start, milliseconds since the epoch, later than that of the one before.
        counts : ndarray, shape (layout.size,), int64
            Rows in each cell.
        """
        if self.until_at is not None:
            self.bank.pass_by((pane_at - self.until_at) // self._pane)
        self.bank.step(counts, hours_of(pane_at, self._pane, self._zone))
        self.until_at = pane_at + self._pane

    def evidence(self) -> tuple[float, ...]:
        """Part of what raises the alarm that each feature has reached by itself, to three digits."""
        return tuple(float(f"{part:.3g}") for part in self.bank.evidence.tolist())

    def findings(self, key: Key, start_at: int, end_at: int, least: float) -> list[Finding]:
        """What there is to say of a pane or window that ends.

        Parameters
        ----------
        key : Key
            Whose watch it is.
        start_at, end_at : int
            The pane or window, milliseconds since the epoch.
        least : float
            Of features whose evidence is at least this part of the threshold; positive.
        """
        return [self._finding(key, start_at, end_at, guilty) for guilty in self.bank.guilty(least)]

    def _finding(self, key: Key, start_at: int, end_at: int, guilty: Guilty) -> Finding:
        cells = self._layout.features[guilty.feature]
        f = cells.baseline
        earliest, since, latest = (self._at(step) for step in (guilty.earliest, guilty.since, guilty.latest))
        began = f"; it began between {as_text(earliest)} and {as_text(latest)}"
        live, expected, size, unit = guilty.size, 0.0, guilty.size, "sd"
        match guilty.direction:
            case "value" | "rank":
                words = f"mean {size:+.2f} sd against the baseline"
            case "spread":
                expected, unit = 1.0, "ratio"
                words = f"spread {size:.2f} times the baseline's"
            case "new":
                what = "outside the baseline's range" if cells.is_number else "of values the baseline never had"
                words, unit = f"{live:.2%} of rows {what}", "points"
            case _:
                is_category = guilty.cause is Cause.DRIFT
                expected = guilty.usual if is_category else (f.missing + f.mistyped) / f.rows
                live, unit = guilty.share, "points"
                size = live - expected
                one = "in one range of values" if cells.is_number else "one category"
                what = one if is_category else "without a usable value"
                words = f"{live:.2%} of rows {what}, baseline {expected:.2%}"
        return Finding(
            key=key,
            rule=RULE,
            cause=guilty.cause,
            feature=f.feature.name,
            state=State.BROKEN,
            since_at=min(since, start_at),
            until_at=end_at,
            live=live,
            expected=expected,
            size=size,
            unit=unit,
            weight=chance_z(math.log(self._threshold * max(guilty.evidence, 1e-300))),
            rows=guilty.rows,
            words=words + began,
            judge=Judge.EVIDENCE,
        )

    def _at(self, step: float) -> int:
        until_at = self.until_at or 0
        # To a whole pane: the time of a change is not known better.
        return until_at - round(self.bank.steps - step) * self._pane

    def to_state(self) -> tuple[WatchState, NDArray[np.float64]]:
        """Everything needed to go on as if never stopped."""
        bank = self.bank
        state = WatchState(self._threshold, bank.steps, self.until_at, bank.keys, bank.alternatives.digest)
        return state, bank.values.copy()

    def restore(self, state: WatchState, values: NDArray[np.float64]) -> None:
        """Go on from a state; one of another threshold or of other alternatives is of no use: ``restarted`` says so."""
        asked = (self._threshold, self.bank.alternatives.digest)
        self.restarted = (state.threshold, state.alternatives) != asked or values.shape != self.bank.values.shape
        if not self.restarted:
            self.bank.restore(state.steps, values)
            self.until_at, self.bank.keys = state.until_at, state.keys
