"""Real processes: the emulated stream, the service, and AWS as a server that can be down or silent."""

import json
import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Condition, Event, Thread, Timer
from typing import Any, Final
from urllib.request import Request, urlopen
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import botocore.session
from botocore.config import Config
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from tests.aws import Answering

ROOT: Final = Path(__file__).resolve().parents[2]
REGION: Final = "eu-west-1"
_START_SECONDS: Final = 60.0
_END_SECONDS: Final = 60.0
# A service that is told to hold its answers lets go of them after this.
_HELD_SECONDS: Final = 60.0


@cache
def _session() -> botocore.session.Session:
    """One for all: it reads the services' descriptions, which takes long."""
    session = botocore.session.get_session()
    session.set_credentials("testing", "testing")
    return session


def client(service: str, url: str) -> Any:
    """A client that waits, without retries of its own."""
    config = Config(retries={"total_max_attempts": 1}, read_timeout=30)
    return _session().create_client(service, region_name=REGION, endpoint_url=url, config=config)


class Emulator:
    """The stream's emulator as a process of its own; ``emulated`` starts one.

    Attributes
    ----------
    url : str
        Where it answers.
    client : botocore client
        Of it.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = client("kinesis", url)

    def administer(self, method: str, path: str, body: object = None) -> Any:
        """Ask for one of its admin paths."""
        asked = Request(f"{self.url}/_admin/{path}", json.dumps(body).encode(), method=method)
        with urlopen(asked, timeout=10) as answer:
            return json.load(answer)


@contextmanager
def emulated() -> Iterator[Emulator]:
    """An emulator with AWS's limits on readers, and none on writers: an order must not depend on refusals."""
    arguments = [sys.executable, "-m", "streamer.testing.kinesis", "--until-stdin-ends"]
    process = subprocess.Popen(arguments, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("no pipes")
    with process.stdin, process.stdout:
        try:
            made = Emulator(json.loads(process.stdout.readline())["url"])
            free = ("writes_per_second", "write_bytes_per_second", "scalings_per_day")
            made.administer("PUT", "limits", dict.fromkeys(free))
            yield made
            made.client.close()
        finally:
            process.stdin.close()
            process.wait(_END_SECONDS)


class Cloud:
    """SNS, SQS and EventBridge on a thread of this process; ``clouded`` starts it.

    Attributes
    ----------
    url : str
        Where it answers.
    down : set of str
        Services (``sns``, ``events``) that answer 503.
    held : set of str
        Services that answer nothing before ``answers`` is set.
    is_asked : threading.Event
        Set when something is held.
    answers : threading.Event
        Lets go of what is held.
    """

    def __init__(self, application: WSGIApplication) -> None:
        self.url = ""
        self.down: set[str] = set()
        self.held: set[str] = set()
        self.is_asked = Event()
        self.answers = Event()
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        # Credential=key/date/region/service/aws4_request
        signed = re.search(r"Credential=[^/]+/\d+/[^/]+/([a-z]+)/", environ.get("HTTP_AUTHORIZATION", ""))
        service = signed[1] if signed else ""
        if service in self.held:
            self.is_asked.set()
            self.answers.wait(_HELD_SECONDS)
        if service in self.down:
            start("503 Service Unavailable", [("Content-Length", "0")])
            return [b""]
        return self._application(environ, start)


@contextmanager
def clouded() -> Iterator[Cloud]:
    """AWS but for the stream; what is in it is shared by all of this process."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    cloud = Cloud(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, cloud, threaded=True, request_handler=Answering)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    cloud.url = f"http://127.0.0.1:{server.port}"
    try:
        yield cloud
    finally:
        cloud.answers.set()
        server.shutdown()
        thread.join()
        server.server_close()


class Ended(Exception):
    """The process ended before it said what was waited for."""


class Service:
    """``streamer run`` as a process.

    Parameters
    ----------
    config : Path
        Its configuration; its home, too, so that nothing of the user's own AWS files is read.
    """

    def __init__(self, config: Path) -> None:
        keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "HOME": str(config.parent)}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "streamer", "--log-format", "json", "run", "--config", str(config)],
            cwd=ROOT,
            env={**os.environ, **keys, "AWS_EC2_METADATA_DISABLED": "true"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self._changed = Condition()
        self._is_silent = False
        self._reading = Thread(target=self._read, daemon=True)
        self._reading.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def said(self, event: str, **values: object) -> list[dict[str, Any]]:
        """Log lines of an event that have these values."""
        found = [json.loads(line) for line in list(self.lines) if line.startswith("{")]
        return [one for one in found if one.get("event") == event and all(one.get(k) == v for k, v in values.items())]

    def wait_for(self, event: str, *, seconds: float = _START_SECONDS, **values: object) -> dict[str, Any]:
        """Wait until it logs an event.

        Raises
        ------
        Ended
            It has ended, or the time has passed, without.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._is_silent or bool(self.said(event, **values)), seconds)
        found = self.said(event, **values)
        if not found:
            raise Ended(f"no {event!r} in: {''.join(self.lines[-20:])}")
        return found[0]

    def received(self) -> int:
        """Records it has read since its start, by its own ``/metrics``; 0 when it can't be asked."""
        return self.counted("streamer_records_received_total")

    def counted(self, series: str) -> int:
        """One series of its ``/metrics``; 0 when it can't be asked."""
        started = self.said("started")
        if not started:
            return 0
        try:
            with urlopen(f"{started[0]['metrics'].rstrip('/')}/metrics", timeout=5) as answer:
                found = re.search(rb"^%b (\S+)$" % re.escape(series.encode()), answer.read(), re.MULTILINE)
        except OSError:
            return 0
        return int(float(found[1])) if found else 0

    def terminate(self) -> None:
        """Ask it to end."""
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def kill_after(self, seconds: float) -> Timer:
        """End it at once, so many seconds from now, whatever happens meanwhile."""
        timer = Timer(seconds, self.kill)
        timer.start()
        return timer

    def ends_within(self, seconds: float) -> bool:
        """Wait for its end, for so long at most."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def exit_code(self, seconds: float = _END_SECONDS) -> int:
        """Wait for its end, and for all it said; minus a signal's number where one ended it."""
        code = self._process.wait(seconds)
        self._reading.join(seconds)
        return code

    def _read(self) -> None:
        stderr = self._process.stderr
        if stderr is None:
            return
        with stderr:
            for line in stderr:
                with self._changed:
                    self.lines.append(line)
                    self._changed.notify_all()
        with self._changed:
            self._is_silent = True
            self._changed.notify_all()


@contextmanager
def running(config: Path) -> Iterator[Service]:
    """A service that does not outlive this."""
    service = Service(config)
    try:
        yield service
    finally:
        service.kill()
        service.exit_code()
