"""What holds for every test."""

from collections.abc import Iterator

import pytest
import structlog

from tests.opensearch.fixtures import opensearch_url as opensearch_url
from tests.opensearch.fixtures import place as place
from tests.opensearch.fixtures import real as real
from tests.opensearch.fixtures import stub as stub
from tests.opensearch.fixtures import stub_url as stub_url


@pytest.fixture(autouse=True)
def _logs_as_at_the_start() -> Iterator[None]:
    """No test logs to the stderr of one before it, which is closed by then."""
    yield
    structlog.reset_defaults()
