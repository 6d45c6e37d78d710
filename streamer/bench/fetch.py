"""Client cost of a record from Kinesis, against the stock SDK in the same run.

Both read the same answers, made beforehand and served by another process, so that only the client's
CPU is measured. Rounds alternate, and each one's least counts. The stock way is the SDK's own parser
and ``json.loads`` of every record; ours is the source's, up to captures with names and times.
"""

import asyncio
import json
import multiprocessing
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from typing import Any

import msgspec
import orjson
import pybase64

from streamer.adapters.aws import AccessKeys, Aws, AwsConfig
from streamer.adapters.kinesis.fetch import fetch, install
from streamer.adapters.kinesis.slices import slices, unwrapped
from streamer.bench.records import START_AT, captures
from streamer.core.decode.batch import BatchDecoder
from streamer.core.decode.names import Names
from streamer.core.settings import Limits
from streamer.core.types import Key, ShardId

FEATURES = 30
ANSWER_RECORDS = 2_000
CALLS = 4
ROUNDS = 5
_ANSWER_BYTES = 2**40
_NOW = START_AT + 365 * 86_400_000
_KEY = Key("bench", "AllTraffic", "")


class FetchCost(msgspec.Struct, frozen=True, kw_only=True):
    """CPU microseconds per record, client only.

    Attributes
    ----------
    records, record_bytes : int
        In one answer; mean size.
    stock : float
        The SDK's parser and ``json.loads``.
    fetch : float
        Ours, to bytes.
    whole : float
        Ours, to captures.
    ratio_to_stock : float
        ``whole`` over ``stock``.
    """

    records: int
    record_bytes: int
    stock: float
    fetch: float
    whole: float
    ratio_to_stock: float


def measure(records: int = ANSWER_RECORDS, seed: int = 1) -> FetchCost:
    """Read answers of so many records of 1,000 bytes."""
    payloads = captures(records, FEATURES, seed)
    spawning = multiprocessing.get_context("spawn")
    ours, theirs = spawning.Pipe()
    server = spawning.Process(target=_serve, args=(theirs, _body(payloads)), daemon=True)
    server.start()
    try:
        if not ours.poll(60):
            raise RuntimeError("the server of answers does not start")
        best = asyncio.run(_measure(ours.recv()))
    finally:
        server.kill()
        server.join()
    per = {name: seconds / (records * CALLS) * 1e6 for name, seconds in best.items()}
    return FetchCost(
        records=records,
        record_bytes=round(sum(map(len, payloads)) / records),
        **per,
        ratio_to_stock=per["whole"] / per["stock"],
    )


async def _measure(port: int) -> dict[str, float]:
    config = AwsConfig(
        region="us-east-1",
        endpoint_urls={"kinesis": f"http://127.0.0.1:{port}"},
        keys=AccessKeys(access_key="bench", secret_key="bench"),
    )
    async with Aws(config) as stock_aws, Aws(config) as our_aws:
        stock, ours = await stock_aws.client("kinesis"), await our_aws.client("kinesis")
        install(ours)
        decoder = BatchDecoder(Limits(), Names("bench", "AllTraffic"), lambda names, event_at: _KEY)

        async def read_stock() -> None:
            answer = await stock.get_records(ShardIterator="i", Limit=10_000)
            for record in answer["Records"]:
                json.loads(record["Data"])

        async def read_whole() -> None:
            answer = await fetch(ours, "i", 10_000)
            for part in slices(ShardId("shard-0"), unwrapped(answer, None), lambda: ANSWER_RECORDS, _ANSWER_BYTES):
                decoder.decode(part.batch, _NOW)

        stages: dict[str, Callable[[], Awaitable[object]]] = {
            "stock": read_stock,
            "fetch": lambda: fetch(ours, "i", 10_000),
            "whole": read_whole,
        }
        best = dict.fromkeys(stages, float("inf"))
        for _ in range(ROUNDS):
            for name, stage in stages.items():
                begin = time.process_time()
                for _ in range(CALLS):
                    await stage()
                best[name] = min(best[name], time.process_time() - begin)
    return best


def _body(payloads: list[bytes]) -> bytes:
    found: list[dict[str, Any]] = [
        {
            "SequenceNumber": f"{10**55 * 4 + i:056d}",
            "ApproximateArrivalTimestamp": START_AT / 1000 + i / 1000,
            "Data": pybase64.b64encode(payload).decode(),
            "PartitionKey": f"bench/AllTraffic/{i % 100}",
        }
        for i, payload in enumerate(payloads)
    ]
    return orjson.dumps({"Records": found, "NextShardIterator": "i" * 224, "MillisBehindLatest": 0})


def _serve(told: Connection, body: bytes) -> None:
    """Answer every request with the same bytes; runs in a process of its own."""
    asyncio.run(_answering(told, body))


async def _answering(told: Connection, body: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-amz-json-1.1\r\nContent-Length: %d\r\n\r\n" % len(body)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                asked = await reader.readuntil(b"\r\n\r\n")
                lengths = [line for line in asked.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                await reader.readexactly(int(lengths[0].partition(b":")[2]) if lengths else 0)
                writer.write(head + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    told.send(server.sockets[0].getsockname()[1])
    async with server:
        await server.serve_forever()
