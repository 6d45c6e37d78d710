"""HTTP: ``/metrics`` for Prometheus, ``/healthz`` and ``/readyz`` for the platform; nothing can be changed here."""

import logging
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Final, Self

from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError
from prometheus_client import CollectorRegistry
from prometheus_client.aiohttp import make_aiohttp_handler

from streamer.core.errors import StreamerError

# Scrapers send a few hundred bytes.
_LINE_BYTES: Final = 2_048
_FIELD_BYTES: Final = 4_096
_FIELDS: Final = 64
_CLOSING_SECONDS: Final = 1.0


def _is_ours(record: logging.LogRecord) -> bool:
    """Whether it is about a mistake of this program, not about a request that can't be read."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


# Whoever can reach the port must not be able to fill the log.
_log: Final = logging.getLogger(__name__)
_log.addFilter(_is_ours)


class HttpServer:
    """Answers GET and HEAD on three paths.

    * ``/metrics``: text or OpenMetrics, whichever the scraper asks for.
    * ``/healthz``: 200 whenever the loop turns; without an answer it does not.
    * ``/readyz``: 200 or 503, and why: ``{"ready": false, "reasons": {"sinks": ["…"]}}``.

    There is no log of requests, whole or broken. Whoever can reach it can read names of endpoints, so
    it is for this machine only unless told otherwise.

    Parameters
    ----------
    registry : CollectorRegistry
        What ``/metrics`` shows.
    readiness : callable
        Reasons why the service is not ready, by part; a part without reasons is well.
    host : str
        Address to listen on.
    port : int
        0 takes a free one.
    idle_seconds : float
        A connection without a whole request for so long is closed.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        readiness: Callable[[], Mapping[str, Sequence[str]]],
        *,
        host: str = "127.0.0.1",
        port: int = 9464,
        idle_seconds: float = 30.0,
    ) -> None:
        self._registry = registry
        self._readiness = readiness
        self._host = host
        self._port = port
        self._idle = idle_seconds
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        """Listen.

        Raises
        ------
        StreamerError
            The address can't be had.
        """
        app = web.Application(client_max_size=_LINE_BYTES)
        app.router.add_get("/metrics", make_aiohttp_handler(self._registry))
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.on_response_prepare.append(_trim)
        runner = web.AppRunner(
            app,
            access_log=None,
            logger=_log,
            handle_signals=False,
            keepalive_timeout=self._idle,
            # What follows a request that has its answer is nobody's concern.
            lingering_time=0,
            max_line_size=_LINE_BYTES,
            max_field_size=_FIELD_BYTES,
            max_headers=_FIELDS,
            shutdown_timeout=_CLOSING_SECONDS,
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except OSError as error:
            await runner.cleanup()
            raise StreamerError(f"can't listen on {self._host}:{self._port}: {error.strerror or error}") from error
        self._runner = runner
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close; answers under way have a second."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    @property
    def url(self) -> str:
        """Where it listens, without a path.

        Raises
        ------
        RuntimeError
            It does not.
        """
        if self._runner is None:
            raise RuntimeError("not listening")
        host, port, *_ = self._runner.addresses[0]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def _healthz(self, request: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def _readyz(self, request: web.Request) -> web.Response:
        reasons = {part: list(why) for part, why in self._readiness().items() if why}
        return web.json_response({"ready": not reasons, "reasons": reasons}, status=503 if reasons else 200)


async def _trim(request: web.Request, response: web.StreamResponse) -> None:
    # Versions of what runs here are nobody's business (aiohttp still tells its own to what does not
    # speak HTTP), and an answer is true only now.
    response.headers.pop(hdrs.SERVER, None)
    response.headers[hdrs.CACHE_CONTROL] = "no-store"
    response.headers[hdrs.X_CONTENT_TYPE_OPTIONS] = "nosniff"
