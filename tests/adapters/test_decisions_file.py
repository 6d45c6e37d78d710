"""The file of decisions: whole lines in order, each once, whatever was killed while writing."""

import asyncio
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from streamer.adapters import decisions_file
from streamer.adapters.decisions_file import SHARD, DecisionsFile, Entry, append_decision
from streamer.core.baseline.model import Baseline
from streamer.core.decisions import Acknowledge, AddVersion, Decision, encode_decision
from streamer.core.errors import BaselineError, Reason, SinkError, StateError
from streamer.core.types import DeadLetter
from tests.strategies import START, baseline


def acknowledge(n: int) -> Acknowledge:
    return Acknowledge(id=f"decision-{n}", made_at=START, by="ada", incident="f" * 32)


def add_version(path: str) -> AddVersion:
    return AddVersion(id="v", made_at=START, by="ada", endpoint="e", version="2", from_at=START, baseline=path)


def load(path: Path) -> Baseline:
    if path.name == "good":
        return baseline()
    raise BaselineError(f"{path}: not here")


async def until_the_stop(stop: asyncio.Event, seconds: float) -> bool:
    return stop.is_set()


class Taken:
    """Keeps what was handed over."""

    def __init__(self) -> None:
        self.decisions: list[tuple[Decision, Baseline | None]] = []
        self.letters: list[DeadLetter] = []

    def decide_on(self, decision: Decision, baseline: Baseline | None) -> None:
        self.decisions.append((decision, baseline))

    def reject(self, letter: DeadLetter) -> None:
        self.letters.append(letter)

    @property
    def ids(self) -> list[str]:
        return [decision.id for decision, _ in self.decisions]


def file_of(path: Path) -> DecisionsFile:
    return DecisionsFile(path, load)


async def take_all(file: DecisionsFile) -> Taken:
    taken = Taken()
    while entries := await file.read():
        for entry in entries:
            await file.hand_over(entry, taken)
    return taken


async def test_decisions_come_in_the_order_they_were_made(tmp_path: Path) -> None:
    for n in range(5):
        append_decision(tmp_path / "d", acknowledge(n))
    assert (await take_all(file_of(tmp_path / "d"))).ids == [f"decision-{n}" for n in range(5)]


async def test_each_is_taken_once(tmp_path: Path) -> None:
    file = file_of(tmp_path / "d")
    append_decision(tmp_path / "d", acknowledge(1))
    await take_all(file)
    append_decision(tmp_path / "d", acknowledge(2))
    assert (await take_all(file)).ids == ["decision-2"]
    assert (file.taken, file.refused) == (2, 0)


async def test_without_a_file_nobody_decided_anything(tmp_path: Path) -> None:
    file = file_of(tmp_path / "d")
    assert await file.read() == []
    assert file.troubles() == []


async def test_reading_alone_moves_no_place(tmp_path: Path) -> None:
    append_decision(tmp_path / "d", acknowledge(1))
    file = file_of(tmp_path / "d")
    assert await file.read() == await file.read()
    assert file.position == 0


async def test_a_restored_reader_goes_on_from_its_place(tmp_path: Path) -> None:
    append_decision(tmp_path / "d", acknowledge(1))
    before = file_of(tmp_path / "d")
    await take_all(before)
    append_decision(tmp_path / "d", acknowledge(2))
    after = file_of(tmp_path / "d")
    after.restore(before.state())
    assert after.state() == before.state()
    assert (await take_all(after)).ids == ["decision-2"]


@pytest.mark.parametrize("state", [b"junk", b"[]", b'{"kind":"kinesis/1"}', b'{"position":-1}'])
def test_a_place_of_something_else_is_refused(tmp_path: Path, state: bytes) -> None:
    with pytest.raises(StateError):
        file_of(tmp_path / "d").restore(state)


async def test_a_torn_last_line_waits_for_the_rest(tmp_path: Path) -> None:
    line = encode_decision(acknowledge(1)) + b"\n"
    (tmp_path / "d").write_bytes(line[:20])
    file = file_of(tmp_path / "d")
    assert await file.read() == []
    (tmp_path / "d").write_bytes(line)
    assert (await take_all(file)).ids == ["decision-1"]


async def test_a_line_torn_by_a_crash_does_not_spoil_the_next(tmp_path: Path) -> None:
    (tmp_path / "d").write_bytes(encode_decision(acknowledge(1))[:20])
    append_decision(tmp_path / "d", acknowledge(2))
    taken = await take_all(file_of(tmp_path / "d"))
    assert (taken.ids, [letter.reason for letter in taken.letters]) == (["decision-2"], [Reason.NOT_JSON])


async def test_a_line_that_is_no_decision_is_counted_and_set_aside_without_its_text(tmp_path: Path) -> None:
    (tmp_path / "d").write_bytes(b'\n{"decision":"shrug"}\n' + encode_decision(acknowledge(1)) + b"\n")
    file = file_of(tmp_path / "d")
    taken = await take_all(file)
    (letter,) = taken.letters
    assert (letter.shard, letter.position, letter.reason, letter.size_bytes) == (SHARD, "1", Reason.BAD_LAYOUT, 20)
    assert (taken.ids, file.taken, file.refused) == (["decision-1"], 1, 1)


