"""``streamer replay --beside``: the alerts it would have raised, beside those that were raised."""

import json
import os
from pathlib import Path

import pytest

from tests.commands.test_help import run
from tests.commands.test_replay import WINDOW, arguments, made
from tests.strategies import START, capture


@pytest.fixture
def troubled(tmp_path: Path) -> Path:
    """A folder with a stretch without values of x in its captures, and a second configuration that overlooks it."""
    folder = made(tmp_path)
    gone = [capture(",5.5,a", "5.5", at=START + 12 * WINDOW + i * 1_000, event_id=f"g{i}") for i in range(900)]
    late = [capture("5.5,5.5,a", "5.5", at=START + 20 * WINDOW + i, event_id=f"l{i}") for i in range(2)]
    (folder / "captures" / "b.jsonl").write_bytes(b"\n".join(gone + late))
    (folder / "blind.toml").write_text((folder / "s.toml").read_text().replace("= 5\n", "= 1_000_000\n"))
    return folder


def test_the_same_configuration_raises_the_same_alerts(troubled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, *arguments(troubled))
    _, out, _ = run(capsys, *arguments(troubled, "--beside", str(troubled / "out"), out="again"))
    alerts = (troubled / "out" / "alerts.jsonl").read_text().splitlines()
    count = len({json.loads(line)["incident"]["id"] for line in alerts})
    assert count
    assert out.splitlines()[-1] == f"{count} in both, 0 only there, 0 only here"


@pytest.mark.parametrize(("first", "second", "only"), [("blind", "s", "only_here"), ("s", "blind", "only_there")])
def test_another_configuration_raises_others(
    troubled: Path, capsys: pytest.CaptureFixture[str], first: str, second: str, only: str
) -> None:
    given = [str(troubled / "captures"), "--config", str(troubled / f"{first}.toml"), "--out", str(troubled / "out")]
    run(capsys, "replay", *given)
    given = [str(troubled / "captures"), "--config", str(troubled / f"{second}.toml"), "--out", str(troubled / "more")]
    _, out, _ = run(capsys, "replay", *given, "--json", "--beside", str(troubled / "out" / "alerts.jsonl"))
    beside = json.loads(out)["beside"]
    assert "missing values" in {row["cause"] for row in beside["rows"] if None in (row["there"], row["here"])}
    assert beside[only] == len(beside["rows"])


def test_the_index_of_a_service_is_another_side(troubled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain = (troubled / "s.toml").read_text()
    (troubled / "s.toml").write_text(plain + '[index]\nsqlite = "x.sqlite"\n')
    run(capsys, *arguments(troubled))
    (troubled / "s.toml").write_text(plain)
    _, out, _ = run(capsys, *arguments(troubled, "--json", "--beside", str(troubled / "x.sqlite"), out="again"))
    beside = json.loads(out)["beside"]
    assert beside["both"] == len(beside["rows"]) > 0


def test_the_other_side_is_read_before_this_run_replaces_it(troubled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, *arguments(troubled))
    given = [str(troubled / "captures"), "--config", str(troubled / "blind.toml"), "--out", str(troubled / "out")]
    _, out, _ = run(capsys, "replay", *given, "--force", "--json", "--beside", str(troubled / "out"))
    assert json.loads(out)["beside"]["only_there"] > 0


def test_a_torn_line_is_said_and_stops_nothing(troubled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, *arguments(troubled))
    with (troubled / "out" / "alerts.jsonl").open("r+b") as file:
        file.seek(0, os.SEEK_END)
        file.write(b'{"kind":"notif')
    code, out, _ = run(capsys, *arguments(troubled, "--beside", str(troubled / "out"), out="again"))
    assert (code, out.splitlines()[-2]) == (0, "left out of there: 1 lines that can't be read")


def test_the_summary_on_disk_does_not_know_of_the_other_side(
    troubled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, *arguments(troubled))
    _, out, _ = run(capsys, *arguments(troubled, "--json", "--beside", str(troubled / "out"), out="again"))
    printed = json.loads(out)
    assert printed.pop("beside")
    assert printed == json.loads((troubled / "again" / "summary.json").read_text())


def test_nothing_of_the_other_side_steers_the_terminal(troubled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, *arguments(troubled))
    alerts = troubled / "out" / "alerts.jsonl"
    alerts.write_text(alerts.read_text().replace('"title":"churn', r'"title":"\u001b[31m[/nothing]churn'))
    code, out, _ = run(capsys, *arguments(troubled, "--beside", str(alerts), out="again"))
    assert (code, "\x1b" in out) == (0, False)


def test_another_side_that_is_none_exits_1_before_anything_is_read(
    troubled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, *arguments(troubled, "--beside", str(troubled / "s.toml")))
    assert (code, err.count("\n")) == (1, 1)
    assert not (troubled / "out").exists()
