"""The command line as a whole: help, version, usage errors, and how light it is."""

import json
import subprocess
import sys
from importlib.metadata import version

import pytest

from streamer.__main__ import main

# Not pydantic: typer loads it.
HEAVY = {"numpy", "structlog", "asyncio", "sqlite3", "aiobotocore", "boto3"}


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of one command."""
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    code = caught.value.code
    out, err = capsys.readouterr()
    return code if isinstance(code, int) else 0, out, err


def test_without_arguments_there_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys)
    assert code == 0
    assert "Usage:" in out


@pytest.mark.parametrize(
    "command", ["demo", "init", "baseline", "validate", "replay", "schema", "bench", "index", "version"]
)
def test_help_names_every_command(capsys: pytest.CaptureFixture[str], command: str) -> None:
    _, out, _ = run(capsys, "--help")
    assert command in out


def test_an_unknown_command_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "reply")
    assert code == 2
    assert "replay" in err


def test_version_says_what_is_installed(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "version")
    assert out.startswith(f"streamer {version('streamer')} (Python 3.")


def test_version_is_told_to_machines(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "version", "--json")
    assert json.loads(out)["streamer"] == version("streamer")


@pytest.mark.parametrize("arguments", [["--help"], ["version"], []])
def test_help_and_version_load_no_heavy_library(arguments: list[str]) -> None:
    assert not HEAVY & loaded_by(arguments)


@pytest.mark.parametrize("arguments", [["replay", "--help"], ["baseline", "--help"], ["init", "--help"]])
def test_help_on_a_command_does_not_load_the_core(arguments: list[str]) -> None:
    assert not {"numpy", "sqlite3"} & loaded_by(arguments)


def loaded_by(arguments: list[str]) -> set[str]:
    """Modules in a process of its own after a command."""
    code = (
        "import sys\n"
        "from streamer.__main__ import main\n"
        "try:\n"
        f"    main({arguments!r})\n"
        "finally:\n"
        "    print(*sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_the_schema_of_documents_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "schema")
    assert "FeatureDocument" in json.loads(out)["$defs"]


def test_the_schema_of_the_configuration_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "schema", "--config")
    assert "endpoint" in json.loads(out)["properties"]
