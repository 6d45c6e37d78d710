import asyncio
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.core.errors import Refused, Retryable, StreamerError, Unavailable
from streamer.delivery import Delivery, Entry, Outcome, Wanted

DOWN = Unavailable("down")
NEVER = Refused("never")


def entry(identity: str, size_bytes: int = 1, group: str = "") -> Wanted[str]:
    return Wanted(identity, partial(Entry, identity, identity.upper(), size_bytes, group))


def entries(*identities: str) -> list[Wanted[str]]:
    return [entry(i) for i in identities]


class Call(NamedTuple):
    """What the far side says to one call: of the whole, or of entries by their id."""

    whole: StreamerError | None = None
    parts: dict[str, Outcome] = {}  # noqa: RUF012 - never changed


class Far:
    """Takes what it is sent, but for what is scripted."""

    def __init__(self, *calls: Call, poison: str = "") -> None:
        self._calls = list(calls)
        self._poison = poison
        self.sent: list[list[str]] = []
        self.taken: list[str] = []

    async def send(self, batch: Sequence[Entry[str]]) -> list[Outcome]:
        ids = [e.id for e in batch]
        self.sent.append(ids)
        call = self._calls.pop(0) if self._calls else Call()
        if call.whole is not None:
            raise call.whole
        if self._poison in ids:
            raise Refused("one of them is bad")
        outcomes = [call.parts.get(i) for i in ids]
        self.taken += [i for i, outcome in zip(ids, outcomes, strict=True) if outcome is None]
        return outcomes

    def delivery(self, most_entries: int = 3, most_bytes: int = 100) -> Delivery[str]:
        return Delivery(self.send, most_entries=most_entries, most_bytes=most_bytes)


async def test_nothing_makes_no_call() -> None:
    far = Far()
    await far.delivery().deliver([])
    assert far.sent == []


async def test_a_call_holds_no_more_entries_than_it_may() -> None:
    far = Far()
    await far.delivery().deliver(entries(*"abcdefg"))
    assert far.sent == [["a", "b", "c"], ["d", "e", "f"], ["g"]]


async def test_a_call_holds_no_more_bytes_than_it_may() -> None:
    far = Far()
    await far.delivery(10).deliver([entry("a", 60), entry("b", 40), entry("c", 1), entry("d", 100)])
    assert far.sent == [["a", "b"], ["c"], ["d"]]


async def test_an_entry_that_fits_no_call_is_refused_and_the_others_go() -> None:
    far = Far()
    with pytest.raises(Refused, match="101 bytes where 100 are allowed") as refusal:
        await far.delivery().deliver([entry("a"), entry("b", 101), entry("c")])
    assert (refusal.value.ids, far.taken) == (("b",), ["a", "c"])


async def test_of_two_entries_with_one_id_one_is_sent() -> None:
    far = Far()
    await far.delivery().deliver(entries("a", "b", "a"))
    assert far.taken == ["a", "b"]


async def test_what_was_accepted_is_not_sent_again_with_the_rest() -> None:
    far = Far(Call(parts={"b": DOWN}))
    delivery = far.delivery()
    with pytest.raises(Unavailable):
        await delivery.deliver(entries("a", "b", "c", "d"))
    await delivery.deliver(entries("a", "b", "c", "d"))
    assert far.sent == [["a", "b", "c"], ["d"], ["b"]]


async def test_a_delivery_that_succeeded_is_forgotten() -> None:
    far = Far()
    delivery = far.delivery()
    await delivery.deliver(entries("a"))
    await delivery.deliver(entries("a"))
    assert far.taken == ["a", "a"]


async def test_when_a_whole_call_fails_no_other_is_made() -> None:
    far = Far(Call(), Call(whole=DOWN))
    with pytest.raises(Unavailable):
        await far.delivery().deliver(entries(*"abcdefghi"))
    assert far.sent == [["a", "b", "c"], ["d", "e", "f"]]


async def test_the_refused_are_named_when_all_others_are_accepted() -> None:
    far = Far(Call(parts={"a": NEVER, "b": DOWN}), Call(parts={"d": NEVER}))
    delivery = far.delivery()
    with pytest.raises(Unavailable):
        await delivery.deliver(entries(*"abcd"))
    with pytest.raises(Refused, match="2 of 4 refused, the first one: never") as refusal:
        await delivery.deliver(entries(*"abcd"))
    assert (refusal.value.ids, far.sent) == (("a", "d"), [["a", "b", "c"], ["d"], ["b"]])


