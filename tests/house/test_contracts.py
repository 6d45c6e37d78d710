import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINT = Path(sys.executable).parent / "lint-imports"


def lint(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(LINT), "--no-cache", *arguments], cwd=root, capture_output=True, text=True, check=False, timeout=120
    )


def test_the_import_contracts_hold() -> None:
    checked = lint(ROOT)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize(
    ("contract", "path", "line"),
    [
        pytest.param("rooms", "core/errors.py", "import streamer.ports", id="the core imports a port"),
        pytest.param("rooms", "ports.py", "import streamer.pump", id="a port imports the pump"),
        pytest.param("rooms", "spare.py", "", id="a room without a floor"),
        pytest.param("core", "core/errors.py", "import streamer.core.engine", id="the errors import the engine"),
        pytest.param("core", "core/spare.py", "", id="a core module without a floor"),
        pytest.param("pure", "core/errors.py", "import asyncio", id="the core waits"),
        pytest.param("pure", "core/errors.py", "import time", id="the core has a clock"),
        pytest.param("adapters", "adapters/spare.py", "import streamer.adapters.clock", id="two adapters meet"),
        pytest.param("testing", "pump.py", "import streamer.testing", id="the pump imports a fake"),
    ],
)
def test_a_breach_of_a_contract_is_found(tmp_path: Path, contract: str, path: str, line: str) -> None:
    shutil.copytree(ROOT / "streamer", tmp_path / "streamer", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "streamer" / path).open("a") as file:
        file.write(f"\n{line}\n")
    checked = lint(tmp_path, "--contract", contract)
    assert checked.returncode == 1, checked.stdout
    assert "0 kept, 1 broken" in checked.stdout or "not listed as layers" in checked.stdout, checked.stdout
