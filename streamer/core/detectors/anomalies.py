"""Anomalies: half-space trees on the rows of one key's panes; what is told is the rate of odd rows.

A baseline file holds no rows, so the reference are the first ones seen, told in the baseline's ranks:
``window_size`` of them are learned, ``calibration_rows`` after them say how large a score is usual,
and from then on nothing is learned: a drift can't become the reference. Of these only so many of a
pane are taken that the reference is not one moment's.
"""

from hashlib import sha256
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from streamer.core.baseline.model import FeatureBaseline
from streamer.core.detectors.forest import grown, masses_of, scores_of
from streamer.core.detectors.kinds import KINDS
from streamer.core.detectors.post import PostState
from streamer.core.errors import StateError
from streamer.core.evidence import SHARE_DEGREES, shares_z, student_z
from streamer.core.sample import Samples
from streamer.core.schema import Side
from streamer.core.settings import DetectorSettings
from streamer.core.types import Cause, Finding, Judge, Key, State

# Rows of one pane that may become reference.
PER_PANE: Final = 16
# Where values are put: no value, below all the baseline has, its lowest to its highest, above all.
_MISSING, _BELOW, _LOWEST, _HIGHEST, _ABOVE = 0.0, 0.1, 0.2, 0.8, 0.9


class _Learned(msgspec.Struct, frozen=True):
    """What has become of the first rows: themselves, or masses, then scores, then what is usual."""

    rows: bytes
    masses: bytes
    scores: bytes
    limit: float
    beyond: int
    digest: bytes


