"""``streamer baseline``."""

import json
from pathlib import Path

import msgspec
import pytest

from streamer.commands import baseline as command
from streamer.core.baseline.model import Baseline, decode
from streamer.core.eventtime import as_text
from streamer.printable import printable
from tests.commands.test_help import run
from tests.strategies import START, baseline

INDEPENDENT = "records are taken as independent, which makes alarms likelier"


def trained(folder: Path, *, days: int = 30, name: str = "train.csv") -> str:
    """A table with a row an hour; its path."""
    lines = ["scheduled,age,city,score"]
    for i in range(24 * days):
        at = as_text(START + i * 3_600_000)
        lines.append(f"{at},{20 + i * 7 % 60},{'ab'[i % 2]}\x1b,{i * 13 % 100 / 100}")
    (folder / name).write_text("\n".join(lines) + "\n")
    return str(folder / name)


def build(capsys: pytest.CaptureFixture[str], folder: Path, *more: str, days: int = 30) -> tuple[int, str, str]:
    """Build with a score and no more than that."""
    arguments = ["baseline", "build", trained(folder, days=days), "--out", str(folder / "out"), "--output", "score"]
    return run(capsys, *arguments, *more)


def built(folder: Path) -> Baseline:
    return decode((folder / "out" / "baseline.json").read_bytes())


def test_a_baseline_is_written_and_summed_up(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, out, _ = build(capsys, tmp_path, "--time", "scheduled", "--time-zone", "Europe/Paris")
    assert code == 0
    assert out.splitlines()[0] == f"wrote {tmp_path / 'out' / 'baseline.json'}"
    assert "720 rows, 3 features (1 integer, 1 category, 1 numeric), 1 of them output" in out
    assert "720 steps of 1 h, hours of day in Europe/Paris" in out
    assert [f.feature.name for f in built(tmp_path).features] == ["age", "city", "score"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["baseline.json"]


def test_without_a_time_column_the_summary_says_what_that_costs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    _, out, _ = build(capsys, tmp_path, "--leave-out", "scheduled")
    assert f"no time column: {INDEPENDENT}" in out


def test_machines_are_told_the_same(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    _, out, _ = build(capsys, tmp_path, "--time", "scheduled", "--json", days=10)
    told = json.loads(out)
    assert told["id"] == built(tmp_path).id
    assert told["timeline"]["days"] == pytest.approx(10, abs=0.05)
    assert told["features"][2] == {"name": "score", "side": "output", "kind": "numeric"}
    assert told["warnings"] == ["10.0 days of time, fewer than 28: how weekdays and weeks differ is hardly known"]


def test_quiet_prints_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert build(capsys, tmp_path, "--quiet") == (0, "", "")
    assert built(tmp_path).rows == 720


def test_kinds_and_steps_are_as_the_user_says(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    build(capsys, tmp_path, "--time", "scheduled", "--kind", "age=category", "--step", "2 h")
    made = built(tmp_path)
    assert made.features[0].feature.kind == "category"
    assert made.timeline is not None
    assert made.timeline.step_seconds == 7_200


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--kind", "age"), "NAME=KIND"),
        (("--kind", "age=number"), "numeric, integer, category, boolean, text"),
        (("--step", "soon"), "a duration such as"),
        (("--step", "0 s"), "at least 1 second"),
    ],
)
def test_wrong_usage_ends_with_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, more: tuple[str, ...], says: str
) -> None:
    code, _, err = build(capsys, tmp_path, *more)
    assert code == 2
    assert says in " ".join(err.replace("│", " ").split())


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (("--time", "schedule"), "time column: no column 'schedule', did you mean 'scheduled'?"),
        (("--time", "city"), "720 of 720 rows have no readable time"),
        (("--kind", "city=numeric"), "column 'city' holds no number"),
        (("--time-zone", "Europe/Pari"), "no time zone 'Europe/Pari'"),
    ],
)
def test_a_table_that_can_not_be_used_ends_with_78(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, more: tuple[str, ...], says: str
) -> None:
    code, out, err = build(capsys, tmp_path, *more)
    assert (code, out) == (78, "")
    assert says in err
    assert not (tmp_path / "out").exists()


