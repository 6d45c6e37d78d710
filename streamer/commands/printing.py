"""Printing: what a command says on standard output, and what becomes of it when that can't be written."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def printing() -> Iterator[None]:
    """Around everything a command prints: a full disk is one line and exit code 1.

    Raises
    ------
    SinkError
        Standard output can't be written.
    BrokenPipeError
        Nobody reads any more: the command line ends quietly.
    """
    from streamer.core.errors import SinkError

    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        # What is still in the buffer would fail once more, with a traceback, when Python ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
        raise SinkError(f"can't write to standard output: {error.strerror}") from error
