"""AWS as far as it is emulated in the tests' own process: one moto server, started when first needed."""

import atexit
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from threading import Thread
from typing import Any
from uuid import uuid4

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

REGION = "eu-central-1"


class Answering(MotoRequestHandler):
    """Moto's, with one ``Server`` header: in asyncio's debug mode the client refuses an answer with two."""

    def send_response(self, code: int, message: str | None = None) -> None:
        self.log_request(code)
        self.send_response_only(code, message)
        self.send_header("Date", self.date_time_string())


@cache
def endpoint() -> str:
    """Where every emulated service answers, for ``endpoint_url``; state is kept until the process ends."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    app = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Answering)
    Thread(target=server.serve_forever, daemon=True).start()
    atexit.register(server.shutdown)
    return f"http://127.0.0.1:{server.port}"


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
