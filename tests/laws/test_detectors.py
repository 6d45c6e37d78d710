"""The laws every detector must obey, whoever made it."""

import contextlib
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.core.detectors.kinds import KINDS, STREAMED
from streamer.core.detectors.named import Named
from tests.laws.subjects import SUBJECTS, TOLERANCES, Subject, stream

every_detector = pytest.mark.parametrize("name", sorted(SUBJECTS))
# So many numbers before the shift: a detector knows by then what is usual.
BEFORE = 400


def fired(subject: Subject, values: list[float]) -> list[int]:
    return [i for i, value in enumerate(values) if subject.offer(value)]


def alarms(subject: Subject, values: list[float]) -> int:
    """Alarms that begin: one that stands is one."""
    standing = [subject.offer(value) for value in values]
    return sum(now and not before for before, now in zip([False, *standing], standing, strict=False))


def shifted(name: str, seed: int, numbers: int) -> list[float]:
    tolerance = TOLERANCES[name]
    return list(map(float, stream(seed, numbers, tolerance.deviation, tolerance.shift)))


def usual(name: str, seed: int, numbers: int) -> list[float]:
    return list(map(float, stream(seed, numbers, TOLERANCES[name].deviation)))


def test_every_detector_is_under_the_laws_and_has_its_tolerance() -> None:
    assert set(KINDS) < set(SUBJECTS)
    assert set(TOLERANCES) == set(SUBJECTS)


@every_detector
@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_does_not_disable_it(name: str, odd: float) -> None:
    subject = SUBJECTS[name]()
    for i, value in enumerate(usual(name, 1, BEFORE)):
        subject.offer(value)
        if i == BEFORE // 2:
            with contextlib.suppress(ValueError):
                subject.offer(odd)
    assert fired(subject, shifted(name, 2, TOLERANCES[name].delay + 1))


@pytest.mark.parametrize("kind", STREAMED)
@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_refused_and_changes_nothing(kind: str, odd: float) -> None:
    detector = Named(kind, {})
    detector.update(1.0)
    before = detector.to_state()
    with pytest.raises(ValueError, match="finite"):
        detector.update(odd)
    assert detector.to_state() == before


@every_detector
def test_it_says_the_same_of_the_same_numbers(name: str) -> None:
    values = [*usual(name, 3, BEFORE), *shifted(name, 4, 200)]
    one, other = SUBJECTS[name](), SUBJECTS[name]()
    assert fired(one, values) == fired(other, values)
    assert one.state() == other.state()


@every_detector
@given(st.lists(st.floats(-4, 4), max_size=120))
@settings(max_examples=20, deadline=None)
def test_it_is_silent_while_it_warms_up(name: str, values: list[float]) -> None:
    subject = SUBJECTS[name]()
    assert fired(subject, values[: subject.warm_up]) == []


@every_detector
@given(st.integers(0, 2**32 - 1), st.integers(0, 150), st.integers(0, 150), st.sampled_from([0.0, 0.5, 3.0]))
@settings(max_examples=12, deadline=None)
def test_restored_anywhere_it_goes_on_as_if_never_stopped(
    name: str, seed: int, stop: int, more: int, step: float
) -> None:
    values = usual(name, seed, stop + more)
    values = [value + (step if i > 120 else 0.0) for i, value in enumerate(values)]
    straight, broken = SUBJECTS[name](), SUBJECTS[name]()
    assert fired(straight, values[:stop]) == fired(broken, values[:stop])
    state, broken = broken.state(), SUBJECTS[name]()
    broken.offer(1.0)
    broken.restore(state)
    assert broken.state() == state
    assert fired(straight, values[stop:]) == fired(broken, values[stop:])
    assert straight.state() == broken.state()


@every_detector
def test_its_memory_has_a_bound(name: str) -> None:
    tolerance, subject = TOLERANCES[name], SUBJECTS[name]()
    for value in usual(name, 5, min(tolerance.numbers, 5_000)):
        subject.offer(value)
        assert len(subject.state()) <= tolerance.bytes


@every_detector
def test_it_raises_no_more_alarms_than_tolerated_where_nothing_changes(name: str) -> None:
    tolerance = TOLERANCES[name]
    assert alarms(SUBJECTS[name](), usual(name, 6, tolerance.numbers)) <= tolerance.alarms


@every_detector
def test_it_finds_a_shift_within_the_delay_tolerated(name: str) -> None:
    subject = SUBJECTS[name]()
    fired(subject, usual(name, 7, BEFORE))
    found = fired(subject, shifted(name, 8, TOLERANCES[name].delay))
    assert found, f"not within {TOLERANCES[name].delay}"
