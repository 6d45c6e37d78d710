"""``streamer validate``."""

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from streamer.config.load import parse
from streamer.core.baseline.model import Baseline, Timeline, encode
from tests.commands.test_help import run
from tests.strategies import START, baseline

DAY = 86_400_000


def with_days(days: float, steps: int = 10_000) -> Baseline:
    """A baseline whose time column spans so many days."""
    timeline = Timeline(
        column="time",
        start_at=START,
        end_at=START + int(days * DAY),
        step_seconds=3_600,
        steps=steps,
        time_zone="UTC",
        volume_start_at=START,
        volume=(),
    )
    return msgspec.structs.replace(baseline(), timeline=timeline)


def configured(folder: Path, text: str = "", given: Baseline | None = None) -> str:
    """A configuration of one endpoint with a baseline; its path."""
    (folder / "churn").mkdir(exist_ok=True)
    (folder / "churn" / "baseline.json").write_bytes(encode(given if given is not None else baseline()))
    (folder / "s.toml").write_text(f'[[endpoint]]\nname = "churn"\nbaseline = "churn"\n{text}')
    return str(folder / "s.toml")


def test_a_good_configuration_exits_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "validate", configured(tmp_path))
    assert code == 0
    assert out.splitlines()[-1].endswith("s.toml is valid: 1 endpoint, 1 warning")


def test_what_is_printed_is_the_whole_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = configured(tmp_path, "window = '10 min'\n")
    _, out, _ = run(capsys, "validate", path)
    assert parse(out, {}) == parse(Path(path).read_text(), {})


def test_a_bad_configuration_exits_78_with_every_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "validate", configured(tmp_path, "windw = 1\npane = true\n"))
    assert (code, out) == (78, "")
    assert [line.split(": ")[1] for line in err.splitlines()[1:]] == ["endpoint[0].windw", "endpoint[0].pane"]


def test_the_environment_overrides(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAMER_INDEX__SQLITE", "/data/x.sqlite")
    _, out, _ = run(capsys, "validate", configured(tmp_path))
    assert 'sqlite = "/data/x.sqlite"' in out


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "not a baseline file"),
        (b"\xff\x00", "not a baseline file"),
        (b'{"version": 0.0, "features": []}', "not a baseline file"),
        (b"[" * 100_000, "not a baseline file"),
        (b'{"format": "streamer-baseline", "version": 99}', "baseline version 99 is not known here"),
    ],
    ids=["empty", "binary", "foreign", "nested", "newer"],
)
def test_a_baseline_that_can_not_be_read_exits_78(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], data: bytes, problem: str
) -> None:
    path = configured(tmp_path)
    (tmp_path / "churn" / "baseline.json").write_bytes(data)
    code, _, err = run(capsys, "validate", path)
    assert code == 78
    assert f"{path}:3: endpoint[0].baseline: {tmp_path / 'churn' / 'baseline.json'}: " in err
    assert problem in err


def test_all_missing_baselines_are_told_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    version = '[[endpoint.version]]\nid = "2"\nfrom = 2026-01-01T00:00:00Z\nbaseline = "two"\n'
    path = configured(tmp_path, version + '[[endpoint]]\nname = "b"\nbaseline = "three"\n')
    _, _, err = run(capsys, "validate", path)
    assert f"{path}:7: endpoint[0].version[0].baseline: " in err
    assert f"{path}:10: endpoint[1].baseline: " in err


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (baseline(), "records are taken as independent"),
        (with_days(10), "fewer than 28 days"),
        (with_days(0.1, steps=3), "records are taken as independent"),
    ],
    ids=["no time", "few days", "few steps"],
)
def test_a_baseline_that_knows_little_of_time_is_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], given: Baseline, said: str
) -> None:
    _, out, _ = run(capsys, "validate", configured(tmp_path, given=given))
    assert any(line.startswith("# warning: churn: ") and said in line for line in out.splitlines())


def test_a_long_baseline_is_no_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "validate", configured(tmp_path, given=with_days(31)), "--deny-warnings")
    assert code == 0
    assert "1,000 rows, 4 features, 2026-01-05T09:00:00Z to 2026-02-05T09:00:00Z (31.0 days)" in out


