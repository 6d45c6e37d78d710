"""One budget for all keys of an endpoint."""

import numpy as np

from streamer.core.detectors.watch import Watch
from streamer.core.detectors.watches import accuse, budget_used
from streamer.core.layout import Layout
from streamer.core.types import Finding, Key
from tests.strategies import START, baseline, number

LAYOUT = Layout(baseline(number("x", rows=10_000), number("y", rows=10_000)))
PANE = 10_000


def watch() -> Watch:
    return Watch(LAYOUT, 2_592_000, PANE // 1000)


def panes_until_accused(watches: list[Watch], drifting: list[bool]) -> tuple[int, list[Finding]]:
    """Rows go by chance to all cells of a feature, and where it drifts to its upper half alone."""
    rng = np.random.default_rng(5)
    keys = [Key("e", "v", str(i)) for i in range(len(watches))]
    for n in range(400):
        at = START + n * PANE
        for one, is_drifting in zip(watches, drifting, strict=True):
            counts = np.zeros(LAYOUT.size, np.int64)
            for i, cells in enumerate(LAYOUT.features):
                usual = LAYOUT.baseline_counts(cells).astype(float)
                chances = usual / usual.sum()
                if is_drifting and i == 1:
                    chances = chances * np.linspace(0.7, 1.3, len(chances))
                counts[cells.start : cells.stop] = rng.multinomial(20, chances / chances.sum())
            one.take(at, counts)
        found = accuse(list(zip(keys, watches, strict=True)), at, at + PANE)
        if found:
            return n, found
    return 400, []


def test_a_drift_of_one_key_of_many_is_found_a_little_later_and_laid_on_that_key() -> None:
    alone, _ = panes_until_accused([watch()], [True])
    among, found = panes_until_accused([watch() for _ in range(20)], [False, False, True] + 17 * [False])
    assert 0 < alone < among < 2.5 * alone
    assert [(f.key.version, f.feature) for f in found] == [("2", "y")]


def test_a_drift_that_all_keys_suffer_is_found_as_soon_as_one_alone_finds_it() -> None:
    alone, _ = panes_until_accused([watch()], [True])
    together, found = panes_until_accused([watch() for _ in range(3)], [True, True, True])
    assert together <= alone * 1.3
    assert {f.feature for f in found} == {"y"}


def test_the_budget_is_used_up_when_the_alarm_is_raised() -> None:
    watches = [watch() for _ in range(3)]
    assert (budget_used([]), budget_used(watches)) == (None, 0.0)
    panes_until_accused(watches, [False, False, False])
    before = budget_used(watches)
    _, found = panes_until_accused(watches, [True, True, True])
    after = budget_used(watches)
    assert found
    assert before is not None
    assert after is not None
    assert before < 1.0 <= after


def test_keys_without_evidence_accuse_nobody() -> None:
    assert accuse([], START, START + PANE) == []
    assert panes_until_accused([watch(), watch()], [False, False]) == (400, [])
