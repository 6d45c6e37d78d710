"""What every sink promises, whoever is behind it: the fake and the real ones."""

import asyncio
import json
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import closing
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from rich.console import Console

from streamer.adapters.jsonlines import ALERTS, DEAD_LETTERS, DOCUMENTS, PARTIAL, JsonLinesSink
from streamer.adapters.sqlite import SqliteSink
from streamer.adapters.terminal import TerminalSink
from streamer.core.documents import encode, encode_notification
from streamer.core.errors import Retryable
from streamer.core.incident import AlertState
from streamer.core.index.families import Family
from streamer.core.types import Action, Index
from streamer.ports import Sink
from streamer.testing.memory import FaultySink, MemorySink
from tests.contract.documents import deliveries, feature, incident, notify, operations, reject, retrain, window
from tests.opensearch.place import Place


class Kept(NamedTuple):
    """Bodies by id, as who reads the store sees them."""

    documents: dict[str, str]
    notifications: dict[str, str]
    letters: dict[str, str]


class Subject(NamedTuple):
    sink: Sink
    kept: Callable[[], Kept]


def in_memory(directory: Path) -> Subject:
    sink = MemorySink()
    return Subject(
        sink,
        lambda: Kept(
            {i: encode(d).decode() for i, d in sink.documents.items()},
            {i: encode_notification(n).decode() for i, n in sink.notifications.items()},
            {i: encode(letter).decode() for i, letter in sink.letters.items()},
        ),
    )


def behind_faults(directory: Path) -> Subject:
    inner = in_memory(directory)
    return Subject(FaultySink(inner.sink, []), inner.kept)


def in_files(directory: Path) -> Subject:
    def lines(name: str) -> list[str]:
        path = directory / name
        return (path if path.exists() else directory / (name + PARTIAL)).read_bytes().decode().split("\n")[:-1]

    def newest(name: str) -> dict[str, str]:
        found: dict[str, str] = {}
        for line in lines(name):
            fields = json.loads(line)
            known = json.loads(found.get(fields["id"], "{}")).get("revision", 0)
            if fields.get("revision", 0) >= known:
                found[fields["id"]] = line
        return found

    return Subject(JsonLinesSink(directory), lambda: Kept(newest(DOCUMENTS), newest(ALERTS), newest(DEAD_LETTERS)))


def in_sqlite(directory: Path) -> Subject:
    def kept() -> Kept:
        with closing(sqlite3.connect(directory / "index.sqlite")) as db:
            tables = ("documents", "notifications", "dead_letters")
            return Kept(*(dict(db.execute(f"SELECT id, body FROM {table}")) for table in tables))

    return Subject(SqliteSink(directory / "index.sqlite"), kept)


def on_server(place: Place) -> Subject:
    def kept() -> Kept:
        apart = (Family.NOTIFICATIONS, Family.DEAD_LETTERS)
        documents = place.of(*(family for family in Family if family not in apart))
        return Kept(documents, place.of(Family.NOTIFICATIONS), place.of(Family.DEAD_LETTERS))

    return Subject(place.sink(), kept)


STORES = [in_memory, behind_faults, in_files, in_sqlite]
SERVERS = ["stub", "opensearch"]


async def run(subject: Subject, lots: Sequence[Sequence[Action]]) -> Kept:
    try:
        for lot in lots:
            await subject.sink.deliver(lot)
        await subject.sink.commit()
    finally:
        await subject.sink.close()
    return subject.kept()


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[Subject]:
    """The sink on the server that the test's parameter names; what it wrote is gone at the end."""
    with Place(server_url(request)) as place:
        yield on_server(place)


def server_url(request: pytest.FixtureRequest) -> str:
    named = request.node.callspec.id
    url: str = request.getfixturevalue("opensearch_url" if "opensearch" in named else "stub_url")
    return url


@pytest.fixture(params=[*STORES, *SERVERS])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Subject:
    made: Subject = request.getfixturevalue("server") if request.param in SERVERS else request.param(tmp_path)
    return made


@pytest.fixture(params=[*STORES, *SERVERS, "terminal"])
async def sink(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Sink]:
    if request.param in SERVERS:
        made: Sink = request.getfixturevalue("server").sink
    else:
        made = TerminalSink(Console(file=StringIO())) if request.param == "terminal" else request.param(tmp_path).sink
    yield made
    await made.close()


