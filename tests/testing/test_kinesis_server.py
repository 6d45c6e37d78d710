"""The Kinesis emulator's HTTP, its admin paths, and the process of its own."""

import asyncio
import json
import re
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.testing.kinesis import Kinesis, KinesisServer, Throttle, serve
from streamer.testing.kinesis.protocol import BadRequest, HttpRequest, RequestParser
from streamer.testing.memory import ManualClock
from tests.strategies import START

CALL = b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: Kinesis_20131202.ListStreams\r\nContent-Length: 2\r\n\r\n{}"


def all_requests(received: list[bytes]) -> list[HttpRequest]:
    parser = RequestParser()
    found = []
    for part in received:
        parser.feed(part)
        while (request := parser.next_request()) is not None:
            found.append(request)
    return found


@settings(deadline=None)
@given(st.integers(1, 3), st.lists(st.integers(0, 300), max_size=10))
def test_requests_are_the_same_however_their_bytes_arrive(count: int, cuts: list[int]) -> None:
    whole = CALL * count
    bounds = [0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]
    parts = [whole[first:last] for first, last in pairwise(bounds)]
    assert all_requests(parts) == all_requests([CALL]) * count


@pytest.mark.parametrize(
    ("received", "status"),
    [
        pytest.param(b"hello\r\n\r\n", 400, id="no HTTP"),
        pytest.param(b"GET / HTTP/2\r\n\r\n", 400, id="another version"),
        pytest.param(b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400, id="a header without a colon"),
        pytest.param(b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400, id="a negative length"),
        pytest.param(b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", 413, id="too large a body"),
        pytest.param(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411, id="a chunked body"),
        pytest.param(b"x" * 70_000, 431, id="too large a head"),
    ],
)
def test_bytes_that_are_no_request_are_refused(received: bytes, status: int) -> None:
    with pytest.raises(BadRequest) as error:
        all_requests([received])
    assert error.value.status == status


@pytest.fixture
async def server() -> AsyncIterator[KinesisServer]:
    kinesis = Kinesis(ManualClock(START))
    kinesis.create_stream("s", 1)
    async with serve(kinesis) as running:
        yield running


async def ask(url: str, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url + path, data=data, headers=headers) as response,
    ):
        return response.status, json.loads(await response.read() or b"null")


async def call(url: str, operation: str, **arguments: Any) -> tuple[int, Any]:
    return await ask(url, "POST", "/", arguments, **{"X-Amz-Target": f"Kinesis_20131202.{operation}"})


async def exchange(server: KinesisServer, sent: bytes, *, end: bool = True) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
    writer.write(sent)
    if end:
        writer.write_eof()
    async with asyncio.timeout(20):
        answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_it_listens_on_one_loopback_address_only(server: KinesisServer) -> None:
    with pytest.raises((ConnectionRefusedError, TimeoutError)):
        async with asyncio.timeout(5):
            await asyncio.open_connection("127.0.0.2", int(server.url.rpartition(":")[2]))


async def test_requests_on_one_connection_are_answered_in_order(server: KinesisServer) -> None:
    answer = await exchange(server, CALL + CALL.replace(b"ListStreams", b"NoSuchCall") + CALL)
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"200", b"400", b"200"]


async def test_a_connection_is_closed_when_the_caller_asks_for_it(server: KinesisServer) -> None:
    closing = CALL.replace(b"Host", b"Connection: close\r\nHost")
    assert (await exchange(server, closing, end=False)).startswith(b"HTTP/1.1 200 ")


async def test_bytes_that_are_no_request_are_answered_and_the_connection_closed(server: KinesisServer) -> None:
    assert (await exchange(server, b"hello\r\n\r\n")).startswith(b"HTTP/1.1 400 ")


async def test_a_fault_is_armed_over_http(server: KinesisServer) -> None:
    status, answer = await ask(server.url, "POST", "/_admin/faults", {"kind": "Throttle", "calls": 1})
    refused, _ = await call(server.url, "ListStreams")
    taken, _ = await call(server.url, "ListStreams")
    assert (status, answer, refused, taken) == (200, {"id": 1}, 400, 200)


