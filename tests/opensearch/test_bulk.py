"""How servers answer a bulk request, and what the sink makes of it: on a real server, and on the stub alike."""

import json

import msgspec
import pytest

from streamer.core.errors import NeedsPerson, Refused
from streamer.core.index.families import Family
from streamer.core.index.refused import RefusedDocument
from streamer.core.types import Action, Index
from streamer.testing.opensearch import StubOpenSearch
from tests.contract.documents import feature, incident, notify, reject
from tests.opensearch.place import Place

MANY = 30


def item(answer: bytes, number: int = 0) -> tuple[int, str]:
    about = json.loads(answer)["items"][number]["index"]
    return about["status"], about.get("error", {}).get("type", "")


async def sent(place: Place, *lines: str) -> bytes:
    server = place.server()
    try:
        return (await server.call("POST", "/_bulk", "".join(f"{line}\n" for line in lines).encode())).body.encode()
    finally:
        await server.close()


def action(place: Place, identity: str, version: int | None = None, **more: object) -> str:
    index = f"{place.shelf.prefix}-features-2026.01.05"
    about = {"_index": index, "_id": identity, **more}
    if version is not None:
        about |= {"version": version, "version_type": "external_gte"}
    return json.dumps({"index": about})


async def test_revisions_are_judged_one_by_one_in_order(place: Place) -> None:
    revisions = (3, 3, 2, 4)
    lines = [line for r in revisions for line in (action(place, "a", r), json.dumps({"id": "a", "revision": r}))]
    answer = await sent(place, *lines)
    assert [item(answer, i) for i in range(4)] == [
        (201, ""),
        (200, ""),
        (409, "version_conflict_engine_exception"),
        (200, ""),
    ]
    assert place.of(Family.FEATURES) == {"a": '{"id": "a", "revision": 4}'}


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ('{"colour": "red"}', "strict_dynamic_mapping_exception"),
        ('{"rows": "many"}', "mapper_parsing_exception"),
        ('{"window_start": "yesterday"}', "mapper_parsing_exception"),
        ('{"rows": 1', "mapper_parsing_exception"),
        ('{"mean": NaN}', "mapper_parsing_exception"),
    ],
)
async def test_a_document_that_does_not_fit_costs_its_neighbours_nothing(place: Place, source: str, error: str) -> None:
    answer = await sent(place, action(place, "a", 1), '{"id": "a"}', action(place, "b", 1), source)
    assert (item(answer), item(answer, 1)) == ((201, ""), (400, error))
    assert set(place.of(Family.FEATURES)) == {"a"}


@pytest.mark.parametrize(
    "about",
    [
        '{"index": {"_index": "PREFIX-features-2026.01.05", "_id": "a", "version": 1}}',
        '{"index": {"_index": "PREFIX-features-2026.01.05", "_id": "a", "version": -1, "version_type": "external"}}',
        '{"index": {"_index": "PREFIX-features-2026.01.05", "_id": "' + "a" * 513 + '"}}',
        '{"index": {"_index": "PREFIX-features-2026.01.05"',
        "{}",
    ],
)
async def test_a_broken_action_line_breaks_the_whole_request(place: Place, about: str) -> None:
    server = place.server()
    good = f'{action(place, "b", 1)}\n{{"id": "b"}}\n'
    broken = about.replace("PREFIX", place.shelf.prefix) + '\n{"id": "a"}\n'
    answer = await server.call("POST", "/_bulk", (good + broken).encode())
    await server.close()
    assert answer.status == 400
    assert place.of(Family.FEATURES) == {}


async def test_a_last_action_without_its_document_is_passed_over_in_silence(place: Place) -> None:
    answer = await sent(place, action(place, "a", 1), '{"id": "a"}', action(place, "b", 1))
    assert len(json.loads(answer)["items"]) == 1


