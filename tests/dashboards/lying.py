"""An OpenSearch Dashboards that lies: it answers imports as a real one was seen to, defect by defect.

References
----------
Answers of OpenSearch Dashboards 2.8.0, each seen once: a success that wrote a part or nothing, a failure
with status 200 that wrote the rest; ``src/core/server/saved_objects/import`` of OpenSearch Dashboards.
"""

import json
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

Object = dict[str, Any]


class Dashboards:
    """What it has, and how it answers.

    Parameters
    ----------
    keep : callable
        Of the objects sent, those it writes.
    answer : callable
        Of the objects sent, what it says.
    status : int
        Of the answer to an import.
    password : str
        Asked for where there is one.

    Attributes
    ----------
    kept : dict of (str, str) to dict
        Saved objects by type and id.
    headers : list of mapping
        Of every request.
    """

    def __init__(
        self,
        *,
        keep: Callable[[list[Object]], Sequence[Object]] = lambda sent: sent,
        answer: Callable[[list[Object]], object] | None = None,
        status: int = 200,
        password: str = "",
    ) -> None:
        self._keep, self._answer, self._status, self._password = keep, answer, status, password
        self.kept: dict[tuple[str, str], Object] = {}
        self.headers: list[dict[str, str]] = []
        self.queries: list[str] = []

    async def take(self, request: web.Request) -> web.Response:
        if (refused := self._refused(request)) is not None:
            return refused
        self.queries.append(request.query_string)
        form = await request.post()
        file = form["file"]
        if not isinstance(file, web.FileField) or not file.filename.endswith(".ndjson"):
            return web.json_response({"message": "Invalid file extension"}, status=400)
        sent = [json.loads(line) for line in file.file.read().splitlines()]
        for one in self._keep(sent):
            # As a real one: its time of change and a version are added.
            self.kept[one["type"], one["id"]] = {**one, "updated_at": "2026-11-29T00:00:00.000Z", "version": "WzEsMV0="}
        if self._answer is None:
            return web.json_response({"success": True, "successCount": len(sent)}, status=self._status)
        said = self._answer(sent)
        return web.Response(text=said if isinstance(said, str) else json.dumps(said), status=self._status)

    async def give(self, request: web.Request) -> web.Response:
        if (refused := self._refused(request)) is not None:
            return refused
        wanted = [(one["type"], one["id"]) for one in await request.json()]
        absent = {"error": {"statusCode": 404, "error": "Not Found", "message": "Not found"}}
        found = [self.kept.get(key, {"type": key[0], "id": key[1], **absent}) for key in wanted]
        return web.json_response({"saved_objects": found})

    def _refused(self, request: web.Request) -> web.Response | None:
        self.headers.append(dict(request.headers))
        if self._password:
            given = request.headers.get("Authorization", "")
            if given != f"Basic {b64encode(f'ada:{self._password}'.encode()).decode()}":
                return web.json_response({"message": "Authentication required"}, status=401)
        if "osd-xsrf" not in request.headers:
            return web.json_response({"message": "Request must contain the osd-xsrf header"}, status=400)
        return None

    @asynccontextmanager
    async def serving(self, base: str = "") -> AsyncIterator[str]:
        """Its address, while it answers."""
        app = web.Application(client_max_size=2**24)
        app.router.add_post(f"{base}/api/saved_objects/_import", self.take)
        app.router.add_post(f"{base}/api/saved_objects/_bulk_get", self.give)
        async with TestServer(app, host="127.0.0.1") as server:
            yield str(server.make_url(base)).rstrip("/")
