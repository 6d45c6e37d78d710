"""``streamer plan``: figures of a configuration."""

import json
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from streamer.core.baseline.model import Baseline, encode
from streamer.metrics import Metrics
from tests.commands.test_help import run
from tests.strategies import baseline, number

BY_MONTH = '[index.opensearch]\nurl = "http://127.0.0.1:9200"\npartition = "month"\n'


def configured(folder: Path, text: str = "", features: int = 100) -> str:
    given: Baseline = baseline(*(number(f"x{i}") for i in range(features)))
    (folder / "baseline.json").write_bytes(encode(given))
    (folder / "s.toml").write_text(f'[[endpoint]]\nname = "churn"\nbaseline = "baseline.json"\n{text}')
    return str(folder / "s.toml")


def planned(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, dict[str, object]]:
    code, out, _ = run(capsys, "plan", *arguments, "--json")
    assert code == 0
    found: dict[str, dict[str, object]] = json.loads(out)
    return found


def test_a_year_of_an_endpoint_with_a_hundred_features_at_five_minutes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = configured(tmp_path, '[index]\nsqlite = "x"\nretention = "365 d"\n')
    code, out, _ = run(capsys, "plan", path, "--partition", "month")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == [
        "watched", "documents", "index", "shards", "metrics", "memory",
    ]  # fmt: skip
    assert "30,528 a day, 11,142,720 a year" in out
    assert "6.2 GB a year" in out
    assert "61 by the month, the largest of 505 MB" in out


def test_what_the_configuration_says_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = f'window = "10 min"\n[index]\nretention = "30 d"\n{BY_MONTH}'
    index = planned(capsys, configured(tmp_path, text), "--variants", "2")["index"]
    assert (index["kept_days"], index["partition"], index["series"]) == (30, "month", 200)
    assert index["documents_a_day"] == {"features": 2 * 100 * 144, "endpoints": 2 * 144, "operations": 1_440}


def test_options_are_instead_of_the_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = configured(
        tmp_path,
        f'[index]\nretention = "30 d"\n{BY_MONTH}',
    )
    index = planned(capsys, path, "--days", "7", "--partition", "day")["index"]
    assert (index["kept_days"], index["partition"]) == (7, "day")


def test_looking_for_drift_costs_memory_and_so_does_river(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plain, drift, named = (
        planned(capsys, configured(tmp_path, text))["service"]["memory_bytes"]
        for text in (
            "",
            'false_alarms = "1 per month"\n',
            '[[endpoint.detector]]\nkind = "adwin"\nfeature = "x1"\nwatches = "mean"\n',
        )
    )
    assert isinstance(plain, int)
    assert isinstance(drift, int)
    assert isinstance(named, int)
    assert plain < drift < named


def test_the_series_of_metrics_are_those_the_service_registers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = '[index]\nsqlite = "x"\n[alerts.sns]\ntopic_arn = "arn:aws:sns:us-east-1:1:t"\n'
    found = planned(capsys, configured(tmp_path, text), "--shards", "3")["service"]["metric_series"]
    registry = CollectorRegistry()
    metrics = Metrics(registry, version="", sinks=["sqlite", "sns"], endpoints=["churn"])
    metrics.note_lag(dict.fromkeys("abc", 0.0))
    assert found == sum(len(metric.samples) for metric in registry.collect())


def test_what_had_to_be_assumed_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "s.toml").write_text('[[endpoint]]\nname = "new"\n')
    code, out, _ = run(capsys, "plan", str(tmp_path / "s.toml"), "--features", "12")
    assert code == 0
    assert "12 features are taken for endpoints without a baseline: new" in out
    assert "index.retention is not set" in out


def test_a_bad_configuration_exits_78(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "s.toml").write_text("windw = 1\n")
    assert run(capsys, "plan", str(tmp_path / "s.toml"))[0] == 78
