import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.duplicates import Duplicates

sightings = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 40)), max_size=80)


def first_sightings(seen: list[tuple[int, int]]) -> list[bool]:
    return [pair not in seen[:i] for i, pair in enumerate(seen)]


@given(sightings, st.lists(st.integers(1, 7), min_size=1, max_size=80))
def test_every_first_sighting_is_fresh_whatever_the_batch_bounds(seen: list[tuple[int, int]], sizes: list[int]) -> None:
    duplicates = Duplicates()
    fresh: list[bool] = []
    at = 0
    while at < len(seen):
        part = seen[at : at + sizes[at % len(sizes)]]
        panes = np.array([pane for pane, _ in part], np.int64)
        identity = np.array([value for _, value in part], np.uint64)
        fresh += duplicates.fresh("s", panes, identity).tolist()
        at += len(part)
    assert fresh == first_sightings(seen)
    assert len(duplicates) == len(set(seen))


def test_another_shard_has_its_own_memory() -> None:
    duplicates = Duplicates()
    pane, identity = np.zeros(1, np.int64), np.array([7], np.uint64)
    assert duplicates.fresh("a", pane, identity).all()
    assert duplicates.fresh("b", pane, identity).all()
    assert not duplicates.fresh("a", pane, identity).any()


def test_a_pane_is_forgotten_when_its_lateness_has_ended() -> None:
    duplicates = Duplicates()
    duplicates.fresh("a", np.array([0, 10]), np.array([1, 2], np.uint64))
    duplicates.forget(10)
    assert list(duplicates.to_arrays()) == [("a", 10)]


@given(sightings, sightings)
def test_restored_it_goes_on_as_if_never_stopped(before: list[tuple[int, int]], after: list[tuple[int, int]]) -> None:
    def see(duplicates: Duplicates, seen: list[tuple[int, int]]) -> list[bool]:
        panes, identity = np.array([p for p, _ in seen], np.int64), np.array([v for _, v in seen], np.uint64)
        return [bool(fresh) for fresh in duplicates.fresh("s", panes, identity)]

    never, stopped, restored = Duplicates(), Duplicates(), Duplicates()
    see(never, before)
    see(stopped, before)
    restored.restore(stopped.to_arrays())
    assert see(restored, after) == see(never, after)


def test_within_a_batch_the_first_in_the_shards_order_is_fresh() -> None:
    pane = np.array([10, 0, 10, 0, 10], np.int64)
    identity = np.array([1, 1, 1, 2, 2], np.uint64)
    assert Duplicates().fresh("s", pane, identity).tolist() == [True, True, False, True, True]


def test_identities_of_the_full_64_bits_are_told_apart() -> None:
    identity = np.array([0, 2**64 - 1, 2**63, 2**53, 2**53 + 1, 2**64 - 1], np.uint64)
    assert Duplicates().fresh("s", np.zeros(6, np.int64), identity).tolist() == [True] * 5 + [False]


def test_no_records_are_no_sightings() -> None:
    duplicates = Duplicates()
    assert len(duplicates.fresh("s", np.empty(0, np.int64), np.empty(0, np.uint64))) == 0
    assert duplicates.to_arrays() == {}


@given(sightings, st.lists(st.integers(1, 7), min_size=1, max_size=80))
def test_its_arrays_are_the_same_whatever_the_batch_bounds(seen: list[tuple[int, int]], sizes: list[int]) -> None:
    def arrays(steps: list[int]) -> dict[tuple[str, int], list[int]]:
        duplicates = Duplicates()
        at = 0
        for size in steps:
            part = seen[at : at + size]
            panes, identity = np.array([p for p, _ in part], np.int64), np.array([v for _, v in part], np.uint64)
            duplicates.fresh("s", panes, identity)
            at += size
        return {key: values.tolist() for key, values in duplicates.to_arrays().items()}

    assert arrays([len(seen)]) == arrays([*sizes, len(seen)])


def test_a_sighting_is_remembered_through_many_batches() -> None:
    duplicates = Duplicates()
    pane = np.zeros(2, np.int64)
    for i in range(40):
        assert duplicates.fresh("s", pane, np.array([2 * i, 2 * i + 1], np.uint64)).all()
    for i in range(40):
        assert not duplicates.fresh("s", pane, np.array([2 * i, 2 * i + 1], np.uint64)).any()
    assert len(duplicates) == 80


def test_a_shard_knows_what_the_shards_it_continues_have_seen_and_they_learn_nothing_from_it() -> None:
    seen = Duplicates()
    one, two = np.array([1], np.uint64), np.array([2], np.uint64)
    at = np.array([0], np.int64)
    seen.fresh("parent", at, one)
    seen.inherit("child", ["parent"])
    assert not seen.fresh("child", at, one).any()
    assert seen.fresh("child", at, two).all()
    assert seen.fresh("parent", at, two).all()
    assert seen.fresh("stranger", at, one).all()
