"""Stopping, with real signals: to this process, and to one of its own whose end can be seen."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from textwrap import dedent

import pytest

from streamer.drain import on_stop_signal, run_until_drained

SIGNALS = [signal.SIGTERM, signal.SIGINT]


def send(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", SIGNALS)
async def test_the_first_signal_begins_the_drain(number: signal.Signals) -> None:
    begun = asyncio.Event()
    with on_stop_signal(begun.set):
        send(number)
        async with asyncio.timeout(10):
            await begun.wait()


async def test_a_signal_that_comes_while_nothing_awaits_is_kept() -> None:
    begun = asyncio.Event()
    with on_stop_signal(begun.set):
        send(signal.SIGTERM)
        assert sum(range(100_000)) > 0
        assert not begun.is_set()
        async with asyncio.timeout(10):
            await begun.wait()


async def test_no_signal_is_lost_whatever_the_loop_is_about_to_do() -> None:
    for _ in range(200):
        begun = asyncio.Event()
        with on_stop_signal(begun.set):
            # From another thread, it comes at any moment: before the loop waits, and while it does.
            sending = threading.Thread(target=send, args=(signal.SIGTERM,))
            sending.start()
            async with asyncio.timeout(10):
                await begun.wait()
            sending.join()


@pytest.mark.parametrize("number", SIGNALS)
async def test_after_the_first_signal_the_next_one_is_left_to_the_system(number: signal.Signals) -> None:
    with on_stop_signal(lambda: None):
        send(number)
        assert {n: signal.getsignal(n) for n in SIGNALS} == dict.fromkeys(SIGNALS, signal.SIG_DFL)


@pytest.mark.parametrize("sent", [True, False])
async def test_what_handled_the_signals_before_is_put_back(sent: bool) -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with on_stop_signal(lambda: None):
        if sent:
            send(signal.SIGTERM)
    assert [signal.getsignal(number) for number in SIGNALS] == before


async def test_what_handled_the_signals_before_is_put_back_after_a_failure() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with contextlib.suppress(ZeroDivisionError), on_stop_signal(lambda: None):
        raise ZeroDivisionError
    assert [signal.getsignal(number) for number in SIGNALS] == before


async def test_outside_the_main_thread_there_are_no_signals() -> None:
    async def listen() -> None:
        with on_stop_signal(lambda: None):
            pass

    with pytest.raises((RuntimeError, ValueError)):
        await asyncio.to_thread(asyncio.run, listen())


async def test_consumers_finish_what_they_have_in_hand() -> None:
    done: list[str] = []

    async def consume(stop: asyncio.Event) -> None:
        send(signal.SIGTERM)
        await stop.wait()
        done.append("batch in hand")

    await run_until_drained([consume], drain_seconds=10, on_drain=lambda: done.append("told"))
    assert done == ["told", "batch in hand"]


async def test_without_a_signal_it_ends_with_the_last_consumer() -> None:
    async def consume(stop: asyncio.Event) -> None:
        assert not stop.is_set()

    await run_until_drained([consume, consume], drain_seconds=10)


async def test_background_tasks_outlive_the_consumers_and_are_cancelled() -> None:
    done: list[str] = []
    started = asyncio.Event()

    async def background() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            done.append("background")

    async def consume(stop: asyncio.Event) -> None:
        await started.wait()
        send(signal.SIGTERM)
        await stop.wait()
        done.append("consumer")

    await run_until_drained([consume], [background], drain_seconds=10)
    assert done == ["consumer", "background"]


async def test_a_consumer_that_does_not_end_is_cancelled_at_the_deadline() -> None:
    async def consume(stop: asyncio.Event) -> None:
        send(signal.SIGTERM)
        await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await run_until_drained([consume], drain_seconds=0)


async def test_before_a_signal_there_is_no_deadline() -> None:
    async def consume(stop: asyncio.Event) -> None:
        for _ in range(100):
            await asyncio.sleep(0)

    await run_until_drained([consume], drain_seconds=0)


async def test_a_background_task_that_fails_ends_everything() -> None:
    async def background() -> None:
        raise ZeroDivisionError

    async def consume(stop: asyncio.Event) -> None:
        await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as caught:
        await run_until_drained([consume], [background], drain_seconds=10)
    assert caught.value.subgroup(ZeroDivisionError) is not None


PROGRAM = """
    import asyncio, os, sys
    from streamer.drain import run_until_drained

    if {is_first_of_container}:
        os.getpid = lambda: 1

    def say(text):
        print(text, flush=True)

    async def consume(stop):
        say("ready")
        {consume}

    async def background():
        await asyncio.Event().wait()

    try:
        whole = run_until_drained([consume], [background], drain_seconds={seconds}, on_drain=lambda: say("draining"))
        asyncio.run(whole)
    except TimeoutError:
        sys.exit(1)
"""
WELL = "await stop.wait()"
STUCK = "await asyncio.Event().wait()"
# Never lets the loop turn.
STANDING_STILL = "exec('while True: pass')"


def started(consume: str, *, seconds: float = 60, is_first_of_container: bool = False) -> "subprocess.Popen[str]":
    program = dedent(PROGRAM).format(consume=consume, seconds=seconds, is_first_of_container=is_first_of_container)
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert heard(process) == "ready"
    return process


def heard(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def ended(process: "subprocess.Popen[str]") -> int:
    try:
        process.communicate(timeout=30)
    finally:
        process.kill()
    return process.returncode


@pytest.mark.parametrize("number", SIGNALS)
def test_a_process_that_drains_ends_with_0(number: signal.Signals) -> None:
    process = started(WELL)
    process.send_signal(number)
    assert ended(process) == 0


def test_a_process_whose_deadline_passes_ends_with_1() -> None:
    process = started(STUCK, seconds=0.01)
    process.send_signal(signal.SIGTERM)
    assert ended(process) == 1


@pytest.mark.parametrize("second", SIGNALS)
def test_the_second_signal_kills(second: signal.Signals) -> None:
    process = started(STUCK)
    process.send_signal(signal.SIGTERM)
    assert heard(process) == "draining"
    process.send_signal(second)
    assert ended(process) == -second


def test_the_second_signal_ends_the_first_process_of_a_container_which_the_system_would_spare() -> None:
    process = started(STUCK, is_first_of_container=True)
    process.send_signal(signal.SIGTERM)
    assert heard(process) == "draining"
    process.send_signal(signal.SIGTERM)
    assert ended(process) == 128 + signal.SIGTERM


def test_the_second_signal_kills_even_a_loop_that_stands_still() -> None:
    process = started(STANDING_STILL)
    process.send_signal(signal.SIGTERM)
    # The first is taken note of at some later instruction; signals sent before that count as one.
    for _ in range(10_000):
        process.send_signal(signal.SIGTERM)
        if exited(process):
            break
    assert ended(process) == -signal.SIGTERM


def test_two_signals_during_one_native_call_kill_when_it_returns() -> None:
    # The mask holds both back, so that they come at once.
    held = (
        "import os, signal; both = {signal.SIGTERM, signal.SIGINT}; "
        "signal.pthread_sigmask(signal.SIG_BLOCK, both); [os.kill(os.getpid(), n) for n in both]; "
        "signal.pthread_sigmask(signal.SIG_UNBLOCK, both); await asyncio.Event().wait()"
    )
    assert ended(started(held)) in {-signal.SIGTERM, -signal.SIGINT}


def exited(process: "subprocess.Popen[str]") -> bool:
    try:
        process.wait(timeout=0.01)
    except subprocess.TimeoutExpired:
        return False
    return True
