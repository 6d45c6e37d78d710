"""Logs: structlog to standard error, coloured on a terminal, JSON lines elsewhere; no payload, ever."""

import logging
import sys
from typing import Literal, get_args

import structlog

LogForm = Literal["auto", "json", "console"]
LogLevel = Literal["debug", "info", "warning", "error"]


def set_up(*, form: LogForm = "auto", level: LogLevel = "info") -> None:
    """Send every log line to standard error, in one form.

    Parameters
    ----------
    form : {"auto", "json", "console"}
        ``auto`` is ``console`` on a terminal, else ``json``.
    level : {"debug", "info", "warning", "error"}
        Lines below it are dropped.

    Raises
    ------
    ValueError
        Not one of these forms or levels.
    """
    if form not in get_args(LogForm) or level not in get_args(LogLevel):
        raise ValueError(f"expected a form of {get_args(LogForm)} and a level of {get_args(LogLevel)}")
    terminal = sys.stderr.isatty()
    console = form == "console" or (form == "auto" and terminal)
    last: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=terminal, timestamp_key="ts")
        if console
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
            structlog.processors.StackInfoRenderer(),
            *([] if console else [structlog.processors.format_exc_info]),
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        # Not kept: a later set-up, as tests and embedding programs make, must hold at once.
        cache_logger_on_first_use=False,
    )
