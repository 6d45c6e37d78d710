"""Processes of the demo: started with credentials of its own, and ended however the demo ends.

Each holds the reading end of a pipe as its standard input and ends when that does: the system closes
the pipe with the demo, be it killed.
"""

import os
import select
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import msgspec

from streamer.core.errors import SinkError, StreamerError

REGION: Final = "us-east-1"
# Emulators take any; the user's own are not even read.
ACCESS_KEY, SECRET_KEY = "demo", "demo"
_STARTING_SECONDS: Final = 60.0
_SHOWN_BYTES: Final = 2_000
_OWN: Final = ("AWS_", "STREAMER_")
_INDEX: Final = "STREAMER_INDEX__OPENSEARCH__"
_PROXIES: Final = {"http_proxy", "https_proxy", "all_proxy"}


class _Ready(msgspec.Struct):
    url: str


def environment(base: Mapping[str, str], *, with_index: bool = False) -> dict[str, str]:
    """A process's environment with the demo's credentials in place of all that is set for AWS and for streamer.

    Parameters
    ----------
    base : mapping of str to str
        Environment of the demo itself.
    with_index : bool
        Keep how an OpenSearch server is signed in to, and what it calls ours; not which one it is.
    """
    # What is on this machine is not asked for through a proxy, and is no matter for a debugger.
    dropped = _PROXIES | {"pythonasynciodebug"}
    kept = {n: v for n, v in base.items() if not n.startswith(_OWN) and n.lower() not in dropped}
    if with_index:
        kept |= {n: v for n, v in base.items() if n.startswith(_INDEX) and n != f"{_INDEX}URL"}
    return {
        **kept,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


class Process:
    """A process that says where it listens.

    Parameters
    ----------
    title : str
        What it is, for messages.
    process : Popen
        Started, with pipes as standard input and output.
    log : Path
        Where its standard error goes.
    """

    def __init__(self, title: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self._title = title
        self._process = process
        self._log = log
        self._url = ""

    @property
    def id(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def url(self) -> str:
        """Where it listens; waits until it does.

        Raises
        ------
        StreamerError
            It ended before, or takes too long.
        """
        if not self._url:
            out = self._process.stdout
            if out is None or not select.select([out], [], [], _STARTING_SECONDS)[0]:
                raise StreamerError(f"{self._title} does not start; its log is {self._log}")
            line = out.readline()
            if not line:
                self._process.wait()
                self.check()
            try:
                self._url = msgspec.json.decode(line, type=_Ready).url
            except msgspec.MsgspecError as error:
                raise StreamerError(f"{self._title} says something else than where it listens") from error
        return self._url

    def check(self) -> None:
        """Check that it runs.

        Raises
        ------
        StreamerError
            It has ended; the text has the last of its log.
        """
        code = self._process.poll()
        if code is not None:
            raise StreamerError(f"{self._title} ended with code {code}; the end of {self._log}:\n{_end_of(self._log)}")

    def drain(self, within_seconds: float) -> None:
        """Ask it to end, as a platform does, and wait until it has.

        Raises
        ------
        StreamerError
            It did not end in time, or not with 0.
        """
        self._process.terminate()
        try:
            code = self._process.wait(within_seconds)
        except subprocess.TimeoutExpired as error:
            raise StreamerError(f"{self._title} does not end; its log is {self._log}") from error
        if code:
            self.check()

    def end(self, within_seconds: float) -> None:
        """End it: by the end of its standard input, or by force."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        try:
            self._process.wait(within_seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextmanager
def started(
    title: str,
    module: str,
    arguments: Sequence[str] = (),
    *,
    log: Path,
    base: Mapping[str, str],
    ending_seconds: float = 5.0,
    with_index: bool = False,
) -> Iterator[Process]:
    """Run a module as a process for the length of the block.

    Parameters
    ----------
    title : str
        What it is, for messages.
    module : str
        Run as ``python -m``.
    arguments : sequence of str
        Its own.
    log : Path
        Where its standard error goes.
    base : mapping of str to str
        Environment of the demo itself.
    ending_seconds : float
        How long it may take to end, when the block does, before it is killed.
    with_index : bool
        As of ``environment``.

    Raises
    ------
    SinkError
        The log can't be written.
    """
    try:
        opened = log.open("wb")
    except OSError as error:
        raise SinkError(f"can't write {log}: {error.strerror}") from error
    with opened:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=opened,
            env=environment(base, with_index=with_index),
            # Ctrl-C is for the demo, which ends them in their order.
            process_group=0,
        )
    one = Process(title, process, log)
    try:
        yield one
    finally:
        one.end(ending_seconds)


def _end_of(log: Path) -> str:
    try:
        return log.read_bytes()[-_SHOWN_BYTES:].decode(errors="replace").strip()
    except OSError as error:
        return f"(can't be read: {error.strerror})"
