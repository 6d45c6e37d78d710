"""A place on a server for one test: a prefix of its own, read by plain requests beside the sink."""

import json
import urllib.error
import urllib.request
import uuid
from types import TracebackType
from typing import NamedTuple

import msgspec

from streamer.adapters.opensearch import OpenSearchSink, Server, ServerConfig
from streamer.adapters.opensearch.bulk import MOST_BYTES
from streamer.core.index.entry import Shelf
from streamer.core.index.families import Family, Partition
from streamer.core.index.template import template_name, template_of
from streamer.testing.memory import ManualClock
from tests.strategies import NOW

_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class _Hit(msgspec.Struct, rename={"index": "_index", "id": "_id", "source": "_source"}):
    index: str
    id: str
    source: msgspec.Raw


class _Hits(msgspec.Struct):
    hits: list[_Hit]


class _Found(msgspec.Struct, rename={"scroll": "_scroll_id"}):
    hits: _Hits
    scroll: str = ""


class Document(NamedTuple):
    place: str
    id: str
    body: str


class Place:
    """A prefix with its templates; all of it is gone when it is left."""

    def __init__(self, url: str, *, partition: Partition = Partition.DAY, installed: bool = True) -> None:
        self.url = url
        self.shelf = Shelf(f"t{uuid.uuid4().hex[:12]}", partition)
        if installed:
            for family in Family:
                body = template_of(self.shelf.prefix, family)
                self.request("PUT", f"/_index_template/{template_name(self.shelf.prefix, family)}", body)

    def __enter__(self) -> "Place":
        return self

    def __exit__(self, *raised: type[BaseException] | BaseException | TracebackType | None) -> None:
        for index in self.indices():
            self.request("DELETE", f"/{index}")
        for family in Family:
            self.request("DELETE", f"/_index_template/{template_name(self.shelf.prefix, family)}")

    def server(self, *, timeout_seconds: float = 30.0, serverless: bool = False) -> Server:
        return Server(ServerConfig(url=self.url, timeout_seconds=timeout_seconds, serverless=serverless))

    def sink(
        self,
        *,
        clock: ManualClock | None = None,
        retention_days: int | None = None,
        most_bytes: int = MOST_BYTES,
        timeout_seconds: float = 30.0,
        serverless: bool = False,
    ) -> OpenSearchSink:
        server = self.server(timeout_seconds=timeout_seconds, serverless=serverless)
        clock = clock or ManualClock(NOW)
        return OpenSearchSink(server, self.shelf, clock, retention_days=retention_days, most_bytes=most_bytes)

    def request(self, method: str, path: str, body: object = None) -> bytes:
        return self._request(method, path, None if body is None else json.dumps(body).encode(), "application/json")

    def post_lines(self, path: str, lines: bytes) -> bytes:
        return self._request("POST", path, lines, "application/x-ndjson")

    def _request(self, method: str, path: str, data: bytes | None, kind: str) -> bytes:
        request = urllib.request.Request(self.url + path, data=data, method=method, headers={"Content-Type": kind})
        try:
            with _DIRECT.open(request, timeout=60) as answer:
                found: bytes = answer.read()
                return found
        except urllib.error.HTTPError as error:
            return error.read()

    def indices(self) -> list[str]:
        return sorted(json.loads(self.request("GET", f"/{self.shelf.prefix}-*/_mapping")))

    def documents(self) -> list[Document]:
        """All there are, their bodies as they were sent."""
        pattern = f"{self.shelf.prefix}-*"
        self.request("POST", f"/{pattern}/_refresh")
        found: list[_Hit] = []
        page = self.request("POST", f"/{pattern}/_search?size=10000&ignore_unavailable=true&scroll=1m", {})
        while (decoded := msgspec.json.decode(page, type=_Found)).hits.hits:
            found += decoded.hits.hits
            page = self.request("POST", "/_search/scroll", {"scroll": "1m", "scroll_id": decoded.scroll})
        return [Document(hit.index, hit.id, bytes(hit.source).decode()) for hit in found]

    def of(self, *families: Family) -> dict[str, str]:
        """Bodies by id of some families; a test fails where two indices have one id."""
        wanted = tuple(f"{self.shelf.prefix}-{family}-" for family in families)
        found = [d for d in self.documents() if d.place.startswith(wanted)]
        bodies = {d.id: d.body for d in found}
        assert len(bodies) == len(found), "an id in two indices"
        return bodies
