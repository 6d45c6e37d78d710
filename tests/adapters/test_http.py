"""The HTTP server, asked over a real socket: what it answers, and what it refuses."""

import asyncio
import json
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.parser import text_string_to_metric_families

from streamer.adapters.http import HttpServer
from streamer.core.errors import StreamerError
from streamer.core.manifest import Saved
from streamer.core.totals import Totals
from streamer.metrics import Metrics


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Service:
    """A server with something to show, whose readiness can be changed."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.reasons: dict[str, list[str]] = {}
        Counter("streamer_records_total", "Records read.", registry=self.registry).inc(3)

    @asynccontextmanager
    async def listening(self, *, idle_seconds: float = 30) -> AsyncIterator[HttpServer]:
        async with HttpServer(self.registry, lambda: self.reasons, port=0, idle_seconds=idle_seconds) as server:
            yield server


@pytest.fixture
def service() -> Service:
    return Service()


@asynccontextmanager
async def connected(server: HttpServer) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    parts = urlsplit(server.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        async with asyncio.timeout(30):
            yield reader, writer
    finally:
        writer.close()


async def raw(server: HttpServer, request: bytes) -> Answer:
    async with connected(server) as (reader, writer):
        writer.write(request)
        data = await reader.read()
    head, _, body = data.decode().partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return Answer(int(first.split()[1]), headers, body)


async def ask(server: HttpServer, path: str, method: str = "GET", **headers: str) -> Answer:
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return await raw(server, f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{lines}\r\n".encode())


async def test_metrics_are_text_unless_asked_otherwise(service: Service) -> None:
    async with service.listening() as server:
        answer = await ask(server, "/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert "streamer_records_total 3.0" in answer.body


async def test_metrics_are_open_metrics_for_who_asks(service: Service) -> None:
    async with service.listening() as server:
        answer = await ask(server, "/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.body.endswith("# EOF\n")


async def test_health_is_told_while_the_loop_turns(service: Service) -> None:
    service.reasons = {"sinks": ["sns: no permission"]}
    async with service.listening() as server:
        answer = await ask(server, "/healthz")
    assert (answer.status, answer.json) == (200, {"alive": True})


async def test_a_service_without_reasons_is_ready(service: Service) -> None:
    service.reasons = {"source": [], "sinks": []}
    async with service.listening() as server:
        answer = await ask(server, "/readyz")
    assert (answer.status, answer.json) == (200, {"ready": True, "reasons": {}})


async def test_a_service_that_is_not_ready_says_why_by_part(service: Service) -> None:
    service.reasons = {"source": [], "sinks": ["sns: no permission"]}
    async with service.listening() as server:
        answer = await ask(server, "/readyz")
    assert answer.status == 503
    assert answer.json == {"ready": False, "reasons": {"sinks": ["sns: no permission"]}}


async def test_readiness_is_asked_each_time(service: Service) -> None:
    async with service.listening() as server:
        before = await ask(server, "/readyz")
        service.reasons = {"state": ["disk full"]}
        after = await ask(server, "/readyz")
    assert (before.status, after.status) == (200, 503)


async def test_several_requests_go_over_one_connection(service: Service) -> None:
    async with service.listening() as server, connected(server) as (reader, writer):
        for _ in range(3):
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            await reader.readexactly(len(b'{"alive": true}'))


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/readyz"])
async def test_head_is_answered_without_a_body(service: Service, path: str) -> None:
    async with service.listening() as server:
        answer = await ask(server, path, "HEAD")
    assert (answer.status, answer.body) == (200, "")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
async def test_what_would_change_something_is_refused(service: Service, method: str) -> None:
    async with service.listening() as server:
        answer = await ask(server, "/readyz", method)
    assert answer.status == 405


async def test_other_paths_are_not_there(service: Service) -> None:
    async with service.listening() as server:
        answer = await ask(server, "/metrics/../../etc/passwd")
    assert answer.status == 404


@pytest.mark.parametrize("path", ["/metrics", "/readyz", "/nowhere"])
async def test_answers_do_not_say_what_runs_here_and_are_not_kept(service: Service, path: str) -> None:
    async with service.listening() as server:
        answer = await ask(server, path)
    assert "server" not in answer.headers
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "request_text",
    [
        pytest.param(b"GET /" + b"a" * 10_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", id="a long path"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 10_000 + b"\r\n\r\n", id="a long field"),
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: a\r\n" * 1_000 + b"\r\n", id="many fields"),
        pytest.param(b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n", id="TLS"),
        pytest.param(b"\r\n\r\nnonsense\r\n\r\n", id="nonsense"),
    ],
)
async def test_hostile_requests_are_refused_and_the_next_one_is_answered(
    service: Service, request_text: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with service.listening() as server:
        answer = await raw(server, request_text)
        assert answer.status == 400
        assert "Traceback" not in answer.body
        assert (await ask(server, "/healthz")).status == 200
    # Whoever can reach the port must not be able to fill the log.
    assert [record.getMessage() for record in caplog.records if record.levelname in {"WARNING", "ERROR"}] == []


@pytest.mark.parametrize("begun", [b"", b"GET /metrics HT", b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-"])
async def test_a_connection_that_sends_no_whole_request_is_closed(service: Service, begun: bytes) -> None:
    async with service.listening(idle_seconds=0.05) as server, connected(server) as (reader, writer):
        writer.write(begun)
        assert await reader.read() == b""


async def test_a_body_is_not_waited_for(service: Service) -> None:
    async with service.listening() as server:
        answer = await ask(server, "/healthz", Content_Length="1000000")
    assert answer.status == 200


async def test_a_connection_that_idles_does_not_hold_up_the_end(service: Service) -> None:
    async with asyncio.timeout(10):
        async with service.listening() as server:
            parts = urlsplit(server.url)
            _, writer = await asyncio.open_connection(parts.hostname, parts.port)
        writer.close()


async def test_a_mistake_of_ours_is_logged_and_not_shown(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    def readiness() -> dict[str, list[str]]:
        raise ZeroDivisionError("of ours")

    async with HttpServer(service.registry, readiness, port=0) as server:
        answer = await ask(server, "/readyz")
    assert (answer.status, "of ours" in answer.body) == (500, False)
    assert [record.exc_info is not None for record in caplog.records] == [True]


async def test_a_taken_port_is_told_in_words(service: Service) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StreamerError, match=rf"^can't listen on 127\.0\.0\.1:{port}: "):
            async with HttpServer(service.registry, dict, port=port):
                pass


async def test_it_listens_on_this_machine_only_unless_told_otherwise(service: Service) -> None:
    async with service.listening() as server:
        assert urlsplit(server.url).hostname == "127.0.0.1"


def test_what_does_not_listen_has_no_address(service: Service) -> None:
    with pytest.raises(RuntimeError, match="not listening"):
        _ = HttpServer(service.registry, dict).url


def filled() -> CollectorRegistry:
    """Every series with something in it."""
    registry = CollectorRegistry()
    metrics = Metrics(registry, version="1", sinks=["sns", "eventbridge"], endpoints=["churn"])
    metrics.note_totals(Totals(records=2, accepted=1, invalid={"not-json": 1}))
    metrics.note_batch(1_000, 0.01)
    metrics.note_lag({"shardId-000000000000": 1.5})
    metrics.note_snapshot(Saved(number=1, chunks_written=1, bytes_written=9), at=1_000, size_bytes=9, seconds=0.1)
    return registry


async def scraped(registry: CollectorRegistry) -> str:
    async with HttpServer(registry, dict, port=0) as server:
        return (await ask(server, "/metrics")).body


async def test_promtool_finds_nothing_to_complain_about_in_a_live_scrape() -> None:
    promtool = os.environ.get("STREAMER_TEST_PROMTOOL") or shutil.which("promtool")
    if promtool is None:
        assert os.environ.get("CI") != "true", "promtool is missing: set STREAMER_TEST_PROMTOOL to its path"
        pytest.skip("promtool is not here; .ci/promtool gets it")
    body = await scraped(filled())
    checked = await asyncio.to_thread(
        subprocess.run, [promtool, "check", "metrics"], input=body, capture_output=True, text=True, check=False
    )
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


async def test_a_live_scrape_is_read_as_prometheus_reads_it() -> None:
    families = list(text_string_to_metric_families(await scraped(filled())))
    assert [family.name for family in families if not family.documentation or family.type == "unknown"] == []
