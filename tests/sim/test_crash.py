"""Killed anywhere, the service leaves the same documents, alerts and requests as one never killed."""

from functools import cache

import pytest

from streamer.core.settings import (
    AlertSpans,
    DetectorSettings,
    EndpointSettings,
    EngineSettings,
    RetrainingSettings,
    Rules,
    Spans,
)
from streamer.core.types import ShardId
from streamer.testing.live import Begin, Empty, End, Step, Take
from tests.sim.world import World
from tests.strategies import START, baseline, batch, capture

DETECTORS = (
    DetectorSettings(
        name="ph",
        kind="page_hinkley",
        feature="x",
        watches="values",
        parameters={"min_instances": 5, "threshold": 2.0},
    ),
    DetectorSettings(
        name="kswin", kind="kswin", feature="y", watches="mean", parameters={"window_size": 12, "stat_size": 4}
    ),
    DetectorSettings(
        name="trees",
        kind="half_space_trees",
        watches="rows",
        parameters={"window_size": 10, "calibration_rows": 20, "n_trees": 4, "height": 3, "quantile": 0.8},
    ),
)
KNOWN = EndpointSettings(
    name="known",
    detectors=DETECTORS,
    spans=Spans(pane=10, window=60, lateness=30),
    rules=Rules(minimum_rows=5, psi=0.5),
    false_alarm_seconds=2_592_000,
    alerts=AlertSpans(hold=60, keep_firing=120, repeat=180),
    retraining=RetrainingSettings(after=120, cool_down=600),
)
LEARNED = EndpointSettings(
    name="learned",
    spans=KNOWN.spans,
    rules=KNOWN.rules,
    burn_in_rows=20,
    false_alarm_seconds=2_592_000,
    detectors=DETECTORS[2:],
)
SETTINGS = EngineSettings(endpoints=(KNOWN, LEARNED), out_of_orderness_seconds=5)
A, B, C = ShardId("a"), ShardId("b"), ShardId("c")


def records(first: int, last: int, step: int, tag: str, data: str) -> list[bytes]:
    found = []
    for s in range(first, last, step):
        at = START + s * 1000
        found.append(capture(data, at=at, event_id=f"{tag}-{s}", endpoint="known"))
        if s % 9 == 0:
            found.append(capture(f"{s % 7},x", at=at, event_id=f"{tag}-{s}", endpoint="learned"))
    return [*found, b"junk from " + tag.encode()]


@cache
def script() -> tuple[Step, ...]:
    """Two shards, one of which splits its successor off; a drift, a gap, a late record, repetitions, junk."""
    steps: list[Step] = [Begin(A), Begin(B)]
    taken = {A: 0, B: 0, C: 0}

    def take(shard: ShardId, payloads: list[bytes]) -> None:
        steps.append(Take(batch(*payloads, shard=shard, first=taken[shard])))
        taken[shard] += len(payloads)

    for minute in range(0, 14):
        data = "9.5,9.5,c" if 3 <= minute < 9 else f"{minute % 10}.5,{(minute * 3) % 10}.5,a"
        first = minute * 60
        live = C if minute >= 6 else A
        if minute == 6:
            steps += [End(A), Begin(C, (A,))]
        take(live, records(first, first + 60, 4, "a", data))
        if minute != 4:
            take(B, records(first + 2, first + 60, 4, "b", data))
        else:
            steps.append(Empty(B))
        if minute == 8:
            take(B, [*records(first - 40, first - 20, 4, "late", data), *records(first, first + 8, 4, "a", data)])
    return tuple(steps)


@cache
def undisturbed() -> tuple[dict[str, dict[str, bytes]], int]:
    world = World(script(), SETTINGS, {("known", ""): baseline()})
    assert world.live()
    return world.outcome(), world.steps


@cache
def turns_of_a_life() -> int:
    most = 1
    while not World(script(), SETTINGS, {("known", ""): baseline()}).live(turns=most):
        most *= 2
    return most


def test_the_undisturbed_run_has_something_to_lose() -> None:
    outcome, _ = undisturbed()
    assert {kind: len(found) > 0 for kind, found in outcome.items()} == dict.fromkeys(outcome, True)
    assert len(outcome["notifications"]) >= 3


def lived_again(world: World) -> dict[str, dict[str, bytes]]:
    assert world.live()
    assert world.positions == sorted(world.positions)
    return world.outcome()


@pytest.mark.parametrize("part", range(8))
def test_killed_at_any_turn_of_the_loop_nothing_is_lost_or_changed(part: int) -> None:
    expected, _ = undisturbed()
    for turns in range(part, turns_of_a_life(), 8):
        world = World(script(), SETTINGS, {("known", ""): baseline()})
        if world.live(turns=turns):
            break
        assert lived_again(world) == expected, f"killed after {turns} turns"


@pytest.mark.parametrize("part", range(4))
def test_killed_at_any_step_of_a_save_nothing_is_lost_or_changed(part: int) -> None:
    expected, steps = undisturbed()
    for step in range(part, steps, 4):
        world = World(script(), SETTINGS, {("known", ""): baseline()})
        assert not world.live(die_at_step=step)
        assert lived_again(world) == expected, f"killed at step {step}"


def test_killed_again_and_again_it_still_comes_to_the_same_end() -> None:
    expected, _ = undisturbed()
    world = World(script(), SETTINGS, {("known", ""): baseline()})
    for life in range(500):
        # Longer each time: a delivery that never comes to its end is begun anew by every life.
        if world.live(turns=40 + life * 9):
            break
    assert world.outcome() == expected
    assert world.positions == sorted(world.positions)
