"""Templates and first indices put and checked, and the retention: on a real server and on the stub."""

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest

from streamer.adapters.opensearch.setup import check_indices, check_templates, install, sweep
from streamer.core.errors import NeedsPerson, Refused, SinkError, Unavailable
from streamer.core.eventtime import as_datetime
from streamer.core.index.families import Family, Partition
from streamer.core.index.template import template_name
from streamer.core.types import Action, Index
from streamer.testing.memory import ManualClock
from streamer.testing.opensearch import StubOpenSearch
from tests.contract.documents import feature, incident, notify, window
from tests.opensearch.place import Place
from tests.strategies import START

DAY = 86_400_000
NOW = as_datetime(START)


@pytest.fixture(params=["stub", "opensearch"])
def bare(request: pytest.FixtureRequest) -> Iterator[Place]:
    """A place where nothing was installed."""
    with Place(request.getfixturevalue(f"{request.param}_url"), installed=False) as place:
        yield place


async def test_after_an_installation_nothing_differs_and_every_view_has_an_index_to_open(bare: Place) -> None:
    server = bare.server()
    assert len(await check_templates(server, bare.shelf.prefix)) == len(Family)
    done = await install(server, bare.shelf, NOW)
    assert await check_templates(server, bare.shelf.prefix) == []
    assert await check_indices(server, bare.shelf.prefix) == []
    await server.close()
    assert len(bare.indices()) == len(Family)
    assert len(done) == 2 * len(Family)


async def test_installing_again_changes_nothing(bare: Place) -> None:
    server = bare.server()
    await install(server, bare.shelf, NOW)
    sink = bare.sink()
    await sink.deliver([feature(), window()])
    await sink.close()
    assert all("brought up to date" in line for line in await install(server, bare.shelf, NOW))
    await server.close()
    assert set(bare.of(Family.FEATURES, Family.ENDPOINTS)) == {"f", "w"}


async def test_a_new_field_is_added_to_old_days_and_what_is_in_them_stays(bare: Place) -> None:
    """The upgrade from a program whose documents had a field fewer."""
    server, name = bare.server(), template_name(bare.shelf.prefix, Family.FEATURES)
    await install(server, bare.shelf, NOW)
    template = json.loads(bare.request("GET", f"/_index_template/{name}"))["index_templates"][0]["index_template"]
    older = json.loads(json.dumps(template))
    for field in ("resolution", "feature"):
        del older["template"]["mappings"]["properties"][field]
    older["template"]["settings"] = {"index": {"number_of_shards": "2", "refresh_interval": "30s"}}
    bare.request("PUT", f"/_index_template/{name}", older)
    day = f"{bare.shelf.prefix}-features-2026.01.04"
    bare.request("PUT", f"/{day}")
    bare.request("PUT", f"/{day}/_doc/old", {"id": "old", "rows": 1})
    wrong = await check_indices(server, bare.shelf.prefix)
    assert f"index {day}: field resolution: expected double, found nothing" in wrong

    done = await install(server, bare.shelf, NOW)

    assert f"index {day}: 2 fields added" in done
    assert await check_templates(server, bare.shelf.prefix) == []
    assert await check_indices(server, bare.shelf.prefix) == []
    await server.close()
    sink = bare.sink()
    await sink.deliver([feature(at=START - DAY)])
    await sink.close()
    settings = json.loads(bare.request("GET", f"/_index_template/{name}"))["index_templates"][0]["index_template"]
    kept = settings["template"]["settings"]
    assert "30s" in json.dumps(kept), "what an operator has set stays"


async def test_a_field_of_another_type_can_not_be_mended_and_is_told(bare: Place) -> None:
    day = f"{bare.shelf.prefix}-features-2026.01.04"
    bare.request("PUT", f"/{day}")
    bare.request("PUT", f"/{day}/_mapping", {"properties": {"rows": {"type": "text"}}})
    server = bare.server()
    with pytest.raises(SinkError, match=f"index {day}: field rows: expected long, found text"):
        await install(server, bare.shelf, NOW)
    await server.close()


