"""What holds for every test."""

from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def _logs_as_at_the_start() -> Iterator[None]:
    """No test logs to the stderr of one before it, which is closed by then."""
    yield
    structlog.reset_defaults()
