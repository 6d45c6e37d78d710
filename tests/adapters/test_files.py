"""Capture files: which are found, in which order they are read, and what bad bytes do."""

import gzip
import io
import os
import random
import tracemalloc
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.adapters.files import FileProblem, FilesSource
from streamer.adapters.files.lines import Lines, time_in
from streamer.adapters.files.raw import Raw, Unpacked
from streamer.core.errors import SourceError
from streamer.core.types import Batch
from tests.strategies import START, capture

LIMIT = 2_000


def put(path: Path, *lines: bytes, end: bytes = b"\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = end.join(lines) + end if lines else b""
    path.write_bytes(gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)
    return path


def at(seconds: int, name: str = "x") -> bytes:
    return capture(at=START + seconds * 1000, event_id=f"{name}{seconds}")


async def read(source: FilesSource) -> list[Batch]:
    found = []
    for shard in source.shards():
        while (part := await source.next_batch(shard)) is not None:
            found.append(part)
    await source.close()
    return found


def of(*paths: Path | str, batch_records: int = 1_000) -> FilesSource:
    return FilesSource([str(path) for path in paths], batch_records=batch_records, record_bytes=LIMIT)


async def payloads(source: FilesSource) -> list[bytes]:
    return [payload for part in await read(source) for payload in part.payloads]


async def positions(source: FilesSource) -> list[str]:
    return [position.rpartition("/")[2] for part in await read(source) for position in part.positions]


async def test_a_position_is_the_path_and_the_line_counted_from_one(tmp_path: Path) -> None:
    path = put(tmp_path / "a.jsonl", b"1", b"", b"3")
    assert [part.positions for part in await read(of(path))] == [[f"{path}:1", f"{path}:3"]]


async def test_blank_lines_are_counted_and_are_no_records(tmp_path: Path) -> None:
    source = of(put(tmp_path / "a.jsonl", b"", b"1", b"  \t", b"2", b"\r"))
    assert (await payloads(source), source.blank_lines) == ([b"1", b"2"], 3)


async def test_line_ends_of_windows_are_no_part_of_a_record(tmp_path: Path) -> None:
    assert await payloads(of(put(tmp_path / "a.jsonl", b"1", b"2", end=b"\r\n"))) == [b"1", b"2"]


async def test_a_last_line_without_an_end_is_a_record(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"1\n2")
    assert await payloads(of(tmp_path / "a.jsonl")) == [b"1", b"2"]


async def test_a_byte_order_mark_is_no_part_of_the_first_record(tmp_path: Path) -> None:
    assert await payloads(of(put(tmp_path / "a.jsonl", b"\xef\xbb\xbf1", b"\xef\xbb\xbf2"))) == [b"1", b"\xef\xbb\xbf2"]


async def test_binary_files_are_lines_too(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"\x00\xff\n\x80\x81")
    assert await payloads(of(tmp_path / "a.jsonl")) == [b"\x00\xff", b"\x80\x81"]


async def test_a_directory_is_searched_for_capture_files_at_any_depth(tmp_path: Path) -> None:
    for name in ("b/c.jsonl", "a.json", "d.ndjson", "e.JSONL", "f.jsonl.gz"):
        put(tmp_path / name, name.encode())
    for name in ("g.txt", ".hidden.jsonl", ".git/h.jsonl", "i.csv"):
        put(tmp_path / name, b"no")
    assert await payloads(of(tmp_path)) == [b"a.json", b"b/c.jsonl", b"d.ndjson", b"e.JSONL", b"f.jsonl.gz"]


async def test_a_file_given_twice_is_read_once(tmp_path: Path) -> None:
    path = put(tmp_path / "a.jsonl", b"1")
    source = of(tmp_path, path, f"{tmp_path}/../{tmp_path.name}/a.jsonl")
    assert (await payloads(source), source.files) == ([b"1"], 1)


def test_paths_that_can_not_be_read_are_refused_all_at_once(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SourceError, match=r"nothing: No such file.*empty: no capture file in this directory"):
        of(tmp_path / "nothing", tmp_path / "empty")


def test_a_path_with_a_zero_byte_is_refused() -> None:
    with pytest.raises(SourceError, match="null"):
        of("a\0b")


async def test_a_name_that_is_no_text_is_shown_with_escapes(tmp_path: Path) -> None:
    path = put(tmp_path / os.fsdecode(b"\xff.jsonl"), b"1")
    assert await positions(of(path)) == ["\\xff.jsonl:1"]


async def test_a_batch_has_at_most_so_many_records(tmp_path: Path) -> None:
    path = put(tmp_path / "a.jsonl", *[b"%d" % i for i in range(10)])
    assert [len(part.payloads) for part in await read(of(path, batch_records=4))] == [4, 4, 2]


async def test_a_batch_ends_at_about_eight_megabytes(tmp_path: Path) -> None:
    path = put(tmp_path / "a.jsonl", *[b"x" * 1_000_000] * 20)
    parts = await read(FilesSource([str(path)], record_bytes=1_048_576))
    assert max(sum(map(len, part.payloads)) for part in parts) < 10_000_000


async def test_empty_files_are_named(tmp_path: Path) -> None:
    paths = [put(tmp_path / "a.jsonl"), put(tmp_path / "b.jsonl.gz"), put(tmp_path / "c.jsonl", b" ")]
    source = of(*paths)
    assert (await payloads(source), source.empty_files) == ([], [str(path) for path in paths])


async def test_every_byte_on_disk_is_told_once(tmp_path: Path) -> None:
    told: list[int] = []
    names = [f"{i}.jsonl{packed}" for i in range(3) for packed in ("", ".gz")]
    on_disk = sum(put(tmp_path / name, *[at(s) for s in range(50)]).stat().st_size for name in names)
    source = FilesSource([str(tmp_path)], record_bytes=LIMIT, on_bytes=told.append)
    await read(source)
    assert sum(told) == source.total_bytes == on_disk


async def test_standard_input_is_one_shard_of_unknown_size(tmp_path: Path) -> None:
    put(tmp_path / "a.jsonl", b"file")
    source = FilesSource(["-", str(tmp_path), "-"], record_bytes=LIMIT, stdin=io.BytesIO(b"1\n2"))
    assert source.shards() == ["-", "files"]
    assert source.total_bytes is None
    assert await payloads(source) == [b"1", b"2", b"file"]


async def test_standard_input_stays_open(tmp_path: Path) -> None:
    stdin = io.BytesIO(gzip.compress(b"1\n2"))
    assert await positions(FilesSource(["-"], record_bytes=LIMIT, stdin=stdin)) == ["-:1", "-:2"]
    assert not stdin.closed


async def test_a_named_pipe_is_read_as_it_comes(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    # Opened both ways so that neither end waits for the other.
    pipe = os.open(tmp_path / "pipe", os.O_RDWR)
    os.write(pipe, b"1\n2\n3\n4\n5\n6\n")
    source = of(tmp_path / "pipe", batch_records=2)
    first = await source.next_batch(source.shards()[0])
    await source.close()
    os.close(pipe)
    assert source.total_bytes is None
    assert first is not None
    assert first.payloads == [b"1", b"2"]


async def test_a_line_too_long_is_cut_after_the_byte_that_shows_it(tmp_path: Path) -> None:
    path = put(tmp_path / "a.jsonl", b"x" * 5_000_000, b"y" * LIMIT, b"z" * (LIMIT + 1), b"w" * 300_000)
    found = await payloads(of(path))
    assert [(p[:1], len(p)) for p in found] == [(b"x", 2_001), (b"y", 2_000), (b"z", 2_001), (b"w", 2_001)]


async def test_a_gzip_file_is_told_by_its_bytes_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(gzip.compress(b"1\n"))
    (tmp_path / "b.jsonl.gz").write_bytes(b"2\n")
    assert await payloads(of(tmp_path)) == [b"1", b"2"]


async def test_all_members_of_a_gzip_file_are_read(tmp_path: Path) -> None:
    members = gzip.compress(b"1\n2") + b"\0" * 40_000 + gzip.compress(b"3\n") + gzip.compress(b"") + b"\0\0"
    (tmp_path / "a.gz").write_bytes(members)
    source = of(tmp_path / "a.gz")
    assert (await payloads(source), source.problems) == ([b"1", b"23"], [])


async def test_a_gzip_file_cut_off_is_read_up_to_there_and_named(tmp_path: Path) -> None:
    rng = random.Random(1)
    lines = [b"%d" % rng.getrandbits(400) for _ in range(2_000)]
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"\n".join(lines))[:60_000])
    source = of(path)
    found = await payloads(source)
    assert len(found) > 1_000
    assert found[:-1] == lines[: len(found) - 1]
    assert source.problems == [FileProblem(str(path), "not read to its end: gzip data are cut off")]


