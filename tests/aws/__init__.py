"""AWS as far as it is emulated in the tests' own process: one moto server, started when first needed."""

import atexit
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Any
from uuid import uuid4

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from moto.server import ThreadedMotoServer

REGION = "eu-central-1"


@cache
def endpoint() -> str:
    """Where every emulated service answers, for ``endpoint_url``; state is kept until the process ends."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    atexit.register(server.stop)
    return "http://{}:{}".format(*server.get_host_and_port())


@cache
def session() -> Any:
    """One for all: it reads the services' descriptions, which takes longer than most tests."""
    made = AioSession()
    made.set_credentials("testing", "testing")
    return made


@asynccontextmanager
async def client(service: str) -> AsyncIterator[Any]:
    """A client of an emulated service, without retries of its own."""
    config = AioConfig(retries={"total_max_attempts": 1})
    async with session().create_client(service, region_name=REGION, endpoint_url=endpoint(), config=config) as made:
        yield made


@asynccontextmanager
async def bucket() -> AsyncIterator[tuple[Any, str]]:
    """A client of S3 and the name of a new bucket."""
    name = f"bucket-{uuid4()}"
    async with client("s3") as made:
        await made.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        yield made, name
