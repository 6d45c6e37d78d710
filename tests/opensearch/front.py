"""A front before a real server: it hands requests on, and has the stub's faults."""

import asyncio
from collections import deque
from collections.abc import Iterable
from io import BytesIO

import aiohttp
import msgspec
from aiohttp import web

from streamer.testing.opensearch import Fault, Garbled, Reset, Short, Silent, Some, Whole


class Front:
    """Listens on loopback, as long as this is entered; ``faults`` are had by bulk requests, one each.

    Attributes
    ----------
    url : str
        Its address, once entered.
    bulks : int
        Bulk requests that came.
    """

    def __init__(self, behind: str, faults: Iterable[Fault | None] = ()) -> None:
        self.url = ""
        self.bulks = 0
        self._behind = behind
        self._faults = deque(faults)
        self._session: aiohttp.ClientSession | None = None
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> "Front":
        self._session = aiohttp.ClientSession()
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.01, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *raised: object) -> None:
        assert self._runner is not None
        assert self._session is not None
        await self._runner.cleanup()
        await self._session.close()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if not request.path.endswith("_bulk"):
            return await self._handed_on(request, body)
        self.bulks += 1
        fault = self._faults.popleft() if self._faults else None
        match fault:
            case Whole(status):
                return web.Response(status=status)
            case Silent(written) | Reset(written):
                if written:
                    await self._handed_on(request, body)
                if isinstance(fault, Reset) and request.transport is not None:
                    request.transport.abort()
                await asyncio.Event().wait()
            case Some(status, error_type, every):
                return await self._some(request, body, status, error_type, every)
            case Short(missing):
                answer = msgspec.json.decode(_body_of(await self._handed_on(request, body)))
                return web.json_response({**answer, "items": answer["items"][:-missing]})
            case Garbled():
                whole = _body_of(await self._handed_on(request, body))
                return web.Response(body=whole[: len(whole) // 2])
        return await self._handed_on(request, body)

    async def _some(
        self, request: web.Request, body: bytes, status: int, error_type: str, every: int
    ) -> web.StreamResponse:
        lines = body.split(b"\n")[:-1]
        pairs = list(zip(lines[::2], lines[1::2], strict=True))
        kept = b"".join(b"%b\n%b\n" % pair for i, pair in enumerate(pairs) if i % every)
        items = []
        if kept:
            items = msgspec.json.decode(_body_of(await self._handed_on(request, kept)))["items"]
        failed = {"index": {"status": status, "error": {"type": error_type}}}
        through = iter(items)
        return web.json_response(
            {"errors": True, "items": [next(through) if i % every else failed for i in range(len(pairs))]}
        )

    async def _handed_on(self, request: web.Request, body: bytes) -> web.Response:
        assert self._session is not None
        headers = {"Content-Type": request.headers.get("Content-Type", "application/json")}
        data = BytesIO(body) if body else None
        async with self._session.request(
            request.method, f"{self._behind}{request.path_qs}", data=data, headers=headers
        ) as answer:
            return web.Response(status=answer.status, body=await answer.read(), content_type="application/json")


def _body_of(answer: web.Response) -> bytes:
    assert isinstance(answer.body, bytes)
    return answer.body
