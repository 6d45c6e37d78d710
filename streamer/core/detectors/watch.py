"""Watch: one key's banks, fed with the panes of its windows, and what they say when a window ends."""

import math
from collections.abc import Mapping
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from streamer.core.blob import array_like
from streamer.core.detectors.alternatives import Alternatives, alternatives_of
from streamer.core.detectors.bank import Bank, Guilty, heaviest
from streamer.core.detectors.days import PART, SECONDS, Days, DaysState, alternatives_by_day, day_of
from streamer.core.detectors.density import Density, DensityState
from streamer.core.eventtime import as_text, hours_of
from streamer.core.evidence import chance_z
from streamer.core.layout import Layout
from streamer.core.settings import DEFAULT_TOLERANCE, Tolerance
from streamer.core.types import Cause, Finding, Judge, Key, State

RULE: Final = "evidence"


class WatchState(msgspec.Struct, frozen=True):
    """A watch as it stands in a snapshot; the banks' arrays are kept beside it.

    Attributes
    ----------
    threshold : float
        The bank's of panes: another one's evidence is of no use.
    steps : int
        The same bank's.
    until_at : int or None
        End of the last pane taken in, milliseconds since the epoch; ``None`` before the first.
    keys : int
        The banks'.
    alternatives : str
        Digest of the banks': evidence of others is of no use.
    days : DaysState or None
        ``None``: no feature follows the clock.
    density : DensityState
        What rows are weighed by.
    """

    threshold: float
    steps: int
    until_at: int | None
    keys: int = 1
    alternatives: str = ""
    days: DaysState | None = None
    density: DensityState | None = None


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
        Evidence of every alternative, from panes.
    days : Days or None
        The same from whole days; ``None`` where no feature follows the clock.
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
        self._layout, self._tolerance = layout, tolerance
        self._pane = pane_seconds * 1000
        self._threshold, self._days_apart = max(apart_seconds / pane_seconds, 2.0), max(apart_seconds / SECONDS, 2.0)
        self._density = Density(layout.baseline, pane_seconds)
        alternatives, by_day = self._alternatives()
        self.days = None if by_day is None else Days(by_day, self._days_apart, layout.size)
        self.bank = Bank(alternatives, self._threshold, 1.0 if by_day is None else 1.0 - PART)
        self._banks = [self.bank] if self.days is None else [self.bank, self.days.bank]
        self._digest = "/".join(bank.alternatives.digest for bank in self._banks)
        self.resolution = [x if math.isfinite(x) else None for x in alternatives.resolution.tolist()]
        self.until_at: int | None = None
        self.restarted = False
        self._zone = layout.baseline.zone
        # Every row is in one cell of every feature.
        self._first = slice(layout.features[0].start, layout.features[0].stop)

    def _alternatives(self) -> tuple[Alternatives, Alternatives | None]:
        """Of panes and of days, worth what they are at the density assumed."""
        layout, seconds, density = self._layout, self._pane // 1000, self._density.assumed
        of_panes = alternatives_of(layout, self._threshold, seconds, self._tolerance, density=density)
        # Of other panes not every day has as many.
        if SECONDS % seconds:
            return of_panes, None
        tolerated = self._tolerance.deviations
        of_days = alternatives_by_day(layout, self._days_apart, tolerated, of_panes.resolution, density=density)
        return of_panes, of_days

    def _weigh(self) -> None:
        """Weigh rows to come as the density says; what there is of evidence stays."""
        self.bank.alternatives, by_day = self._alternatives()
        if self.days is not None and by_day is not None:
            self.days.bank.alternatives = by_day

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
        if self._density.take(pane_at, int(counts[self._first].sum())):
            self._weigh()
        if self.days is not None:
            self.days.take(day_of(pane_at + self._pane // 2, self._zone), counts)
        self.bank.step(counts, hours_of(pane_at, self._pane, self._zone))
        self.until_at = pane_at + self._pane

    def follow(self, other: "Watch") -> None:
        """Take in what comes after another one's panes, of the same cells; its evidence is not taken over."""
        self.until_at = other.until_at
        if self.days is not None and other.days is not None:
            self.days.follow(other.days)

    def share(self, keys: int) -> None:
        """Say how many keys share the threshold."""
        for bank in self._banks:
            bank.keys = keys

    @property
    def bound(self) -> float:
        """What ``level`` is at most."""
        return sum(bank.bound for bank in self._banks)

    @property
    def level(self) -> float:
        """Part of the threshold all features have reached together; at 1 a single key's alarm is raised."""
        return float(self.parts.sum())

    @property
    def parts(self) -> NDArray[np.float64]:
        """Part of the threshold each feature has reached by itself, shape (features,)."""
        whole: NDArray[np.float64] = sum((bank.evidence for bank in self._banks[1:]), self.bank.evidence)
        return whole

    def evidence(self) -> tuple[float, ...]:
        """Part of what raises the alarm that each feature has reached by itself, to three digits."""
        return tuple(float(f"{part:.3g}") for part in self.parts.tolist())

    def guilty(self, least: float) -> list[Guilty]:
        """Features whose own evidence is at least that part of the threshold, the heaviest first."""
        return [guilty for guilty, _ in self._guilty(least)]

    def _guilty(self, least: float) -> list[tuple[Guilty, Bank]]:
        parts = self.parts
        found: list[tuple[Guilty, Bank]] = []
        for feature in heaviest(parts, least):
            bank = max(self._banks, key=lambda one: float(one.evidence[feature]))
            found.append((bank.of_feature(feature)._replace(evidence=float(parts[feature])), bank))
        return found

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
        return [self._finding(key, start_at, end_at, guilty, bank) for guilty, bank in self._guilty(least)]

    def _finding(self, key: Key, start_at: int, end_at: int, guilty: Guilty, bank: Bank) -> Finding:
        cells = self._layout.features[guilty.feature]
        f = cells.baseline
        over = ""
        if self.days is not None and bank is self.days.bank:
            over = "over whole days "
            # Of a day it is not known when on it.
            steps = (guilty.earliest, guilty.since, guilty.latest + 1)
            earliest, since, latest = (self.days.start_of(step, self._zone) for step in steps)
        else:
            earliest, since, latest = (self._at(step) for step in (guilty.earliest, guilty.since, guilty.latest))
        began = f"; it began between {as_text(earliest)} and {as_text(latest)}"
        live, expected, size, unit = guilty.size, 0.0, guilty.size, "sd"
        match guilty.direction:
            case "value" | "rank":
                words = f"mean {size:+.2f} sd {over}against the baseline"
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

    def to_state(self) -> tuple[WatchState, dict[str, NDArray[np.generic]]]:
        """Everything needed to go on as if never stopped."""
        bank, arrays = self.bank, dict[str, NDArray[np.generic]]()
        days = None
        if self.days is not None:
            days, arrays = self.days.to_state()
        arrays["evidence"] = bank.values.copy()
        density = self._density.to_state()
        return WatchState(self._threshold, bank.steps, self.until_at, bank.keys, self._digest, days, density), arrays

    def restore(self, state: WatchState, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Go on from a state; one of another threshold or of other alternatives is of no use: ``restarted`` says so.

        Raises
        ------
        StateError
            An array is not there, or another one than it should be.
        """
        self.restarted = (state.threshold, state.alternatives) != (self._threshold, self._digest)
        if self.restarted:
            return
        evidence = array_like(arrays, "evidence", self.bank.values)
        if self.days is not None and state.days is not None:
            self.days.restore(state.days, arrays)
        self.bank.restore(state.steps, evidence)
        if state.density is not None:
            before = self._density.assumed
            self._density.restore(state.density)
            if self._density.assumed != before:
                self._weigh()
        self.until_at = state.until_at
        self.share(state.keys)
