import ast
import importlib.machinery
import importlib.util
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / ".ci" / "install"
TOOLS = "setuptools==1 \\\n    --hash=sha256:aa\n    # via streamer\n"
LOCK = TOOLS + "numpy==2 ; python_version > '3' \\\n    --hash=sha256:bb\n"

# Stands in for uv, python3 and the Python inside: writes its calls down, makes environments with itself in them.
STUB = """#!{python} -SE
import os, pathlib, shutil, sys
called = " ".join([os.path.basename(sys.argv[0]), *sys.argv[1:]])
here = pathlib.Path({here!r})
with (here / "calls").open("a") as calls:
    calls.write(called + " PIP_USER" * ("PIP_USER" in os.environ) + "\\n")
if any(line in called for line in (here / "broken").read_text().splitlines()):
    sys.exit(1)
if "venv" in sys.argv:
    inside = pathlib.Path(sys.argv[-1], "bin")
    inside.mkdir(parents=True)
    shutil.copy(sys.argv[0], inside / "python")
elif sys.argv[-1] == "--version":
    print("pip 23.0.1 from nowhere")
"""


class Machine:
    """A machine of stand-ins, with a project to install on it."""

    def __init__(self, here: Path, bootstrap: ModuleType) -> None:
        self.here = here
        self.bootstrap = bootstrap
        self.project = here / "project"
        self.project.mkdir()
        (self.project / "requirements.txt").write_text(LOCK)
        (self.project / "pyproject.toml").write_text("")
        (here / "tools").mkdir()
        self.breaks()
        self.python = self.has("python3")

    def has(self, tool: str) -> Path:
        path = self.here / "tools" / tool
        path.write_text(STUB.format(python=sys.executable, here=str(self.here)))
        path.chmod(0o755)
        return path

    def breaks(self, *calls: str) -> None:
        (self.here / "broken").write_text("\n".join(calls))

    def install(self) -> int:
        return int(self.bootstrap.install(self.project, str(self.python)))

    def is_ready(self) -> bool:
        return bool(self.bootstrap.is_ready(self.project))

    def calls(self, part: str) -> list[str]:
        return [line for line in (self.here / "calls").read_text().splitlines() if part in line]