class Anomalies:
    """The rate of anomalous rows of one key.

    Parameters
    ----------
    settings : DetectorSettings
        Of kind ``half_space_trees``.
    side : Side
        Whose rows.
    columns : ndarray, shape (features,), int64
        Of its features in the side's sample.
    features : list of FeatureBaseline
        Those watched, in the same order; all vary.
    significant : float
        Deviations beyond its own noise that are significant.

    Attributes
    ----------
    settings, features
        As given.
    cause : Cause
        Drift.
    """

    def __init__(
        self,
        settings: DetectorSettings,
        side: Side,
        columns: NDArray[np.int64],
        features: list[FeatureBaseline],
        significant: float,
    ) -> None:
        self.settings = settings
        self.cause = Cause.DRIFT
        self._side, self._columns, self.features = side, columns, features
        self._significant = significant
        values = KINDS[settings.kind].complete(settings.parameters)
        self._window, self._wanted = int(values["window_size"]), int(values["calibration_rows"])
        self._quantile, self._rise = float(values["quantile"]), float(values["least_rise"])
        self._forest = grown(int(values["n_trees"]), int(values["height"]), len(features), int(values["seed"]))
        self._ranks = [_ranks(f) for f in features]
        self._rows = np.empty((len(features), 0))
        self._masses: NDArray[np.int64] | None = None
        self._scores = np.empty(0)
        self._limit: float | None = None
        self._beyond = 0
        self._now = (0.0, 0.0)

    def take(self, counts: NDArray[np.int64], sums: NDArray[np.int64], samples: Samples, hour: int) -> None:
        """Take in the sample of a closed pane; see ``Post.take``: ~6 us a row."""
        sample = samples.get(self._side)
        if sample is not None and len(sample.keys):
            self.feed(self.placed(sample.numbers[self._columns]))

    def placed(self, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values as 0 to 1, by the baseline's ranks; shape (features, rows), both."""
        places = np.empty(numbers.shape)
        for row, (values, (cuts, ranks), f) in enumerate(zip(numbers, self._ranks, self.features, strict=True)):
            place = np.interp(values, cuts, ranks)
            place[values < (f.minimum or 0.0)] = _BELOW
            place[values > (f.maximum or 0.0)] = _ABOVE
            place[np.isnan(values)] = _MISSING
            places[row] = place
        return places

    def feed(self, places: NDArray[np.float64]) -> int:
        """Look at rows of a pane; how many are anomalous, of a reference none."""
        if self._masses is None:
            self._rows = np.append(self._rows, places[:, :PER_PANE], axis=1)
            if self._rows.shape[1] >= self._window:
                self._masses = masses_of(self._forest, self._rows[:, : self._window])
                self._rows = np.empty((len(self.features), 0))
            return 0
        if self._limit is None:
            found = scores_of(self._forest, self._masses, places[:, :PER_PANE], self._window)
            self._scores = np.append(self._scores, found)[: self._wanted]
            if len(self._scores) == self._wanted:
                self._limit = float(np.quantile(self._scores, self._quantile, method="higher"))
                self._beyond = int((self._scores > self._limit).sum())
                self._scores = np.empty(0)
            return 0
        anomalous = int((scores_of(self._forest, self._masses, places, self._window) > self._limit).sum())
        self._now = (self._now[0] + anomalous, self._now[1] + places.shape[1])
        return anomalous

    @property
    def is_ready(self) -> bool:
        """Whether it knows what is usual."""
        return self._limit is not None

    def close(self, key: Key, start_at: int, end_at: int) -> tuple[Finding | None, Cause | None]:
        """What there is to say of a window that ends, and what it had rows to judge."""
        (anomalous, rows), self._now = self._now, (0.0, 0.0)
        if not rows:
            return None, None
        share, usual = anomalous / rows, self._beyond / self._wanted
        weight = self._weight(anomalous, rows)
        large, significant = share - usual >= self._rise, weight >= self._significant
        if not large:
            return None, self.cause
        words = f"{share:.1%} of sampled rows are unlike the first ones seen, {usual:.1%} of those"
        finding = Finding(
            key=key,
            rule=self.settings.name,
            cause=self.cause,
            state=State.BROKEN if significant else State.NOT_ENOUGH,
            since_at=start_at,
            until_at=end_at,
            live=share,
            expected=usual,
            size=share - usual,
            unit="points",
            weight=weight,
            rows=int(rows),
            words=words,
            judge=Judge.DETECTORS,
        )
        return finding, self.cause

    def _weight(self, anomalous: float, rows: float) -> float:
        """Deviations by which the rate is beyond its own noise.

        How odd rows cluster is in no baseline: they are taken to share their hour's weather as much
        as the values of all features do in the mean.
        """
        dispersions = [f.dispersion_of("value") for f in self.features]
        live = float(np.mean([d.at(rows)[0] for d in dispersions]))
        past = float(np.mean([d.at(self._wanted)[0] for d in dispersions]))
        degrees = min(d.at(rows)[1] for d in dispersions)
        z = shares_z(anomalous / live, rows / live, self._beyond / past, self._wanted / past)
        return student_z(z, max(degrees, SHARE_DEGREES))

    def to_state(self) -> PostState:
        """Everything needed to go on as if never stopped: ~51 kB for 25 trees of height 8."""
        learned = _Learned(
            rows=self._rows.tobytes(),
            masses=b"" if self._masses is None else self._masses.astype(np.int32).tobytes(),
            scores=self._scores.tobytes(),
            limit=-1.0 if self._limit is None else self._limit,
            beyond=self._beyond,
            digest=self._digest(),
        )
        return PostState(self.settings, msgspec.msgpack.encode(learned), False, self._now, (0.0, 0.0))

    def restore(self, state: PostState) -> None:
        """Go on from the state of a detector of the same settings and features.

        Raises
        ------
        StateError
            It does not fit these trees.
        """
        try:
            learned = msgspec.msgpack.decode(state.detector, type=_Learned)
            rows = np.frombuffer(learned.rows).reshape(len(self.features), -1).copy()
            masses = np.frombuffer(learned.masses, np.int32).astype(np.int64)
            masses = masses.reshape(len(self._forest.feature), -1) if len(masses) else masses
        except (msgspec.MsgspecError, ValueError) as error:
            raise StateError("a detector's state can't be read") from error
        if learned.digest != self._digest():
            raise StateError("a detector's state is of other trees")
        self._rows, self._scores = rows, np.frombuffer(learned.scores).copy()
        self._masses = masses if len(masses) else None
        self._limit = None if learned.limit < 0 else learned.limit
        self._beyond, self._now = learned.beyond, state.now

    def _digest(self) -> bytes:
        """Tells whether trees grown from the seed are those whose masses were kept."""
        return sha256(self._forest.feature.tobytes() + self._forest.threshold.tobytes()).digest()[:8]


def _ranks(f: FeatureBaseline) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Cuts of a feature, ascending, and where each is put."""
    cuts = np.array([f.minimum or 0.0, *f.edges, f.maximum or 0.0])
    share = np.append(0.0, np.cumsum(f.counts)) / max(sum(f.counts), 1)
    ranks = _LOWEST + (_HIGHEST - _LOWEST) * share
    # Of equal cuts the last stands: a value on a cut is in the cell below it.
    last = np.append(np.diff(cuts) > 0, True)
    return cuts[last], ranks[last]
