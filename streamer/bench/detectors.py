"""CPU of named detectors: of each kind per pane, and what a pane's sample costs per record."""

import time
from collections.abc import Callable

import msgspec
import numpy as np
from numpy.typing import NDArray

from streamer.bench.records import START_AT, baseline
from streamer.core.columns import Columns
from streamer.core.detectors.kinds import KINDS
from streamer.core.detectors.roster import Roster
from streamer.core.layout import Layout
from streamer.core.panes import Part, parts_of
from streamer.core.sample import Sampling
from streamer.core.schema import Side
from streamer.core.settings import DetectorSettings, EndpointSettings

FEATURES = 40
ROWS = 50
ROUNDS = 3


class Detectors(msgspec.Struct, frozen=True, kw_only=True):
    """CPU microseconds, one core.

    Attributes
    ----------
    panes, rows, features : int
        Of a pane's rows; a twentieth of the panes for KSWIN.
    adwin, kswin, page_hinkley, hddm_a, hddm_w, half_space_trees : float
        Of one detector a pane, watching what it does when nothing else is said; trees once they watch.
    without, sampled : float
        Of a record that becomes part of a pane, without a sample and with one of every column.
    """

    panes: int
    rows: int
    features: int
    adwin: float
    kswin: float
    page_hinkley: float
    hddm_a: float
    hddm_w: float
    half_space_trees: float
    without: float
    sampled: float


def measure(panes: int, seed: int = 1) -> Detectors:
    """Time every kind on the same panes; each one's least round counts."""
    chance = np.random.default_rng(seed)
    layout = Layout(baseline(FEATURES, seed))
    several = [_columns(chance) for _ in range(min(panes, 200))]
    trees = _roster("half_space_trees", layout)
    sampled = [_parts(layout, columns, trees.sampling)[0] for columns in several]
    cost = {kind: _of_kind(kind, layout, sampled, panes) for kind in KINDS}

    def folded(sampling: Sampling) -> float:
        return _least(lambda: [_parts(layout, columns, sampling) for columns in several]) / len(several) / ROWS

    return Detectors(
        panes=panes,
        rows=ROWS,
        features=FEATURES,
        adwin=cost["adwin"],
        kswin=cost["kswin"],
        page_hinkley=cost["page_hinkley"],
        hddm_a=cost["hddm_a"],
        hddm_w=cost["hddm_w"],
        half_space_trees=cost["half_space_trees"],
        without=folded({}) * 1e6,
        sampled=folded(trees.sampling) * 1e6,
    )


def _of_kind(kind: str, layout: Layout, parts: list[Part], panes: int) -> float:
    roster = _roster(kind, layout)
    count = max(panes // 20, 1) if kind == "kswin" else panes

    def fed() -> None:
        for i in range(count):
            part = parts[i % len(parts)]
            if part.profile is not None:
                roster.take(START_AT + i * 10_000, part.profile.counts, part.profile.sums, part.samples)

    # KSWIN remembers 100 numbers before it looks; trees want 1,250 rows, at most 16 a pane.
    for _ in range(120 // count + 1):
        fed()
    return _least(fed) / count * 1e6


def _roster(kind: str, layout: Layout) -> Roster:
    watches = KINDS[kind].watches[0]
    feature = "" if watches == "rows" else layout.features[0].baseline.feature.name
    parameters: dict[str, bool | int | float | str] = {"calibration_rows": 1_000} if watches == "rows" else {}
    chosen = DetectorSettings(name=kind, kind=kind, feature=feature, watches=watches, parameters=parameters)
    return Roster(EndpointSettings(name="bench", detectors=(chosen,)), layout)


def _columns(chance: np.random.Generator) -> tuple[Columns, NDArray[np.uint64]]:
    numbers = chance.normal(0.0, 10.0, (FEATURES, ROWS))
    columns = Columns(numbers, None, np.empty((0, ROWS), np.int32), np.arange(ROWS))
    return columns, chance.integers(0, 2**63, ROWS).astype(np.uint64)


def _parts(layout: Layout, rows: tuple[Columns, NDArray[np.uint64]], sampling: Sampling) -> list[Part]:
    at, no = np.full(ROWS, START_AT), np.zeros(ROWS, np.bool_)
    return parts_of(layout, {Side.INPUT: rows[0]}, at, no, ~no, sampling, rows[1])


def _least(stage: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        stage()
        best = min(best, time.process_time() - start)
    return best