async def test_one_bad_entry_does_not_take_its_neighbours_with_it() -> None:
    far = Far(poison="b")
    with pytest.raises(Refused) as refusal:
        await far.delivery().deliver(entries("a", "b", "c"))
    assert (refusal.value.ids, far.taken) == (("b",), ["a", "c"])


async def test_the_search_for_the_bad_one_survives_a_fault() -> None:
    far = Far(Call(whole=NEVER), Call(whole=DOWN))
    delivery = far.delivery()
    with pytest.raises(Unavailable):
        await delivery.deliver(entries("a", "b", "c"))
    await delivery.deliver(entries("a", "b", "c"))
    assert far.taken == ["b", "c", "a"]


async def test_a_group_has_one_entry_in_a_call() -> None:
    far = Far()
    await far.delivery().deliver([entry("a", group="g"), entry("b", group="g"), entry("c", group="h")])
    assert far.sent == [["a", "c"], ["b"]]


async def test_what_follows_a_failed_entry_in_its_group_waits_for_it() -> None:
    far = Far(Call(parts={"a": DOWN}))
    delivery = far.delivery()
    several = [entry("a", group="g"), entry("b", group="g"), entry("c", group="h"), entry("d", group="h")]
    with pytest.raises(Unavailable):
        await delivery.deliver(several)
    assert far.taken == ["c", "d"]
    await delivery.deliver(several)
    assert far.taken == ["c", "d", "a", "b"]


async def test_a_long_group_does_not_keep_others_waiting_behind_its_failure() -> None:
    far = Far(Call(parts={"g0": DOWN}))
    several = [entry(f"g{i}", group="g") for i in range(250)]
    with pytest.raises(Unavailable):
        await far.delivery().deliver([*several, entry("h", group="h")])
    assert far.sent == [["g0"], ["h"]]


async def test_a_long_group_arrives_in_order() -> None:
    far = Far()
    await far.delivery().deliver([entry(f"g{i}", group="g") for i in range(250)])
    assert far.taken == [f"g{i}" for i in range(250)]


async def test_while_the_service_is_down_only_one_calls_entries_are_made() -> None:
    made: list[str] = []

    def make(identity: str) -> Entry[str]:
        made.append(identity)
        return Entry(identity, identity, 1)

    far = Far(Call(), Call(whole=DOWN))
    with pytest.raises(Unavailable):
        await far.delivery().deliver([Wanted(i, partial(make, i)) for i in "abcdefghi"])
    assert made == list("abcdef")


async def test_an_entry_that_is_refused_alone_is_not_sent_twice() -> None:
    far = Far(poison="a")
    with pytest.raises(Refused) as refusal:
        await far.delivery().deliver(entries("a"))
    assert (refusal.value.ids, far.sent) == (("a",), [["a"]])


async def test_what_is_remembered_is_bounded() -> None:
    far = Far(Call(parts={"10001": DOWN}))
    delivery = far.delivery(20_000, 20_000)
    many = entries(*map(str, range(10_002)))
    with pytest.raises(Unavailable):
        await delivery.deliver(many)
    await delivery.deliver(many)
    assert far.sent[1] == ["0", "10001"]


_outcomes = st.sampled_from([None, None, DOWN, NEVER])
_calls = st.builds(
    Call, st.sampled_from([None, None, None, DOWN]), st.dictionaries(st.sampled_from("abcdefgh"), _outcomes)
)


@settings(deadline=None)
@given(calls=st.lists(_calls, max_size=12), groups=st.lists(st.sampled_from(["", "g", "h"]), min_size=8, max_size=8))
def test_repeated_until_settled_each_is_accepted_or_refused_once_and_in_its_groups_order(
    calls: list[Call], groups: list[str]
) -> None:
    far = Far(*calls)
    several = [entry(i, group=g) for i, g in zip("abcdefgh", groups, strict=True)]

    async def settle() -> tuple[str, ...]:
        delivery = far.delivery()
        while True:
            try:
                await delivery.deliver(several)
            except Retryable:
                continue
            except Refused as refusal:
                return refusal.ids
            return ()

    refused = asyncio.run(settle())
    assert sorted([*far.taken, *refused]) == list("abcdefgh")
    for group in "gh":
        mine = [e.id for e, g in zip(several, groups, strict=True) if g == group]
        taken = [i for i in far.taken if i in mine]
        assert taken == sorted(taken)
