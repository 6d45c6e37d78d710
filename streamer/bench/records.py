"""Captures to measure with: made from a seed, of a stated size."""

import numpy as np
import orjson

from streamer.core.baseline.model import Baseline, FeatureBaseline
from streamer.core.eventtime import as_text
from streamer.core.schema import Feature, Kind, Side

# 2026-01-05T00:00:00Z.
START_AT = 1_767_571_200_000
RECORD_BYTES = 1_000


def captures(count: int, features: int, seed: int, *, per_second: int = 100) -> list[bytes]:
    """Capture records of one row each, padded to 1,000 bytes, give or take 20.

    Parameters
    ----------
    count : int
        Records.
    features : int
        Numeric features in the CSV payload.
    seed : int
        Of the generator.
    per_second : int
        Records with the same event time.
    """
    rng = np.random.default_rng(seed)
    values = rng.normal(0.0, 10.0, (count, features))
    scores = rng.uniform(0.0, 1.0, count)
    records = []
    for i, (row, score) in enumerate(zip(values.tolist(), scores.tolist(), strict=True)):
        record = {
            "captureData": {
                "endpointInput": {
                    "observedContentType": "text/csv",
                    "mode": "INPUT",
                    "data": ",".join(f"{v:.6f}" for v in row),
                    "encoding": "CSV",
                },
                "endpointOutput": {
                    "observedContentType": "text/csv; charset=utf-8",
                    "mode": "OUTPUT",
                    "data": f"{score:.6f}",
                    "encoding": "CSV",
                },
            },
            "eventMetadata": {
                "eventId": f"0b6f8d1e-53aa-4f0d-9f2b-{i:012d}",
                "inferenceTime": as_text(START_AT + i // per_second * 1000),
            },
            "eventVersion": "0",
        }
        text = orjson.dumps(record)
        spare = RECORD_BYTES - len(text)
        if spare > 24:
            record["eventMetadata"]["customAttributes"] = ["x" * (spare - 24)]  # type: ignore[index]
            text = orjson.dumps(record)
        records.append(text)
    return records


def baseline(features: int, seed: int) -> Baseline:
    """A baseline those captures do not drift from: 24 cells a feature."""
    rng = np.random.default_rng(seed)
    found = [_feature(f"x{i}", Side.INPUT, rng.normal(0.0, 10.0, 10_000)) for i in range(features)]
    found.append(_feature("score", Side.OUTPUT, rng.uniform(0.0, 1.0, 10_000)))
    return Baseline(rows=10_000, features=tuple(found))


def _feature(name: str, side: Side, sample: np.ndarray[tuple[int], np.dtype[np.float64]]) -> FeatureBaseline:
    edges = np.quantile(sample, np.linspace(0, 1, 25)[1:-1])
    counts = np.bincount(np.searchsorted(edges, sample), minlength=24)
    deviation = float(sample.std())
    unit = 2.0 ** np.floor(np.log2(deviation / 256))
    return FeatureBaseline(
        feature=Feature(name=name, side=side, kind=Kind.NUMERIC),
        rows=len(sample),
        mean=float(sample.mean()),
        deviation=deviation,
        minimum=float(sample.min()),
        maximum=float(sample.max()),
        quantiles=tuple(np.quantile(sample, (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)).tolist()),
        distinct=len(sample),
        edges=tuple(edges.tolist()),
        counts=tuple(counts.tolist()),
        unit=float(unit),
        center=float(np.rint(sample.mean() / unit) * unit),
    )
