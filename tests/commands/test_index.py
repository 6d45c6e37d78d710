"""``streamer index``."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from streamer.core.index.families import Family
from streamer.testing.opensearch import StubOpenSearch
from tests.commands.test_help import run
from tests.opensearch.place import Place

TOML = '[index]\nretention = "30 d"\n[index.opensearch]\nurl = "{url}"\nprefix = "{prefix}"\n'


@pytest.fixture
def bare(stub: StubOpenSearch) -> Iterator[Place]:
    with Place(stub.url, installed=False) as place:
        yield place


@pytest.fixture
def config(bare: Place, tmp_path: Path) -> str:
    (tmp_path / "s.toml").write_text(TOML.format(url=bare.url, prefix=bare.shelf.prefix))
    return str(tmp_path / "s.toml")


def test_check_says_what_is_missing_and_install_puts_it_there(capsys: pytest.CaptureFixture[str], config: str) -> None:
    code, out, err = run(capsys, "index", "check", "--config", config)
    assert (code, out.count("is not there")) == (1, len(Family))
    assert "streamer index install" in err

    code, out, _ = run(capsys, "index", "install", "--config", config)
    assert (code, out.count(": put"), out.count(": made")) == (0, len(Family), len(Family))

    code, out, _ = run(capsys, "index", "check", "--config", config)
    assert (code, out) == (0, "the index is as this program writes it\n")


def test_retention_deletes_what_is_old_and_a_dry_run_nothing(
    capsys: pytest.CaptureFixture[str], config: str, bare: Place
) -> None:
    run(capsys, "index", "install", "--config", config)
    old = f"{bare.shelf.prefix}-features-2020.01.01"
    bare.request("PUT", f"/{old}")
    code, out, _ = run(capsys, "index", "retention", "--config", config, "--dry-run")
    assert (code, out) == (0, f"would delete {old}\n1 to delete, {len(Family)} kept\n")
    assert old in bare.indices()
    code, out, _ = run(capsys, "index", "retention", "--config", config)
    assert (code, out) == (0, f"deleted {old}\n1 deleted, {len(Family)} kept\n")
    assert old not in bare.indices()


def test_without_a_retention_the_days_are_asked_for(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, stub: StubOpenSearch
) -> None:
    (tmp_path / "s.toml").write_text(f'[index.opensearch]\nurl = "{stub.url}"\n')
    code, _, err = run(capsys, "index", "retention", "--config", str(tmp_path / "s.toml"))
    assert code == 2
    assert "--days" in err
    code, out, _ = run(capsys, "index", "retention", "--config", str(tmp_path / "s.toml"), "--days", "7")
    assert (code, out) == (0, "0 deleted, 0 kept\n")


def test_without_a_server_in_the_configuration_it_is_said(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text("")
    code, _, err = run(capsys, "index", "check", "--config", str(tmp_path / "s.toml"))
    assert code == 78
    assert "index.opensearch.url" in err


def test_a_server_that_is_away_is_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text('[index.opensearch]\nurl = "http://127.0.0.1:1"\n')
    code, _, err = run(capsys, "index", "install", "--config", str(tmp_path / "s.toml"))
    assert code == 1
    assert err.count("\n") == 1
    assert "no answer" in err


def test_a_password_comes_from_a_file_or_the_environment(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    stub: StubOpenSearch,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    toml = f'[index.opensearch]\nurl = "{stub.url}"\nusername = "streamer"\n'
    (tmp_path / "secret").write_text("geheim\n")
    (tmp_path / "file.toml").write_text(f'{toml}password_file = "secret"\n')
    (tmp_path / "env.toml").write_text(toml)
    run(capsys, "index", "check", "--config", str(tmp_path / "file.toml"))
    monkeypatch.setenv("STREAMER_INDEX__OPENSEARCH__PASSWORD", "geheim")
    run(capsys, "index", "check", "--config", str(tmp_path / "env.toml"))
    # "streamer:geheim" in BASE64.
    assert {seen.headers.get("Authorization") for seen in stub.seen} == {"Basic c3RyZWFtZXI6Z2VoZWlt"}
    code, out, err = run(capsys, "validate", str(tmp_path / "env.toml"))
    assert code == 0
    assert "geheim" not in out + err


def test_a_password_file_that_is_not_there_is_a_mistake_in_the_configuration(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, stub: StubOpenSearch
) -> None:
    text = f'[index.opensearch]\nurl = "{stub.url}"\nusername = "u"\npassword_file = "nowhere"\n'
    (tmp_path / "s.toml").write_text(text)
    code, _, err = run(capsys, "index", "check", "--config", str(tmp_path / "s.toml"))
    assert code == 78
    assert "password_file" in err