async def test_every_kind_of_action_is_kept_whole(store: Subject) -> None:
    about = incident()
    kept = await run(store, [[feature(), window(), Index(about), Index(operations()), notify("n", about), reject()]])
    assert kept == Kept(
        {
            "f": encode(feature().document).decode(),
            "w": encode(window().document).decode(),
            "i": encode(about).decode(),
            "o": encode(operations()).decode(),
        },
        {"n": encode_notification(notify("n", about)).decode()},
        {"d": encode(reject().letter).decode()},
    )


async def test_delivering_again_changes_nothing(store: Subject, tmp_path: Path) -> None:
    lot: list[Action] = [feature(), Index(incident()), notify(), reject()]
    once = await run(in_memory(tmp_path), [lot])
    assert await run(store, [lot, lot, lot]) == once


async def test_an_older_revision_never_wins(store: Subject) -> None:
    kept = await run(store, [[feature(revision=3)], [feature(revision=2)]])
    assert kept.documents == {"f": encode(feature(revision=3).document).decode()}


async def test_an_older_revision_never_wins_within_one_delivery(store: Subject) -> None:
    kept = await run(store, [[feature(revision=3), feature(revision=2)]])
    assert kept.documents == {"f": encode(feature(revision=3).document).decode()}


async def test_a_newer_revision_replaces_every_field(store: Subject) -> None:
    first = incident(revision=1, title="churn: drift in age")
    last = incident(revision=2, state=AlertState.RESOLVED, title="churn: drift in age and 3 more")
    kept = await run(store, [[Index(first)], [Index(last)]])
    assert kept.documents == {"i": encode(last).decode()}


async def test_two_thousand_actions_in_one_delivery_are_all_kept(store: Subject) -> None:
    kept = await run(store, [[feature(f"f{i}") for i in range(1_000)] + [reject(f"d{i}") for i in range(1_000)]])
    assert (len(kept.documents), len(kept.letters)) == (1_000, 1_000)


async def test_names_in_any_script_come_back_as_they_were(store: Subject) -> None:
    action = feature(name="größe\u2028'; DROP TABLE documents; --\x00🙂")
    kept = await run(store, [[action]])
    assert kept.documents == {"f": encode(action.document).decode()}


async def test_a_run_without_actions_leaves_an_empty_store(store: Subject) -> None:
    assert await run(store, []) == Kept({}, {}, {})


async def test_nothing_is_needed_of_an_empty_delivery(sink: Sink) -> None:
    await sink.deliver([])


async def test_closing_twice_is_once(sink: Sink) -> None:
    await sink.deliver([feature()])
    await sink.close()
    await sink.close()


async def test_a_sink_takes_kinds_it_has_no_use_for(sink: Sink) -> None:
    await sink.deliver([feature(), window(), Index(incident()), Index(operations()), notify(), reject(), retrain()])


def test_a_sink_is_named_by_one_word(sink: Sink) -> None:
    assert sink.name.isidentifier()


async def test_an_answer_lost_on_its_way_is_made_good_by_delivering_again(store: Subject) -> None:
    lossy = FaultySink(store.sink, [Retryable("lost"), None], after=True)
    lot: list[Action] = [feature(), notify(), reject()]
    with pytest.raises(Retryable, match="lost"):
        await lossy.deliver(lot)
    kept = await run(Subject(lossy, store.kept), [lot])
    assert [len(several) for several in kept] == [1, 1, 1]


@pytest.mark.parametrize("make", [in_files, in_sqlite])
@given(lots=deliveries)
@settings(max_examples=40, deadline=None)
def test_any_deliveries_end_with_the_newest_revision_of_each_id(
    make: Callable[[Path], Subject], lots: list[list[Action]]
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory)
        assert asyncio.run(run(make(path), lots)) == asyncio.run(run(in_memory(path), lots))


@pytest.mark.parametrize("named", SERVERS)
def test_any_deliveries_to_a_server_end_with_the_newest_revision_of_each_id(
    named: str, request: pytest.FixtureRequest
) -> None:
    url = server_url(request)

    # A new place on a real server takes a second.
    @given(lots=deliveries)
    @settings(max_examples=8 if named == "opensearch" else 40, deadline=None)
    def holds(lots: list[list[Action]]) -> None:
        with Place(url) as place, tempfile.TemporaryDirectory() as directory:
            assert asyncio.run(run(on_server(place), lots)) == asyncio.run(run(in_memory(Path(directory)), lots))

    holds()
