"""Hypothesis strategies and builders shared by the tests: captures, baselines, batches."""

import json
from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from streamer.core.baseline.model import Baseline, FeatureBaseline
from streamer.core.eventtime import as_text
from streamer.core.schema import Feature, Kind, Side
from streamer.core.types import Batch, ShardId

# 2026-01-05T09:00:00Z, a whole hour.
START = 1_767_603_600_000
NOW = START + 86_400_000 * 365


def number(name: str, side: Side = Side.INPUT, *, rows: int = 1000, kind: Kind = Kind.NUMERIC) -> FeatureBaseline:
    """A number feature uniform on 0 to 10 in ten cells."""
    return FeatureBaseline(
        feature=Feature(name=name, side=side, kind=kind),
        rows=rows,
        mean=5.0,
        deviation=2.886,
        minimum=0.0,
        maximum=10.0,
        quantiles=(0.1, 0.5, 2.5, 5.0, 7.5, 9.5, 9.9),
        distinct=rows,
        edges=tuple(float(i) for i in range(1, 10)),
        counts=(rows // 10,) * 10,
        unit=2.0**-7,
        center=5.0,
    )


def category(name: str, values: Sequence[str] = ("a", "b", "c"), *, rows: int = 1000) -> FeatureBaseline:
    """A category feature whose last value has no cell of its own."""
    cells = len(values) - 1
    return FeatureBaseline(
        feature=Feature(name=name, side=Side.INPUT, kind=Kind.CATEGORY, values=tuple(values)),
        rows=rows,
        distinct=len(values),
        counts=(rows // len(values),) * cells,
        other=rows - rows // len(values) * cells,
    )


def baseline(*features: FeatureBaseline) -> Baseline:
    """A baseline of these features, or of two numbers, a category and a score."""
    chosen = features or (number("x"), number("y"), category("k"), number("score", Side.OUTPUT))
    return Baseline(rows=1000, features=chosen)


def capture(
    data: str = "1.5,2.5,a",
    output: str | None = "0.5",
    *,
    at: int = START,
    event_id: str | None = "id-1",
    encoding: str = "CSV",
    content: str = "text/csv",
    **envelope: str,
) -> bytes:
    """One capture record; with keyword arguments inside an envelope."""
    captured: dict[str, object] = {
        "endpointInput": {"observedContentType": content, "mode": "INPUT", "data": data, "encoding": encoding}
    }
    if output is not None:
        captured["endpointOutput"] = {
            "observedContentType": "text/csv",
            "mode": "OUTPUT",
            "data": output,
            "encoding": "CSV",
        }
    metadata: dict[str, object] = {"inferenceTime": as_text(at)}
    if event_id is not None:
        metadata["eventId"] = event_id
    record: dict[str, object] = {"captureData": captured, "eventMetadata": metadata, "eventVersion": "0"}
    return json.dumps({**envelope, "capture": record} if envelope else record).encode()


def batch(
    *payloads: bytes, shard: str = "shard-0", first: int = 0, path: str = "", keys: Sequence[str] | None = None
) -> Batch:
    """Records as one poll gives them, positions counted from ``first``."""
    positions = [f"{first + i:08d}" for i in range(len(payloads))]
    return Batch(ShardId(shard), payloads, positions, keys, path)


cells = st.one_of(
    st.floats(width=64).map(repr),
    st.integers().map(str),
    st.sampled_from(
        ["", " ", "nan", "NA", "null", "true", "1_0", ".5", "5.", "+1", "1e999", "a", "é", "１", "[1]", '"']
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=4),
)

finite = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def number_columns(
    draw: st.DrawFn, features: int = 3, rows: int = 40
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Feature-major numbers with NaN, zeros of both signs, extremes and values on the cuts."""
    n = draw(st.integers(0, rows))
    value = st.one_of(finite, st.sampled_from([0.0, -0.0, 1.0, 5.0, 10.0, 1e300, -1e300, 61.0]), st.just(float("nan")))
    columns = draw(st.lists(st.lists(value, min_size=n, max_size=n), min_size=features, max_size=features))
    return np.array(columns, np.float64).reshape(features, n)
