import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "streamer").rglob("*.py"))
CORE = [path for path in MODULES if path.is_relative_to(ROOT / "streamer" / "core")]

TOP_LEVEL = {
    ".ci",
    ".gitignore",
    "LICENSE",
    "Makefile",
    "README.md",
    "dashboards",
    "deploy",
    "pyproject.toml",
    "requirements.txt",
    "streamer",
    "tests",
}
LINES = 400
NAMES_THAT_SAY_NOTHING = {"utils", "helpers", "common", "manager", "handler", "misc", "base"}
# What the core may import, besides itself: libraries that compute, and parts of the standard library that only compute.
CORE_LIBRARIES = {"msgspec", "numpy", "orjson", "pybase64", "river", "xxhash"}
CORE_STANDARD = {
    "__future__",
    "bisect",
    "bz2",  # bytes in memory
    "collections",
    "csv",
    "dataclasses",
    "datetime",
    "enum",
    "functools",
    "hashlib",
    "heapq",
    "io",  # csv.reader over text in memory
    "itertools",
    "json",
    "math",
    "operator",
    "re",
    "statistics",  # the normal law
    "struct",
    "typing",
    "zlib",  # bytes in memory
    "zoneinfo",  # the hour of day in a baseline's time zone
}


def called(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def test_the_top_level_holds_only_what_belongs_there() -> None:
    # An owner other than the present user is usual in containers, and git would refuse to answer.
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout: there is no telling what belongs to the project")
    assert {name.partition("/")[0] for name in listed.stdout.split("\0") if name} <= TOP_LEVEL


def test_every_module_fits_in_a_head() -> None:
    sizes = {called(path): len(path.read_text().splitlines()) for path in MODULES}
    assert {name: lines for name, lines in sizes.items() if lines > LINES} == {}


def test_every_module_says_what_it_is_for() -> None:
    assert [called(path) for path in MODULES if not ast.get_docstring(ast.parse(path.read_text()))] == []


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [called(path) for path in MODULES if path.stem in NAMES_THAT_SAY_NOTHING] == []


def test_the_core_imports_only_what_computes() -> None:
    allowed = {"streamer"} | CORE_LIBRARIES | CORE_STANDARD
    assert [(called(path), name) for path in CORE for name in imports_of(path) if name not in allowed] == []


def test_the_core_has_no_value_of_any_type() -> None:
    names = [(called(path), node) for path in CORE for node in ast.walk(ast.parse(path.read_text()))]
    assert [path for path, node in names if isinstance(node, ast.Name) and node.id == "Any"] == []


def test_the_wheel_holds_the_package_with_its_data_and_nothing_else(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    data = {called(path) for path in (ROOT / "streamer").rglob("*") if path.suffix in {".json", ".toml", ".typed"}}
    assert "streamer/py.typed" in data
    assert held >= data | {called(path) for path in MODULES}
    assert {name.partition("/")[0] for name in held} == {"streamer"}


def test_every_ignored_lint_rule_has_its_reason_beside_it() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    ignored = re.search(r"^ignore = \[\n(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    assert ignored is not None
    assert [line for line in ignored[1].splitlines() if "#" not in line] == []


def test_the_floor_of_python_is_the_same_everywhere() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert declared["project"]["requires-python"] == ">=3.11"
    assert declared["tool"]["ruff"]["target-version"] == "py311"
    assert declared["tool"]["mypy"]["python_version"] == "3.11"
