"""The embedded index: format, retention in event time, other readers and writers, a full disk."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from streamer.adapters.sqlite import SqliteSink
from streamer.core.errors import Retryable, SinkError, StorageFull
from streamer.core.incident import AlertState
from streamer.core.types import Action, Index
from tests.contract.documents import WINDOW, feature, incident, notify, operations, reject, window
from tests.strategies import START

DAY = 86_400_000


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(query).fetchall()


async def write(path: Path, *lots: Sequence[Action], retention_days: int | None = None) -> None:
    sink = SqliteSink(path, retention_days=retention_days)
    try:
        for lot in lots:
            await sink.deliver(lot)
        await sink.commit()
    finally:
        await sink.close()


async def test_columns_say_what_the_body_says(tmp_path: Path) -> None:
    await write(tmp_path / "index", [feature(), window(), Index(incident(revision=2)), Index(operations())])
    found = rows(tmp_path / "index", "SELECT kind, endpoint, feature, window_start, window_end, state FROM documents")
    assert sorted(found) == [
        ("endpoint", "churn", "", START, START + WINDOW, "ok"),
        ("feature", "churn", "age", START, START + WINDOW, "ok"),
        ("incident", "churn", "", START, START + 2 * WINDOW, "firing"),
        ("operations", "", "", START, START, ""),
    ]


async def test_a_resolved_incident_ends_where_its_trouble_ended(tmp_path: Path) -> None:
    await write(tmp_path / "index", [Index(incident(revision=3, state=AlertState.RESOLVED))])
    assert rows(tmp_path / "index", "SELECT window_end, state FROM documents") == [(START + 3 * WINDOW, "resolved")]


async def test_another_process_reads_while_a_writer_is_busy(tmp_path: Path) -> None:
    path = tmp_path / "index"
    sink = SqliteSink(path)
    await sink.deliver([feature("a"), feature("b")])
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM documents")
        program = "import sqlite3, sys; print(*sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM documents'))"
        seen = await asyncio.to_thread(subprocess.check_output, [sys.executable, "-c", program, str(path)])
        writer.execute("ROLLBACK")
    await sink.close()
    assert seen == b"(2,)\n"


async def test_a_delivery_while_another_writer_is_busy_may_work_later(tmp_path: Path) -> None:
    path = tmp_path / "index"
    sink = SqliteSink(path, busy_seconds=0.0)
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(Retryable, match="locked"):
            await sink.deliver([feature()])
        writer.execute("ROLLBACK")
    await sink.deliver([feature()])
    await sink.close()
    assert rows(path, "SELECT count(*) FROM documents") == [(1,)]


async def test_a_full_disk_is_said_and_the_delivery_left_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "index"
    sink = SqliteSink(path)
    await sink.deliver([feature()])
    sink._db.execute("PRAGMA max_page_count = 1")  # SQLite then keeps to the pages it has, as on a full disk
    with pytest.raises(StorageFull, match="full"):
        await sink.deliver([feature(f"f{i}") for i in range(2_000)])
    await sink.close()
    assert rows(path, "SELECT id FROM documents") == [("f",)]


async def test_documents_older_than_the_retention_are_let_go_of_in_event_time(tmp_path: Path) -> None:
    lots = [[window(f"w{day}", at=START + day * DAY)] for day in range(10)]
    await write(tmp_path / "index", *lots, retention_days=3)
    found = rows(tmp_path / "index", "SELECT id FROM documents ORDER BY window_start")
    assert found == [("w6",), ("w7",), ("w8",), ("w9",)]


async def test_replaying_old_traffic_of_one_endpoint_beside_new_of_another_keeps_both(tmp_path: Path) -> None:
    old, new = window("old", endpoint="flights", at=START - 4_000 * DAY), window("new")
    await write(tmp_path / "index", [new], [old], retention_days=3)
    await write(tmp_path / "index", [reject()], retention_days=3)
    assert rows(tmp_path / "index", "SELECT id FROM documents ORDER BY id") == [("new",), ("old",)]


async def test_an_incident_is_kept_until_it_is_resolved(tmp_path: Path) -> None:
    firing, over = incident("firing"), incident("over", state=AlertState.RESOLVED)
    await write(tmp_path / "index", [Index(firing), Index(over)], [window(at=START + 30 * DAY)], retention_days=3)
    assert rows(tmp_path / "index", "SELECT id FROM documents WHERE kind = 'incident'") == [("firing",)]


async def test_notifications_and_dead_letters_are_let_go_of_too(tmp_path: Path) -> None:
    first: list[Action] = [window(), notify("n0"), reject("d0")]
    last: list[Action] = [window("w1", at=START + 30 * DAY), notify("n1", incident(at=START + 30 * DAY)), reject("d1")]
    await write(tmp_path / "index", first, last, retention_days=3)
    assert rows(tmp_path / "index", "SELECT id FROM notifications") == [("n1",)]
    assert rows(tmp_path / "index", "SELECT id FROM dead_letters") == [("d1",)]


async def test_documents_on_the_service_have_a_clock_of_their_own_and_are_let_go_of_by_it(tmp_path: Path) -> None:
    year = 365 * DAY
    lots: list[list[Action]] = [
        [window(), reject()],
        [Index(operations("o1", at=START + year))],
        [window("w1", at=START + DAY)],
    ]
    await write(tmp_path / "index", *lots, retention_days=3)
    await write(tmp_path / "index", [Index(operations("o2", at=START + 2 * year))], retention_days=3)
    assert rows(tmp_path / "index", "SELECT id FROM documents ORDER BY id") == [("o2",), ("w",), ("w1",)]
    assert rows(tmp_path / "index", "SELECT id FROM dead_letters") == [("d",)]


async def test_much_is_let_go_of_in_lots(tmp_path: Path) -> None:
    path = tmp_path / "index"
    await write(path, [window(f"w{i}") for i in range(5_003)])
    sink = SqliteSink(path, retention_days=3)
    await sink.deliver([window("last", at=START + 30 * DAY)])
    assert rows(path, "SELECT count(*) FROM documents") == [(4,)]
    await sink.deliver([])
    assert rows(path, "SELECT count(*) FROM documents") == [(1,)]
    await sink.close()


async def test_without_a_retention_everything_is_kept(tmp_path: Path) -> None:
    await write(tmp_path / "index", [window()], [window("w1", at=START + 4_000 * DAY)])
    assert rows(tmp_path / "index", "SELECT count(*) FROM documents") == [(2,)]


async def test_a_second_run_goes_on_in_the_same_file(tmp_path: Path) -> None:
    await write(tmp_path / "deep" / "index", [feature("a", 2)])
    await write(tmp_path / "deep" / "index", [feature("a", 1), feature("b", 1)])
    found = rows(tmp_path / "deep" / "index", "SELECT id, revision FROM documents ORDER BY id")
    assert found == [("a", 2), ("b", 1)]


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "index").write_bytes(b"not a database, " * 100)
    with pytest.raises(SinkError, match="not a database"):
        SqliteSink(tmp_path / "index")
    assert (tmp_path / "index").read_bytes() == b"not a database, " * 100


def test_a_database_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "index")) as db:
        db.execute("CREATE TABLE theirs (x)")
    with pytest.raises(SinkError, match="another program"):
        SqliteSink(tmp_path / "index")
    assert rows(tmp_path / "index", "SELECT name FROM sqlite_master") == [("theirs",)]
    assert rows(tmp_path / "index", "PRAGMA journal_mode") == [("delete",)]


async def test_a_database_of_another_format_is_refused_with_both_versions(tmp_path: Path) -> None:
    await write(tmp_path / "index", [feature()])
    with closing(sqlite3.connect(tmp_path / "index")) as db:
        db.execute("PRAGMA user_version = 9")
    with pytest.raises(SinkError, match="format 9, expected 1"):
        SqliteSink(tmp_path / "index")


def test_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="can't open"):
        SqliteSink(tmp_path)


async def test_a_delivery_after_closing_is_refused(tmp_path: Path) -> None:
    sink = SqliteSink(tmp_path / "index")
    await sink.close()
    with pytest.raises(SinkError, match="closed"):
        await sink.deliver([feature()])


async def test_the_usual_questions_are_answered_through_an_index(tmp_path: Path) -> None:
    await write(tmp_path / "index", [feature()])
    by_feature = "SELECT body FROM documents WHERE endpoint = 'a' AND feature = 'b' AND window_start >= 5"
    by_state = "SELECT body FROM documents WHERE kind = 'incident' AND state = 'firing' ORDER BY window_start"
    plans = [str(rows(tmp_path / "index", f"EXPLAIN QUERY PLAN {query}")) for query in (by_feature, by_state)]
    assert "documents_by_feature" in plans[0]
    assert "incidents_by_state" in plans[1]
