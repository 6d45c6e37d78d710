"""JSON Lines files: whole runs under final names, and what a full disk does."""

import errno
import os
from io import FileIO
from pathlib import Path

import pytest

from streamer.adapters.jsonlines import JsonLinesSink
from streamer.core.errors import Retryable, SinkError, StorageFull
from tests.contract.documents import feature, notify, reject

FINAL = ["alerts.jsonl", "dead_letters.jsonl", "documents.jsonl"]
PARTIAL = [f"{name}.partial" for name in FINAL]


class FillingFile(FileIO):
    """A file on a disk with room for so many bytes more."""

    def __init__(self, path: Path, room: int, code: int = errno.ENOSPC) -> None:
        super().__init__(path, "wb")
        self.room = room
        self.code = code

    def write(self, text: object) -> int:
        part = memoryview(text)[: self.room]  # type: ignore[arg-type] # FileIO says less than it takes
        if not part:
            raise OSError(self.code, os.strerror(self.code))
        self.room -= len(part)
        return super().write(part)


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def lines(path: Path) -> int:
    text = path.read_bytes()
    assert not text or text.endswith(b"\n")
    return text.count(b"\n")


async def test_files_have_partial_names_until_the_commit(tmp_path: Path) -> None:
    sink = JsonLinesSink(tmp_path)
    await sink.deliver([feature()])
    assert names(tmp_path) == PARTIAL
    await sink.commit()
    await sink.close()
    assert names(tmp_path) == FINAL


async def test_a_run_without_actions_leaves_three_empty_files(tmp_path: Path) -> None:
    sink = JsonLinesSink(tmp_path / "new" / "out")
    await sink.commit()
    await sink.close()
    assert [(tmp_path / "new" / "out" / name).stat().st_size for name in FINAL] == [0, 0, 0]


async def test_a_run_that_did_not_end_keeps_the_results_of_the_one_before(tmp_path: Path) -> None:
    first = JsonLinesSink(tmp_path)
    await first.deliver([feature()])
    await first.commit()
    await first.close()
    second = JsonLinesSink(tmp_path)
    await second.deliver([feature(), feature()])
    await second.close()
    assert lines(tmp_path / "documents.jsonl") == 1


async def test_what_an_aborted_run_left_is_no_part_of_the_next(tmp_path: Path) -> None:
    aborted = JsonLinesSink(tmp_path)
    await aborted.deliver([feature()] * 5)
    await aborted.close()
    sink = JsonLinesSink(tmp_path)
    await sink.deliver([feature()])
    await sink.commit()
    await sink.close()
    assert lines(tmp_path / "documents.jsonl") == 1


async def test_each_kind_goes_to_its_file(tmp_path: Path) -> None:
    sink = JsonLinesSink(tmp_path)
    await sink.deliver([feature(), notify(), reject(), reject("e")])
    await sink.commit()
    await sink.close()
    assert [lines(tmp_path / name) for name in FINAL] == [1, 2, 1]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
async def test_a_full_disk_is_said_and_leaves_no_result(tmp_path: Path) -> None:
    (tmp_path / "documents.jsonl.partial").symlink_to("/dev/full")
    sink = JsonLinesSink(tmp_path)
    with pytest.raises(StorageFull, match="No space left on device"):
        await sink.deliver([feature()])
    await sink.close()
    assert names(tmp_path) == PARTIAL


async def test_a_disk_that_fills_up_within_a_delivery_leaves_whole_lines_of_whole_deliveries(tmp_path: Path) -> None:
    sink = JsonLinesSink(tmp_path, open_file=lambda path: FillingFile(path, 2_000))
    await sink.deliver([feature(), reject()])
    with pytest.raises(StorageFull):
        await sink.deliver([feature(f"f{i}") for i in range(10)] + [reject()])
    await sink.close()
    assert [lines(tmp_path / name) for name in PARTIAL] == [0, 1, 1]


async def test_the_same_delivery_works_once_there_is_room(tmp_path: Path) -> None:
    opened: list[FillingFile] = []

    def open_file(path: Path) -> FileIO:
        opened.append(FillingFile(path, 700))
        return opened[-1]

    sink = JsonLinesSink(tmp_path, open_file=open_file)
    lot = [feature(f"f{i}") for i in range(10)]
    with pytest.raises(StorageFull):
        await sink.deliver(lot)
    for file in opened:
        file.room = 100_000
    await sink.deliver(lot)
    await sink.commit()
    await sink.close()
    assert lines(tmp_path / "documents.jsonl") == 10


async def test_a_disk_that_fails_otherwise_may_work_later(tmp_path: Path) -> None:
    sink = JsonLinesSink(tmp_path, open_file=lambda path: FillingFile(path, 0, errno.EIO))
    with pytest.raises(Retryable) as raised:
        await sink.deliver([feature()])
    await sink.close()
    assert not isinstance(raised.value, StorageFull)


def test_a_directory_that_is_a_file_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(SinkError, match=r"can't write results to .*out"):
        JsonLinesSink(tmp_path / "out")
