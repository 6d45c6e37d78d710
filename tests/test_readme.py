"""Every command in the README that needs neither containers nor AWS runs, as it stands there."""

import asyncio
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from streamer.config.load import parse
from streamer.core.eventtime import as_text
from streamer.core.index.families import Partition
from streamer.core.index.sizes import Watched, sizes_of
from tests.dashboards.lying import Dashboards
from tests.strategies import START, capture

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
TOML = re.findall(r"^```toml\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
# Runs itself: the first is this very run, the second takes as long as the demo's own test.
MAKE = ["make demo", "make test"]


def blocks() -> list[list[str]]:
    found = []
    for text in re.findall(r"^```sh\n(.*?)^```", README, re.DOTALL | re.MULTILINE):
        lines = [line.split(" #")[0].strip() for line in text.splitlines()]
        found.append([line for line in lines if line and not line.startswith("#")])
    return found


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STREAMER_")}
    return {**kept, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}", "COLUMNS": "120"}


def run(command: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=cwd, env=environment(), capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("command", MAKE)
def test_the_two_commands_are_in_the_readme_and_are_targets_of_make(command: str) -> None:
    assert [command] in [[line] for block in blocks() for line in block]
    shown = run([*shlex.split(command), "--dry-run"], ROOT)
    assert shown.returncode == 0, shown.stderr


def test_the_commands_for_ones_own_captures_run_one_after_the_other(tmp_path: Path) -> None:
    rows = [
        f"{as_text(START - 86_400_000 * 30 + i * 600_000)},{i % 10},{i % 7},{'abc'[i % 3]},{i % 100 / 100}"
        for i in range(4_000)
    ]
    (tmp_path / "train.csv").write_text("\n".join(["scheduled,x,y,k,score", *rows]) + "\n")
    folder = tmp_path / "captures" / "churn" / "AllTraffic" / "2026" / "01" / "05" / "09"
    folder.mkdir(parents=True)
    lines = [
        capture(f"{i % 10},{i % 7},{'abc'[i % 3]}", "0.5", at=START + i * 1000, event_id=str(i)) for i in range(900)
    ]
    (folder / "00-00-000-a.jsonl").write_bytes(b"\n".join(lines))
    (block,) = [b for b in blocks() if any("baseline build" in line for line in b)]
    for line in block:
        done = run(shlex.split(line), tmp_path)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["records"]["accepted"] == 900


async def test_the_commands_for_dashboards_run_one_after_the_other(tmp_path: Path, stub_url: str) -> None:
    (tmp_path / "streamer.toml").write_text(f'[index.opensearch]\nurl = "{stub_url}"\n[[endpoint]]\nname = "churn"\n')
    (block,) = [b for b in blocks() if any("dashboards install" in line for line in b)]
    dashboards = Dashboards()
    async with dashboards.serving() as url:
        for line in block:
            words = shlex.split(line.replace("http://127.0.0.1:5601", url))
            done = await asyncio.create_subprocess_exec(
                *words,
                cwd=tmp_path,
                env=environment(),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            said, _ = await done.communicate()
            assert done.returncode == 0, f"{line}\n{said.decode()}"
    assert ("dashboard", "streamer-endpoint") in dashboards.kept


def test_the_figures_of_a_year_are_those_of_the_plan() -> None:
    found = sizes_of([Watched("churn", 100, 300)], Partition.DAY, 365)
    by_month = sizes_of([Watched("churn", 100, 300)], Partition.MONTH, 365)
    told = README.split("## Looking at it in Dashboards")[1].split("\n## ")[0]
    for figure in (
        f"{sum(found.documents_a_day.values()) * 365 / 1e6:.1f} million documents",
        f"**{found.bytes_a_year / 1e9:.1f} GB**",
        f"{found.shards:,} shards by the day",
        f"`: {by_month.shards}, the largest of {by_month.largest_bytes / 1e6:.0f} MB",
    ):
        assert figure in " ".join(told.split()), figure


def test_every_other_command_in_the_readme_is_one_of_the_programs_own() -> None:
    known = run(["streamer", "--help"], ROOT).stdout
    for block in blocks():
        for line in block:
            program, *words = shlex.split(line)
            assert program in {"make", "streamer"}, line
            if program == "streamer":
                assert f" {words[0]} " in known, line


def test_every_guarantee_is_linked_to_a_test_that_exists() -> None:
    table = README.split("## Guarantees")[1].split("\n## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")][2:]
    assert len(rows) > 10
    for row in rows:
        links = re.findall(r"`(tests/\S+?)::(\w+)`", row)
        assert links, row
        for path, name in links:
            assert re.search(rf"^(async )?def {name}\(", (ROOT / path).read_text(), re.MULTILINE), f"{path}::{name}"


def test_the_first_configuration_of_the_service_is_valid() -> None:
    assert parse(TOML[0], {}, "README.md").source.kinesis.stream == "inference-captures"


def test_the_named_detectors_of_the_readme_are_valid() -> None:
    (text,) = [toml for toml in TOML if "[[endpoint.detector]]" in toml]
    (endpoint,) = parse(text, {}, "README.md").engine_settings().endpoints
    assert [d.kind for d in endpoint.detectors] == ["adwin", "half_space_trees"]


def test_the_index_of_the_readme_is_valid() -> None:
    index = parse(TOML[1], {}, "README.md").index
    assert index.opensearch.url is not None
    assert index.retention_days == 90
