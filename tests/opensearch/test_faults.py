"""What the sink does about faults that a real server does not have on demand."""

from collections.abc import Iterator

import pytest

from streamer.core.errors import NeedsPerson, Refused, Retryable, StorageFull, Throttled, Unavailable
from streamer.core.index.families import Family
from streamer.core.types import Action
from streamer.testing.opensearch import Fault, Garbled, Reset, Short, Silent, Some, StubOpenSearch, Whole
from tests.contract.documents import feature, notify, reject
from tests.opensearch.place import Place

LOT: list[Action] = [*(feature(f"f{i}") for i in range(20)), notify(), reject()]


@pytest.fixture
def on_stub(stub: StubOpenSearch) -> Iterator[Place]:
    with Place(stub.url) as place:
        yield place


def written(place: Place) -> int:
    return len(place.documents())


def bulks(stub: StubOpenSearch) -> int:
    return sum(seen.path.endswith("_bulk") for seen in stub.seen)


@pytest.mark.parametrize(
    ("fault", "error", "left"),
    [
        pytest.param(Whole(429), Throttled, 22, id="429 for the request"),
        pytest.param(Whole(503), Unavailable, 22, id="503"),
        pytest.param(Whole(500), Unavailable, 22, id="500"),
        pytest.param(Whole(401), NeedsPerson, 22, id="401"),
        pytest.param(Whole(404), NeedsPerson, 22, id="404"),
        pytest.param(Some(429, "rejected_execution_exception"), Throttled, 11, id="429 for every second document"),
        pytest.param(Some(429, "cluster_block_exception"), StorageFull, 11, id="a full disk"),
        pytest.param(Some(503, "unavailable_shards_exception", 1), Unavailable, 22, id="503 for every document"),
        pytest.param(Some(400, "index_closed_exception", 11), NeedsPerson, 20 - 18, id="two of a closed index"),
        pytest.param(Silent(), Unavailable, 22, id="no answer, nothing written"),
        pytest.param(Silent(written=True), Unavailable, 0, id="no answer, all written"),
        pytest.param(Reset(), Unavailable, 22, id="cut off, nothing written"),
        pytest.param(Reset(written=True), Unavailable, 0, id="cut off, all written"),
        pytest.param(Short(), Unavailable, 0, id="an answer for fewer documents"),
        pytest.param(Short(missing=22), Unavailable, 0, id="an answer for none"),
        pytest.param(Garbled(), Unavailable, 0, id="half an answer"),
    ],
)
async def test_after_a_fault_the_same_delivery_again_leaves_all_there_once(
    stub: StubOpenSearch, on_stub: Place, fault: Fault, error: type[Retryable], left: int
) -> None:
    sink = on_stub.sink(timeout_seconds=0.2 if isinstance(fault, Silent) else 30.0)
    stub.faults.append(fault)
    with pytest.raises(error):
        await sink.deliver(LOT)
    assert written(on_stub) == len(LOT) - left
    await sink.deliver(LOT)
    await sink.close()
    assert written(on_stub) == len(LOT)


async def test_what_was_written_is_not_sent_again(stub: StubOpenSearch, on_stub: Place) -> None:
    sink = on_stub.sink()
    stub.faults.append(Some(429, "rejected_execution_exception", every=11))
    with pytest.raises(Throttled):
        await sink.deliver(LOT)
    await sink.deliver(LOT)
    await sink.close()
    first, second = (seen.size_bytes for seen in stub.seen if seen.path.endswith("_bulk"))
    assert second < first / 5


async def test_another_delivery_is_not_taken_for_the_one_that_failed(stub: StubOpenSearch, on_stub: Place) -> None:
    sink = on_stub.sink()
    stub.faults.append(Some(429, "", every=2))
    with pytest.raises(Throttled):
        await sink.deliver([feature("a", 1), feature("b", 1)])
    await sink.deliver([feature("a", 2), feature("b", 2)])
    await sink.close()
    assert {kept.version for index in stub.indices.values() for kept in index.values()} == {2}


async def test_a_wait_that_is_asked_for_is_kept(stub: StubOpenSearch, on_stub: Place) -> None:
    sink = on_stub.sink()
    stub.faults.extend([Whole(429, retry_after="7"), Whole(429, retry_after="86400"), Whole(429, retry_after="soon")])
    waits = []
    for _ in range(3):
        with pytest.raises(Throttled) as caught:
            await sink.deliver(LOT)
        waits.append(caught.value.retry_after_seconds)
    await sink.close()
    assert waits == [7.0, 300.0, None]


async def test_after_a_throttled_chunk_the_rest_waits(stub: StubOpenSearch, on_stub: Place) -> None:
    sink = on_stub.sink(most_bytes=3_000)
    stub.faults.append(Some(429, ""))
    with pytest.raises(Throttled):
        await sink.deliver(LOT)
    assert bulks(stub) == 1
    await sink.deliver(LOT)
    await sink.close()
    assert written(on_stub) == len(LOT)


