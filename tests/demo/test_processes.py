"""Processes of the demo: their environment, how they start and how they end."""

import os
import socket
import subprocess
import sys
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from streamer.core.errors import SinkError, StreamerError
from streamer.demo.cloud import Addresses, Cloud
from streamer.demo.processes import environment, started


def test_nothing_that_is_set_for_aws_or_streamer_gets_through() -> None:
    base = {"AWS_PROFILE": "mine", "AWS_SECRET_ACCESS_KEY": "mine", "STREAMER_HTTP__PORT": "1", "HTTPS_PROXY": "mine"}
    assert "mine" not in environment(base).values()
    assert not any(name.startswith("STREAMER_") for name in environment(base))


def test_everything_else_does() -> None:
    assert environment({"PATH": "/bin"})["PATH"] == "/bin"


def test_a_process_ends_with_the_pipe_of_who_started_it(tmp_path: Path) -> None:
    with started("moto", "streamer.demo.aws", log=tmp_path / "log", base=os.environ, ending_seconds=60) as moto:
        assert moto.url.startswith("http://127.0.0.1:")
    with pytest.raises(StreamerError, match="ended with code 0"):
        moto.check()


def test_who_is_killed_leaves_no_process_behind(tmp_path: Path) -> None:
    starting = f"""
import os
from pathlib import Path
from streamer.demo.processes import started

with (
    started("one", "streamer.demo.aws", log=Path({str(tmp_path)!r}, "one"), base=os.environ) as one,
    started("other", "streamer.demo.aws", log=Path({str(tmp_path)!r}, "other"), base=os.environ) as other,
):
    print(one.url, other.url, flush=True)
    input()
"""
    with (
        ExitStack() as opened,
        subprocess.Popen(
            [sys.executable, "-c", starting], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as starter,
    ):
        assert starter.stdout is not None
        ports = [urlsplit(url).port for url in starter.stdout.readline().split()]
        connections = [opened.enter_context(socket.create_connection(("127.0.0.1", port or 0), 60)) for port in ports]
        starter.kill()
        assert [_ended(connection) for connection in connections] == [True, True]


def _ended(connection: socket.socket) -> bool:
    """Whether the other side closed it, or was gone before it could."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_one_that_can_not_start_is_told_of_with_the_end_of_its_log(tmp_path: Path) -> None:
    with (
        started("the service", "streamer.demo.service", ["missing.toml"], log=tmp_path / "log", base=os.environ) as one,
        pytest.raises(StreamerError, match=r"(?s)the service ended with code 1; the end of .*ConfigError"),
    ):
        _ = one.url


def test_a_log_that_can_not_be_written_starts_nothing(tmp_path: Path) -> None:
    with (
        pytest.raises(SinkError, match="can't write"),
        started("moto", "streamer.demo.aws", log=tmp_path / "none" / "log", base=os.environ),
    ):
        pass


def test_a_profile_of_the_users_that_does_not_exist_is_no_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "none-of-this-name")
    with (
        started("moto", "streamer.demo.aws", log=tmp_path / "log", base=os.environ) as moto,
        closing(Cloud(Addresses("http://127.0.0.1:9", moto.url))) as cloud,
    ):
        assert cloud.topic_arn.endswith(":model-alerts")
        assert cloud.received() == []
