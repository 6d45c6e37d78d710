"""What a person decides at the command line, and what the list shows."""

import asyncio
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
import typer
from typer.testing import CliRunner, Result

from streamer.adapters.decisions_file import FILE
from streamer.adapters.sqlite import SqliteSink
from streamer.commands import alert, model
from streamer.commands.accept import accept
from streamer.core.baseline.model import encode
from streamer.core.decisions import Accept, Acknowledge, AddVersion, Decision, FalseAlarm, Mute, decode_decision
from streamer.core.errors import BaselineError, ConfigError, SinkError
from streamer.core.incident import AlertState, Incident, Verdict
from streamer.core.types import Cause, Index
from tests.contract.documents import incident
from tests.strategies import START, baseline

WHOLE = "0123456789abcdef" * 2

app = typer.Typer()
app.add_typer(alert.app, name="alert")
app.add_typer(model.app, name="model")
app.command("accept")(accept)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200"})


def decide(folder: Path, *arguments: str) -> Decision:
    """The decision that a command writes."""
    result = run(*arguments, "--state", str(folder), "--by", "ada")
    assert result.exit_code == 0, result.output
    (line,) = (folder / FILE).read_bytes().splitlines()
    decision = decode_decision(line)
    assert decision.id in result.output
    return decision


def configured(folder: Path, *incidents: Incident, lines: str = "") -> Path:
    """A configuration whose index holds some incidents."""
    config = folder / "streamer.toml"
    config.write_text(f'[index]\nsqlite = "index.sqlite"\n{lines}')
    asyncio.run(_write(folder / "index.sqlite", incidents))
    return config


async def _write(path: Path, incidents: tuple[Incident, ...]) -> None:
    sink = SqliteSink(path)
    await sink.deliver([Index(one) for one in incidents])
    await sink.close()


def one(identity: str = WHOLE, **changes: object) -> Incident:
    return msgspec.structs.replace(incident(), id=identity, **changes)


def test_acknowledging_writes_who_and_which(tmp_path: Path) -> None:
    decision = decide(tmp_path, "alert", "acknowledge", WHOLE, "--note", "looking")
    assert isinstance(decision, Acknowledge)
    assert (decision.incident, decision.by, decision.note) == (WHOLE, "ada", "looking")


def test_a_false_alarm_is_written(tmp_path: Path) -> None:
    decision = decide(tmp_path, "alert", "false-alarm", WHOLE)
    assert isinstance(decision, FalseAlarm)
    assert decision.incident == WHOLE


def test_a_mute_lasts_from_now_on(tmp_path: Path) -> None:
    decision = decide(tmp_path, "alert", "mute", "churn", "--for", "2 h")
    assert isinstance(decision, Mute)
    assert decision.until_at - decision.made_at == 7_200_000
    assert (decision.endpoint, decision.cause, decision.feature) == ("churn", None, None)


def test_a_mute_may_be_of_one_cause_and_feature_until_a_time(tmp_path: Path) -> None:
    scope = ("--until", "2026-01-05T09:00:00Z", "--cause", "missing values", "--feature", "age")
    decision = decide(tmp_path, "alert", "mute", "churn", *scope)
    assert isinstance(decision, Mute)
    assert (decision.cause, decision.feature, decision.until_at) == (Cause.MISSING, "age", START)


def test_accepting_begins_at_the_time_given(tmp_path: Path) -> None:
    decision = decide(tmp_path, "accept", "churn", "--from", "2026-01-05T09:00:00Z")
    assert isinstance(decision, Accept)
    assert (decision.endpoint, decision.from_at) == ("churn", START)


def test_accepting_begins_now_without_a_time(tmp_path: Path) -> None:
    decision = decide(tmp_path, "accept", "churn")
    assert isinstance(decision, Accept)
    assert decision.from_at == decision.made_at


