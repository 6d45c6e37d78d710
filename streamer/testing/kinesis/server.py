"""Server: the emulator on a loopback port, so that real clients talk to it."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from streamer.testing.kinesis.admin import ADMIN_PATH, administer
from streamer.testing.kinesis.emulator import Kinesis
from streamer.testing.kinesis.faults import Reset, Stall, Truncate
from streamer.testing.kinesis.protocol import BadRequest, HttpRequest, RequestParser, response

# Loopback only: there is no authentication.
HOST: Final = "127.0.0.1"
_TARGET: Final = "Kinesis_20131202."
# Closing with this sends a reset instead of an end.
_LINGER_RESET: Final = struct.pack("ii", 1, 0)


class KinesisServer:
    """A running emulator; ``serve`` makes one.

    Attributes
    ----------
    kinesis : Kinesis
        The service itself: make streams, put records, arm faults, count calls.
    url : str
        What clients are given as ``endpoint_url``.
    """

    def __init__(self, kinesis: Kinesis) -> None:
        self.kinesis = kinesis
        self.url = ""
        self.connections: set[_Connection] = set()
        self._requests = 0

    @property
    def stalled(self) -> int:
        """Connections that wait in the middle of an answer."""
        return sum(connection.is_stalled for connection in self.connections)

    def clear_faults(self) -> None:
        """Remove every fault; stalled answers go on."""
        self.kinesis.faults.clear()
        for connection in list(self.connections):
            connection.go_on()

    def next_request_number(self) -> int:
        """Numbers for the ids of requests."""
        self._requests += 1
        return self._requests


@asynccontextmanager
async def serve(kinesis: Kinesis, *, port: int = 0, host: str = HOST) -> AsyncIterator[KinesisServer]:
    """Serve the emulator while the context is open.

    Parameters
    ----------
    kinesis : Kinesis
        The service.
    port : int
        0 takes a free one.
    host : str
        Address it listens on; another than loopback is for a container, whose ports are published on it.

    Raises
    ------
    OSError
        The port is taken.
    """
    server = KinesisServer(kinesis)
    listening = await asyncio.get_running_loop().create_server(lambda: _Connection(server), host, port)
    server.url = f"http://{HOST}:{listening.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listening.close()
        for connection in list(server.connections):
            connection.abort()
            await connection.lost
        await listening.wait_closed()


class _Connection(asyncio.Protocol):
    """One client's connection: requests are answered in order, and at once unless a fault says otherwise."""

    def __init__(self, server: KinesisServer) -> None:
        self._server = server
        self._parser = RequestParser()
        self._rest = b""
        self._waiting: asyncio.TimerHandle | None = None
        self.is_stalled = False
        self.lost: asyncio.Future[None]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a stream socket is expected")
        self._transport = transport
        self.lost = asyncio.get_running_loop().create_future()
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """End, by whichever side."""
        self._server.connections.discard(self)
        self.is_stalled = False
        if self._waiting is not None:
            self._waiting.cancel()
        self.lost.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        self._parser.feed(data)
        self._answer_whole()

    def abort(self) -> None:
        """Drop the connection."""
        self._transport.abort()

    def go_on(self) -> None:
        """Send the rest of a stalled answer."""
        if self.is_stalled:
            if self._waiting is not None:
                self._waiting.cancel()
                self._waiting = None
            self.is_stalled = False
            self._transport.write(self._rest)
            self._rest = b""
            self._answer_whole()

    def _answer_whole(self) -> None:
        while not self.is_stalled and not self._transport.is_closing():
            try:
                request = self._parser.next_request()
            except BadRequest as error:
                number = self._server.next_request_number()
                self._transport.write(response(error.status, error.text.encode(), number, "text/plain"))
                self._transport.close()
                return
            if request is None:
                return
            self._answer(request)

    def _answer(self, request: HttpRequest) -> None:
        number = self._server.next_request_number()
        if request.path.startswith(ADMIN_PATH):
            status, said = administer(self._server.kinesis, request, self._server.clear_faults)
            self._send(request, response(status, said, number, "application/json"))
            return
        target = request.headers.get("x-amz-target", "")
        answer = self._server.kinesis.answer(target.removeprefix(_TARGET), request.body)
        whole = response(answer.status, answer.body, number)
        # The head goes out whole, so that a client waits for a body and not for an answer.
        half = len(whole) - len(answer.body) + len(answer.body) // 2
        match answer.fault:
            case None:
                self._send(request, whole)
            case Reset():
                self._reset()
            case Truncate():
                self._transport.write(whole[:half])
                self._transport.close()
            case Stall(wait_seconds=seconds):
                self._transport.write(whole[:half])
                self._rest = whole[half:]
                self.is_stalled = True
                if seconds is not None:
                    self._waiting = asyncio.get_running_loop().call_later(seconds, self.go_on)

    def _send(self, request: HttpRequest, whole: bytes) -> None:
        self._transport.write(whole)
        if not request.keeps_connection:
            self._transport.close()

    def _reset(self) -> None:
        client = self._transport.get_extra_info("socket")
        if client is not None:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
        self._transport.abort()