@pytest.fixture(scope="module")
def bootstrap() -> ModuleType:
    loader = importlib.machinery.SourceFileLoader("bootstrap", str(SCRIPT))
    spec = importlib.util.spec_from_loader("bootstrap", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    written = sys.dont_write_bytecode
    sys.dont_write_bytecode = True
    loader.exec_module(module)
    sys.dont_write_bytecode = written
    return module


@pytest.fixture
def machine(tmp_path: Path, bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Machine:
    monkeypatch.setenv("PATH", str(tmp_path / "tools"))
    return Machine(tmp_path, bootstrap)


def test_uv_installs_where_it_is_there(machine: Machine) -> None:
    machine.has("uv")
    assert machine.install() == 0
    assert len(machine.calls("uv pip install")) == 3
    assert not machine.calls("-m pip install")


def test_without_uv_the_pip_inside_the_environment_installs(machine: Machine) -> None:
    assert machine.install() == 0
    assert len(machine.calls("python -m pip install")) == 3


def test_where_no_pip_can_be_put_inside_the_pip_outside_fills_an_empty_environment(machine: Machine) -> None:
    machine.breaks("-m venv /")
    assert machine.install() == 0
    assert len(machine.calls("python3 -m venv --without-pip")) == 1
    inside = machine.project / ".venv" / "bin" / "python"
    assert len(machine.calls(f"python3 -m pip --python {inside} install")) == 3


def test_a_uv_that_does_not_run_is_passed_over(machine: Machine) -> None:
    machine.has("uv")
    machine.breaks("uv --version")
    assert machine.install() == 0
    assert not machine.calls("uv pip install")


def test_pip_installs_where_uv_fails(machine: Machine) -> None:
    machine.has("uv")
    machine.breaks("uv pip install")
    assert machine.install() == 0
    assert len(machine.calls("python -m pip install")) == 3


def test_packages_are_installed_against_their_hashes(machine: Machine) -> None:
    machine.install()
    lock = machine.project / "requirements.txt"
    assert all("--require-hashes" in call for call in machine.calls(f"-r {lock}"))


def test_build_tools_come_first_and_from_the_lock(machine: Machine) -> None:
    machine.install()
    tools = machine.project / ".venv" / "build-requirements.txt"
    assert machine.calls("install")[0].endswith(f"--require-hashes --no-deps -r {tools}")
    assert tools.read_text() == TOOLS


def test_nothing_unlocked_is_fetched_to_build_the_project(machine: Machine) -> None:
    machine.install()
    assert machine.calls("install")[-1].endswith(f"--no-deps --no-build-isolation -e {machine.project}")


def test_settings_meant_for_other_places_do_not_reach_the_installer(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_USER", "1")
    machine.install()
    assert not [call for call in machine.calls("install") if call.endswith("PIP_USER")]


def test_an_installed_environment_is_ready(machine: Machine) -> None:
    assert not machine.is_ready()
    machine.install()
    assert machine.is_ready()


@pytest.mark.parametrize("name", ["requirements.txt", "pyproject.toml"])
def test_a_changed_file_makes_the_environment_stale(machine: Machine, name: str) -> None:
    machine.install()
    (machine.project / name).write_text("# changed\n")
    assert not machine.is_ready()


def test_a_moved_project_is_stale(machine: Machine) -> None:
    machine.install()
    machine.project = machine.project.rename(machine.here / "elsewhere")
    assert not machine.is_ready()


def test_a_stale_environment_is_kept_and_brought_up_to_date(machine: Machine) -> None:
    machine.install()
    kept = machine.project / ".venv" / "kept"
    kept.touch()
    (machine.project / "pyproject.toml").write_text("# changed\n")
    machine.install()
    assert kept.exists()


def test_an_environment_whose_installation_was_interrupted_is_made_anew(machine: Machine) -> None:
    machine.install()
    (machine.project / ".venv" / "installing").touch()
    assert not machine.is_ready()
    machine.install()
    assert machine.is_ready()
    assert len(machine.calls("-m venv")) == 2


def test_an_environment_whose_python_is_broken_is_made_anew(machine: Machine) -> None:
    machine.install()
    (machine.project / ".venv" / "bin" / "python").unlink()
    assert not machine.is_ready()
    machine.install()
    assert machine.is_ready()


def test_a_failed_installation_is_not_ready_and_shows_what_the_installer_said(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.breaks("install --require-hashes")
    assert machine.install() == 1
    assert not machine.is_ready()
    assert "failed with exit code 1" in capsys.readouterr().err


def test_where_nothing_makes_an_environment_the_missing_package_is_named(
    machine: Machine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.breaks("-m venv")
    assert machine.install() == 1
    assert "apt install python3-venv" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("Collecting numpy==2.4.6 (from -r requirements.txt (line 5))", "1 of 3: numpy"),
        ("Requirement already satisfied: numpy==2.4.6 in ./lib", "1 of 3: numpy"),
        ("Installing collected packages: a, b", "unpacking 3"),
    ],
)
def test_progress_names_the_package_at_hand(bootstrap: ModuleType, line: str, shown: str) -> None:
    progress = bootstrap.Progress("packages:", 3)
    progress.read(line)
    assert shown in progress.line()


def test_old_versions_of_python_can_parse_the_script() -> None:
    ast.parse(SCRIPT.read_text(), feature_version=(3, 6))


def test_an_old_python_is_refused_with_what_to_do() -> None:
    old = "import runpy, sys; sys.version_info = (3, 9, 18, 'final', 0); runpy.run_path(sys.argv[1])"
    refused = subprocess.run(
        [sys.executable, "-c", old, str(SCRIPT)], env={"PATH": "/nowhere"}, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1
    assert "needs Python 3.11 or later" in refused.stderr
    assert "make PYTHON=" in refused.stderr


def test_help_lists_every_target_of_the_makefile() -> None:
    targets = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert targets is not None
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    told = subprocess.run(["make"], cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"^  make ([\w-]+)", told, re.MULTILINE) == targets[1].split()


def test_every_line_of_the_lock_is_a_pinned_package_a_hash_or_a_comment() -> None:
    pinned = re.compile(
        r"[a-z0-9-]+==[^ ]+( ; [^\\]+)? \\|    --hash=sha256:[0-9a-f]{64}( \\)?| *#( [\w\[\], ():.-]+)?"
    )
    strange = [line for line in (ROOT / "requirements.txt").read_text().splitlines() if not pinned.fullmatch(line)]
    assert strange == []


def test_every_package_of_the_lock_has_a_hash(bootstrap: ModuleType) -> None:
    blocks = bootstrap.blocks_of((ROOT / "requirements.txt").read_text())
    assert [name for name, block in blocks.items() if "--hash=sha256:" not in block] == []


def test_the_lock_holds_every_dependency_named_in_pyproject(bootstrap: ModuleType) -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())
    lists = [
        declared["project"]["dependencies"],
        *declared["project"]["optional-dependencies"].values(),
        *declared["dependency-groups"].values(),
    ]
    names = {re.split(r"[\[<>=~! ;]", requirement)[0].lower() for requirements in lists for requirement in requirements}
    assert names <= set(bootstrap.blocks_of((ROOT / "requirements.txt").read_text()))
