"""Files that are there whole or not at all."""

import errno
import os
from contextlib import suppress
from pathlib import Path

from streamer.adapters.jsonlines import PARTIAL
from streamer.core.errors import SinkError, StorageFull


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all.

    Raises
    ------
    StorageFull, SinkError
        It can't be written.
    """
    partial = path.with_name(path.name + PARTIAL)
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        text = f"can't write {path}: {error.strerror}"
        raise (StorageFull(text) if full else SinkError(text)) from error
