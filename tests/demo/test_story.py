"""The demo as a whole: what it finds on real flights, at full speed."""

import asyncio
import io
from datetime import date
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from streamer.app.incidents import Incidents
from streamer.app.replay import Replay
from streamer.config.load import load
from streamer.core.errors import SinkError
from streamer.core.incident import Incident
from streamer.core.types import Cause, Notify
from streamer.demo.history import days_of
from streamer.demo.preparation import Prepared, make_anew, prepare
from streamer.demo.story import found_of, told
from streamer.summary import Summary


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    prepared = prepare(tmp_path_factory.mktemp("demo"), None, full_year=False, say=lambda text: None)
    prepared.configure()
    return prepared


@pytest.fixture(scope="module")
def ran(made: Prepared) -> tuple[Summary, list[Incident]]:
    incidents = Incidents()
    summary = asyncio.run(
        Replay(load(made.configuration, {}), [str(made.captures)], made.out, sinks=(incidents,)).run()
    )
    return summary, incidents.fired


def of_day(incidents: list[Incident], day: date) -> list[Incident]:
    found = []
    for incident in incidents:
        first, last = days_of(found_of(incident))
        if first <= day and (last is None or day <= last):
            found.append(incident)
    return found


def test_every_record_of_six_months_is_accepted(ran: tuple[Summary, list[Incident]], made: Prepared) -> None:
    summary = ran[0]
    assert (summary.records.read, summary.rows_in) == (97_214, 163_277)
    assert summary.records.accepted == made.written.records


@pytest.mark.parametrize(
    ("day", "cause", "feature"),
    [
        (date(2013, 2, 8), Cause.VOLUME, ""),
        (date(2013, 2, 8), Cause.DRIFT, "hour"),
        (date(2013, 2, 12), Cause.WILD, "wind_max_6h"),
        (date(2013, 3, 8), Cause.VOLUME, ""),
        (date(2013, 5, 23), Cause.VOLUME, ""),
    ],
    ids=lambda value: str(value) if isinstance(value, date) else "",
)
def test_what_happened_in_new_york_is_found(
    ran: tuple[Summary, list[Incident]], day: date, cause: Cause, feature: str
) -> None:
    mine = [i for i in of_day(ran[1], day) if i.cause is cause]
    assert [c.feature for i in mine for c in i.contributions] == [feature]


def test_hardly_anything_else_is_found_and_where_nobody_retrains_the_season_is_firing_at_the_end(
    ran: tuple[Summary, list[Incident]],
) -> None:
    assert len(ran[1]) <= 5 + 3
    assert [incident.cause for incident in ran[1] if incident.until is None] == [Cause.DRIFT]


def test_the_broken_sensor_is_told_by_its_size_and_not_by_its_reading(ran: tuple[Summary, list[Incident]]) -> None:
    (broken,) = of_day(ran[1], date(2013, 2, 12))
    assert "89 values" in broken.text
    assert "about 1,000" in broken.text
    assert "1048" not in broken.text


def test_the_table_sets_what_happened_beside_what_was_found_and_says_what_was_not(
    ran: tuple[Summary, list[Incident]], made: Prepared
) -> None:
    console = Console(width=200, file=io.StringIO())
    comparison = told(ran[1], made.first, made.last, console)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "Nemo" in text
    assert "Not found" in text
    assert "Andrea" in text
    assert all(comparison.explained)


def test_a_demos_directory_is_made_anew_and_nobody_elses_is_touched(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(SinkError, match="no demo's own"):
        make_anew(tmp_path)


def test_a_demos_own_directory_is_empty_afterwards_but_for_its_mark(tmp_path: Path) -> None:
    make_anew(tmp_path)
    (tmp_path / "captures").mkdir()
    make_anew(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".streamer-demo"]


async def test_an_older_revision_does_not_replace_a_newer_one(ran: tuple[Summary, list[Incident]]) -> None:
    incidents, newest = Incidents(), ran[1][0]
    older = msgspec.structs.replace(newest, revision=newest.revision - 1, title="older")
    await incidents.deliver([Notify("n2", newest, "resolved"), Notify("n1", older, "firing")])
    assert incidents.fired == [newest]
