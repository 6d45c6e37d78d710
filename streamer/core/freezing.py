"""Freezing: a snapshot of many endpoints taken in slices, as if in one moment.

An endpoint that changes before its turn is frozen first (copy on write), so every chunk shows the
moment the freezing began, and the event loop is never held for a thousand endpoints at once.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from streamer.core.endpoint import Endpoint
from streamer.core.snapshot import freeze_endpoint

STREAM: Final = "stream"
ENDPOINT: Final = "endpoint/"


class Freezing:
    """One snapshot being taken.

    Parameters
    ----------
    endpoints : mapping of str to Endpoint
        All of the engine's.
    changed : iterable of str
        Names of those that changed since the last one.
    stream : bytes
        What spans endpoints, frozen already.

    Attributes
    ----------
    names : tuple of str
        All endpoints that changed.
    chunks : dict of str to bytes
        What is frozen so far, by chunk name.
    unchanged : frozenset of str
        Chunk names that are as in the last snapshot.
    """

    def __init__(self, endpoints: Mapping[str, Endpoint], changed: Iterable[str], stream: bytes) -> None:
        self._endpoints = endpoints
        self.names = tuple(sorted(changed))
        self._waiting = dict.fromkeys(self.names)
        self.unchanged = frozenset(ENDPOINT + name for name in endpoints if name not in self._waiting)
        self.chunks: dict[str, bytes] = {STREAM: stream}

    def before_change(self, name: str) -> None:
        """Freeze an endpoint that is about to change, unless its turn has come already."""
        if name in self._waiting:
            self._freeze(name)

    def advance(self, most: int) -> bool:
        """Freeze so many endpoints at most; whether all are frozen."""
        for name in list(self._waiting)[:most]:
            self._freeze(name)
        return not self._waiting

    def _freeze(self, name: str) -> None:
        del self._waiting[name]
        self.chunks[ENDPOINT + name] = freeze_endpoint(self._endpoints[name])
