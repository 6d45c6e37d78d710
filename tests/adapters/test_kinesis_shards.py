import pytest

from streamer.adapters.kinesis.positions import HASH_KEYS, Phase, ShardState
from streamer.adapters.kinesis.shards import FoundShard, ShardGraph
from streamer.core.types import ShardId

HOUR = 3_600_000
LAST = HASH_KEYS - 1
HALF = HASH_KEYS // 2
A, B, C, D = map(ShardId, "abcd")


def found(shard: ShardId, *parents: ShardId, keys: tuple[int, int] = (0, LAST)) -> FoundShard:
    return FoundShard(id=shard, parents=parents, first_key=keys[0], last_key=keys[1])


def begun(graph: ShardGraph) -> list[ShardId]:
    return [shard.id for shard in graph.begin_ready()]


def released(graph: ShardGraph) -> list[ShardId]:
    return [shard.id for shard in graph.release_ended()]


def listed(*shards: FoundShard) -> ShardGraph:
    graph = ShardGraph()
    graph.learn_listing(shards, 0)
    return graph


def test_a_shard_without_parents_begins_at_once() -> None:
    assert begun(listed(found(A), found(B))) == [A, B]


def test_a_shard_begins_once() -> None:
    graph = listed(found(A))
    graph.begin_ready()
    assert begun(graph) == []


def test_a_child_begins_when_its_parent_has_ended() -> None:
    graph = listed(found(A), found(B, A))
    assert begun(graph) == [A]
    graph.end(A, (), 0)
    assert begun(graph) == [B]
    assert graph.shards[B].is_child


def test_a_merged_shard_begins_when_both_parents_have_ended() -> None:
    graph = listed(found(A), found(B), found(C, A, B))
    graph.begin_ready()
    graph.end(A, (), 0)
    assert begun(graph) == []
    graph.end(B, (), 0)
    assert begun(graph) == [C]


def test_a_parent_that_no_longer_exists_is_not_waited_for() -> None:
    graph = listed(found(B, A))
    assert begun(graph) == [B]
    assert not graph.shards[B].is_child


def test_a_parent_nobody_has_told_of_yet_is_waited_for() -> None:
    graph = listed(found(A))
    graph.begin_ready()
    graph.end(A, [found(C, A, B)], 0)
    assert begun(graph) == []
    graph.learn_listing([found(B), found(C, A, B)], 0)
    assert begun(graph) == [B]


def test_the_end_of_a_shard_is_announced_when_its_children_have_begun() -> None:
    graph = listed(found(A))
    graph.begin_ready()
    graph.end(A, [found(B, A), found(C, A)], 0)
    assert released(graph) == []
    graph.begin_ready()
    assert released(graph) == [A]
    assert released(graph) == []


def test_an_end_without_children_holds_until_they_are_known() -> None:
    graph = listed(found(A))
    graph.begin_ready()
    graph.end(A, (), 0)
    assert released(graph) == []
    assert graph.childless() == [A]


def test_a_lost_shard_is_announced_as_ended_even_if_nothing_continues_it() -> None:
    graph = listed(found(A))
    graph.begin_ready()
    graph.lose(A, 0)
    assert released(graph) == [A]


def old_state() -> ShardGraph:
    """A was read; since then it was split, and its children, too, and all of these but the last expired."""
    return ShardGraph([ShardState(id=A, parents=(), first_key="0", last_key=str(LAST), phase=Phase.READING)])


def test_descendants_of_lost_generations_wait_for_what_we_take_for_readable() -> None:
    graph = old_state()
    graph.learn_listing([found(D, B, keys=(0, HALF - 1))], 0)
    assert begun(graph) == []
    graph.lose(A, 0)
    assert begun(graph) == [D]


def test_descendants_of_lost_generations_continue_the_ancestor_whose_keys_they_take() -> None:
    graph = old_state()
    graph.learn_listing([found(D, B, keys=(0, HALF - 1))], 0)
    graph.lose(A, 0)
    graph.begin_ready()
    assert graph.continued_by(graph.shards[D]) == (A,)
    assert graph.shards[D].is_child


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        pytest.param(HOUR, True, id="a listing may be old"),
        pytest.param(HOUR + 1, False, id="an hour later it is not"),
    ],
)
def test_an_ended_shard_is_kept_for_an_hour(after: int, expected: bool) -> None:
    graph = listed(found(A))
    graph.begin_ready()
    graph.end(A, [found(B, A)], 0)
    graph.begin_ready()
    graph.release_ended()
    graph.learn_listing([found(B, A)], after)
    assert (A in graph.shards) is expected


def test_an_ended_shard_is_kept_as_long_as_it_is_listed() -> None:
    graph = listed(found(A))
    graph.begin_ready()
    graph.end(A, [found(B, A)], 0)
    graph.begin_ready()
    graph.release_ended()
    graph.learn_listing([found(A), found(B, A)], 100 * HOUR)
    assert begun(graph) == []


@pytest.mark.parametrize(
    ("shards", "expected"),
    [
        pytest.param([found(A)], True, id="one of all keys"),
        pytest.param([found(A, keys=(0, HALF - 1)), found(B, keys=(HALF, LAST))], True, id="two halves"),
        pytest.param([found(A, keys=(0, HALF - 1))], False, id="the end is missing"),
        pytest.param([found(B, keys=(HALF, LAST))], False, id="the beginning is missing"),
        pytest.param([found(A, keys=(0, 5)), found(B, keys=(7, LAST))], False, id="a key between is missing"),
        pytest.param([], False, id="nothing"),
    ],
)
def test_every_hash_key_is_covered(shards: list[FoundShard], expected: bool) -> None:
    assert listed(*shards).covers_all_keys() is expected


def test_an_ended_shard_covers_nothing() -> None:
    graph = listed(found(A))
    graph.begin_ready()
    graph.end(A, (), 0)
    assert not graph.covers_all_keys()
