import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.adapters.kinesis.fetch import Answer
from streamer.adapters.kinesis.positions import Position
from streamer.adapters.kinesis.slices import Slice, slices, unwrapped
from streamer.core.types import ShardId

SHARD = ShardId("s")


def answer(*payloads: bytes, first: int = 1) -> Answer:
    numbers = [str(first + i) for i in range(len(payloads))]
    keys = [f"key {n}" for n in numbers]
    return Answer(list(payloads), numbers, keys, None, None, 0.0, "next", ())


def cut(found: Answer, read: Position | None = None, most_records: int = 100, most_bytes: int = 10_000) -> list[Slice]:
    return list(slices(SHARD, unwrapped(found, read), lambda: most_records, most_bytes))


def lines(*numbers: int) -> bytes:
    return b"\n".join(b'{"n":%d}' % n for n in numbers)


def test_plain_records_are_one_slice() -> None:
    (part,) = cut(answer(b"a", b"b"))
    assert part == ((SHARD, [b"a", b"b"], ["1", "2"], ["key 1", "key 2"], ""), ("2", 0))


def test_no_records_are_no_slice() -> None:
    assert cut(answer()) == []


def test_a_slice_holds_no_more_records_than_allowed() -> None:
    parts = cut(answer(b"a", b"b", b"c"), most_records=2)
    assert [(part.batch.payloads, part.position) for part in parts] == [([b"a", b"b"], ("2", 0)), ([b"c"], ("3", 0))]


def test_slices_are_even() -> None:
    parts = cut(answer(*[b"a"] * 25), most_records=12)
    assert [len(part.batch.payloads) for part in parts] == [9, 8, 8]


def test_the_bound_on_records_may_change_from_slice_to_slice() -> None:
    bounds = iter([1, 2, 4])
    parts = slices(SHARD, unwrapped(answer(*[b"a"] * 7), None), lambda: next(bounds), 100)
    assert [len(part.batch.payloads) for part in parts] == [1, 2, 4]


def test_a_slice_holds_no_more_bytes_than_allowed_unless_one_record_does() -> None:
    parts = cut(answer(b"aaa", b"b", b"ccccccc", b"d"), most_bytes=4)
    assert [part.batch.payloads for part in parts] == [[b"aaa", b"b"], [b"ccccccc"], [b"d"]]


def test_a_record_cut_in_two_is_half_taken_after_the_first() -> None:
    parts = cut(answer(lines(1, 2, 3)), most_records=2)
    assert [part.position for part in parts] == [("1", 2), ("1", 0)]


def test_captures_of_one_record_share_its_partition_key() -> None:
    (part,) = cut(answer(lines(1, 2), b"plain"))
    assert part.batch.positions == ["1:0", "1:1", "2"]
    assert part.batch.partition_keys == ["key 1", "key 1", "key 2"]


def test_what_cant_be_unwrapped_stays_as_it_is() -> None:
    torn = gzip.compress(b"{}")[:-3]
    (part,) = cut(answer(torn, b"{}"))
    assert part.batch.payloads == [torn, b"{}"]
    assert part.batch.positions == ["1", "2"]


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        pytest.param(None, ["9", "10", "11"], id="nothing was read"),
        pytest.param(Position("8"), ["9", "10", "11"], id="the one before"),
        pytest.param(Position("9"), ["10", "11"], id="as numbers, not as text"),
        pytest.param(Position("11"), [], id="all"),
        pytest.param(Position("12"), [], id="more than that"),
    ],
)
def test_records_that_were_read_are_passed_over(read: Position | None, expected: list[str]) -> None:
    found = unwrapped(answer(b"a", b"b", b"c", first=9), read)
    assert list(found.positions) == expected
    assert len(found.payloads) == len(found.partition_keys) == len(expected)


def test_captures_that_were_taken_are_passed_over() -> None:
    found = unwrapped(answer(lines(1, 2, 3), b"plain"), Position("1", 2))
    assert (list(found.payloads), list(found.positions)) == ([b'{"n":3}', b"plain"], ["1:2", "2"])


@given(
    st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=4), max_size=6),
    st.integers(1, 5),
    st.integers(1, 40),
    st.integers(0, 20),
)
def test_going_on_from_any_slice_gives_the_rest(
    records: list[list[int]], most_records: int, most_bytes: int, stop: int
) -> None:
    found = answer(*(lines(*numbers) for numbers in records))
    parts = cut(found, None, most_records, most_bytes)
    whole = [position for part in parts for position in part.batch.positions]
    first = parts[:stop]
    read = first[-1].position if first else None
    rest = cut(found, read, most_records, most_bytes)
    assert [position for part in (*first, *rest) for position in part.batch.positions] == whole
