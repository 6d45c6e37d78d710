"""A stub of OpenSearch: what the index sink asks of a server, and the faults that no real one has on demand.

It keeps documents in memory, with the versions, strict mappings and kinds of error of OpenSearch 2.19
and 3.8, as they were seen there; the same tests run on it and on a real server.
"""

import asyncio
import fnmatch
import re
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import msgspec
from aiohttp import web

from streamer.testing.opensearch_mapping import Misfit, fits

_BAD_NAME: Final = re.compile(r"[A-Z\\/*?\"<>| ,#:]|^[-_+]")
_LARGEST_VERSION: Final = 2**63 - 1
_LONGEST_ID: Final = 512
Json = dict[str, Any]


class Whole(NamedTuple):
    """The request is answered with a status, and nothing is written."""

    status: int
    retry_after: str = ""


class Some(NamedTuple):
    """Every so manyth document is not written, and answered with a status and a type of error."""

    status: int
    error_type: str
    every: int = 2


class Silent(NamedTuple):
    """No answer comes; the documents are written, or not."""

    written: bool = False


class Reset(NamedTuple):
    """The connection is cut; the documents are written, or not."""

    written: bool = False


class Short(NamedTuple):
    """All is written, and the answer speaks of fewer documents."""

    missing: int = 1


class Garbled(NamedTuple):
    """All is written, and the answer ends in the middle."""


Fault = Whole | Some | Silent | Reset | Short | Garbled


class Kept(NamedTuple):
    """One document, as it is kept."""

    version: int
    body: bytes


class Seen(NamedTuple):
    """A request that came."""

    method: str
    path: str
    headers: Mapping[str, str]
    size_bytes: int


class _Whole400(Exception):
    """A bulk request that is answered with 400 as a whole."""


