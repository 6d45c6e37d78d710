"""Log lines: to standard error, in the form that was asked for."""

import json
from collections.abc import Iterator

import pytest
import structlog

from streamer import log


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_a_line_is_json_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    log.set_up()
    structlog.get_logger().info("window closed", endpoint="churn")
    line = json.loads(capsys.readouterr().err)
    assert (line["event"], line["endpoint"], line["level"]) == ("window closed", "churn", "info")


def test_its_time_is_utc(capsys: pytest.CaptureFixture[str]) -> None:
    log.set_up()
    structlog.get_logger().info("started")
    assert json.loads(capsys.readouterr().err)["ts"].endswith("Z")


def test_a_console_line_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    log.set_up(form="console")
    structlog.get_logger().warning("slow")
    text = capsys.readouterr().err
    assert "slow" in text
    assert not text.startswith("{")


def test_nothing_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    log.set_up()
    structlog.get_logger().error("lost")
    assert capsys.readouterr().out == ""


def test_lines_below_the_level_are_dropped(capsys: pytest.CaptureFixture[str]) -> None:
    log.set_up(level="warning")
    structlog.get_logger().info("progress")
    assert capsys.readouterr().err == ""


def test_an_error_keeps_its_traceback_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    log.set_up(form="json")
    try:
        int("x")
    except ValueError:
        structlog.get_logger().exception("failed")
    assert "ValueError" in json.loads(capsys.readouterr().err)["exception"]


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a form"):
        log.set_up(level="loud")  # type: ignore[arg-type]
