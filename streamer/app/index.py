"""The index on a server, as the configuration has it: for the service and for the commands."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, TypeVar

from streamer.adapters.aws import Aws
from streamer.adapters.clock import SystemClock
from streamer.adapters.opensearch import OpenSearchSink, Server, ServerConfig
from streamer.adapters.opensearch.setup import install as put
from streamer.adapters.opensearch.signing import Signing
from streamer.app.aws import aws_config
from streamer.config.model import Config
from streamer.core.errors import ConfigError
from streamer.core.eventtime import as_datetime
from streamer.core.index.entry import Shelf
from streamer.core.index.families import Partition
from streamer.ports import Clock

_LONGEST_PASSWORD: Final = 4_096
_T = TypeVar("_T")


def shelf_of(config: Config) -> Shelf:
    """Prefix and partition of the indices."""
    return Shelf(config.index.opensearch.prefix, Partition(config.index.opensearch.partition))


async def server_of(config: Config, aws: Aws) -> Server:
    """The server that is configured; nothing is asked of it yet.

    Raises
    ------
    ConfigError
        None is, or its file of certificates, its password or the region can't be had.
    Denied
        AWS credentials there should be can't be read.
    """
    settings = config.index.opensearch
    if settings.url is None:
        raise ConfigError("index.opensearch.url: there is no server; set its address")
    password = "" if settings.password is None else settings.password.get_secret_value()
    if settings.password_file is not None:
        password = _first_line(config.path_of(settings.password_file))
    made = ServerConfig(
        url=settings.url.rstrip("/"),
        username=settings.username or "",
        password=password,
        ca_file=None if settings.ca_file is None else str(config.path_of(settings.ca_file)),
        serverless=settings.aws == "aoss",
        timeout_seconds=float(settings.timeout),
    )
    if settings.aws is None:
        return Server(made)
    credentials, region = await aws.credentials()
    if region is None:
        raise ConfigError("aws.region: requests to OpenSearch are signed for a region; set it")
    return Server(made, Signing(credentials, region, settings.aws))


async def sink_of(config: Config, aws: Aws, clock: Clock) -> OpenSearchSink:
    """The sink, its templates looked at; see ``OpenSearchSink.open``.

    Raises
    ------
    ConfigError, Denied
        As ``server_of``.
    SinkError
        The server has not the templates.
    """
    server = await server_of(config, aws)
    sink = OpenSearchSink(server, shelf_of(config), clock, retention_days=config.index.retention_days)
    try:
        await sink.open()
    except BaseException:
        await sink.close()
        raise
    return sink


def with_server(config: Config, call: Callable[[Config, Server], Awaitable[_T]]) -> _T:
    """Do something with the server that is configured, in a loop of its own.

    Raises
    ------
    StreamerError
        As ``server_of``, or what the call raises.
    """

    async def do() -> _T:
        async with Aws(aws_config(config)) as aws:
            server = await server_of(config, aws)
            try:
                return await call(config, server)
            finally:
                await server.close()

    return asyncio.run(do())


async def install(config: Config, server: Server) -> list[str]:
    """Set the index up; see ``adapters.opensearch.setup.install``."""
    return await put(server, shelf_of(config), as_datetime(SystemClock().now()))


def _first_line(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            line = file.readline(_LONGEST_PASSWORD).rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"index.opensearch.password_file: {path} can't be read: {type(error).__name__}") from None
    if not line:
        raise ConfigError(f"index.opensearch.password_file: {path} has no password in its first line")
    return line
