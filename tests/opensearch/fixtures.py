"""Fixtures of all who test on an OpenSearch: the address of a real one and of the stub, and a place on each."""

import asyncio
import os
import threading
from collections.abc import Iterator

import pytest

from streamer.testing.opensearch import StubOpenSearch
from tests.opensearch.place import Place
from tests.opensearch.server import NoServer, shared_url


@pytest.fixture(scope="session")
def opensearch_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Address of a real server; without one the test is skipped, and under ``CI=true`` fails."""
    if "STREAMER_TEST_OPENSEARCH_URL" in os.environ:
        return os.environ["STREAMER_TEST_OPENSEARCH_URL"].rstrip("/")
    base = tmp_path_factory.getbasetemp()
    # A worker of pytest-xdist has a folder of its own below that of the run, whose process is its parent.
    shared, parent = (base.parent, os.getppid()) if "PYTEST_XDIST_WORKER" in os.environ else (base, os.getpid())
    try:
        return shared_url(shared, parent)
    except NoServer as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))


class ThreadedStub:
    """The stub in a thread of its own, for tests without a loop, or with several."""

    def __init__(self) -> None:
        self.stub = StubOpenSearch()
        self._loop = asyncio.new_event_loop()
        self._ready, self._stop = threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))

    async def _serve(self) -> None:
        async with self.stub:
            self._ready.set()
            await self._stop.wait()

    def __enter__(self) -> StubOpenSearch:
        self._thread.start()
        self._ready.wait()
        return self.stub

    def __exit__(self, *raised: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._loop.close()


@pytest.fixture
def stub() -> Iterator[StubOpenSearch]:
    with ThreadedStub() as stub:
        yield stub


@pytest.fixture
def stub_url(stub: StubOpenSearch) -> str:
    return stub.url


@pytest.fixture(params=["stub", "opensearch"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """A place on the stub, and one on a real server."""
    url = request.getfixturevalue("stub").url if request.param == "stub" else request.getfixturevalue("opensearch_url")
    with Place(url) as made:
        yield made


@pytest.fixture
def real(opensearch_url: str) -> Iterator[Place]:
    with Place(opensearch_url) as made:
        yield made
