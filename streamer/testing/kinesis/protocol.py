"""Protocol: HTTP/1.1 as far as clients of a JSON service speak it; bytes in, requests out, no I/O."""

from typing import Final

import msgspec

_HEAD_BYTES: Final = 64 * 1024
# 10 MiB of records in base64, with 500 keys and names around them.
_BODY_BYTES: Final = 16 * 2**20
_REASONS: Final = {200: "OK", 400: "Bad Request", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed"}


class BadRequest(Exception):
    """These bytes are no request that can be answered; the connection is closed."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class HttpRequest(msgspec.Struct, frozen=True):
    """One request; names of headers in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def keeps_connection(self) -> bool:
        """Whether the caller wants to send more."""
        return self.headers.get("connection", "").lower() != "close"


class RequestParser:
    """Cuts the bytes of one connection into requests."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._head: tuple[str, str, dict[str, str], int] | None = None

    def feed(self, received: bytes) -> None:
        """Take bytes as they come."""
        self._held += received

    def next_request(self) -> HttpRequest | None:
        """The next whole request; ``None`` until the rest has come.

        Raises
        ------
        BadRequest
            It is too large, or of a form this does not speak.
        """
        if self._head is None:
            end = self._held.find(b"\r\n\r\n")
            if end < 0:
                if len(self._held) > _HEAD_BYTES:
                    raise BadRequest(431, "the head is too large")
                return None
            self._head = _head(bytes(self._held[:end]).decode("latin-1"))
            del self._held[: end + 4]
        method, path, headers, length = self._head
        if len(self._held) < length:
            return None
        body = bytes(self._held[:length])
        del self._held[:length]
        self._head = None
        return HttpRequest(method, path, headers, body)


def _head(text: str) -> tuple[str, str, dict[str, str], int]:
    first, *lines = text.split("\r\n")
    method, path, version = (*first.split(" "), "", "", "")[:3]
    if version not in ("HTTP/1.1", "HTTP/1.0"):
        raise BadRequest(400, "not HTTP/1.1")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise BadRequest(400, "a header without a colon")
        headers[name.strip().lower()] = value.strip()
    if "transfer-encoding" in headers:
        raise BadRequest(411, "a body needs a Content-Length")
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()):
        raise BadRequest(400, "Content-Length is not a number")
    if int(length) > _BODY_BYTES:
        raise BadRequest(413, "the body is too large")
    return method, path, headers, int(length)


def response(status: int, body: bytes, request_number: int, content: str = "application/x-amz-json-1.1") -> bytes:
    """A whole response.

    Parameters
    ----------
    status : int
        HTTP status.
    body : bytes
        May be empty.
    request_number : int
        Makes the request's id, which clients put into their errors.
    content : str
        Media type.
    """
    head = (
        f"HTTP/1.1 {status} {_REASONS.get(status, 'Error')}\r\n"
        f"x-amzn-RequestId: 00000000-0000-0000-0000-{request_number:012d}\r\n"
        f"Content-Type: {content}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