def test_late_columns_of_json_lines_may_be_named(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text('{"x": 1}\n' * 20_001 + '{"score": 1}\n')
    code, _, _ = run(capsys, "baseline", "build", str(path), "--out", str(tmp_path / "out"), "--output", "score")
    assert code == 0


def test_a_table_that_is_not_there_ends_with_78(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, _, err = run(capsys, "baseline", "build", str(tmp_path / "no.csv"), "--out", str(tmp_path))
    assert code == 78
    assert "No such file" in err


def test_a_folder_that_can_not_be_made_ends_with_1(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    code, _, err = build(capsys, tmp_path)
    assert code == 1
    assert "can't make" in err


def test_a_baseline_is_shown_with_what_its_blocks_vary(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    build(capsys, tmp_path, "--time", "scheduled")
    code, out, _ = run(capsys, "baseline", "show", str(tmp_path / "out"))
    rows = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    assert code == 0
    assert "varies" in rows["feature"]
    assert "49.5 (17.3)" in rows["age"]
    assert "a? 50%, b? 50%" in rows["city"]
    assert "output" in rows["score"]
    assert "as that of independent rows" in out
    assert "resolution" in rows["feature"]
    assert " sd" in rows["age"]
    assert " sd" not in rows["city"]


def test_a_baseline_without_times_shows_no_variation(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    build(capsys, tmp_path, "--leave-out", "scheduled")
    _, out, _ = run(capsys, "baseline", "show", str(tmp_path / "out" / "baseline.json"))
    assert f"no time column: {INDEPENDENT}" in out
    assert "varies" not in out


def test_a_baseline_of_a_moment_says_that_its_time_tells_nothing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "train.csv"
    path.write_text("at,x\n" + f"{as_text(START)},1\n{as_text(START)},2\n" * 9)
    _, out, _ = run(capsys, "baseline", "build", str(path), "--out", str(tmp_path), "--time", "at")
    assert f"the time column spans 1 step only: {INDEPENDENT}" in out


def test_few_steps_with_rows_are_told_from_many_without(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_text("at,x\n" + "".join(f"{as_text(START + day * 86_400_000)},{day}\n" for day in range(4)))
    _, out, _ = run(capsys, "baseline", "build", str(path), "--out", str(tmp_path), "--time", "at")
    assert f"only 4 of the 73 steps of time have rows: {INDEPENDENT}" in out


def test_a_table_of_a_spreadsheet_is_read(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    rows = [f"2004/3/{1 + hour // 24};{hour % 24}:00;{-200 if hour % 10 == 0 else hour}" for hour in range(240)]
    path.write_text("\n".join(["date;time;x", *rows]))
    zone = ("--time", "date,time", "--time-zone", "Europe/Rome")
    _, out, _ = run(capsys, "baseline", "build", str(path), "--out", str(tmp_path / "out"), *zone, "--missing", "-200")
    assert "note: the cells are separated by semicolons" in out
    assert "time: 2004-02-29T23:00:00Z to 2004-03-10T22:00:00Z" in out
    (x,) = built(tmp_path).features
    assert (x.minimum, x.missing, x.rows) == (1.0, 24, 240)


def test_a_label_that_looks_like_a_missing_number_stays_one(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    build(capsys, tmp_path, "--missing", "27", "--kind", "age=category")
    age = built(tmp_path).features[1]
    assert ("27" in age.feature.values, age.missing) == (True, 0)


def test_what_looks_like_an_id_is_hinted_at(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    rows = [f"{i},u{i:05},{i % 50},{i / 7}" for i in range(1_500)]
    path.write_text("\n".join(["row,user,x,y", *rows]))
    _, out, _ = run(capsys, "baseline", "build", str(path), "--out", str(tmp_path / "out"), "--json")
    assert [hint.split()[0] for hint in json.loads(out)["hints"]] == ["row", "user"]


def test_machines_are_shown_every_field(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    build(capsys, tmp_path, "--time", "scheduled")
    _, out, _ = run(capsys, "baseline", "show", str(tmp_path / "out"), "--json")
    age = json.loads(out)["features"][0]
    fields = json.loads(msgspec.json.encode(built(tmp_path).features[0]))
    assert {name: value for name, value in age.items() if name not in ("varies", "resolution")} == fields
    assert 0 < age["resolution"] < 1
    assert set(age["varies"]) == {"step", "day", "longest"}
    assert age["varies"]["day"] >= 1


def test_what_is_no_baseline_ends_with_78(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    path.write_text("{}")
    code, _, err = run(capsys, "baseline", "show", str(path))
    assert code == 78
    assert "not a baseline file" in err


def test_names_can_not_steer_a_terminal() -> None:
    assert printable("a\x1b[31mb") == "a?[31mb"
    assert command._varies(baseline(), baseline().features[0]) == "-, -, -"