def test_warnings_can_be_denied(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, _ = run(capsys, "validate", configured(tmp_path), "--deny-warnings")
    assert code == 78


def test_without_a_baseline_it_says_that_one_is_learned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "s.toml").write_text('[[endpoint]]\nname = "a"\n')
    _, out, _ = run(capsys, "validate", str(tmp_path / "s.toml"))
    assert "# a: learned from the first 2,000 rows" in out


def test_a_keep_firing_that_is_stretched_is_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "validate", configured(tmp_path, "alerts.keep_firing = '9 min'\n"))
    assert "alerts.keep_firing (9 min) is shorter than two windows, so it is taken as two (10 min)" in out


def test_a_default_keep_firing_is_stretched_in_silence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "validate", configured(tmp_path, "window = '1 h'\n"))
    assert "two windows" not in out


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "streamer", "validate", configured(tmp_path), "--json"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    said = "streamer: can't write to standard output: No space left on device\n"
    assert (done.returncode, done.stderr) == (1, said)


def test_traffic_without_time_is_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "validate", configured(tmp_path, "baseline_is_traffic = true\n"))
    assert "without a time column the traffic is unknown" in out


def test_machines_get_one_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "validate", configured(tmp_path), "--json")
    found = json.loads(out)
    assert found["valid"]
    assert found["configuration"]["endpoint"][0]["window"] == 300


def test_machines_get_the_mistakes_as_a_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "validate", configured(tmp_path, "pane = 0\n"), "--json")
    assert code == 78
    assert len(json.loads(out)["problems"]) == 1


DETECTORS = """
[[endpoint.detector]]
kind = "page_hinkley"
feature = "x"
min_instances = 2
threshold = 0.01

[[endpoint.detector]]
kind = "hddm_a"
feature = "k"
"""


def test_every_named_detector_is_told_with_its_false_alarms(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = configured(tmp_path, DETECTORS)
    code, out, _ = run(capsys, "validate", path)
    assert code == 0
    eager, calm = (next(line for line in out.splitlines() if f"{kind}:" in line) for kind in ("page_hinkley", "hddm_a"))
    assert eager.startswith("# churn: page_hinkley:x: about ")
    assert "drawn from the baseline; records are taken as independent" in eager
    assert "fewer than" in calm
    found = json.loads(run(capsys, "validate", path, "--json")[1])
    assert sorted(found["endpoints"]["churn"]["detectors"]) == ["hddm_a:k", "page_hinkley:x"]


def test_a_detector_that_fits_no_baseline_of_its_endpoint_exits_78(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = configured(tmp_path, '[[endpoint.detector]]\nkind = "adwin"\nfeature = "z"\n')
    code, _, err = run(capsys, "validate", path)
    assert code == 78
    assert "s.toml:6: endpoint[0].detector[0].feature: the baseline has no such feature" in err


def test_of_an_endpoint_without_a_baseline_nothing_is_claimed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "s.toml"
    path.write_text(f'[[endpoint]]\nname = "churn"\n{DETECTORS}')
    _, out, _ = run(capsys, "validate", str(path))
    assert out.count("its false alarms are not known before a baseline is learned") == 2


def test_what_detection_can_tell_from_weather_is_said_where_drift_is_looked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = configured(tmp_path, "false_alarms = '1 per month'\n", with_days(31))
    assert "tells a lasting shift from weather from 0." in run(capsys, "validate", asked)[1]
    assert "from weather" not in run(capsys, "validate", configured(tmp_path, "", with_days(31)))[1]


def test_drift_without_a_baseline_is_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "s.toml").write_text("[[endpoint]]\nname = 'churn'\nfalse_alarms = '1 per month'\n")
    assert "knows no weather" in run(capsys, "validate", str(tmp_path / "s.toml"))[1]


def test_a_young_baseline_is_said_to_be_refitted_where_drift_is_looked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = "false_alarms = '1 per month'\n"
    assert "refitted weekly" in run(capsys, "validate", configured(tmp_path, asked, with_days(14)))[1]
    assert "refitted" not in run(capsys, "validate", configured(tmp_path, "", with_days(14)))[1]
    assert "refitted" not in run(capsys, "validate", configured(tmp_path, asked, with_days(31)))[1]
    long_panes = asked + "window = '1d'\npane = '1d'\n"
    assert "refitted" not in run(capsys, "validate", configured(tmp_path, long_panes, with_days(14)))[1]
