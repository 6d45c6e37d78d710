"""``streamer health``, asking real servers: exit codes and words."""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import typer
from typer.testing import CliRunner, Result

from streamer.commands.health import health

app = typer.Typer()
app.command()(health)


def answer(status: int, body: object) -> bytes:
    data = json.dumps(body).encode()
    return b"HTTP/1.1 %d x\r\nContent-Length: %d\r\n\r\n%s" % (status, len(data), data)


@contextmanager
def serving(said: bytes | None) -> Iterator[tuple[str, list[bytes]]]:
    """A server that gives one connection one answer, or with ``None`` keeps it waiting."""
    heard: list[bytes] = []
    ended = threading.Event()

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            heard.append(connection.recv(65_536))
            if said is None:
                ended.wait(30)
            else:
                connection.sendall(said)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}/readyz", heard
        finally:
            ended.set()
            thread.join(30)


def ask(url: str, *options: str) -> Result:
    return CliRunner().invoke(app, ["--url", url, *options])


def test_a_service_that_is_well_is_exit_0() -> None:
    with serving(answer(200, {"ready": True, "reasons": {}})) as (url, _):
        result = ask(url)
    assert (result.exit_code, result.output) == (0, "well\n")


def test_a_service_that_is_not_is_exit_1_with_every_reason() -> None:
    body = {"ready": False, "reasons": {"sinks": ["sns: no permission", "sqlite: full"], "loop": ["stands still"]}}
    with serving(answer(503, body)) as (url, _):
        result = ask(url)
    assert result.exit_code == 1
    assert result.output == "sinks: sns: no permission\nsinks: sqlite: full\nloop: stands still\n"


def test_the_path_asked_for_is_the_one_given() -> None:
    with serving(answer(200, {})) as (url, heard):
        ask(url.replace("/readyz", "/healthz"))
    assert heard[0].startswith(b"GET /healthz HTTP/1.1\r\n")


def test_an_address_without_a_path_asks_for_readiness() -> None:
    with serving(answer(200, {})) as (url, heard):
        ask(url.removesuffix("/readyz"))
    assert heard[0].startswith(b"GET /readyz ")


def test_reasons_can_not_steer_the_terminal() -> None:
    with serving(answer(503, {"reasons": {"sinks": ["\x1b[2Jgone"]}})) as (url, _):
        result = ask(url)
    assert result.output == "sinks: ?[2Jgone\n"


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(answer(404, "not here"), id="something else listens there"),
        pytest.param(answer(503, {"reasons": "many"}), id="reasons that are none"),
        pytest.param(b"HTTP/1.1 503 x\r\nContent-Length: 3\r\n\r\n\xff\xfe{", id="no JSON"),
        pytest.param(b"HTTP/1.1 503 x\r\n\r\n" + b"[" * 200_000, id="far too deep"),
    ],
)
def test_an_answer_without_reasons_is_told_by_its_status(said: bytes) -> None:
    with serving(said) as (url, _):
        result = ask(url)
    assert result.exit_code == 1
    assert result.output == f"{url} answers {404 if b'404' in said else 503}\n"


@pytest.mark.parametrize("said", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 "])
def test_what_does_not_speak_http_is_exit_1(said: bytes) -> None:
    with serving(said) as (url, _):
        result = ask(url)
    assert result.exit_code == 1
    assert result.output.startswith(f"no answer from {url}: ")


def test_a_service_that_is_not_there_is_exit_1() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    result = ask(f"http://127.0.0.1:{port}/readyz")
    assert result.exit_code == 1
    assert result.output == f"no answer from http://127.0.0.1:{port}/readyz: Connection refused\n"


def test_a_service_that_does_not_answer_in_time_is_exit_1() -> None:
    with serving(None) as (url, _):
        result = ask(url, "--timeout", "0.1")
    assert (result.exit_code, result.output) == (1, f"no answer from {url} within 0.1 s\n")


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1/readyz", "127.0.0.1:9464", "http://", "http://x:99999/", "http://x/ y"]
)
def test_what_is_no_address_is_wrong_usage(url: str) -> None:
    assert ask(url).exit_code == 2


def test_a_check_loads_no_heavy_library() -> None:
    code = "import sys; from streamer.commands.health import health; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "structlog", "asyncio", "aiohttp", "prometheus_client", "msgspec"} & set(loaded)
