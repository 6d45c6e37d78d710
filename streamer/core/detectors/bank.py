"""Bank: the e-detectors of all features of a baseline, and the endpoint's, which is their mean.

Each alternative's Shiryaev-Roberts evidence goes ``R <- (1 + R) * LR`` with every pane; a mean of
e-detectors is one, whatever hangs together. It stays under the threshold for as many panes in the
mean as the threshold says: a threshold of a month's panes, empty ones included, is one false alarm a
month at most. Empty panes leave the evidence as it is. The change is put where the evidence comes
from: of all starts that ``R`` sums over, each has its share, so that their mean and variance follow
the same recursion.

References
----------
J. Shin, A. Ramdas, A. Rinaldo (2023), "E-detectors: a nonparametric framework for sequential change
detection", New England Journal of Statistics in Data Science, section 2.2 (SR e-detectors and their
averages); M. Pollak (1985), "Optimal detection of a change in distribution", Annals of Statistics 13.
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.core.detectors.alternatives import Alternatives
from streamer.core.types import Cause

# Evidence is kept at this many times what raises the alarm, so that an alert can fall again.
_ABOVE: Final = 2.0
# Of one pane; more is beyond all doubt, and beyond what a number can hold.
_MOST_NATS: Final = 600.0
# Alternatives of a feature that have this part of the strongest's evidence may be what happened.
_NEAR: Final = 0.37
# Of the rows since the change.
_MOST: Final = 0.5
# Standard deviations of the interval of the time of change.
_INTERVAL: Final = 2.0


class Guilty(NamedTuple):
    """A feature that evidence speaks against.

    Attributes
    ----------
    feature : int
        Index in the baseline's order.
    direction : str
        In which it moved.
    cause : Cause
        What that is called.
    evidence : float
        Part of the threshold it has reached by itself.
    size : float
        Mean score per row since the change: deviations, the share of new values, or of a spread how
        many times as large it is.
    share, usual : float
        Of a direction that is one cell against the rest: its share since the change and the baseline's.
    rows : int
        Since the change, about.
    since, earliest, latest : float
        Time of the change and its interval, in steps: 0 is the start of the first one.
    """

    feature: int
    direction: str
    cause: Cause
    evidence: float
    size: float
    share: float
    usual: float
    rows: int
    since: float
    earliest: float
    latest: float


class Bank:
    """Evidence of every alternative of one key.

    Parameters
    ----------
    alternatives : Alternatives
        Of the key's baseline.
    threshold : float
        Panes to a false alarm.
    part : float
        Of the endpoint's evidence that the bank has.

    Attributes
    ----------
    steps : int
        Panes taken in, empty ones included.
    keys : int
        That share the threshold: together they must reach so many times it.
    values : ndarray, shape (5, alternatives), float32
        Evidence, weighted, as part of the threshold; mean and variance of the time of change; scores
        and rows since.
    """

    def __init__(self, alternatives: Alternatives, threshold: float, part: float = 1.0) -> None:
        self.alternatives = alternatives
        self.steps = 0
        self.keys = 1
        self.values = np.zeros((5, len(alternatives.feature)), np.float32)
        # What a change that may begin with the next pane starts with.
        self._begin = part * np.exp(alternatives.log_weight) / threshold
        self._sign = np.sign(alternatives.gain)

    def step(self, counts: NDArray[np.int64], hours: Sequence[int] = (0,)) -> None:
        """Take in a pane.

        Parameters
        ----------
        counts : ndarray, shape (layout.size,), int64
            Rows in each cell.
        hours : sequence of int
            Of the day, that the pane touches, in the baseline's zone.
        """
        if not counts.any():
            self.pass_by(1)
            return
        a = self.alternatives
        own, rows = counts[a.cells].astype(np.float64), self._rows(counts)
        score = np.empty(len(rows))
        score[a.many] = np.einsum("dk,dk->d", own[a.group], a.scores)
        score[a.one] = a.low[a.one] * rows[a.one] + a.step[a.one] * counts[a.place]
        score[a.timed] -= rows[a.timed] * a.along[:, list(hours)].mean(axis=1)
        rows_of, score_of = rows[a.direction], score[a.direction]
        begun = self.values[0] + self._begin
        young = self._begin / begun
        _, mean, variance, score_since, rows_since = self.values
        later = self.steps - mean
        variance += young * np.square(later)
        mean += young * later
        old = 1 - young
        variance *= old
        score_since *= old
        score_since += score_of
        rows_since *= old
        rows_since += rows_of
        worth = np.minimum(a.gain * score_of - a.loss * rows_of, _MOST_NATS)
        self.values[0] = np.minimum(begun * np.exp(worth), _ABOVE * self.keys)
        self.steps += 1

    def pass_by(self, panes: int) -> None:
        """Let empty panes go by: they count as time, and are no evidence of anything."""
        self.steps += max(panes, 0)

    def _rows(self, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        a = self.alternatives
        before = np.concatenate([[0], np.cumsum(counts)])
        rows: NDArray[np.float64] = (before[a.stop] - before[a.start]).astype(np.float64)
        return rows

    @property
    def bound(self) -> float:
        """What ``level`` is at most."""
        return float(self.values[0].sum())

    @property
    def evidence(self) -> NDArray[np.float64]:
        """Part of the threshold each feature has reached by itself with what is large enough, shape (features,)."""
        a = self.alternatives
        # However sure it is, what is too small to matter is no alarm, and no company for others.
        parts = np.where(self._is_large(), self.values[0], 0.0)
        of_feature: NDArray[np.float64] = np.bincount(a.feature, parts, minlength=len(a.resolution)).astype(np.float64)
        return of_feature

    def _is_large(self) -> NDArray[np.bool_]:
        large: NDArray[np.bool_] = self._sign * self.values[3] >= self.alternatives.least * self.values[4]
        return large

    @property
    def level(self) -> float:
        """Part of the threshold all features have reached together; at 1 a single key's alarm is raised."""
        return float(self.evidence.sum())

    def guilty(self, least: float) -> list[Guilty]:
        """Features whose own evidence is at least that part of the threshold, the heaviest first."""
        return [self.of_feature(feature) for feature in heaviest(self.evidence, least)]

    def of_feature(self, feature: int) -> Guilty:
        """What its evidence says of a feature that has some."""
        a = self.alternatives
        mine = np.flatnonzero(a.feature == feature)
        part, _, _, score, rows = self.values[:, mine]
        # Several may be at the bound on evidence: what the rows since the change were worth tells them apart.
        worth = a.gain[mine] * score - a.loss[mine] * rows
        # Where most rows are what the baseline never had, that is what happened, and a mean moved by it.
        is_new = np.array([a.names[d] == "new" for d in a.direction[mine]]) & (score >= _MOST * rows)
        large = self._is_large()[mine]
        near = large & (part >= part[large].max(initial=0.0) * _NEAR)
        candidates = near & is_new if (near & is_new).any() else near
        lead = int(mine[np.argmax(np.where(candidates, worth, -np.inf))])
        _, mean, variance, total, count = self.values[:, lead].tolist()
        size = total / count if count else 0.0
        direction = a.names[a.direction[lead]]
        if direction == "spread":
            size = math.sqrt(max(1 + size * a.scales[a.direction[lead]], 0.0))
        low, step = float(a.low[a.direction[lead]]), float(a.step[a.direction[lead]])
        apart = _INTERVAL * math.sqrt(variance)
        return Guilty(
            feature=feature,
            direction=direction,
            cause=a.causes[a.direction[lead]],
            evidence=float(part[large].sum()),
            size=size,
            share=(size - low) / step,
            usual=-low / step,
            rows=round(count),
            since=mean,
            earliest=max(mean - apart, 0.0),
            latest=min(mean + apart, float(self.steps)),
        )

    def restore(self, steps: int, values: NDArray[np.float32]) -> None:
        """Go on from ``steps`` and ``values`` of a bank of the same alternatives: all there is to its state."""
        self.steps, self.values = steps, values.copy()


def heaviest(evidence: NDArray[np.float64], least: float) -> list[int]:
    """Features whose evidence is at least that, the heaviest first."""
    return [feature for feature in np.argsort(-evidence, kind="stable").tolist() if evidence[feature] >= least]
