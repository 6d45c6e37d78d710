"""``streamer replay``: any captures in, every record accounted for, results whole or not at all."""

import asyncio
import gzip
import io
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from streamer.app.replay import RESULTS, Replay
from streamer.bench.hostile import mutated
from streamer.config.load import load
from streamer.core.baseline.model import encode
from streamer.core.errors import StorageFull
from streamer.core.types import Action
from tests.commands.test_help import run
from tests.strategies import START, baseline, capture

WINDOW = 300_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return made(tmp_path)


def made(tmp_path: Path) -> Path:
    """A folder with a baseline, a configuration and captures of an hour, ten a window."""
    (tmp_path / "churn").mkdir()
    (tmp_path / "churn" / "baseline.json").write_bytes(encode(baseline()))
    (tmp_path / "s.toml").write_text('[[endpoint]]\nname = "churn"\nbaseline = "churn"\nrules.minimum_rows = 5\n')
    hour = tmp_path / "captures" / "churn" / "AllTraffic" / "2026" / "01" / "05" / "09"
    hour.mkdir(parents=True)
    (hour / "a.jsonl").write_bytes(b"\n".join(captures()))
    return tmp_path


def captures(windows: int = 12, *, each: int = 10) -> list[bytes]:
    """Captures that look like the baseline."""
    at = [START + w * WINDOW + i * 20_000 for w in range(windows) for i in range(each)]
    return [
        capture(f"{i % 10 + 0.5},{(i * 7) % 10 + 0.5},{'abc'[i % 3]}", f"{i % 10}.5", at=t, event_id=f"e{i}")
        for i, t in enumerate(at)
    ]


def arguments(folder: Path, *more: str, out: str = "out") -> list[str]:
    """A replay of the folder's captures."""
    given = [str(folder / "captures"), "--config", str(folder / "s.toml"), "--out", str(folder / out)]
    return ["replay", *given, *more]


def summary_of(folder: Path, out: str = "out") -> dict[str, object]:
    """``summary.json``, without what differs from run to run."""
    found: dict[str, object] = json.loads((folder / out / "summary.json").read_text())
    found.pop("run")
    return found


def records_of(folder: Path) -> dict[str, object]:
    """The headings of the records."""
    records = summary_of(folder)["records"]
    assert isinstance(records, dict)
    return records


