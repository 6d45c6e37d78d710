"""``streamer dashboards``: files, exit codes and words."""

import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from streamer.commands.dashboards import app
from streamer.core.errors import SinkError
from streamer.dashboards.generate import encoded, objects


def run(*arguments: str, given: str | None = None) -> Result:
    return CliRunner().invoke(app, list(arguments), input=given, env={"COLUMNS": "200", "DASHBOARDS_PASSWORD": None})


def test_the_file_is_written_where_it_is_wanted_and_is_well(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "views.ndjson"
    assert run("generate", str(path), "--prefix", "staging").exit_code == 0
    assert path.read_bytes() == encoded(objects("staging"))
    told = run("check", str(path))
    assert (told.exit_code, "all well" in told.output) == (0, True)


def test_a_prefix_that_makes_bad_ids_is_wrong_usage(tmp_path: Path) -> None:
    told = run("generate", str(tmp_path / "x"), "--prefix", "Größe")
    assert told.exit_code == 2
    assert "underscores" in told.output
    assert not (tmp_path / "x").exists()


def test_what_is_wrong_with_a_file_is_told_line_by_line(tmp_path: Path) -> None:
    made = objects()
    made[-1]["references"][0]["id"] = "gone"
    (tmp_path / "x").write_bytes(encoded(made))
    told = run("check", str(tmp_path / "x"))
    assert told.exit_code == 1
    assert "dashboard streamer-endpoint: refers to visualization gone" in told.output


def test_a_file_that_is_not_there_or_can_not_be_written_is_one_line(tmp_path: Path) -> None:
    assert isinstance(run("check", str(tmp_path / "x")).exception, SinkError)
    assert isinstance(run("generate", str(tmp_path)).exception, SinkError)


@pytest.mark.parametrize("url", ["127.0.0.1:5601", "ftp://h", "http://ada:secret@127.0.0.1:5601", "http://"])
def test_what_is_no_address_is_wrong_usage_and_no_password_is_shown(url: str) -> None:
    told = run("install", url)
    assert told.exit_code == 2
    assert "secret" not in told.output


def test_a_password_is_asked_for_and_not_shown() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        told = run("install", f"http://127.0.0.1:{taken.getsockname()[1]}", "--username", "ada", given="hush\n")
    assert isinstance(told.exception, SinkError)
    assert "password" in told.output
    assert "hush" not in told.output