async def test_a_sink_without_templates_does_not_open_and_says_what_to_do(bare: Place) -> None:
    sink = bare.sink()
    with pytest.raises(SinkError, match="streamer index install"):
        await sink.open()
    with pytest.raises(NeedsPerson, match="streamer index install"):
        await sink.deliver([feature()])
    assert bare.indices() == []
    server = bare.server()
    await install(server, bare.shelf, NOW)
    await server.close()
    await sink.deliver([feature()])
    await sink.close()
    assert set(bare.of(Family.FEATURES)) == {"f"}


async def test_a_server_that_is_away_at_the_start_is_waited_for() -> None:
    async with StubOpenSearch() as stub:
        place = Place(stub.url, installed=False)
    sink = place.sink()
    await sink.open()
    with pytest.raises(Unavailable):
        await sink.deliver([feature()])
    await sink.close()


async def test_the_retention_deletes_days_by_name_as_the_clock_moves_and_keeps_incidents(bare: Place) -> None:
    clock, server = ManualClock(START), bare.server()
    await install(server, bare.shelf, NOW)
    sink = bare.sink(clock=clock, retention_days=3)
    prefix = bare.shelf.prefix

    def days() -> list[str]:
        return [name.removeprefix(f"{prefix}-features-") for name in bare.indices() if "-features-" in name]

    # Something of the same pattern that we did not make.
    bare.request("PUT", f"/{prefix}-features-2025.01.01-copy")
    for day in range(6):
        about = incident(f"i{day}", at=START + day * DAY)
        await sink.deliver([feature(f"f{day}", at=START + day * DAY), Index(about), notify(f"n{day}", about)])
        now = as_datetime(clock.now())
        dry = await sweep(server, prefix, now, 3, dry_run=True)
        assert await sweep(server, prefix, now, 3) == dry
        clock.move(86_400.0)
    await server.close()

    # At noon of the sixth day three whole days are kept, and the one that began within them.
    assert days() == ["2025.01.01-copy", "2026.01.07", "2026.01.08", "2026.01.09", "2026.01.10"]
    assert len(bare.of(Family.INCIDENTS)) == len(bare.of(Family.NOTIFICATIONS)) == 6

    # A late window would bring a day back that is gone: it is refused before it is sent.
    with pytest.raises(Refused, match="older than the retention") as caught:
        await sink.deliver([feature("late", at=START), feature("new", at=clock.now())])
    await sink.close()
    assert caught.value.ids == ("late",)
    assert "2026.01.05" not in days()
    assert "2026.01.11" in days()


async def test_a_month_is_deleted_when_its_last_day_is_too_old(stub: StubOpenSearch) -> None:
    with Place(stub.url, partition=Partition.MONTH) as place:
        server, sink = place.server(), place.sink()
        lot: list[Action] = [feature(f"f{month}", at=START + month * 31 * DAY) for month in range(3)]
        await sink.deliver(lot)
        assert [name[-7:] for name in place.indices()] == ["2026.01", "2026.02", "2026.03"]
        # 31 January is the last day of its month, and 30 days later it is kept still.
        for now, kept in ((timedelta(days=55), 3), (timedelta(days=57), 2)):
            await sweep(server, place.shelf.prefix, NOW + now, 30)
            assert len(place.indices()) == kept
        await server.close()
        await sink.close()


async def test_two_prefixes_on_one_server_do_not_touch_each_other(bare: Place) -> None:
    with Place(bare.url) as other:
        sink = other.sink()
        await sink.deliver([feature()])
        await sink.close()
        server = bare.server()
        await install(server, bare.shelf, NOW)
        swept = await sweep(server, bare.shelf.prefix, NOW + timedelta(days=900), 30)
        await server.close()
        assert all(name.startswith(bare.shelf.prefix) for name in swept.deleted)
        assert set(other.of(Family.FEATURES)) == {"f"}
