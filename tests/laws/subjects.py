"""Every detector there is, as one that takes number after number: what the laws are applied to."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from streamer.core.baseline.model import Baseline, FeatureBaseline
from streamer.core.blob import pack, unpack
from streamer.core.detectors.anomalies import PER_PANE, Anomalies
from streamer.core.detectors.kinds import STREAMED, Value, bounded
from streamer.core.detectors.named import Named
from streamer.core.detectors.post import PostState
from streamer.core.detectors.watch import Watch, WatchState
from streamer.core.layout import Layout
from streamer.core.sample import Sample
from streamer.core.schema import Feature, Kind, Side
from streamer.core.settings import DetectorSettings
from streamer.core.types import Key, State
from tests.strategies import START


class Subject(ABC):
    """One detector of one stream of numbers."""

    warm_up = 0

    @abstractmethod
    def offer(self, value: float) -> bool:
        """Take in a number; say whether it fires, or whether its alarm stands."""

    @abstractmethod
    def state(self) -> bytes:
        """Everything needed to go on."""

    @abstractmethod
    def restore(self, state: bytes) -> None:
        """Go on from a state."""


class Tolerance(NamedTuple):
    """What is asked of a detector on the laws' seeded streams.

    Attributes
    ----------
    numbers : int
        Length of the stationary stream.
    alarms : int
        It may raise on it.
    deviation : float
        Of the numbers: rows have 1, means of panes of 50 rows 0.14.
    delay : int
        Numbers from a shift to the alarm, at most.
    bytes : int
        Of state, at most.
    shift : float
        Of the mean, in deviations of rows.
    """

    numbers: int
    alarms: int
    deviation: float
    delay: int
    bytes: int
    shift: float = 0.5


# River's defaults but for these: HDDM looks up only, and the weighted one needs a change by 0.42 of the whole
# range at its default, which no shift by half a deviation is.
PARAMETERS: dict[str, dict[str, Value]] = {
    "hddm_a": {"two_sided_test": True},
    "hddm_w": {"two_sided_test": True, "lambda_val": 0.01},
}


class OfRiver(Subject):
    """One of river's, as it is wrapped."""

    def __init__(self, kind: str) -> None:
        self.detector = Named(kind, PARAMETERS.get(kind, {}))
        self.warm_up = self.detector.warm_up
        self._bounded = kind.startswith("hddm")

    def offer(self, value: float) -> bool:
        # What is not finite is for the detector to refuse.
        return self.detector.update(bounded(value) if self._bounded and math.isfinite(value) else value)

    def state(self) -> bytes:
        return self.detector.to_state()

    def restore(self, state: bytes) -> None:
        self.detector.restore(state)


def _normal() -> FeatureBaseline:
    """The standard normal law in 20 cells of 1,000 rows."""
    values = np.sort(np.random.default_rng(11).normal(size=20_000))
    edges = values[1_000::1_000]
    return FeatureBaseline(
        feature=Feature(name="x", side=Side.INPUT, kind=Kind.NUMERIC),
        rows=20_000,
        mean=0.0,
        deviation=1.0,
        minimum=float(values[0]),
        maximum=float(values[-1]),
        edges=tuple(edges.tolist()),
        counts=(1_000,) * 20,
        unit=2.0**-8,
    )


NORMAL = Baseline(rows=20_000, features=(_normal(),))


class OfTheHouse(Subject):
    """The bank of e-detectors in its watch: a number is a pane of one row."""

    def __init__(self) -> None:
        self._layout = Layout(NORMAL)
        self._cuts = self._layout.sides[Side.INPUT].edges[0]
        self._watch = Watch(self._layout, 72_000, 10)
        self._at = START

    def offer(self, value: float) -> bool:
        counts = np.zeros(self._layout.size, np.int64)
        # As a profile counts: NaN sorts behind all cuts, infinity included, into the cell for missing values.
        counts[self._cuts.searchsorted(value)] = 1
        self._watch.take(self._at, counts)
        self._at += 10_000
        return self._watch.level >= 1.0

    def state(self) -> bytes:
        state, arrays = self._watch.to_state()
        return msgspec.msgpack.encode((self._at, pack("watch/1", state, arrays)))

    def restore(self, state: bytes) -> None:
        self._at, kept = msgspec.msgpack.decode(state, type=tuple[int, bytes])
        self._watch.restore(*unpack("watch/1", WatchState, kept))


class OfRows(Subject):
    """Half-space trees on rows of one number, sixteen a pane; it fires when a window of four ends broken."""

    def __init__(self) -> None:
        values: dict[str, bool | int | float | str] = {
            "n_trees": 10,
            "height": 5,
            "window_size": 64,
            "calibration_rows": 320,
            "quantile": 0.95,
        }
        settings = DetectorSettings(name="trees", kind="half_space_trees", watches="rows", parameters=values)
        self._trees = Anomalies(settings, Side.INPUT, np.array([0], np.int64), [_normal()], 5.0)
        self._waiting: list[float] = []
        self._panes = 0
        self.warm_up = 64 + 320

    def offer(self, value: float) -> bool:
        if math.isinf(value):
            raise ValueError("no column holds an infinity")
        self._waiting.append(value)
        if len(self._waiting) < PER_PANE:
            return False
        sample = Sample(np.arange(PER_PANE, dtype=np.uint64), np.array([self._waiting]))
        self._trees.take(np.empty(0, np.int64), np.empty((2, 0), np.int64), {Side.INPUT: sample}, 0)
        self._waiting, self._panes = [], self._panes + 1
        if self._panes % 4:
            return False
        found, _ = self._trees.close(Key("e", "v", ""), START, START + 60_000)
        return found is not None and found.state is State.BROKEN

    def state(self) -> bytes:
        return msgspec.msgpack.encode((self._waiting, self._panes, self._trees.to_state()))

    def restore(self, state: bytes) -> None:
        kept = msgspec.msgpack.decode(state, type=tuple[list[float], int, PostState])
        self._waiting, self._panes = kept[:2]
        self._trees.restore(kept[2])


SUBJECTS: dict[str, Callable[[], Subject]] = {
    **{kind: (lambda kind=kind: OfRiver(kind)) for kind in STREAMED},  # type: ignore[misc]  # bound by its default
    "bank": OfTheHouse,
    "half_space_trees": OfRows,
}
TOLERANCES: dict[str, Tolerance] = {
    "adwin": Tolerance(numbers=20_000, alarms=0, deviation=0.14, delay=64, bytes=8_000),
    "kswin": Tolerance(numbers=1_500, alarms=8, deviation=0.14, delay=45, bytes=8_000),
    "page_hinkley": Tolerance(numbers=20_000, alarms=0, deviation=0.14, delay=120, bytes=200),
    "hddm_a": Tolerance(numbers=5_000, alarms=0, deviation=0.14, delay=100, bytes=200),
    "hddm_w": Tolerance(numbers=10_000, alarms=0, deviation=0.14, delay=300, bytes=500),
    "bank": Tolerance(numbers=7_200, alarms=1, deviation=1.0, delay=200, bytes=20_000),
    # One number far out is odd; a small shift of all is not what it is for.
    "half_space_trees": Tolerance(numbers=20_000, alarms=0, deviation=1.0, delay=140, bytes=20_000, shift=2.5),
}


def stream(seed: int, numbers: int, deviation: float, shift: float = 0.0) -> NDArray[np.float64]:
    """Normal numbers around a mean; the same for a seed."""
    return np.random.default_rng(seed).normal(shift, deviation, numbers)
