"""The compose file: nothing of it can be run without Docker, so everything that can be known is checked."""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml  # type: ignore[import-untyped]

from deploy.compose import topic
from streamer.config.load import load
from streamer.config.model import Config
from tests.aws import endpoint
from tests.commands.test_help import run
from tests.deploy import client

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy"
PINNED = re.compile(r"[a-z0-9./-]+:v?\d+\.\d+\.\d+(-[a-z0-9-]+)?")


@cache
def services() -> dict[str, dict[str, Any]]:
    loaded: dict[str, dict[str, Any]] = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]
    return loaded


@cache
def configuration() -> Config:
    return load(FOLDER / "compose" / "streamer.toml", {})


def ours() -> dict[str, dict[str, Any]]:
    return {name: service for name, service in services().items() if "build" in service}


def test_every_image_is_of_one_version_and_ours_is_built() -> None:
    images = {name: service["image"] for name, service in services().items()}
    assert {name for name, image in images.items() if not PINNED.fullmatch(image)} == set(ours())
    assert {service["image"] for service in ours().values()} == {"streamer:local"}
    for service in ours().values():
        assert (
            FOLDER / service["build"]["context"] / service["build"]["dockerfile"]
        ).resolve() == FOLDER / "Dockerfile"


def test_nothing_listens_beyond_this_machine() -> None:
    ports = [port for service in services().values() for port in service.get("ports", ())]
    assert len(ports) == len(set(ports)) == 6
    assert all(re.fullmatch(r"127\.0\.0\.1:(\d+):\1", port) for port in ports)
    assert not any("network_mode" in service for service in services().values())


def test_who_waits_for_another_is_told_when_it_is_ready() -> None:
    for name, service in services().items():
        for other, when in service.get("depends_on", {}).items():
            match when["condition"]:
                case "service_healthy":
                    assert "healthcheck" in services()[other], f"{name} waits for {other}"
                case "service_completed_successfully":
                    assert other in ours()
                    assert services()[other].get("command", [""])[0] != "run"
                case condition:
                    pytest.fail(f"{name} waits for {other} until {condition}")


def test_every_file_that_is_mounted_is_there() -> None:
    mounted = [m for s in services().values() for m in s.get("volumes", ()) if m.startswith(".")]
    assert mounted
    assert [m for m in mounted if not (FOLDER / m.split(":")[0]).is_file() or not m.endswith(":ro")] == []


@pytest.mark.parametrize("name", ["index", "views", "streamer"])
def test_commands_are_the_programs_own(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = services()[name]["command"]
    words = [word for word in command if not word.startswith(("-", "/", "http"))]
    code, out, _ = run(capsys, *words, "--help")
    assert code == 0
    assert all(option in out for option in command if option.startswith("--"))


def test_the_configuration_is_valid_and_names_what_is_there() -> None:
    config = configuration()
    mounted = services()["streamer"]["volumes"][0].split(":")
    assert services()["streamer"]["command"][-1] == mounted[1]
    assert (FOLDER / mounted[0]).samefile(FOLDER / "compose" / "streamer.toml")
    addresses = [config.source.kinesis.endpoint_url, config.alerts.sns.endpoint_url, config.index.opensearch.url]
    addresses.append(services()["views"]["command"][-1])
    for address in addresses:
        where = urlsplit(address or "")
        assert f"127.0.0.1:{where.port}:{where.port}" in services()[where.hostname or ""]["ports"]
    assert (config.alerts.sns.topic_arn or "").endswith(f":{topic.TOPIC}")
    assert str(config.state.directory).startswith("/data/")


def test_the_configuration_is_valid_with_the_environment_it_gets() -> None:
    given = {name: str(value) for name, value in services()["streamer"]["environment"].items()}
    load(FOLDER / "compose" / "streamer.toml", given)


def test_a_drain_has_the_time_it_asks_for() -> None:
    grace = re.fullmatch(r"(\d+)s", services()["streamer"]["stop_grace_period"])
    assert grace is not None
    assert int(grace[1]) > configuration().service.drain


def test_prometheus_reads_where_the_service_answers() -> None:
    (job,) = yaml.safe_load((FOLDER / "compose" / "prometheus.yml").read_text())["scrape_configs"]
    assert job["static_configs"] == [{"targets": [f"streamer:{configuration().http.port}"]}]
    # Of a container, whose port is published on loopback only.
    assert configuration().http.host == "0.0.0.0"


def test_the_emulator_is_that_of_the_tests() -> None:
    (version,) = re.findall(r"^moto==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert services()["aws"]["image"] == f"motoserver/moto:{version}"


def test_the_topic_that_is_alerted_to_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in services()["topic"]["environment"].items():
        monkeypatch.setenv(name, value)
    topic.make(endpoint())
    topic.make(endpoint())
    made = [t["TopicArn"] for t in client("sns", endpoint()).list_topics()["Topics"]]
    assert made.count(configuration().alerts.sns.topic_arn) == 1


def test_the_stream_that_is_read_is_made_by_the_emulator() -> None:
    command = services()["kinesis"]["command"]
    assert command[command.index("--streams") + 1] == f"{configuration().source.kinesis.stream}:2"
    # The entry point is a module of ours, which knows these options.
    said = subprocess.run(
        [sys.executable, *services()["kinesis"]["entrypoint"][1:], "--help"], capture_output=True, text=True, check=True
    )
    assert all(option in said.stdout for option in command if option.startswith("--"))


def test_the_image_is_pinned_and_runs_without_root() -> None:
    lines = (FOLDER / "Dockerfile").read_text().splitlines()
    bases = [line.split()[1] for line in lines if line.startswith("FROM ")]
    assert len(set(bases)) == 1
    assert PINNED.fullmatch(bases[0])
    assert [line for line in lines if line.startswith("USER ")] == ["USER 10001"]
    copied = [
        word for line in lines if line.startswith("COPY ") and "--from" not in line for word in line.split()[1:-1]
    ]
    assert [name for name in copied if not (ROOT / name).exists()] == []


def test_the_locked_versions_are_constraints_without_hashes() -> None:
    (expression,) = re.findall(r"sed -E '([^']+)' requirements.txt", (FOLDER / "Dockerfile").read_text())
    made = subprocess.run(
        ["sed", "-E", expression, "requirements.txt"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    lines = [line for line in made.stdout.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    assert len(lines) > 50
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[^\s\\]+( ; .*[^\\])?", line)] == []
