"""The emulator as a process of its own; its address is the first line it prints."""

import argparse
import asyncio
import os
import signal
import sys
import time

import msgspec

from streamer.testing.kinesis import Kinesis, Limits, serve
from streamer.testing.kinesis.server import HOST


class _SystemClock:
    """The machine's clock: a process of its own has nobody to pass one in."""

    def now(self) -> int:
        """Milliseconds since the epoch, UTC."""
        return time.time_ns() // 1_000_000  # noqa: TID251 - adapters.clock is another room's

    def monotonic(self) -> float:
        """Seconds from an arbitrary start."""
        return time.monotonic()

    def cpu(self) -> float:
        """CPU seconds of the calling thread."""
        return time.thread_time()


def _stream(text: str) -> tuple[str, int]:
    name, colon, shards = text.partition(":")
    if not name or (colon and not (shards.isascii() and shards.isdigit() and int(shards))):
        raise argparse.ArgumentTypeError(f"expected NAME or NAME:SHARDS, found {text!r}")
    return name, int(shards) if colon else 1


async def _run(kinesis: Kinesis, host: str, port: int, *, until_stdin_ends: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def read_stdin() -> None:
        if not os.read(sys.stdin.fileno(), 4096):
            loop.remove_reader(sys.stdin.fileno())
            stop.set()

    if until_stdin_ends:
        loop.add_reader(sys.stdin.fileno(), read_stdin)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with serve(kinesis, host=host, port=port) as server:
        sys.stdout.write(msgspec.json.encode({"url": server.url}).decode() + "\n")
        sys.stdout.flush()
        await stop.wait()


def main() -> None:
    """Read the arguments and serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m streamer.testing.kinesis", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free one")
    parser.add_argument("--host", default=HOST, help="address it listens on; another than loopback is for a container")
    parser.add_argument("--streams", nargs="*", type=_stream, default=[], metavar="NAME:SHARDS")
    parser.add_argument("--unthrottled", action="store_true", help="no rates: as fast as the machine is")
    parser.add_argument("--iterator-seconds", type=float, default=300.0, help="how long an iterator lives")
    parser.add_argument("--transition-seconds", type=float, default=0.0, help="how long resharding takes")
    parser.add_argument(
        "--until-stdin-ends", action="store_true", help="stop when standard input, a pipe, ends: with who started it"
    )
    arguments = parser.parse_args()
    limits = msgspec.structs.replace(
        Limits.unthrottled() if arguments.unthrottled else Limits(),
        iterator_seconds=arguments.iterator_seconds,
        transition_seconds=arguments.transition_seconds,
    )
    kinesis = Kinesis(_SystemClock(), limits)
    for name, shards in arguments.streams:
        kinesis.create_stream(name, shards)
    asyncio.run(_run(kinesis, arguments.host, arguments.port, until_stdin_ends=arguments.until_stdin_ends))


if __name__ == "__main__":
    main()
