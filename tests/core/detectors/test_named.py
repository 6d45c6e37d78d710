"""River's detectors, wrapped: what the laws do not say."""

import subprocess
import sys

import pytest

from streamer.core.detectors.kinds import KINDS, STREAMED, mistakes
from streamer.core.detectors.named import Named
from streamer.core.errors import StateError


@pytest.mark.parametrize("kind", STREAMED)
def test_a_state_of_another_kind_is_refused(kind: str) -> None:
    other = Named(next(k for k in STREAMED if k != kind), {}).to_state()
    with pytest.raises(StateError, match="another kind"):
        Named(kind, {}).restore(other)


@pytest.mark.parametrize("data", [b"", b"junk", b"cos\nsystem\n(S'true'\ntR."])
def test_bytes_that_are_no_state_are_refused(data: bytes) -> None:
    with pytest.raises(StateError, match="can't be read"):
        Named("kswin", {}).restore(data)


@pytest.mark.parametrize("kind", STREAMED)
def test_every_default_is_river_s_own_and_in_range(kind: str) -> None:
    assert mistakes(kind, {name: p.default for name, p in KINDS[kind].parameters.items()}) == {}


@pytest.mark.parametrize(
    ("kind", "parameters", "expected"),
    [
        pytest.param("adwin", {"delta": 0.0}, {"delta": "expected more than 0 and less than 1"}, id="a bound left out"),
        pytest.param("adwin", {"clock": 0}, {"clock": "expected 1 to 1e+06"}, id="too small"),
        pytest.param("page_hinkley", {"mode": "left"}, {"mode": 'expected "up" or "down" or "both"'}, id="no choice"),
        pytest.param(
            "hddm_a", {"mode": "up"}, {"mode": "no parameter of hddm_a, which has drift_confidence, two_sided_test"},
            id="another kind's",
        ),
        pytest.param(
            "kswin", {"stat_size": 60}, {"stat_size": "stat_size (60) may be half of window_size (100) at most"},
            id="more rows drawn than there are to draw from",
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_told_by_what_was_expected(
    kind: str, parameters: dict[str, bool | int | float | str], expected: dict[str, str]
) -> None:
    assert mistakes(kind, parameters) == expected


def test_who_asks_for_no_detector_does_not_wait_for_river() -> None:
    code = "import sys, streamer.core.engine, streamer.config.load; sys.exit('river' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
