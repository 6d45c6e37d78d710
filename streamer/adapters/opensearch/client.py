"""Client: requests to one OpenSearch server, whose every answer is a value and every fault ours."""

import base64
import ssl
from collections.abc import Collection, Mapping
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import quote, urlencode

import aiohttp
import msgspec
from aiohttp.abc import AbstractStreamWriter
from opensearchpy import AsyncHttpConnection, AsyncOpenSearch
from opensearchpy import exceptions as sdk
from opensearchpy.serializer import Serializer

from streamer.adapters.opensearch.signing import Signing
from streamer.core.errors import ConfigError, NeedsPerson, Retryable, StreamerError, Unavailable
from streamer.core.index.outcome import of_request

JSON: Final = "application/json"
LINES: Final = "application/x-ndjson"
# Written between two looks at the loop, so that a large body does not hold it.
_SLICE_BYTES: Final = 262_144
# No proxy keeps us away for more than five minutes: whoever repairs the server waits.
_LONGEST_WAIT: Final = 300.0
_STATUSES: Final = range(1_000)
_CERTIFICATE: Final = (
    aiohttp.ClientConnectorCertificateError,
    aiohttp.ClientSSLError,
    aiohttp.ServerFingerprintMismatch,
)


class ServerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How a server is reached.

    Attributes
    ----------
    url : str
        Address; a path in it goes before every request's.
    username, password : str
        Basic authentication; none when empty.
    ca_file : str or None
        Certificates that are trusted instead of the system's.
    serverless : bool
        Whether it is a collection of Amazon OpenSearch Serverless, which knows less.
    timeout_seconds : float
        Longest wait for an answer.
    """

    url: str
    username: str = ""
    password: str = ""
    ca_file: str | None = None
    serverless: bool = False
    timeout_seconds: float = 30.0

    def __repr__(self) -> str:
        return f"ServerConfig({self.url!r}, …)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """The address only, for tracebacks that show values."""
        return [("url", self.url)]


class Answer(NamedTuple):
    """What came back.

    Attributes
    ----------
    status : int
        HTTP status.
    body : str
        As it is.
    retry_after_seconds : float or None
        Wait that was asked for.
    """

    status: int
    body: str
    retry_after_seconds: float | None = None


class Server:
    """Requests to one server; open until closed.

    Parameters
    ----------
    config : ServerConfig
        How it is reached.
    signing : Signing, optional
        For AWS.

    Raises
    ------
    ConfigError
        The address or the file of certificates can't be used.
    """

    def __init__(self, config: ServerConfig, signing: Signing | None = None) -> None:
        self.config = config
        self._signing = signing
        more: dict[str, Any] = {}
        if signing is not None:
            more["http_auth"] = signing
        elif config.username:
            more["http_auth"] = _Basic(config.username, config.password)
        try:
            if config.ca_file is not None:
                more["ssl_context"] = ssl.create_default_context(cafile=config.ca_file)
            self._client = AsyncOpenSearch(
                hosts=[config.url],
                connection_class=_Connection,
                serializer=_AsItIs(),
                max_retries=0,
                timeout=config.timeout_seconds,
                **more,
            )
        except (sdk.ImproperlyConfigured, ValueError, OSError) as error:
            raise ConfigError(f"index.opensearch: {error}") from error

    async def call(self, method: Literal["GET", "PUT", "POST", "DELETE"], path: str, body: object = None) -> Answer:
        """Make one request.

        Parameters
        ----------
        method : str
            Of HTTP.
        path : str
            With its query; see ``path_of``.
        body : object, optional
            Something to send as JSON; ``bytes`` are lines that are sent as they are.

        Returns
        -------
        Answer
            Whatever its status.

        Raises
        ------
        Retryable
            There is no answer.
        """
        if self._signing is not None:
            await self._signing.renew()
        form, data = JSON, None
        if isinstance(body, bytes):
            form, data = LINES, body
        elif body is not None:
            data = msgspec.json.encode(body)
        try:
            sent = None if data is None else _Sliced(data, form)
            answer = await self._client.transport.perform_request(
                method, path, body=sent, headers={"content-type": form}
            )
        except sdk.OpenSearchException as error:
            raise translated(error, f"{method} {path.partition('?')[0]}") from None
        assert isinstance(answer, Answer)
        return answer

    async def ask(self, method: Literal["GET", "PUT", "POST", "DELETE"], path: str, body: object = None) -> Answer:
        """Make one request that is answered with success, or with 404.

        Raises
        ------
        Retryable
            There is no answer, or one that asks for another time or a person.
        """
        answer = await self.call(method, path, body)
        if answer.status not in range(200, 300) and answer.status != 404:
            raise trouble_of(answer, f"{method} {path.partition('?')[0]}")
        return answer

    async def close(self) -> None:
        """Let go of connections; safe to call twice."""
        await self._client.close()


def path_of(*parts: str, **query: str) -> str:
    """A request's path.

    Examples
    --------
    >>> path_of("_index_template", "streamer-features")
    '/_index_template/streamer-features'
    >>> path_of("a/b", "_bulk", filter_path="errors,items.*.status")
    '/a%2Fb/_bulk?filter_path=errors%2Citems.%2A.status'
    """
    path = "".join("/" + quote(part, safe="*,") for part in parts)
    return f"{path}?{urlencode(query)}" if query else path


def trouble_of(answer: Answer, doing: str) -> Retryable:
    """What an answer means that is about the request as a whole, and not a success."""
    line = of_request(answer.status)
    text = f"OpenSearch, {doing}: {line.words} (status {answer.status})"
    return (line.error or NeedsPerson)(text, answer.retry_after_seconds)


def translated(error: sdk.OpenSearchException, doing: str) -> StreamerError:
    """What an error of the client means; its text may quote what was sent, so it is not passed on."""
    cause = error.info if isinstance(error, sdk.TransportError) and len(error.args) > 2 else None
    name = type(cause if isinstance(cause, Exception) else error).__name__
    text = f"OpenSearch, {doing}"
    if isinstance(error, sdk.SSLError) or isinstance(cause, _CERTIFICATE):
        return NeedsPerson(f"{text}: its certificate is not trusted ({name})")
    if isinstance(error, sdk.ConnectionTimeout):
        return Unavailable(f"{text}: no answer in time ({name})")
    if isinstance(error, sdk.ConnectionError):
        return Unavailable(f"{text}: no answer ({name})")
    return NeedsPerson(f"{text}: the client can't make the request ({name})")


class _Basic:
    """Signs in with a password in any script; the client's own way knows Latin letters only."""

    def __init__(self, username: str, password: str) -> None:
        self._header = "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()

    def __call__(self, method: str, url: str, body: Any, headers: Mapping[str, str]) -> dict[str, str]:
        return {"authorization": self._header}