async def test_a_line_without_an_end_in_sight_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decisions_file, "_READ_BYTES", 256)
    file = file_of(tmp_path / "d")
    (tmp_path / "d").write_bytes(b"x" * 1_000)
    assert await file.read() == []
    append_decision(tmp_path / "d", acknowledge(1))
    taken = await take_all(file)
    (letter,) = taken.letters
    assert (letter.reason, letter.size_bytes, taken.ids) == (Reason.RECORD_TOO_LARGE, 1_000, ["decision-1"])


async def test_more_lines_than_are_read_at_once_come_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decisions_file, "_READ_BYTES", 400)
    for n in range(9):
        append_decision(tmp_path / "d", acknowledge(n))
    assert len((await take_all(file_of(tmp_path / "d"))).ids) == 9


async def test_a_file_shorter_than_its_place_is_trouble_and_nothing_is_taken_again(tmp_path: Path) -> None:
    file = file_of(tmp_path / "d")
    append_decision(tmp_path / "d", acknowledge(1))
    append_decision(tmp_path / "d", acknowledge(2))
    await take_all(file)
    (tmp_path / "d").write_bytes(encode_decision(acknowledge(3)) + b"\n")
    assert await file.read() == []
    assert "shorter" in file.troubles()[0]


async def test_a_file_that_can_not_be_read_is_trouble(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    file = file_of(tmp_path / "d")
    assert await file.read() == []
    assert "can't read" in file.troubles()[0]


@pytest.mark.parametrize(("name", "found"), [("good", True), ("bad", False)])
async def test_a_version_comes_with_the_baseline_at_its_path(tmp_path: Path, name: str, found: bool) -> None:
    append_decision(tmp_path / "d", add_version(f"/somewhere/{name}"))
    ((_, given),) = (await take_all(file_of(tmp_path / "d"))).decisions
    assert (given is not None) is found


async def test_the_place_moves_in_the_same_step_as_the_effect(tmp_path: Path) -> None:
    append_decision(tmp_path / "d", acknowledge(1))
    file = file_of(tmp_path / "d")

    class Failing(Taken):
        def decide_on(self, decision: Decision, baseline: Baseline | None) -> None:
            raise RuntimeError("a bug")

    (entry,) = await file.read()
    with pytest.raises(RuntimeError):
        await file.hand_over(entry, Failing())
    assert (file.position, file.taken) == (0, 0)


async def test_it_hands_over_until_the_stop(tmp_path: Path) -> None:
    stop, taken = asyncio.Event(), Taken()
    append_decision(tmp_path / "d", acknowledge(0))
    polls = 0

    async def wait(stop: asyncio.Event, seconds: float) -> bool:
        nonlocal polls
        polls += 1
        append_decision(tmp_path / "d", acknowledge(polls))
        return polls == 3

    await DecisionsFile(tmp_path / "d", load, wait).run(taken, stop)
    assert taken.ids == ["decision-0", "decision-1", "decision-2"]


async def test_after_a_stop_nothing_more_is_handed_over(tmp_path: Path) -> None:
    stop, taken = asyncio.Event(), Taken()
    stop.set()
    append_decision(tmp_path / "d", acknowledge(0))
    await DecisionsFile(tmp_path / "d", load, until_the_stop).run(taken, stop)
    assert taken.ids == []


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    append_decision(tmp_path / "d", acknowledge(1))
    assert stat.S_IMODE((tmp_path / "d").stat().st_mode) == 0o600


def test_without_a_state_directory_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="no state directory"):
        append_decision(tmp_path / "missing" / "d", acknowledge(1))


def test_a_file_that_can_not_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    with pytest.raises(SinkError, match="can't write"):
        append_decision(tmp_path / "d", acknowledge(1))


def test_many_processes_may_write_at_once(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
from streamer.adapters.decisions_file import append_decision
from streamer.core.decisions import Acknowledge
for n in range(20):
    made = Acknowledge(id=f"{sys.argv[2]}-{n}", made_at=1_767_603_600_000, by="ada", note="x" * 1_500, incident="i")
    append_decision(Path(sys.argv[1]), made)
"""
    arguments = [sys.executable, "-c", program, str(tmp_path / "d")]
    writers = [subprocess.Popen([*arguments, str(i)], env=dict(os.environ)) for i in range(3)]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    taken = asyncio.run(take_all(file_of(tmp_path / "d")))
    assert (len(set(taken.ids)), taken.letters) == (60, [])


async def test_an_empty_line_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "d").write_bytes(b"\n  \n")
    assert await file_of(tmp_path / "d").read() == [Entry(0, 1, None, None), Entry(1, 4, None, None)]