@pytest.mark.parametrize("damage", [b"garbage", b"\x1f\x8b\x08garbage"])
async def test_what_follows_a_gzip_file_and_is_none_is_said(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"1\n") + damage)
    source = of(tmp_path / "a.gz")
    assert (await payloads(source), len(source.problems)) == ([b"1"], 1)


async def test_a_gzip_bomb_takes_time_and_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    with gzip.open(path, "wb") as file:
        for _ in range(64):
            file.write(bytes(1_000_000))
    tracemalloc.start()
    found = await payloads(of(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [len(p) for p in found] == [LIMIT + 1]
    assert peak < 4_000_000


async def test_a_file_that_goes_away_before_it_is_read_is_a_problem_and_not_the_end(tmp_path: Path) -> None:
    gone, stays = put(tmp_path / "a.jsonl", b"1"), put(tmp_path / "b.jsonl", b"2")
    source = of(gone, stays)
    gone.unlink()
    assert await payloads(source) == [b"2"]
    assert source.problems == [FileProblem(str(gone), "not read to its end: No such file or directory")]


@given(data=st.binary(max_size=300), packed=st.booleans(), cut=st.integers(0, 60), chunk=st.integers(1, 40))
@settings(deadline=None)
def test_any_bytes_are_read_the_same_in_chunks_of_any_size(data: bytes, packed: bool, cut: int, chunk: int) -> None:
    whole = (gzip.compress(data, mtime=0) if packed else data)[: -cut or None]

    def outcome(size: int) -> tuple[list[int], list[bytes], str]:
        held = io.BytesIO(whole)
        lines = Lines("a", 0, Raw(lambda count: held.read(min(count, size))), 50, lambda count: None)
        numbers: list[int] = []
        records: list[bytes] = []
        while lines.fill(size):
            more_numbers, more_records = lines.take(None, 100)
            numbers += more_numbers
            records += more_records
        return numbers, records, lines.problem

    assert outcome(chunk) == outcome(1_000)


@given(data=st.binary(max_size=3_000), sizes=st.lists(st.integers(1, 700), min_size=1, max_size=5))
def test_unpacking_gives_back_what_was_packed_in_pieces_of_any_size(data: bytes, sizes: list[int]) -> None:
    held = io.BytesIO(gzip.compress(data * 20, mtime=0))
    unpacked = Unpacked(Raw(held.read))
    found, turn = b"", 0
    while part := unpacked.read(sizes[turn % len(sizes)]):
        assert len(part) <= sizes[turn % len(sizes)]
        found, turn = found + part, turn + 1
    assert found == data * 20


def times(found: Iterable[bytes]) -> list[int]:
    return [((time_in(record) or 0) - START) // 1000 for record in found]


async def test_files_of_an_endpoint_and_variant_are_one_shard(tmp_path: Path) -> None:
    for name in ("churn/AllTraffic", "churn/Shadow", "fraud/AllTraffic"):
        put(tmp_path / name / "2026/01/05/09/a.jsonl", at(0))
        put(tmp_path / name / "2026/01/05/10/b.jsonl", at(3_600))
    put(tmp_path / "other/c.jsonl", at(0))
    put(tmp_path / "d.jsonl", at(0))
    source = of(tmp_path)
    assert source.shards() == ["churn/AllTraffic", "churn/Shadow", "files", "fraud/AllTraffic"]
    paths = [part.path.removeprefix(str(tmp_path)) for part in await read(source)]
    assert paths[0] == "/churn/AllTraffic/2026/01/05/09/a.jsonl"
    assert len(paths) == 4


async def test_files_whose_names_do_not_sort_by_time_are_read_by_time(tmp_path: Path) -> None:
    for day in (1, 10, 2):
        put(tmp_path / f"day-{day}.jsonl", at(day * 100), at(day * 100 + 50))
    assert times(await payloads(of(tmp_path))) == [100, 150, 200, 250, 1_000, 1_050]


async def test_files_that_overlap_are_merged_record_by_record(tmp_path: Path) -> None:
    put(tmp_path / "a.jsonl", *[at(s) for s in range(0, 3_000, 3)])
    put(tmp_path / "b.jsonl.gz", *[at(s) for s in range(1, 3_000, 3)])
    put(tmp_path / "c.jsonl", *[at(s) for s in range(2, 3_000, 3)])
    assert times(await payloads(of(tmp_path, batch_records=7))) == list(range(3_000))


async def test_a_file_is_begun_when_its_first_time_has_come(tmp_path: Path) -> None:
    put(tmp_path / "a.jsonl", *[at(s, "a") for s in range(100)])
    put(tmp_path / "b.jsonl", *[at(s, "b") for s in range(50, 150)])
    source = of(tmp_path, batch_records=20)
    first = [await source.next_batch(source.shards()[0]) for _ in range(2)]
    assert all(part is not None and part.path.endswith("a.jsonl") for part in first)
    assert times(await payloads(source)) == sorted([*range(40, 100), *range(50, 150)])


async def test_records_without_a_time_stay_behind_the_one_before(tmp_path: Path) -> None:
    put(tmp_path / "a.jsonl", at(0), b"a1", b"a2", at(100))
    put(tmp_path / "b.jsonl", at(50), b"b1", at(150))
    assert await payloads(of(tmp_path)) == [at(0), b"a1", b"a2", at(50), b"b1", at(100), at(150)]


async def test_one_clock_in_the_future_does_not_hold_its_file_back(tmp_path: Path) -> None:
    early = [at(s) for s in range(0, 100, 2)]
    put(tmp_path / "a.jsonl", *early[:20], at(10**8), at(10**8 + 1), *early[20:])
    put(tmp_path / "b.jsonl", *[at(s) for s in range(1, 100, 2)])
    found = [time for time in times(await payloads(of(tmp_path))) if time < 10**8]
    assert found == list(range(100))


async def test_one_clock_in_the_past_does_not_pull_its_file_forward(tmp_path: Path) -> None:
    early = [at(s) for s in range(0, 100, 2)]
    put(tmp_path / "a.jsonl", *early[:20], at(-(10**8)), *early[20:])
    put(tmp_path / "b.jsonl", *[at(s) for s in range(1, 100, 2)])
    assert [time for time in times(await payloads(of(tmp_path))) if time >= 0] == list(range(100))


async def test_more_files_than_can_be_open_are_merged(tmp_path: Path) -> None:
    for i in range(1_500):
        put(tmp_path / f"{i:04d}.jsonl", at(i), at(i + 10_000))
    found = times(await payloads(of(tmp_path)))
    assert found == sorted(found)
    assert len(found) == 3_000


async def test_a_pretty_printed_file_is_read_line_by_line(tmp_path: Path) -> None:
    put(tmp_path / "a.json", b"{", b'"captureData": {}', b"}")
    assert len(await payloads(of(tmp_path))) == 3


@pytest.mark.parametrize(
    ("record", "seconds"),
    [
        (at(5), 5),
        (b'{"eventMetadata": {"inferenceTime" : "2026-01-05T09:00:05Z"}}', 5),
        (b'{"inferenceTime": null, "x": "y"}', None),
        (b'{"inferenceTime', None),
        (b'{"inferenceTime": "2026', None),
        (b'{"inferenceTime": "' + b"9" * 100 + b'"}', None),
        (b"", None),
    ],
)
def test_the_quick_look_finds_a_time_or_none(record: bytes, seconds: int | None) -> None:
    assert time_in(record) == (None if seconds is None else START + seconds * 1000)
