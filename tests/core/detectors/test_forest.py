"""Half-space trees on columns, held against river's own."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from river.anomaly import HalfSpaceTrees

from streamer.core.detectors.forest import Forest, grown, masses_of, scores_of


def of_river(model: HalfSpaceTrees, height: int) -> Forest:
    """River's trees, laid out as heaps."""
    trees = len(model.trees)
    forest = Forest(np.zeros((trees, 2**height - 1), np.int64), np.zeros((trees, 2**height - 1)), height)
    for tree, root in enumerate(model.trees):
        waiting = [(0, root)]
        while waiting:
            place, node = waiting.pop()
            if place >= 2**height - 1:
                continue
            forest.feature[tree, place], forest.threshold[tree, place] = node.feature, node.threshold
            waiting += [(2 * place + 1, node.children[0]), (2 * place + 2, node.children[1])]
    return forest


def rows_of(values: NDArray[np.float64]) -> list[dict[int, float]]:
    return [dict(enumerate(row)) for row in values.T.tolist()]


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 6), st.integers(1, 6), st.integers(10, 60))
@settings(max_examples=40, deadline=None)
def test_scores_are_river_s_to_the_last_bit(seed: int, trees: int, height: int, features: int, window: int) -> None:
    chance = np.random.default_rng(seed)
    # Many equal values: some rows are alone, others are not.
    values = np.round(chance.random((features, window + 40)), 1)
    river = HalfSpaceTrees(n_trees=trees, height=height, window_size=window, seed=seed)
    for row in rows_of(values[:, :window]):
        river.learn_one(row)  # type: ignore[no-untyped-call]
    forest = of_river(river, height)
    masses = masses_of(forest, values[:, :window])
    expected = [river.score_one(row) for row in rows_of(values)]  # type: ignore[no-untyped-call]
    assert scores_of(forest, masses, values, window).tolist() == expected


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 7), st.integers(1, 8))
@settings(max_examples=40, deadline=None)
def test_every_row_reaches_one_leaf_of_every_tree(seed: int, trees: int, height: int, features: int) -> None:
    forest = grown(trees, height, features, seed)
    masses = masses_of(forest, np.random.default_rng(seed).random((features, 50)))
    for level in range(height + 1):
        assert np.all(masses[:, 2**level - 1 : 2 ** (level + 1) - 1].sum(axis=1) == 50)


def test_every_split_is_inside_the_range_that_is_left_and_none_is_at_its_ends() -> None:
    forest = grown(20, 6, 1, 3)
    for thresholds in forest.threshold:
        ranges = [(0.0, 1.0)]
        for place, at in enumerate(thresholds.tolist()):
            low, high = ranges[place]
            assert low + 0.15 * (high - low) <= at <= high - 0.15 * (high - low)
            ranges += [(low, at), (at, high)]


def test_features_are_split_alike() -> None:
    forest = grown(100, 5, 4, 5)
    share = np.bincount(forest.feature.ravel(), minlength=4) / forest.feature.size
    assert share == pytest.approx(0.25, abs=0.05)
