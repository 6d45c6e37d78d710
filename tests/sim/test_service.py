"""The service as a process: killed, told to stop, and started twice."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from random import Random
from time import monotonic

import pytest

from streamer.core.outbox import PREFIX
from tests.sim.kill import Run, killed, undisturbed
from tests.sim.place import Place, placed
from tests.sim.processes import Cloud, Emulator, Service, clouded, emulated, running
from tests.sim.traffic import Traffic

SECONDS = 60.0


@cache
def traffic() -> Traffic:
    return Traffic(5_000)


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    with emulated() as made:
        yield made


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with clouded() as made:
        yield made


@contextmanager
def filled(emulator: Emulator, cloud: Cloud, *, drain: str = "25 s") -> Iterator[Place]:
    """A place whose stream holds all traffic already."""
    with placed(emulator, cloud, drain=drain) as place:
        for number in range(len(traffic().chunks)):
            traffic().put(emulator.client, place.stream, number)
        yield place


@contextmanager
def holding(cloud: Cloud) -> Iterator[None]:
    """SNS takes requests and answers none."""
    cloud.held.add("sns")
    yield
    cloud.answers.set()


def has_read(service: Service, count: int) -> bool:
    """Wait until it has read so many records."""
    began = monotonic()
    while service.received() < count:
        if service.ends_within(0.05) or monotonic() - began > SECONDS:
            return False
    return True


def unpublished(place: Place) -> list[str]:
    """What the last snapshot holds for sinks."""
    loaded = place.snapshot()
    assert loaded is not None
    return [name for name in loaded.chunks if name.startswith(PREFIX)]


def test_killed_three_times_it_comes_to_the_same_end(emulator: Emulator, cloud: Cloud) -> None:
    expected, troubles = undisturbed(emulator, cloud, traffic())
    assert troubles == []
    assert {name: len(getattr(expected, name)) > 0 for name in expected._fields} == dict.fromkeys(
        expected._fields, True
    )
    kills, _, differences = killed(emulator, cloud, traffic(), expected, Random(1), least=3, most=3)
    assert (kills, differences) == (3, [])


def test_a_signal_in_the_middle_of_reading_drains_within_the_deadline(emulator: Emulator, cloud: Cloud) -> None:
    with filled(emulator, cloud) as place, running(place.config) as service:
        assert has_read(service, 1)
        began = monotonic()
        service.terminate()
        assert service.exit_code() == 0
        assert monotonic() - began < 25
        assert service.said("drained")
        assert unpublished(place) == []


def test_a_second_signal_ends_a_drain_that_waits_for_a_sink(emulator: Emulator, cloud: Cloud) -> None:
    with filled(emulator, cloud) as place, holding(cloud), running(place.config) as service:
        assert cloud.is_asked.wait(SECONDS)
        service.terminate()
        service.wait_for("draining")
        service.terminate()
        assert service.exit_code() == -signal.SIGTERM
        assert unpublished(place) != []


def test_a_drain_past_its_deadline_is_exit_1_and_says_what_becomes_of_the_rest(
    emulator: Emulator, cloud: Cloud
) -> None:
    with filled(emulator, cloud, drain="1 s") as place, holding(cloud), running(place.config) as service:
        assert cloud.is_asked.wait(SECONDS)
        service.terminate()
        assert service.exit_code() == 1
        text = "streamer: the drain took longer than its deadline; the next start publishes what is left\n"
        assert service.lines[-1] == text
        assert unpublished(place) != []


def test_a_second_process_on_one_state_is_refused_and_the_first_goes_on(emulator: Emulator, cloud: Cloud) -> None:
    with placed(emulator, cloud) as place, running(place.config) as first:
        first.wait_for("started")
        with running(place.config) as second:
            assert second.exit_code() == 1
        state = place.folder / "state"
        assert second.lines[-1] == f"streamer: state directory {state} is in use by process {first.pid}\n"
        assert first.is_alive
        first.terminate()
        assert first.exit_code() == 0


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL], ids=lambda end: end.name)
def test_what_sns_did_not_take_before_the_end_it_gets_after_the_next_start(
    emulator: Emulator, cloud: Cloud, end: signal.Signals
) -> None:
    with filled(emulator, cloud) as place:
        cloud.down.add("sns")
        with running(place.config) as service:
            service.wait_for("sink takes nothing", sink="sns")
            assert has_read(service, traffic().count)
            if end is signal.SIGTERM:
                service.terminate()
                assert service.exit_code() == 0
        assert place.received(place.messages) == []
        cloud.down.clear()
        place.snapshot()
        Run(place, traffic(), put=True).to_its_end()
        outcome = place.outcome()
        assert place.troubles == []
        sent = {json.loads(message.rsplit("\n", 1)[-1])["id"] for message in outcome.messages}
        assert sent == outcome.notifications.keys()
        assert sent


@pytest.mark.parametrize("kind", ["Missing", "Throttle", "Stall"])
def test_a_signal_while_the_stream_can_not_be_read_is_exit_0(emulator: Emulator, cloud: Cloud, kind: str) -> None:
    with placed(emulator, cloud) as place:
        emulator.administer("POST", "faults", {"kind": kind, "stream": place.stream})
        with running(place.config) as service:
            service.wait_for("started")
            assert struck(emulator, service)
            service.terminate()
            code = service.exit_code()
            emulator.administer("DELETE", "faults")
        assert code == 0


def test_reads_that_are_tried_again_are_on_its_metrics(emulator: Emulator, cloud: Cloud) -> None:
    with placed(emulator, cloud) as place:
        emulator.administer("POST", "faults", {"kind": "Missing", "stream": place.stream})
        with running(place.config) as service:
            service.wait_for("started")
            assert struck(emulator, service)
            began = monotonic()
            while not service.counted('streamer_source_retries_total{why="absent"}'):
                assert not service.ends_within(0.05)
                assert monotonic() - began < SECONDS
            emulator.administer("DELETE", "faults")


def struck(emulator: Emulator, service: Service) -> bool:
    """Wait until the fault has met a call."""
    began = monotonic()
    while not any(armed["struck"] for armed in emulator.administer("GET", "faults")):
        if service.ends_within(0.05) or monotonic() - began > SECONDS:
            return False
    return True
