"""The service as it runs, with what surrounds it: every part in a process of its own.

::

    emulator (process) <── put ── the measuring process ──> scripted topic
        └──> the service (process), told to stop by SIGTERM, which says what it took
"""

import asyncio
import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NoReturn

import msgspec

from streamer.adapters.aws import AccessKeys, Aws, AwsConfig
from streamer.app.baselines import BASELINE_FILE
from streamer.app.service import run
from streamer.bench.memory import rss_bytes
from streamer.bench.meter import Held, Meter
from streamer.bench.records import baseline
from streamer.config.load import load
from streamer.core.baseline.model import encode
from streamer.core.errors import StreamerError
from streamer.log import set_up

STREAM: Final = "captures"
VARIANT: Final = "AllTraffic"
CONFIGURATION: Final = "streamer.toml"
# Before the indices of the bench on a server that may have others.
PREFIX: Final = "streamer-bench"
REGION: Final = "us-east-1"
_KEYS: Final = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_EC2_METADATA_DISABLED": "true"}
_START_SECONDS: Final = 120.0
_STOP_SECONDS: Final = 120.0
# The most that PutRecords takes.
_PUT_RECORDS: Final = 500


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """What a run of the service took, from its being ready to the end of its drain.

    Attributes
    ----------
    cpu_seconds : float
        Of all its threads.
    rss_bytes : int
        Resident set at the end.
    held : Held or None
        How long callbacks held the loop; ``None`` where it was not metered.
    failure : str
        Why it ended badly; empty when it did not.
    """

    cpu_seconds: float
    rss_bytes: int
    held: Held | None
    failure: str = ""