async def test_faults_are_told_with_their_strikes(server: KinesisServer) -> None:
    server.kinesis.faults.arm(Throttle(3), START)
    await call(server.url, "ListStreams")
    _, faults = await ask(server.url, "GET", "/_admin/faults")
    assert [(fault["fault"]["kind"], fault["struck"]) for fault in faults] == [("Throttle", 1)]


async def test_faults_are_cleared_over_http(server: KinesisServer) -> None:
    server.kinesis.faults.arm(Throttle(), START)
    await ask(server.url, "DELETE", "/_admin/faults")
    assert (await call(server.url, "ListStreams"))[0] == 200


async def test_the_clock_goes_ahead_over_http(server: KinesisServer) -> None:
    _, answer = await ask(server.url, "POST", "/_admin/clock", {"seconds": 301})
    assert answer == {"now": START + 301_000}


async def test_limits_are_set_over_http(server: KinesisServer) -> None:
    await ask(server.url, "PUT", "/_admin/limits", {"reads_per_second": None, "iterator_seconds": 1.5})
    assert (server.kinesis.limits.reads_per_second, server.kinesis.limits.iterator_seconds) == (None, 1.5)


async def test_calls_are_counted_over_http(server: KinesisServer) -> None:
    await call(server.url, "ListStreams")
    assert (await ask(server.url, "GET", "/_admin/calls"))[1] == {"ListStreams": {"OK": 1}}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        pytest.param("/_admin/faults", {"kind": "Earthquake"}, id="an unknown fault"),
        pytest.param("/_admin/faults", {"kind": "Throttle", "cals": 1}, id="a misspelt key"),
        pytest.param("/_admin/clock", {"seconds": -1}, id="time going back"),
    ],
)
async def test_an_admin_request_that_makes_no_sense_is_refused(server: KinesisServer, path: str, body: object) -> None:
    assert (await ask(server.url, "POST", path, body))[0] == 400


async def test_an_unknown_admin_path_is_not_found(server: KinesisServer) -> None:
    assert (await ask(server.url, "POST", "/_admin/else", {}))[0] == 404


async def test_a_page_in_a_browser_may_not_control_it(server: KinesisServer) -> None:
    status, _ = await ask(server.url, "POST", "/_admin/faults", {"kind": "Throttle"}, Origin="http://example.com")
    assert status == 403


async def started(*arguments: str) -> tuple[asyncio.subprocess.Process, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "streamer.testing.kinesis", *arguments, stdout=PIPE, stderr=PIPE
    )
    assert process.stdout is not None
    url: str = json.loads(await process.stdout.readline())["url"]
    return process, url


async def test_it_runs_as_a_process_of_its_own_until_it_is_told_to_stop() -> None:
    process, url = await started("--port", "0", "--streams", "captures:4", "other")
    _, answer = await call(url, "DescribeStreamSummary", StreamName="captures")
    _, streams = await call(url, "ListStreams")
    process.send_signal(signal.SIGTERM)
    _, errors = await process.communicate()
    assert (answer["StreamDescriptionSummary"]["OpenShardCount"], streams["StreamNames"]) == (4, ["captures", "other"])
    assert (process.returncode, errors) == (0, b"")


async def test_the_process_ends_with_who_started_it() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "streamer.testing.kinesis", "--until-stdin-ends", stdin=PIPE, stdout=PIPE
    )
    assert process.stdout is not None
    assert process.stdin is not None
    await process.stdout.readline()
    process.stdin.close()
    assert await process.wait() == 0


async def test_a_stream_that_makes_no_sense_is_refused_at_the_start() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "streamer.testing.kinesis", "--streams", "captures:0", stdout=PIPE, stderr=PIPE
    )
    _, errors = await process.communicate()
    assert (process.returncode, b"captures:0" in errors) == (2, True)
