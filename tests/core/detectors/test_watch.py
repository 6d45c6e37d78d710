"""What a watch says when a window ends."""

import msgspec
import numpy as np

from streamer.core.detectors.watch import Watch
from streamer.core.layout import Layout
from streamer.core.types import Cause, Key
from tests.strategies import START, baseline, number


def test_missing_values_are_told_beside_the_baselines_share_of_them() -> None:
    few = msgspec.structs.replace(number("x", rows=10_000), rows=10_020, missing=20)
    layout = Layout(baseline(few))
    watch = Watch(layout, 2_592_000, 10)
    counts = np.zeros(layout.size, np.int64)
    counts[layout.features[0].values] = 5
    counts[layout.features[0].stop - 2] = 50
    for pane in range(6):
        watch.take(START + pane * 10_000, counts)
    (found,) = watch.findings(Key("e", "v", ""), START, START + 60_000, 1.0)
    assert (found.cause, found.unit) == (Cause.MISSING, "points")
    assert found.expected == 20 / 10_020
    assert "50.00% of rows without a usable value, baseline 0.20%" in found.words
