"""The service as ``streamer run`` runs it, in a process that ends with who started it.

The address of its metrics is the first line it prints. When its standard input, a pipe, ends, it
drains as on SIGTERM, so that no demo leaves a service behind.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

import msgspec

from streamer import log
from streamer.app.service import run
from streamer.config.load import load
from streamer.config.model import Config


def main() -> None:
    """Run with the configuration that is the only argument."""
    log.set_up(form="json")
    asyncio.run(_run(load(Path(sys.argv[1]), os.environ)))


async def _run(config: Config) -> None:
    loop, stdin = asyncio.get_running_loop(), sys.stdin.fileno()

    def read_stdin() -> None:
        if not os.read(stdin, 4096):
            loop.remove_reader(stdin)
            signal.raise_signal(signal.SIGTERM)

    loop.add_reader(stdin, read_stdin)
    await run(config, on_ready=_say)


def _say(url: str) -> None:
    sys.stdout.write(msgspec.json.encode({"url": url}).decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
