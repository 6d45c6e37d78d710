"""Hypothesis strategies and builders shared by the tests: captures, baselines, batches."""

import json
from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from streamer.core.baseline.cells import grid_of
from streamer.core.baseline.model import QUANTILES, Baseline, Dispersion, FeatureBaseline, Timeline
from streamer.core.columns import Columns
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


def trained_on(values: list[float], cells: int) -> FeatureBaseline:
    """A number feature whose baseline is these rows, with cells of about equal rows."""
    ordered, different = np.sort(values), np.unique(values)
    edges = different[:-1] if len(different) <= cells else np.unique(np.quantile(ordered, np.arange(1, cells) / cells))
    edges = edges[(edges >= ordered[0]) & (edges < ordered[-1])]
    mean, deviation = float(np.mean(values)), float(np.std(values))
    grid = grid_of(mean, deviation, float(np.abs(ordered).max()))
    return FeatureBaseline(
        feature=Feature(name="x", side=Side.INPUT, kind=Kind.NUMERIC),
        rows=len(values),
        mean=mean,
        deviation=deviation,
        minimum=float(ordered[0]),
        maximum=float(ordered[-1]),
        quantiles=tuple(np.quantile(ordered, QUANTILES, method="inverted_cdf").tolist()),
        distinct=len(different),
        edges=tuple(edges.tolist()),
        counts=tuple(np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1).tolist()),
        unit=grid.unit,
        center=grid.center,
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
        ["", " ", "nan", "NA", "null", "true", "1_0", ".5", "5.", "+1", "1e999", "a", "é", "\uff11", "[1]", '"']
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


@st.composite
def columns(draw: st.DrawFn, numbers: int = 2, categories: int = 1, known: int = 3, rows: int = 40) -> Columns:
    """Rows of one side: numbers as above, some of the absent ones mistyped, codes of all kinds."""
    values = draw(number_columns(numbers, rows))
    n = values.shape[1]
    codes = draw(st.lists(st.integers(-2, known - 1), min_size=n * categories, max_size=n * categories))
    mistyped = None
    if draw(st.booleans()):
        wrong = draw(st.lists(st.booleans(), min_size=n * numbers, max_size=n * numbers))
        mistyped = np.isnan(values) & np.array(wrong, np.bool_).reshape(numbers, n)
    return Columns(values, mistyped, np.array(codes, np.int32).reshape(categories, n), np.arange(n, dtype=np.int64))


names = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
counts = st.integers(0, 10**9)
dispersions = st.integers(0, 4).flatmap(
    lambda n: st.builds(
        Dispersion,
        rows=st.tuples(*[st.floats(0.5, 1e6)] * n),
        ratio=st.tuples(*[st.floats(1e-6, 1e6)] * n),
        degrees=st.tuples(*[st.floats(0.5, 1e6)] * n),
    )
)


@st.composite
def number_baselines(draw: st.DrawFn, name: str = "x", side: Side = Side.INPUT) -> FeatureBaseline:
    """A number feature with any cuts, extremes and grid that do not contradict each other."""
    cuts = sorted(draw(st.sets(finite, min_size=2, max_size=8)))
    low, *edges, high = cuts
    cells = draw(st.lists(counts, min_size=len(edges) + 1, max_size=len(edges) + 1))
    missing, mistyped = draw(counts), draw(counts)
    return FeatureBaseline(
        feature=Feature(name=name, side=side, kind=draw(st.sampled_from([Kind.NUMERIC, Kind.INTEGER, Kind.TEXT]))),
        rows=sum(cells) + missing + mistyped,
        missing=missing,
        mistyped=mistyped,
        mean=draw(finite),
        deviation=abs(draw(finite)),
        minimum=low,
        maximum=high,
        quantiles=draw(st.sampled_from([(), (0.0,) * 7, (0.1, 0.5, 2.5, 5.0, 7.5, 9.5, 9.9)])),
        distinct=draw(counts),
        edges=tuple(edges),
        counts=tuple(cells),
        unit=2.0 ** draw(st.integers(-1022, 1023)),
        center=draw(finite),
        dispersion=draw(st.dictionaries(st.sampled_from(["value", "missing"]), dispersions)),
        hour_profile=draw(st.sampled_from([(), (0.25,) * 24])),
    )


@st.composite
def category_baselines(draw: st.DrawFn, name: str = "k", side: Side = Side.INPUT) -> FeatureBaseline:
    """A category feature with any values, the last of them perhaps without cells of their own."""
    values = tuple(draw(st.lists(names, unique=True, max_size=6)))
    cells = draw(st.lists(counts, max_size=len(values)))
    other, missing = draw(counts), draw(counts)
    return FeatureBaseline(
        feature=Feature(name=name, side=side, kind=draw(st.sampled_from([Kind.CATEGORY, Kind.BOOLEAN])), values=values),
        rows=sum(cells) + other + missing,
        missing=missing,
        distinct=len(values),
        counts=tuple(cells),
        other=other,
    )


timelines = st.builds(
    Timeline,
    column=names,
    start_at=st.just(START),
    end_at=st.just(NOW),
    step_seconds=st.integers(1, 86_400),
    steps=st.integers(1, 10_000),
    time_zone=st.just("UTC"),
    volume_start_at=st.just(START),
    volume=st.lists(counts, max_size=30).map(tuple),
)


@st.composite
def baselines(draw: st.DrawFn) -> Baseline:
    """A baseline of numbers and categories of both sides, with or without a timeline."""
    features: list[FeatureBaseline] = []
    for i, side in enumerate(sorted(draw(st.lists(st.sampled_from(Side), min_size=1, max_size=5)))):
        kind = draw(st.sampled_from([number_baselines, category_baselines]))
        features.append(draw(kind(f"{draw(names)}{i}", side)))
    return Baseline(
        rows=draw(counts),
        timeline=draw(st.none() | timelines),
        learned=draw(st.booleans()),
        features=tuple(features),
    )


# JSON as hostile senders write it: odd nesting, huge numbers, constants, escapes, keys twice, no end.
json_scalars = st.one_of(
    st.sampled_from(
        ["null", "true", "false", "NaN", "Infinity", "-Infinity", "1e999", "-0", "9" * 4301, "9" * 400, '""']
    ),
    st.sampled_from(
        [r'"\ud800"', r'"\ud83d\ude00"', r'"\\ud800"', '"\ud800"', '"\u2028"', '"\ufeff"', '"\x00"', "\x00", "\ufeff"]
    ),
    st.floats().map(repr),
    st.integers().map(str),
    st.text(max_size=4).map(json.dumps),
)
json_keys = st.sampled_from(["x", "y", "instances", "features", "predictions", "data", "a.b", "", "k" * 300])


def _containers(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pair = st.tuples(json_keys, inner).map(lambda pair: f"{json.dumps(pair[0])}:{pair[1]}")
    deep = st.tuples(inner, st.integers(1, 80)).map(lambda pair: "[" * pair[1] + pair[0] + "]" * pair[1])
    return st.one_of(
        st.lists(inner, max_size=4).map(lambda several: f"[{','.join(several)}]"),
        st.lists(pair, max_size=4).map(lambda several: "{" + ",".join(several) + "}"),
        st.lists(inner, max_size=3).map("\n".join),
        st.lists(inner, max_size=3).map("\r".join),
        deep,
    )


json_texts = st.recursive(json_scalars, _containers, max_leaves=12)
