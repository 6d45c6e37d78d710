"""Every detector there is, as one that takes number after number: what the laws are applied to."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from streamer.core.baseline.model import Baseline, FeatureBaseline
from streamer.core.detectors.kinds import STREAMED, Value, bounded
from streamer.core.detectors.named import Named
from streamer.core.detectors.watch import Watch, WatchState
from streamer.core.layout import Layout
from streamer.core.schema import Feature, Kind, Side
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
        Numbers from a shift by half a deviation of rows to the alarm, at most.
    bytes : int
        Of state, at most.
    """

    numbers: int
    alarms: int
    deviation: float
    delay: int
    bytes: int


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
        return self._watch.bank.level >= 1.0

    def state(self) -> bytes:
        state, values = self._watch.to_state()
        return msgspec.msgpack.encode((self._at, state, values.tobytes()))

    def restore(self, state: bytes) -> None:
        self._at, kept, values = msgspec.msgpack.decode(state, type=tuple[int, WatchState, bytes])
        self._watch.restore(kept, np.frombuffer(values).reshape(5, -1))


SUBJECTS: dict[str, Callable[[], Subject]] = {
    **{kind: (lambda kind=kind: OfRiver(kind)) for kind in STREAMED},  # type: ignore[misc]  # bound by its default
    "bank": OfTheHouse,
}
TOLERANCES: dict[str, Tolerance] = {
    "adwin": Tolerance(numbers=20_000, alarms=0, deviation=0.14, delay=64, bytes=8_000),
    "kswin": Tolerance(numbers=1_500, alarms=8, deviation=0.14, delay=45, bytes=8_000),
    "page_hinkley": Tolerance(numbers=20_000, alarms=0, deviation=0.14, delay=120, bytes=200),
    "hddm_a": Tolerance(numbers=5_000, alarms=0, deviation=0.14, delay=100, bytes=200),
    "hddm_w": Tolerance(numbers=10_000, alarms=0, deviation=0.14, delay=300, bytes=500),
    "bank": Tolerance(numbers=7_200, alarms=1, deviation=1.0, delay=200, bytes=20_000),
}


def stream(seed: int, numbers: int, deviation: float, shift: float = 0.0) -> NDArray[np.float64]:
    """Normal numbers around a mean; the same for a seed."""
    return np.random.default_rng(seed).normal(shift, deviation, numbers)