async def test_a_document_that_is_too_large_is_refused_and_the_others_are_written(place: Place) -> None:
    # Both servers take 8 MiB at most.
    lot: list[Action] = [feature(f"f{i}", name=f"{i}" * 900_000) for i in range(9)]
    huge = feature("huge", name="x" * 9_000_000)
    sink = place.sink(most_bytes=30_000_000)
    with pytest.raises(Refused, match="too large") as caught:
        await sink.deliver([*lot, huge])
    await sink.close()
    assert caught.value.ids == ("huge",)
    assert set(place.of(Family.FEATURES)) == {f"f{i}" for i in range(9)}
    (letter,) = place.of(Family.DEAD_LETTERS).values()
    told = msgspec.json.decode(letter, type=RefusedDocument)
    assert (told.document, told.error) == ("huge", "too large")


async def test_an_index_that_is_closed_stops_the_sink_and_loses_nothing(real: Place) -> None:
    sink = real.sink()
    await sink.deliver([feature()])
    (index,) = real.indices()
    real.request("POST", f"/{index}/_close")
    with pytest.raises(NeedsPerson, match="closed"):
        await sink.deliver([feature("f2"), notify()])
    real.request("POST", f"/{index}/_open?wait_for_active_shards=1")
    await sink.deliver([feature("f2"), notify()])
    await sink.close()
    assert set(real.of(Family.FEATURES)) == {"f", "f2"}


async def test_an_index_that_is_blocked_for_writing_stops_the_sink_and_loses_nothing(real: Place) -> None:
    sink = real.sink()
    await sink.deliver([feature()])
    (index,) = real.indices()
    real.request("PUT", f"/{index}/_settings", {"index.blocks.write": True})
    with pytest.raises(NeedsPerson, match="blocked"):
        await sink.deliver([feature("f2")])
    real.request("PUT", f"/{index}/_settings", {"index.blocks.write": False})
    await sink.deliver([feature("f2")])
    await sink.close()
    assert set(real.of(Family.FEATURES)) == {"f", "f2"}


async def test_a_field_the_index_lacks_stops_the_sink_and_loses_nothing(place: Place) -> None:
    mappings = {"mappings": {"dynamic": "strict", "properties": {"id": {"type": "keyword"}}}}
    sink = place.sink()
    await sink.deliver([])
    name = f"{place.shelf.prefix}-features"
    kept = json.loads(place.request("GET", f"/_index_template/{name}"))["index_templates"][0]["index_template"]
    place.request(
        "PUT", f"/_index_template/{name}", {"index_patterns": [f"{name}-*"], "priority": 200, "template": mappings}
    )
    place.request("PUT", f"/{name}-2026.01.05")
    place.request("PUT", f"/_index_template/{name}", kept)
    with pytest.raises(NeedsPerson, match="streamer index install"):
        await sink.deliver([feature(), notify()])
    await sink.close()
    assert place.of(Family.FEATURES) == {}
    assert set(place.of(Family.NOTIFICATIONS)) == {"n"}


async def test_what_every_document_of_an_index_is_refused_for_is_not_about_the_documents(place: Place) -> None:
    # An index with another type for a field, as one made before the templates were put has.
    name = f"{place.shelf.prefix}-features"
    template = json.loads(place.request("GET", f"/_index_template/{name}"))["index_templates"][0]["index_template"]
    other = json.loads(json.dumps(template))
    other["template"]["mappings"]["properties"]["feature"] = {"type": "long"}
    place.request("PUT", f"/_index_template/{name}", other)
    place.request("PUT", f"/{name}-2026.01.05")
    place.request("PUT", f"/_index_template/{name}", template)
    sink = place.sink()
    lot: list[Action] = [*(feature(f"f{i}") for i in range(MANY)), Index(incident()), reject()]
    with pytest.raises(NeedsPerson, match="every document"):
        await sink.deliver(lot)
    await sink.close()
    assert (len(place.of(Family.INCIDENTS)), len(place.of(Family.DEAD_LETTERS))) == (1, 1)


async def test_the_stub_is_told_nothing_but_what_is_needed(stub: StubOpenSearch) -> None:
    with Place(stub.url) as place:
        sink = place.sink()
        await sink.deliver([feature(f"f{i}") for i in range(MANY)])
        await sink.close()
        bulks = [seen for seen in stub.seen if seen.path.endswith("_bulk")]
    assert [seen.headers["Content-Type"] for seen in bulks] == ["application/x-ndjson"]
    assert "Transfer-Encoding" not in bulks[0].headers