class _AsItIs(Serializer):
    """Bodies are made and read by ourselves."""

    mimetype = JSON

    def dumps(self, data: Any) -> Any:
        return data

    def loads(self, data: Any) -> Any:
        return data


class _Sliced(aiohttp.Payload):
    """A body that is written in slices, so that others have their turn between them."""

    def __init__(self, data: bytes, form: str) -> None:
        super().__init__(data, content_type=form)
        self.data = data
        self._size = len(data)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return self.data.decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        await self.write_with_length(writer, None)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        whole = memoryview(self.data)
        for start in range(0, len(whole), _SLICE_BYTES):
            await writer.write(whole[start : start + _SLICE_BYTES])


class _Connection(AsyncHttpConnection):
    """The client's connection, whose answers keep their status and headers, and which logs nothing.

    Its own logs hold bodies. A status is no exception to it: what it means is in one table.
    """

    async def perform_request(
        self,
        method: str,
        url: str,
        params: Mapping[str, Any] | None = None,
        body: bytes | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the client's own name
        ignore: Collection[int] = (),
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        status, received, text = await super().perform_request(
            method, url, params, body, timeout, ignore=_STATUSES, headers=headers
        )
        wait = received.get("retry-after", "")
        seconds = min(float(wait), _LONGEST_WAIT) if wait.isascii() and wait.isdecimal() else None
        # The transport would read the body by its type, which may be anything.
        return 200, {}, Answer(status, text, seconds)

    def log_request_success(self, *about: Any, **more: Any) -> None:
        pass

    def log_request_fail(self, *about: Any, **more: Any) -> None:
        pass

    def _raise_warnings(self, warning_headers: Any) -> None:
        pass
