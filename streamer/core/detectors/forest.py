"""Forest: half-space trees on columns, scored for many rows at once.

The same trees, masses and scores as river's ``HalfSpaceTrees`` has (a test compares them to the
last bit), at a twentieth of its price: river walks each tree row by row in Python. Trees are laid
out as heaps: the children of node ``i`` are ``2 i + 1`` and ``2 i + 2``.

References
----------
S. C. Tan, K. M. Ting, T. F. Liu (2011), "Fast anomaly detection for streaming data", IJCAI 22.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

# As in river: a split keeps away from the ends of its range, and a node with less than this share of
# the rows is not looked into.
_PADDING: Final = 0.15
_LIGHT: Final = 0.1


class Forest(NamedTuple):
    """Trees of one height over features of 0 to 1.

    Attributes
    ----------
    feature : ndarray, shape (trees, inner nodes), int64
        What each inner node splits.
    threshold : ndarray, shape (trees, inner nodes), float64
        Values below it go to the first child.
    height : int
        Splits on the way to a leaf.
    """

    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    height: int

    @property
    def nodes(self) -> int:
        """Of one tree, leaves included."""
        return int(2 ** (self.height + 1) - 1)


def grown(trees: int, height: int, features: int, seed: int) -> Forest:
    """Trees with random splits, the same for a seed: ~10 ms for 25 trees of height 8 and 40 features."""
    chance = np.random.Generator(np.random.PCG64(seed))
    feature = np.zeros((trees, 2**height - 1), np.int64)
    threshold = np.zeros((trees, 2**height - 1))
    for tree in range(trees):
        low, high = np.zeros((1, features)), np.ones((1, features))
        for level in range(height):
            here = slice(2**level - 1, 2 ** (level + 1) - 1)
            low, high = _split(chance, low, high, feature[tree, here], threshold[tree, here])
    return Forest(feature, threshold, height)


def _split(
    chance: np.random.Generator,
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    feature: NDArray[np.int64],
    threshold: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Split every node of a level, a feature by the width of its range; the ranges of the next level."""
    nodes, features = low.shape
    each = np.arange(nodes)
    width = np.cumsum(high - low, axis=1)
    drawn = chance.random(nodes) * width[:, -1]
    feature[:] = np.minimum((width <= drawn[:, None]).sum(axis=1), features - 1)
    a, b = low[each, feature], high[each, feature]
    threshold[:] = a + (b - a) * (_PADDING + (1 - 2 * _PADDING) * chance.random(nodes))
    low, high = np.repeat(low, 2, axis=0), np.repeat(high, 2, axis=0)
    high[2 * each, feature] = threshold
    low[2 * each + 1, feature] = threshold
    return low, high


def masses_of(forest: Forest, values: NDArray[np.float64]) -> NDArray[np.int64]:
    """Rows that pass through each node.

    Parameters
    ----------
    forest : Forest
        The trees.
    values : ndarray, shape (features, rows), float64, 0 to 1
        Rows to learn.

    Returns
    -------
    ndarray, shape (trees, nodes), int64
    """
    trees = len(forest.feature)
    masses = np.zeros((trees, forest.nodes), np.int64)
    each = np.arange(trees)[:, None]
    node = np.zeros((trees, values.shape[1]), np.int64)
    for level in range(forest.height + 1):
        np.add.at(masses, (each, node), 1)
        if level < forest.height:
            node = _below(forest, node, values)
    return masses


def scores_of(
    forest: Forest, masses: NDArray[np.int64], values: NDArray[np.float64], window: int
) -> NDArray[np.float64]:
    """Anomaly score of each row, 0 to 1: ~5 us a row for 25 trees of height 8.

    Parameters
    ----------
    forest : Forest
        The trees.
    masses : ndarray, shape (trees, nodes), int64
        Of ``window`` rows.
    values : ndarray, shape (features, rows), float64, 0 to 1
        Rows to score.
    window : int
        Rows that were learned.

    Returns
    -------
    ndarray, shape (rows,), float64
        The larger, the more alone a row is.
    """
    trees, rows = len(forest.feature), values.shape[1]
    each = np.arange(trees)[:, None]
    node = np.zeros((trees, rows), np.int64)
    total = np.zeros((trees, rows), np.int64)
    walking = np.ones((trees, rows), np.bool_)
    for level in range(forest.height + 1):
        mass = masses[each, node]
        total += (mass * walking) << level
        if level < forest.height:
            walking &= mass >= _LIGHT * window
            node = _below(forest, node, values)
    most = trees * window * forest.nodes
    scores: NDArray[np.float64] = 1 - total.sum(axis=0) / most
    return scores


def _below(forest: Forest, node: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.int64]:
    each = np.arange(len(node))[:, None]
    value = values[forest.feature[each, node], np.arange(values.shape[1])]
    below: NDArray[np.int64] = 2 * node + 2 - (value < forest.threshold[each, node])
    return below
