import random

from hypothesis import given
from hypothesis import strategies as st

from streamer.core.baseline.learn import learn
from streamer.core.baseline.model import check, encode
from streamer.core.rawrows import RawRow, packed
from streamer.core.schema import Side
from tests.strategies import START

ROWS = [
    RawRow(
        identity=i * 7919 % 101,
        row=i,
        event_at=START + i % 5 * 1000,
        inputs=packed([("x", i / 3), ("k", "ab"[i % 2])]),
        outputs=packed([("score", i % 4)]) if i % 9 else b"",
    )
    for i in range(60)
]


@given(st.integers(0, 2**32))
def test_how_rows_arrived_does_not_matter(seed: int) -> None:
    mixed = random.Random(seed).sample(ROWS, len(ROWS))
    assert encode(learn(mixed, "UTC")) == encode(learn(ROWS, "UTC"))


def test_both_sides_are_learned_and_the_baseline_says_so() -> None:
    baseline = learn(ROWS, "UTC")
    check(baseline)
    assert baseline.learned
    assert [(f.feature.name, f.feature.side) for f in baseline.features] == [
        ("x", Side.INPUT),
        ("k", Side.INPUT),
        ("score", Side.OUTPUT),
    ]
    assert baseline.features[2].missing == 7


def test_one_side_alone_is_learned() -> None:
    rows = [RawRow(identity=1, row=0, event_at=START, outputs=packed([("score", 1)]))]
    assert [f.feature.side for f in learn(rows, "UTC").features] == [Side.OUTPUT]