def test_a_version_is_added_with_its_baseline_known_by_its_id(tmp_path: Path) -> None:
    built = tmp_path / "baseline.json"
    built.write_bytes(encode(baseline()))
    arguments = ("churn", "2", "--from", "2026-01-05T09:00:00Z", "--baseline", str(built))
    decision = decide(tmp_path, "model", "version", "add", *arguments)
    assert isinstance(decision, AddVersion)
    assert (decision.version, decision.from_at) == ("2", START)
    assert (decision.baseline, decision.baseline_id) == (str(built), baseline().id)


def test_a_version_without_a_baseline_has_the_endpoints(tmp_path: Path) -> None:
    decision = decide(tmp_path, "model", "version", "add", "churn", "2")
    assert isinstance(decision, AddVersion)
    assert (decision.baseline, decision.from_at) == ("", decision.made_at)


def test_a_version_with_a_baseline_that_is_not_there_is_not_added(tmp_path: Path) -> None:
    result = run("model", "version", "add", "churn", "2", "--baseline", str(tmp_path / "no"), "--state", str(tmp_path))
    assert isinstance(result.exception, BaselineError)
    assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(("alert", "mute", "e"), "either --for or --until", id="a mute without an end"),
        pytest.param(("alert", "mute", "e", "--for", "1h", "--until", "2026-01-05"), "either", id="two ends"),
        pytest.param(("alert", "mute", "e", "--for", "soon"), "expected a duration", id="no duration"),
        pytest.param(("alert", "mute", "e", "--until", "soon"), "expected a time", id="no time"),
        pytest.param(("alert", "mute", "e", "--for", "1h", "--cause", "luck"), "luck", id="no cause"),
        pytest.param(("alert", "mute", "e", "--for", "5000 weeks"), "2000 to 2100", id="a mute beyond all dates"),
        pytest.param(("alert", "mute", "e\udcff", "--for", "1h"), "plain text", id="a name that is no text"),
        pytest.param(("alert", "mute", "", "--for", "1h"), "1 to 256", id="no name"),
        pytest.param(("alert", "acknowledge", WHOLE, "--note", "x" * 2_001), "2,000", id="a note too long"),
    ],
)
def test_what_can_not_be_meant_is_wrong_usage_and_writes_nothing(
    tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    result = run(*arguments, "--state", str(tmp_path), "--by", "ada")
    assert (result.exit_code, words in " ".join(result.output.split())) == (2, True)
    assert not (tmp_path / FILE).exists()


def test_the_state_directory_is_the_configured_one(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    config = configured(tmp_path, lines='[state]\ndirectory = "state"\n')
    assert run("alert", "acknowledge", WHOLE, "--config", str(config), "--by", "ada").exit_code == 0
    assert (tmp_path / "state" / FILE).exists()


def test_without_a_state_directory_in_the_configuration_it_says_what_is_missing(tmp_path: Path) -> None:
    result = run("alert", "acknowledge", WHOLE, "--config", str(configured(tmp_path)), "--by", "ada")
    assert isinstance(result.exception, ConfigError)
    assert "[state] directory" in str(result.exception)


def test_before_the_service_made_its_state_directory_nothing_is_written(tmp_path: Path) -> None:
    result = run("alert", "acknowledge", WHOLE, "--state", str(tmp_path / "no"), "--by", "ada")
    assert isinstance(result.exception, SinkError)
    assert "not written" in str(result.exception)


def test_who_decides_is_the_present_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "grace")
    assert run("alert", "acknowledge", WHOLE, "--state", str(tmp_path)).exit_code == 0
    assert decode_decision((tmp_path / FILE).read_bytes().strip()).by == "grace"


def test_a_user_without_a_name_says_who_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    # The user's number is looked up then: one that nobody has.
    monkeypatch.setattr("os.getuid", lambda: 2**31 - 7)
    result = run("alert", "acknowledge", WHOLE, "--state", str(tmp_path))
    assert (result.exit_code, "say who decides" in result.output) == (2, True)


def test_the_first_characters_of_an_id_are_enough_with_an_index(tmp_path: Path) -> None:
    config = configured(tmp_path, one(), one("f" * 32))
    decision = decide(tmp_path, "alert", "acknowledge", "0123", "--config", str(config))
    assert isinstance(decision, Acknowledge)
    assert decision.incident == WHOLE


@pytest.mark.parametrize(
    ("text", "words"), [("01", "2 incidents"), ("9", "0 incidents"), ("", "0 incidents"), ("0%", "0 incidents")]
)
def test_first_characters_that_are_not_one_incidents_are_wrong_usage(tmp_path: Path, text: str, words: str) -> None:
    config = configured(tmp_path, one(), one("01" * 16))
    result = run("alert", "acknowledge", text, "--config", str(config), "--state", str(tmp_path), "--by", "ada")
    assert (result.exit_code, words in result.output) == (2, True)


def test_without_an_index_the_whole_id_is_needed(tmp_path: Path) -> None:
    config = tmp_path / "streamer.toml"
    config.write_text("")
    result = run("alert", "acknowledge", "0123", "--config", str(config), "--state", str(tmp_path), "--by", "ada")
    assert (result.exit_code, "whole id" in result.output) == (2, True)


def test_the_list_shows_open_incidents_and_what_people_said_of_them(tmp_path: Path) -> None:
    until = datetime(2026, 1, 5, 12, tzinfo=UTC)
    config = configured(
        tmp_path, one(acknowledged_by="ada", muted_until=until), one("f" * 32, state=AlertState.RESOLVED)
    )
    shown = run("alert", "list", "--config", str(config)).output
    assert "01234567" in shown
    assert "acknowledged by ada, muted until 2026-01-05 12:00" in shown
    assert "ffffffff" not in shown


def test_the_list_shows_resolved_ones_when_asked(tmp_path: Path) -> None:
    config = configured(tmp_path, one(state=AlertState.RESOLVED, verdict=Verdict.FALSE_ALARM))
    assert "false alarm" in run("alert", "list", "--all", "--config", str(config)).output


def test_the_list_of_one_endpoint_leaves_out_the_others(tmp_path: Path) -> None:
    config = configured(tmp_path, one(), one("f" * 32, endpoint="other"))
    found = json.loads(run("alert", "list", "--json", "--endpoint", "other", "--config", str(config)).output)
    assert [i["id"] for i in found["incidents"]] == ["f" * 32]


def test_the_list_for_machines_has_whole_documents(tmp_path: Path) -> None:
    config = configured(tmp_path, one())
    found = json.loads(run("alert", "list", "--json", "--config", str(config)).output)
    assert found["index"] == str(tmp_path / "index.sqlite")
    assert found["incidents"] == [json.loads(msgspec.json.encode(one()))]


@pytest.mark.parametrize(("flag", "words"), [((), "no open incidents"), (("--all",), "no incidents")])
def test_an_empty_list_says_so(tmp_path: Path, flag: tuple[str, ...], words: str) -> None:
    assert words in run("alert", "list", *flag, "--config", str(configured(tmp_path))).output


@pytest.mark.parametrize(
    ("text", "words"), [("", "no SQLite index is configured"), ('[index]\nsqlite = "no"\n', "there is no index")]
)
def test_without_an_index_the_list_says_that_there_is_none(tmp_path: Path, text: str, words: str) -> None:
    config = tmp_path / "streamer.toml"
    config.write_text(text)
    assert words in run("alert", "list", "--config", str(config)).output
    assert json.loads(run("alert", "list", "--json", "--config", str(config)).output)["index"] is None


def test_names_from_outside_do_not_steer_the_terminal(tmp_path: Path) -> None:
    config = configured(tmp_path, one(title="e\x1b[31m: drift"))
    assert "\x1b" not in run("alert", "list", "--config", str(config)).output


def test_a_foreign_file_is_no_index(tmp_path: Path) -> None:
    config = configured(tmp_path)
    (tmp_path / "index.sqlite").write_bytes(b"not a database, but long enough to be looked at" * 20)
    result = run("alert", "list", "--config", str(config))
    assert isinstance(result.exception, SinkError)


def test_the_list_is_read_while_the_service_writes(tmp_path: Path) -> None:
    config = configured(tmp_path, one())
    with closing(sqlite3.connect(tmp_path / "index.sqlite", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM documents")
        assert "01234567" in run("alert", "list", "--config", str(config)).output