def test_it_writes_four_files_and_nothing_else(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, _ = run(capsys, *arguments(folder))
    assert code == 0
    assert sorted(os.listdir(folder / "out")) == sorted(RESULTS)


def test_the_summary_accounts_for_every_record(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = captures()
    lines = [*good[:50], good[49], b"", b"   ", b"not json", b"\xff\x00", b"[" * 5_000, b"{}", *good[50:]]
    (folder / "captures" / "b.jsonl").write_bytes(b"\n".join(lines))
    run(capsys, *arguments(folder))
    records = records_of(folder)
    headings = ("accepted", "invalid", "duplicate", "late_revised", "late_dropped", "ignored")
    assert records["read"] == 2 * len(good) + 5 == sum(int(str(records[name])) for name in headings)
    assert records["accounted_for"]


def test_two_thousand_damaged_captures_are_each_accounted_for(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng, good = random.Random(7), captures()
    damaged = b"\n".join(mutated(rng.choice(good), rng) for _ in range(2_000))
    (folder / "captures" / "b.jsonl").write_bytes(damaged)
    code, _, _ = run(capsys, *arguments(folder))
    records, source = records_of(folder), summary_of(folder)["source"]
    assert isinstance(source, dict)
    # Some of the damage is an end of a line: lines are what is read.
    lines = damaged.count(b"\n") + 1 + len(good)
    assert (code, records["read"], records["accounted_for"]) == (0, lines - source["blank_lines"], True)


def test_every_invalid_record_is_dead_lettered(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "captures" / "b.jsonl").write_bytes(b"rubbish\n{}\n\xff")
    run(capsys, *arguments(folder))
    letters = [json.loads(line) for line in (folder / "out" / "dead_letters.jsonl").read_text().splitlines()]
    assert len(letters) == records_of(folder)["invalid"] == 3
    assert "rubbish" not in (folder / "out" / "dead_letters.jsonl").read_text()


def test_the_same_captures_give_the_same_bytes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, *arguments(folder))
    run(capsys, *arguments(folder, out="again"))
    for name in RESULTS[:3]:
        assert (folder / "out" / name).read_bytes() == (folder / "again" / name).read_bytes()
    assert summary_of(folder) == summary_of(folder, "again")


def test_files_that_can_not_be_read_are_in_the_summary(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    packed = gzip.compress(b"\n".join(captures()))
    (folder / "captures" / "torn.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    (folder / "captures" / "empty.jsonl").write_bytes(b"")
    code, out, _ = run(capsys, *arguments(folder))
    source = summary_of(folder)["source"]
    assert isinstance(source, dict)
    assert (code, source["files"], source["empty_files"]["count"], source["problems"]["count"]) == (0, 3, 1, 1)
    assert "torn.jsonl.gz" in out.replace("\n", "").replace(" ", "")


def test_only_empty_input_is_no_failure(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for file in (folder / "captures").rglob("*.jsonl"):
        file.write_bytes(b"")
    code, _, _ = run(capsys, *arguments(folder))
    assert (code, records_of(folder)["read"], summary_of(folder)["windows"]) == (0, 0, 0)


def test_what_breaks_a_rule_is_an_incident(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gone = [capture(",5.5,a", "5.5", at=START + 12 * WINDOW + i * 1_000, event_id=f"g{i}") for i in range(900)]
    late = [capture("5.5,5.5,a", "5.5", at=START + 20 * WINDOW + i, event_id=f"l{i}") for i in range(2)]
    (folder / "captures" / "b.jsonl").write_bytes(b"\n".join(gone + late))
    _, _, err = run(capsys, *arguments(folder))
    assert "missing values" in summary_of(folder)["incidents"]  # type: ignore[operator]
    assert "churn: missing values in x" in err
    alerts = (folder / "out" / "alerts.jsonl").read_text().splitlines()
    assert json.loads(alerts[0])["incident"]["cause"] == "missing values"


def test_results_that_are_there_are_kept(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, *arguments(folder))
    before = (folder / "out" / "summary.json").read_bytes()
    code, _, err = run(capsys, *arguments(folder))
    assert code == 1
    assert "holds results already" in err
    assert (folder / "out" / "summary.json").read_bytes() == before


def test_they_are_replaced_by_force(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, *arguments(folder))
    (folder / "captures" / "b.jsonl").write_bytes(b"rubbish\n")
    code, _, _ = run(capsys, *arguments(folder, "--force"))
    assert (code, records_of(folder)["invalid"]) == (0, 1)


def test_machines_get_the_summary(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, *arguments(folder, "--json"))
    assert out == (folder / "out" / "summary.json").read_text()


def test_quiet_says_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, *arguments(folder, "--quiet")) == (0, "", "")


def test_without_a_terminal_the_end_is_a_log_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, _, err = run(capsys, "--log-format", "json", *arguments(folder))
    assert json.loads(err.splitlines()[-1])["event"] == "done"


def test_the_index_is_written_where_the_configuration_says(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (folder / "s.toml").open("a") as file:
        file.write('[index]\nsqlite = "var/x.sqlite"\n')
    run(capsys, *arguments(folder))
    assert (folder / "var" / "x.sqlite").exists()


def test_the_index_can_be_left_alone(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (folder / "s.toml").open("a") as file:
        file.write('[index]\nsqlite = "x.sqlite"\n')
    run(capsys, *arguments(folder, "--no-index"))
    assert not (folder / "x.sqlite").exists()


def test_a_bad_configuration_exits_78(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "s.toml").write_text("[indx]\n")
    code, _, err = run(capsys, *arguments(folder))
    assert code == 78
    assert 'did you mean "index"?' in err
    assert not (folder / "out").exists()


def test_captures_that_do_not_exist_exit_1_in_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["--config", str(folder / "s.toml"), "--out", str(folder / "out")]
    code, _, err = run(capsys, "replay", str(folder / "none"), *given)
    assert code == 1
    assert err.count("\n") == 1


def test_standard_input_is_a_source(folder: Path) -> None:
    replay = Replay(load(folder / "s.toml", {}), ["-"], folder / "out", stdin=io.BytesIO(b"\n".join(captures())))
    summary = asyncio.run(replay.run())
    assert (replay.total_bytes, summary.records.accepted) == (None, 120)


class FullDisk:
    """A sink that takes one lot, and then the disk is full."""

    name = "full"

    def __init__(self) -> None:
        self._taken = 0

    async def deliver(self, actions: Sequence[Action]) -> None:
        self._taken += 1
        if self._taken > 1:
            raise StorageFull("can't write: No space left on device")

    async def commit(self) -> None:
        return

    async def close(self) -> None:
        return


def test_a_run_that_fails_leaves_no_result(folder: Path) -> None:
    (folder / "captures" / "b.jsonl").write_bytes(b"rubbish\n" * 5_000)
    replay = Replay(load(folder / "s.toml", {}), [str(folder / "captures")], folder / "out", sinks=[FullDisk()])
    with pytest.raises(StorageFull):
        asyncio.run(replay.run())
    assert os.listdir(folder / "out") == []


def test_a_forced_run_that_fails_leaves_no_summary_of_the_one_before(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, *arguments(folder))
    (folder / "captures" / "b.jsonl").write_bytes(b"rubbish\n" * 5_000)
    config = load(folder / "s.toml", {})
    replay = Replay(config, [str(folder / "captures")], folder / "out", replace=True, sinks=[FullDisk()])
    with pytest.raises(StorageFull):
        asyncio.run(replay.run())
    assert not (folder / "out" / "summary.json").exists()


def test_a_full_disk_exits_1_in_one_line_without_results(folder: Path) -> None:
    # The system refuses to let any file grow beyond 2 kB.
    code = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (2048, 2048));"
    code += f"from streamer.__main__ import main; main({arguments(folder, '--quiet')!r})"
    # asyncio's own word on slow steps is not asked for here.
    env = {**os.environ, "PYTHONASYNCIODEBUG": ""}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 1
    assert done.stderr == f"streamer: can't write results to {folder / 'out'}: File too large\n"
    assert os.listdir(folder / "out") == []


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_run_that_is_stopped_leaves_no_results(folder: Path, number: signal.Signals, code: int) -> None:
    given = ["-", "--config", str(folder / "s.toml"), "--out", str(folder / "out"), "--quiet"]
    line = capture().decode() + "\n"
    with subprocess.Popen(
        [sys.executable, "-m", "streamer", "replay", *given], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        while not (folder / "out" / "documents.jsonl.partial").exists():
            assert process.poll() is None, "it ended before it began"
        process.send_signal(number)
        # It waits for records: these let it come round to the signal.
        _, said = process.communicate(line * 2_000, timeout=60)
    assert process.returncode == code
    assert said == "streamer: interrupted; no results were written\n"
    assert os.listdir(folder / "out") == []
