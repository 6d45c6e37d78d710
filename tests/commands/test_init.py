"""``streamer init``."""

import subprocess
import sys
from pathlib import Path

import pytest

from streamer.config.load import load
from tests.commands.test_help import run


def test_the_file_it_writes_loads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "streamer.toml"
    code, out, _ = run(capsys, "init", str(path), "--endpoint", "churn")
    assert code == 0
    assert f"streamer validate {path}" in out.replace("\n", "")
    assert [e.name for e in load(path, {}).endpoints] == ["churn"]


def test_the_baseline_is_written_relative_to_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "etc").mkdir()
    path = tmp_path / "etc" / "streamer.toml"
    run(capsys, "init", str(path), "--baseline", str(tmp_path / "baselines" / "churn"))
    assert load(path, {}).endpoints[0].baseline == "../baselines/churn"


def test_a_file_that_is_there_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "streamer.toml"
    path.write_text("# mine\n")
    code, _, err = run(capsys, "init", str(path))
    assert (code, path.read_text()) == (2, "# mine\n")
    assert "--force" in err


def test_it_is_replaced_by_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "streamer.toml"
    path.write_text("# mine\n")
    code, _, _ = run(capsys, "init", str(path), "--force")
    assert code == 0
    assert load(path, {}).endpoints


def test_a_bad_name_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "init", str(tmp_path / "s.toml"), "--endpoint", "my endpoint")
    assert code == 2
    assert "letters" in err
    assert not (tmp_path / "s.toml").exists()


def test_a_folder_that_does_not_exist_is_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "init", str(tmp_path / "none" / "s.toml"))
    assert code == 1
    assert err.strip().endswith("No such file or directory")


def test_a_full_disk_leaves_no_file(tmp_path: Path) -> None:
    # The system refuses to let any file grow beyond 100 bytes.
    code = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100));"
    code += f"from streamer.__main__ import main; main(['init', {str(tmp_path / 's.toml')!r}])"
    done = subprocess.run([sys.executable, "-B", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, f"streamer: can't write {tmp_path / 's.toml'}: File too large\n")
    assert list(tmp_path.iterdir()) == []