@contextmanager
def emulator(shards: int) -> Iterator[str]:
    """Start an emulated Kinesis without rates, with one stream; gives its address."""
    command = [sys.executable, "-m", "streamer.testing.kinesis", "--unthrottled", "--until-stdin-ends"]
    command += ["--streams", f"{STREAM}:{shards}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield json.loads(_first_line(process))["url"]
        finally:
            process.kill()


def _first_line(process: "subprocess.Popen[bytes]") -> bytes:
    line = b"" if process.stdout is None else process.stdout.readline()
    if not line:
        raise RuntimeError("the emulator does not start")
    return line


def configure(
    folder: Path,
    kinesis_url: str,
    endpoints: Sequence[Mapping[str, object]],
    *,
    features: int,
    start: str,
    source: Mapping[str, object] | None = None,
    defaults: str = "",
    sns_url: str | None = None,
    opensearch_url: str | None = None,
) -> Path:
    """Write a configuration and the baseline of its endpoints.

    Parameters
    ----------
    folder : Path
        Where to; state and index come to lie there, too.
    kinesis_url, sns_url : str
        Addresses of the emulated services.
    endpoints : sequence of mapping
        Keys of each, beside its baseline.
    features : int
        Of every endpoint, the score apart.
    start : str
        Where reading begins.
    source : mapping, optional
        Keys of ``[source]``.
    defaults : str
        The text of ``[defaults]`` and what is under it.
    opensearch_url : str, optional
        Address of a server that gets the documents, too.
    """
    (folder / BASELINE_FILE).write_bytes(encode(baseline(features, seed=2)))
    lines = ["[source]", *_keys(source or {})]
    lines += ["[source.kinesis]", *_keys({"stream": STREAM, "start": start, "endpoint_url": kinesis_url})]
    lines += ["[aws]", *_keys({"region": REGION}), "[state]", *_keys({"directory": "state"})]
    lines += ["[index]", *_keys({"sqlite": "index.sqlite"}), "[http]", *_keys({"port": 0})]
    if opensearch_url is not None:
        lines += ["[index.opensearch]", *_keys({"url": opensearch_url, "prefix": PREFIX})]
    lines += ["[service]", *_keys({"drain": "60 s"})]
    if sns_url is not None:
        topic_arn = f"arn:aws:sns:{REGION}:123456789012:alerts"
        lines += ["[alerts.sns]", *_keys({"topic_arn": topic_arn, "endpoint_url": sns_url})]
    lines.append(defaults)
    for endpoint in endpoints:
        lines += ["[[endpoint]]", *_keys({"baseline": BASELINE_FILE, **endpoint})]
    path = folder / CONFIGURATION
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _keys(values: Mapping[str, object]) -> list[str]:
    # Every JSON string and number is one of TOML.
    return [f"{key} = {json.dumps(value)}" for key, value in values.items()]


class Running:
    """The service in a process of its own, as long as this is entered.

    Parameters
    ----------
    configuration : Path
        Its file.
    metered : bool
        Whether its loop's callbacks are timed.

    Attributes
    ----------
    url : str
        Address of its metrics, once entered.
    """

    def __init__(self, configuration: Path, *, metered: bool = False) -> None:
        spawning = multiprocessing.get_context("spawn")
        self._ours, self._theirs = spawning.Pipe()
        self._process = spawning.Process(target=_serve, args=(self._theirs, str(configuration), metered), daemon=True)
        self.url = ""

    def __enter__(self) -> "Running":
        self._process.start()
        # Then its end is seen as the end of the pipe.
        self._theirs.close()
        match self._told(_START_SECONDS, "does not start"):
            case Served(failure=failure):
                self._process.join()
                raise RuntimeError(f"the service does not start: {failure}")
            case url:
                self.url = str(url)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.join()
        self._ours.close()

    def stop(self) -> Served:
        """Tell it to stop, and wait until it has drained.

        Raises
        ------
        RuntimeError
            It did not, or had ended before.
        """
        self._process.terminate()
        found = self._told(_STOP_SECONDS, "does not stop")
        if not isinstance(found, Served) or found.failure:
            raise RuntimeError(f"the service ended badly: {getattr(found, 'failure', found)}")
        return found

    def _told(self, seconds: float, trouble: str) -> object:
        try:
            if self._ours.poll(seconds):
                told: object = self._ours.recv()
                return told
        except EOFError:
            trouble = "has died"
        raise RuntimeError(f"the service {trouble}")


def _serve(told: Connection, configuration: str, metered: bool) -> None:
    """Run the service; in its own process."""
    # The standard AWS configuration, without which the SDK would look for a real one.
    os.environ.update(_KEYS)
    set_up(form="json", level="error")
    meter = Meter()
    began = time.process_time()

    def ready(url: str) -> None:
        nonlocal began
        told.send(url)
        began = time.process_time()
        if metered:
            meter.begin()

    failure = ""
    try:
        asyncio.run(run(load(Path(configuration), {}), on_ready=ready))
    except (StreamerError, TimeoutError, ExceptionGroup) as error:
        failure = repr(error)
    meter.end()
    told.send(
        Served(
            cpu_seconds=time.process_time() - began,
            rss_bytes=rss_bytes(),
            held=meter.held() if metered else None,
            failure=failure,
        )
    )


def aws(kinesis_url: str) -> Aws:
    """Clients for putting records."""
    keys = AccessKeys(access_key="bench", secret_key="bench")
    return Aws(AwsConfig(region=REGION, endpoint_urls={"kinesis": kinesis_url}, keys=keys))


async def put(client: Any, records: Sequence[tuple[str, bytes]]) -> None:
    """Put records (partition key and payload), in order."""
    for first in range(0, len(records), _PUT_RECORDS):
        entries = [{"PartitionKey": key, "Data": data} for key, data in records[first : first + _PUT_RECORDS]]
        answer = await client.put_records(StreamName=STREAM, Records=entries)
        if answer["FailedRecordCount"]:
            _refused(answer["FailedRecordCount"])


def _refused(count: int) -> NoReturn:
    raise RuntimeError(f"the emulator refused {count} records")