class StubOpenSearch:
    """A server on loopback, as long as this is entered.

    Parameters
    ----------
    most_bytes : int
        Larger requests are answered with 413.
    faults : iterable of Fault or None
        One for each bulk request, in order; ``None`` lets it through. When they are used up all work.

    Attributes
    ----------
    url : str
        Its address, once entered.
    indices : dict of str to dict
        Documents by id, by index.
    mappings, templates : dict of str to dict
        By index and by name.
    faults : deque of Fault or None
        Those to come.
    poison, broken : set of str
        Ids of documents no field takes, and of those whose action line breaks the whole request.
    closed : set of str
        Indices that are closed.
    limit_bytes : int
        Larger requests are answered with 413.
    seen : list of Seen
        Every request.
    """

    def __init__(self, *, most_bytes: int = 8_388_608, faults: Iterable[Fault | None] = ()) -> None:
        self.url = ""
        self.indices: dict[str, dict[str, Kept]] = {}
        self.mappings: dict[str, Json] = {}
        self.templates: dict[str, Json] = {}
        self.faults: deque[Fault | None] = deque(faults)
        self.poison: set[str] = set()
        self.broken: set[str] = set()
        self.closed: set[str] = set()
        self.seen: list[Seen] = []
        self.limit_bytes = most_bytes
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> "StubOpenSearch":
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/{path:.*}", self._handle)
        # A client that is gone ends what it asked for; nothing waits for it at the end.
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.01, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *raised: object) -> None:
        """Answer no more."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.seen.append(Seen(request.method, request.path, dict(request.headers), len(body)))
        if len(body) > self.limit_bytes:
            return web.Response(status=413)
        parts = [part for part in request.path.split("/") if part]
        match request.method, parts:
            case "POST", ["_bulk"]:
                return await self._bulk(request, "", body)
            case "POST", [index, "_bulk"]:
                return await self._bulk(request, index, body)
            case "POST", ["_search", "scroll"]:
                # The first page holds all.
                return web.json_response({"hits": {"hits": []}})
            case (("GET" | "POST"), [pattern, "_search"]):
                return self._search(pattern)
            case "POST", [_, "_refresh"]:
                return web.json_response({})
            case method, ["_index_template", name]:
                return self._template(method, name, body)
            case method, [pattern, "_mapping"]:
                return self._mapping(method, pattern, body)
            case "GET", [pattern, "_settings"]:
                there = {i: {"settings": {"index": {"creation_date": "0"}}} for i in self._matching(pattern)}
                return web.json_response(there)
            case "PUT", [index]:
                if index in self.indices:
                    return _fault(400, "resource_already_exists_exception")
                self._make(index)
                return web.json_response({"acknowledged": True})
            case "DELETE", [index]:
                if index not in self.indices:
                    return _fault(404, "index_not_found_exception")
                del self.indices[index], self.mappings[index]
                return web.json_response({"acknowledged": True})
        return _fault(400, "illegal_argument_exception")

    def _matching(self, pattern: str) -> list[str]:
        return sorted(index for index in self.indices if fnmatch.fnmatchcase(index, pattern))

    def _search(self, pattern: str) -> web.Response:
        hits = [
            {"_index": index, "_id": identity, "_version": kept.version, "_source": msgspec.Raw(kept.body)}
            for index in self._matching(pattern)
            for identity, kept in self.indices[index].items()
        ]
        return _json({"hits": {"total": {"value": len(hits)}, "hits": hits}})

    def _template(self, method: str, name: str, body: bytes) -> web.Response:
        if method == "PUT":
            self.templates[name] = msgspec.json.decode(body)
            return web.json_response({"acknowledged": True})
        there = [
            {"name": known, "index_template": template}
            for known, template in self.templates.items()
            if fnmatch.fnmatchcase(known, name)
        ]
        if not there and "*" not in name:
            return _fault(404, "resource_not_found_exception")
        return web.json_response({"index_templates": there})

    def _mapping(self, method: str, pattern: str, body: bytes) -> web.Response:
        if method == "PUT":
            self.mappings[pattern].setdefault("properties", {}).update(msgspec.json.decode(body)["properties"])
            return web.json_response({"acknowledged": True})
        return web.json_response({i: {"mappings": self.mappings[i]} for i in self._matching(pattern)})

    def _make(self, index: str) -> None:
        fitting = [t for t in self.templates.values() for p in t["index_patterns"] if fnmatch.fnmatchcase(index, p)]
        self.indices[index] = {}
        self.mappings[index] = (
            msgspec.json.decode(msgspec.json.encode(fitting[0]["template"]["mappings"])) if fitting else {}
        )

    async def _bulk(self, request: web.Request, path_index: str, body: bytes) -> web.StreamResponse:
        fault = self.faults.popleft() if self.faults else None
        if isinstance(fault, Whole):
            headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
            return web.Response(status=fault.status, headers=headers, text='{"error":{"type":"scripted"}}')
        if isinstance(fault, Silent | Reset) and not fault.written:
            return await self._gone(request, fault)
        try:
            actions = self._actions(path_index, body)
        except _Whole400:
            return _fault(400, "illegal_argument_exception")
        items = []
        for i, (index, about, source) in enumerate(actions):
            if isinstance(fault, Some) and i % fault.every == 0:
                items.append(_item(fault.status, fault.error_type))
            else:
                items.append(self._write(index, about, source))
        if isinstance(fault, Silent | Reset):
            return await self._gone(request, fault)
        if isinstance(fault, Short):
            items = items[: -fault.missing]
        answer = msgspec.json.encode({"errors": any("error" in i["index"] for i in items), "items": items})
        if isinstance(fault, Garbled):
            answer = answer[: len(answer) // 2]
        return web.Response(body=answer, content_type="application/json")

    async def _gone(self, request: web.Request, fault: Silent | Reset) -> web.StreamResponse:
        if isinstance(fault, Reset) and request.transport is not None:
            request.transport.abort()
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    def _actions(self, path_index: str, body: bytes) -> list[tuple[str, Json, bytes]]:
        """Index, action and document of each; what breaks the whole is found before anything is written."""
        if not body.endswith(b"\n"):
            raise _Whole400
        lines = body.split(b"\n")[:-1]
        actions: list[tuple[str, Json, bytes]] = []
        # A last action without its document is passed over in silence, as servers do.
        for line, source in zip(lines[::2], lines[1::2], strict=False):
            try:
                action = msgspec.json.decode(line, type=dict[str, Json])
            except msgspec.MsgspecError:
                raise _Whole400 from None
            about = action.get("index")
            if about is None or len(action) != 1:
                raise _Whole400
            version = about.get("version")
            if (version is None) != ("version_type" not in about):
                raise _Whole400
            if version is not None and ("_id" not in about or not 0 <= int(version) <= _LARGEST_VERSION):
                raise _Whole400
            identity = about.get("_id", "")
            if len(identity.encode()) > _LONGEST_ID or identity in self.broken:
                raise _Whole400
            index = about.get("_index", path_index)
            if not index:
                raise _Whole400
            actions.append((index, about, source))
        if not actions:
            raise _Whole400
        return actions

    def _write(self, index: str, about: Json, source: bytes) -> Json:
        if _BAD_NAME.search(index):
            return _item(400, "invalid_index_name_exception")
        if index in self.closed:
            return _item(400, "index_closed_exception")
        if index not in self.indices:
            self._make(index)
        try:
            fits(source, self.mappings[index])
        except Misfit as error:
            return _item(400, str(error))
        if about["_id"] in self.poison:
            return _item(400, "mapper_parsing_exception")
        documents, identity = self.indices[index], about["_id"]
        known, version = documents.get(identity), int(about.get("version", 0))
        if known is None:
            documents[identity] = Kept(version or 1, source)
            return _item(201)
        if about.get("version_type") == "external_gte" and version < known.version:
            return _item(409, "version_conflict_engine_exception")
        if about.get("version_type") == "external" and version <= known.version:
            return _item(409, "version_conflict_engine_exception")
        documents[identity] = Kept(version or known.version + 1, source)
        return _item(200)


def _item(status: int, error_type: str = "") -> Json:
    return {"index": {"status": status, **({"error": {"type": error_type}} if status >= 300 else {})}}


def _fault(status: int, error_type: str) -> web.Response:
    return web.json_response({"error": {"type": error_type, "reason": "stub"}, "status": status}, status=status)


def _json(value: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")