async def test_a_poison_document_is_kept_as_a_letter_and_the_others_are_written(
    stub: StubOpenSearch, on_stub: Place
) -> None:
    stub.poison |= {"f3", "f7"}
    sink = on_stub.sink()
    with pytest.raises(Refused, match="mapper_parsing_exception") as caught:
        await sink.deliver(LOT)
    assert sorted(caught.value.ids) == ["f3", "f7"]
    # The publisher goes on; and a repetition after a crash writes the same letters.
    with pytest.raises(Refused):
        await sink.deliver(LOT)
    await sink.close()
    assert len(on_stub.of(Family.FEATURES)) == 18
    assert len(on_stub.of(Family.DEAD_LETTERS)) == 1 + 2


async def test_a_letter_that_can_not_be_written_yet_is_not_forgotten(stub: StubOpenSearch, on_stub: Place) -> None:
    stub.poison.add("f3")
    stub.faults.extend([None, Whole(503)])
    sink = on_stub.sink()
    with pytest.raises(Unavailable):
        await sink.deliver(LOT)
    with pytest.raises(Refused):
        await sink.deliver(LOT)
    await sink.close()
    assert len(on_stub.of(Family.DEAD_LETTERS)) == 2


async def test_a_broken_action_line_costs_the_others_nothing(stub: StubOpenSearch, on_stub: Place) -> None:
    stub.broken |= {"f3", "f4", "f19"}
    sink = on_stub.sink()
    with pytest.raises(Refused, match="bad request") as caught:
        await sink.deliver(LOT)
    await sink.close()
    assert sorted(caught.value.ids) == ["f19", "f3", "f4"]
    assert len(on_stub.of(Family.FEATURES)) == 17


async def test_where_every_request_is_broken_it_is_not_the_documents(stub: StubOpenSearch, on_stub: Place) -> None:
    stub.faults.extend([Whole(400)] * 100)
    sink = on_stub.sink()
    with pytest.raises(NeedsPerson, match="every document"):
        await sink.deliver(LOT)
    stub.faults.clear()
    await sink.deliver(LOT)
    await sink.close()
    assert written(on_stub) == len(LOT)


async def test_requests_that_are_too_large_become_smaller_and_stay_so(on_stub: Place, stub: StubOpenSearch) -> None:
    stub.limit_bytes = 400_000
    sink = on_stub.sink(most_bytes=1_000_000)
    names = [feature(f"f{i}", name="n" * 50_000) for i in range(20)]
    await sink.deliver(names)
    refused = sum(seen.size_bytes > 400_000 for seen in stub.seen)
    await sink.deliver([feature(f"g{i}", name="n" * 50_000) for i in range(20)])
    await sink.close()
    assert len(on_stub.of(Family.FEATURES)) == 40
    assert sum(seen.size_bytes > 400_000 for seen in stub.seen) == refused > 0


async def test_nothing_of_a_document_is_in_what_is_said_of_it(
    stub: StubOpenSearch, on_stub: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    stub.poison.add("f")
    stub.faults.extend([Whole(429), Garbled(), Some(400, 'a "secret" in a type', 1)])
    sink = on_stub.sink()
    said = []
    for _ in range(4):
        with pytest.raises((Retryable, Refused)) as caught:
            await sink.deliver([feature(name="secret"), feature("f2", name="secret")])
        said.append(str(caught.value))
    await sink.close()
    assert "secret" not in " ".join([*said, *capsys.readouterr()])


async def test_serverless_is_told_the_index_in_the_path(stub: StubOpenSearch, on_stub: Place) -> None:
    sink = on_stub.sink(serverless=True)
    await sink.deliver(LOT)
    await sink.close()
    assert written(on_stub) == len(LOT)
    prefix = on_stub.shelf.prefix
    assert {seen.path for seen in stub.seen if seen.path.endswith("_bulk")} == {
        f"/{prefix}-features-2026.01.05/_bulk",
        f"/{prefix}-notifications-2026/_bulk",
        f"/{prefix}-deadletters-undated/_bulk",
    }


async def test_refused_documents_that_are_all_that_is_left_of_a_delivery_do_not_speak_against_their_index(
    stub: StubOpenSearch, on_stub: Place
) -> None:
    lot: list[Action] = [feature(f"f{i}") for i in range(20)]
    stub.poison |= {f"f{i}" for i in range(10, 20)}
    # A request for each: the first ten are written, and then the connection is cut.
    stub.faults.extend([*(None for _ in range(10)), Reset()])
    sink = on_stub.sink(most_bytes=1)
    with pytest.raises(Unavailable):
        await sink.deliver(lot)
    with pytest.raises(Refused) as caught:
        await sink.deliver(lot)
    await sink.close()
    assert sorted(caught.value.ids) == sorted(stub.poison)
    assert set(on_stub.of(Family.FEATURES)) == {f"f{i}" for i in range(10)}
