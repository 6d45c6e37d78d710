"""The demo as it is run: Kinesis, the service, SNS and EventBridge, SQS, each in a process of its own."""

import asyncio
import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from streamer.app.replay import Replay
from streamer.config.load import load

COMMAND = [sys.executable, "-m", "streamer", "demo", "--days-per-second", "0"]
SECONDS = 240.0


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_the_service_finds_on_its_way_what_a_replay_of_the_same_captures_finds(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    done = subprocess.run([*COMMAND, "--out", str(out)], capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    assert "97,303 records, every one accounted for: 97,303 accepted" in done.stdout
    assert "Nemo" in done.stdout
    captures = [str(out / name) for name in ("captures", "captures-2")]
    asyncio.run(Replay(load(out / "streamer.toml", {}), captures, tmp_path / "replay").run())
    replayed = lines(tmp_path / "replay" / "alerts.jsonl")
    told = lines(out / "out" / "alerts.jsonl")
    assert sorted(one["id"] for one in told) == sorted(one["id"] for one in replayed)
    assert {one["id"]: one for one in told} == {one["id"]: one for one in replayed}
    firing = [(one["incident"]["since"], one["incident"]["cause"]) for one in told if one["why"] == "firing"]
    assert {(since[:10], cause) for since, cause in firing} >= {
        ("2013-02-08", "traffic volume"),
        ("2013-02-12", "wild values"),
        ("2013-03-08", "traffic volume"),
        ("2013-05-23", "traffic volume"),
    }
    (request,) = lines(out / "out" / "retraining.jsonl")
    assert "2013-04-25" <= request["requested"] < "2013-05-07"
    # The last day is closed by the morning after in one of them, and by the end of the files in the other.
    documents = {one["id"]: one for one in lines(tmp_path / "replay" / "documents.jsonl")}
    with closing(sqlite3.connect(out / "streamer.sqlite")) as index:
        bodies = [json.loads(body) for (body,) in index.execute("SELECT body FROM documents")]
    windows = [one for one in bodies if one["kind"] in ("feature", "endpoint")]
    # For three windows more the first version is expected to answer.
    assert len(windows) == 181 * 14 + 3
    assert [one for one in windows if documents.get(one["id"]) != one and one["window_end"] < "2013-08-01"] == []


def test_the_service_can_be_kept_and_ends_with_the_demo(tmp_path: Path) -> None:
    out = tmp_path / "demo"
    with kept([*COMMAND, "--records", "3000", "--keep-running", "--out", str(out)]) as demo:
        said = until(demo, "goes on until Ctrl-C")
        assert any("stays open, as nothing came after it, and is not judged" in line for line in said)
        with urlopen(address(said, "readyz"), timeout=10) as answer:
            assert json.load(answer)["ready"]
        demo.send_signal(signal.SIGINT)
        assert demo.wait(SECONDS) == 0
    assert lines(out / "service.log")[-1]["event"] == "drained"


def address(said: list[str], name: str) -> str:
    [line] = [line for line in said if line.strip().startswith(f"{name}: ")]
    return line.split(": ")[1].strip()


@contextmanager
def kept(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as demo:
        try:
            yield demo
        finally:
            if demo.poll() is None:
                demo.send_signal(signal.SIGINT)


def until(demo: subprocess.Popen[str], text: str) -> list[str]:
    said = []
    assert demo.stdout is not None
    for line in demo.stdout:
        said.append(line)
        if text in line:
            return said
    raise AssertionError(f"it ended before it said {text!r}")
