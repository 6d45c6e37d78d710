"""Alternatives: scores, tolerances, weights."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.baseline.model import Baseline, FeatureBaseline
from streamer.core.detectors.alternatives import alternatives_of
from streamer.core.detectors.scores import directions_of, shares_of
from streamer.core.layout import Layout
from streamer.core.schema import Feature, Kind, Side
from tests.strategies import baseline, category, number

THRESHOLD = 7_200.0


def of_counts(counts: list[int], missing: int = 0) -> FeatureBaseline:
    """A number feature with these rows in cells between whole numbers."""
    rows = sum(counts)
    return FeatureBaseline(
        feature=Feature(name="x", side=Side.INPUT, kind=Kind.NUMERIC),
        rows=rows + missing,
        missing=missing,
        mean=1.0,
        deviation=1.0,
        minimum=0.0,
        maximum=float(len(counts)),
        edges=tuple(float(i) for i in range(1, len(counts))),
        counts=tuple(counts),
    )


def layout(*features: FeatureBaseline) -> Layout:
    return Layout(baseline(*features))


def constant(name: str) -> FeatureBaseline:
    return FeatureBaseline(
        feature=Feature(name=name, side=Side.INPUT, kind=Kind.NUMERIC),
        rows=1_000,
        mean=3.0,
        deviation=0.0,
        minimum=3.0,
        maximum=3.0,
        counts=(1_000,),
    )


shapes = st.builds(of_counts, st.lists(st.integers(0, 3_000), min_size=1, max_size=12), st.integers(0, 500)).filter(
    lambda f: f.rows > 0
)


@given(shapes)
def test_scores_have_mean_0_and_variance_1_over_the_baseline(f: FeatureBaseline) -> None:
    found = layout(f)
    shares = shares_of(found, found.features[0])
    for direction in directions_of(found, found.features[0]):
        assert abs(shares @ direction.score) < 1e-6
        assert shares @ np.square(direction.score) == pytest.approx(1.0, rel=1e-3)


@given(shapes)
def test_no_alternative_grows_under_the_baseline_itself(f: FeatureBaseline) -> None:
    found = layout(f)
    several = alternatives_of(found, THRESHOLD, 10)
    shares = shares_of(found, found.features[0])
    if not len(several.gain):
        return
    scores = np.array([several.scores_of(d) for d in several.direction.tolist()])
    worth = several.gain[:, None] * scores - several.loss[:, None]
    own = np.array([several.names[d] not in ("new", "gone") for d in several.direction], np.bool_)
    assert np.all(np.exp(worth[own]) @ shares <= 1 + 1e-9)


@given(st.lists(shapes, min_size=1, max_size=4))
def test_weights_sum_to_1_and_everything_is_finite(features: list[FeatureBaseline]) -> None:
    named = [
        msgspec.structs.replace(f, feature=Feature(name=f"x{i}", side=Side.INPUT, kind=Kind.NUMERIC))
        for i, f in enumerate(features)
    ]
    found = alternatives_of(layout(*named), THRESHOLD, 10)
    weights = np.bincount(found.feature, np.exp(found.log_weight), len(features))
    # A feature of so few rows that nothing can be told has no alternatives, and no weight.
    assert np.all((np.abs(weights - 1 / len(features)) < 1e-9) | (weights == 0))
    assert np.all(np.isfinite(found.gain))
    assert np.all(np.isfinite(found.loss))


def test_what_a_small_baseline_cant_tell_is_left_out() -> None:
    few, many = of_counts([5] * 10), of_counts([50_000] * 10)
    small, large = (alternatives_of(layout(f), THRESHOLD, 10) for f in (few, many))
    sizes = [np.abs(a.size[np.array([a.names[d] == "value" for d in a.direction])]) for a in (small, large)]
    assert sizes[0].min() >= 0.5
    assert sizes[1].min() == 0.1
    assert small.resolution[0] > 0.3 > 0.01 > large.resolution[0]


def test_a_constant_feature_is_watched_for_other_values_and_silences_nobody() -> None:
    found = alternatives_of(layout(constant("c"), number("x")), THRESHOLD, 10)
    assert {found.names[d] for d, f in zip(found.direction, found.feature, strict=True) if f == 0} == {"new", "gone"}
    assert found.resolution[0] == np.inf
    assert np.all(np.isfinite(found.log_weight))


def test_every_category_may_grow_and_shrink() -> None:
    found = alternatives_of(layout(category("k", rows=30_000)), THRESHOLD, 10)
    grown = {(d, np.sign(s)) for d, s in zip(found.direction, found.size, strict=True) if found.names[d] == "category"}
    assert len(grown) == 6


def test_a_baseline_without_features_that_vary_has_no_alternatives() -> None:
    tiny = Baseline(rows=1, features=(of_counts([1]),))
    assert len(alternatives_of(Layout(tiny), THRESHOLD, 10).gain) == 0
