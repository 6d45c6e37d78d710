"""``streamer run``: the service."""

from pathlib import Path
from typing import Annotated

import typer


def run(
    config: Annotated[Path, typer.Option(metavar="FILE", help="The configuration.")],
) -> None:
    """Read a stream and watch it until SIGTERM; then publish what is decided, and end with 0.

    A second signal ends it at once; so may anything else, at any time: the next start goes on where
    the last snapshot was, and nothing is lost or told twice.
    """
    import asyncio
    import os

    import structlog

    from streamer.app.service import run as run_service
    from streamer.config.load import load
    from streamer.core.errors import StreamerError

    try:
        asyncio.run(run_service(load(config, os.environ)))
    except TimeoutError as error:
        raise StreamerError("the drain took longer than its deadline; the next start publishes what is left") from error
    except ExceptionGroup as group:
        ours, others = group.split(StreamerError)
        if others is not None:
            raise others from None
        if ours is not None:
            reasons = list(dict.fromkeys(str(error) for error in _leaves(ours)))
            structlog.get_logger().error("stopped", reasons=reasons)
            raise StreamerError("\n".join(reasons)) from group


def _leaves(group: ExceptionGroup[Exception]) -> list[Exception]:
    found: list[Exception] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, ExceptionGroup) else [error]
    return found
