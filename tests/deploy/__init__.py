"""Kinesis for clients that wait: the emulator on a thread of its own, and a client of botocore."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import cache
from threading import Thread
from typing import Any

import botocore.session
from botocore.config import Config

from streamer.testing.kinesis import Kinesis, serve

REGION = "us-east-1"


@cache
def _session() -> botocore.session.Session:
    """One for all: it reads the services' descriptions, which takes longer than most tests."""
    session = botocore.session.get_session()
    session.set_credentials("testing", "testing")
    return session


def client(service: str, url: str | None = None) -> Any:
    """A client without retries of its own."""
    config = Config(retries={"total_max_attempts": 1}, read_timeout=10)
    return _session().create_client(service, region_name=REGION, endpoint_url=url, config=config)


@contextmanager
def served(kinesis: Kinesis) -> Iterator[str]:
    """Address of an emulator."""
    started: Future[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def run() -> None:
        stop = asyncio.Event()
        async with serve(kinesis) as server:
            started.set_result((server.url, asyncio.get_running_loop(), stop))
            await stop.wait()

    thread = Thread(target=asyncio.run, args=(run(),))
    thread.start()
    url, loop, stop = started.result(timeout=10)
    try:
        yield url
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


def held(kinesis: Kinesis, stream: str = "captures") -> list[tuple[str, bytes]]:
    """Partition keys and records of a stream, shard by shard."""
    shards = kinesis.stream(stream).shards
    return [(record.partition_key, record.data) for shard in shards for record in shard.records]
