import asyncio
from random import Random
from typing import Any

from streamer.adapters.kinesis.budget import ANSWER_BYTES, ByteBudget
from streamer.adapters.kinesis.pace import Pace, PaceSettings


def answered(pace: Pace, at: float, **changes: Any) -> float:
    """Seconds to the next turn after an answer."""
    fields: dict[str, Any] = {"records": 0, "held_bytes": 0, "sent_bytes": 0, "behind_seconds": 0.0, "shards": 1}
    pace.answered(at, at, **(fields | changes))
    return pace.next_at - at


def paced(**settings: Any) -> Pace:
    return Pace(PaceSettings(**settings), Random(1), 0.0)


def test_the_first_turn_is_at_once() -> None:
    assert paced().next_at == 0.0


def test_a_shard_with_records_is_read_twice_a_second() -> None:
    assert answered(paced(), 0.0, records=5, held_bytes=5_000) == 0.5


def test_a_shard_far_behind_is_read_four_times_a_second() -> None:
    assert answered(paced(), 0.0, records=5, held_bytes=5_000, behind_seconds=60.0) == 0.25


def test_an_empty_answer_behind_the_tip_is_followed_at_once() -> None:
    assert answered(paced(), 0.0, behind_seconds=60.0) == 0.25


def test_a_quiet_shard_is_read_once_a_second_at_first() -> None:
    assert 0.9 <= answered(paced(), 1.0, shards=1_000) <= 1.0


def test_a_shard_that_stays_quiet_among_many_is_read_every_five_seconds() -> None:
    assert 4.5 <= answered(paced(), 600.0, shards=1_000) <= 5.0


def test_a_shard_that_stays_quiet_among_few_is_read_every_second() -> None:
    assert 0.9 <= answered(paced(), 600.0, shards=16) <= 1.0


def test_a_record_ends_the_quiet() -> None:
    pace = paced()
    answered(pace, 600.0, shards=1_000)
    assert answered(pace, 605.0, records=1, held_bytes=100, shards=1_000) == 0.5


def test_an_answer_of_ten_mebibytes_is_followed_by_its_five_seconds() -> None:
    assert 5.0 <= answered(paced(), 0.0, records=10, held_bytes=ANSWER_BYTES, sent_bytes=ANSWER_BYTES) <= 5.5


def test_throttling_halves_the_pace() -> None:
    pace = paced()
    pace.throttled()
    assert 0.9 <= answered(pace, 0.0, records=1, held_bytes=1_000) <= 1.0


def test_the_pace_comes_back_little_by_little() -> None:
    pace = paced()
    for _ in range(10):
        pace.throttled()
    turns = 0
    while answered(pace, 0.0, records=1, held_bytes=1_000) > 0.5:
        turns += 1
    assert 10 < turns < 40


def test_a_batch_of_common_records_is_asked_for_at_first() -> None:
    assert paced().limit == 2_000


def test_fewer_large_records_are_asked_for() -> None:
    pace = paced()
    for _ in range(20):
        answered(pace, 0.0, records=10, held_bytes=1_000_000)
    assert 20 <= pace.limit <= 22


def test_no_more_small_records_are_asked_for_than_fold_in_time() -> None:
    pace = paced()
    answered(pace, 0.0, records=1_000, held_bytes=1_000)
    assert pace.limit == 2_000


def test_more_is_asked_for_at_once_while_a_shard_is_far_behind() -> None:
    pace = paced()
    answered(pace, 0.0, records=1_000, held_bytes=1_000, behind_seconds=3_600.0)
    assert pace.limit == 4_000
    answered(pace, 0.0, records=1_000, held_bytes=1_000)
    assert pace.limit == 2_000


def test_one_huge_record_is_asked_for_at_least() -> None:
    pace = paced()
    for _ in range(20):
        answered(pace, 0.0, records=1, held_bytes=ANSWER_BYTES)
    assert pace.limit == 1


async def reserve(budget: ByteBudget, entered: list[int], number: int, leave: asyncio.Event, held: int) -> None:
    async with budget.reserve() as reservation:
        reservation.shrink(held)
        entered.append(number)
        await leave.wait()


async def some_turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_answers_wait_for_room_in_the_order_they_came() -> None:
    budget, entered = ByteBudget(2 * ANSWER_BYTES), list[int]()
    leave = [asyncio.Event() for _ in range(4)]
    async with asyncio.TaskGroup() as group:
        for number in range(4):
            group.create_task(reserve(budget, entered, number, leave[number], ANSWER_BYTES))
        await some_turns()
        assert entered == [0, 1]
        leave[1].set()
        await some_turns()
        assert entered == [0, 1, 2]
        for event in leave:
            event.set()
    assert entered == [0, 1, 2, 3]
    assert budget.held_bytes == 0


async def test_what_an_answer_does_not_need_lets_others_in() -> None:
    budget, entered, leave = ByteBudget(2 * ANSWER_BYTES), list[int](), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for number in range(5):
            group.create_task(reserve(budget, entered, number, leave, 1_000))
        await some_turns()
        assert entered == [0, 1, 2, 3, 4]
        leave.set()


async def test_one_that_gives_up_waiting_takes_nobodys_room() -> None:
    budget, entered = ByteBudget(ANSWER_BYTES), list[int]()
    leave = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(reserve(budget, entered, 0, leave, ANSWER_BYTES))
        await some_turns()
        waiting = group.create_task(reserve(budget, entered, 1, leave, ANSWER_BYTES))
        await some_turns()
        waiting.cancel()
        group.create_task(reserve(budget, entered, 2, leave, ANSWER_BYTES))
        await some_turns()
        leave.set()
    assert entered == [0, 2]
    assert budget.held_bytes == 0


async def test_a_budget_smaller_than_an_answer_lets_one_in_at_a_time() -> None:
    async with ByteBudget(1).reserve() as reservation:
        assert reservation.held_bytes == ANSWER_BYTES


def test_batches_grow_little_by_little_while_they_are_quick_and_shrink_at_once_when_one_is_slow() -> None:
    pace = Pace(PaceSettings(), Random(1), 0.0)
    first = pace.batch_records
    pace.folded(first, 0.001)
    grown = pace.batch_records
    assert first < grown <= first * 1.5
    pace.folded(grown, 0.2)
    assert pace.batch_records == max(grown // 10, 16)
    for _ in range(50):
        pace.folded(pace.batch_records, 1e-6)
    assert pace.batch_records == PaceSettings().batch_records


def test_the_rest_of_an_answer_says_nothing_of_larger_batches() -> None:
    pace = Pace(PaceSettings(), Random(1), 0.0)
    before = pace.batch_records
    pace.folded(3, 1e-6)
    assert pace.batch_records == before
