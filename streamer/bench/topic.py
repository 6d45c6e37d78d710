"""A scripted SNS topic: takes every message at once and notes when it came."""

import asyncio
import re
import time
from typing import Final, NamedTuple
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

import msgspec

from streamer.core.documents import Notification

_ENTRY: Final = re.compile(r"PublishBatchRequestEntries\.member\.(\d+)\.(Id|Message)")
_NAMESPACE: Final = "http://sns.amazonaws.com/doc/2010-03-31/"


class Arrival(NamedTuple):
    """A message that came.

    Attributes
    ----------
    notification : Notification
        It.
    at : float
        Monotonic time.
    """

    notification: Notification
    at: float


class Topic:
    """Answers ``PublishBatch`` on this machine, as long as this is entered.

    Attributes
    ----------
    arrivals : list of Arrival
        Every message, in order.
    url : str
        Its address, once entered.
    """

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []
        self.url = ""
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> "Topic":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *raised: object) -> None:
        """Take no more."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = re.search(rb"content-length: *(\d+)", head)
                if b"expect: 100-continue" in head:
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                answer = self._answer(await reader.readexactly(int(length[1]) if length else 0))
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n" % len(answer))
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    def _answer(self, body: bytes) -> bytes:
        at = time.monotonic()
        entries: dict[str, dict[str, str]] = {}
        for name, value in parse_qsl(body.decode()):
            if found := _ENTRY.fullmatch(name):
                entries.setdefault(found[1], {})[found[2]] = value
        for entry in entries.values():
            line = entry["Message"].rpartition("\n")[2]
            self.arrivals.append(Arrival(msgspec.json.decode(line, type=Notification), at))
        taken = "".join(
            f"<member><Id>{escape(e['Id'])}</Id><MessageId>m</MessageId></member>" for e in entries.values()
        )
        return (
            f'<PublishBatchResponse xmlns="{_NAMESPACE}"><PublishBatchResult><Successful>{taken}</Successful><Failed/>'
            "</PublishBatchResult><ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></PublishBatchResponse>"
        ).encode()
