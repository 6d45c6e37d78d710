"""Trouble: what goes wrong again and again, and from when on somebody should know."""

from collections.abc import Callable
from typing import Final

import structlog

from streamer.core.errors import ExpiredIterator, NeedsPerson, Retryable, Throttled
from streamer.retry import Attempt

_LOG: Final = structlog.get_logger()
# Being throttled is part of sharing a stream; an outage of half a minute is part of the cloud.
_THROTTLED_SECONDS: Final = 180.0
_PATIENT_SECONDS: Final = 30.0


class Trouble:
    """How one kind of call is doing.

    Parameters
    ----------
    about : str
        What is tried, for logs.
    on_retry : callable
        Told of every failure that is tried again.
    """

    def __init__(self, about: str, on_retry: Callable[[Retryable], None]) -> None:
        self._about = about
        self._on_retry = on_retry
        self._error: Retryable | None = None
        self._since = 0.0

    def note(self, attempt: Attempt, now: float) -> None:
        """Take note of an attempt; log it when its outcome is another than before.

        Parameters
        ----------
        attempt : Attempt
            Worked or failed.
        now : float
            Monotonic clock, seconds.
        """
        error = attempt.error
        if error is None:
            if self._error is not None and self._is_grave(now):
                _LOG.info("reading again", about=self._about)
            self._error = None
            return
        if attempt.wait_seconds is not None:
            self._on_retry(error)
        if self._error is None or type(error) is not type(self._error):
            self._since = now
        self._error = error
        if not attempt.is_new:
            return
        if isinstance(error, NeedsPerson):
            _LOG.error("reading fails", about=self._about, reason=str(error))
        elif isinstance(error, Throttled | ExpiredIterator):
            _LOG.debug("reading waits", about=self._about, reason=str(error))
        else:
            _LOG.warning("reading fails", about=self._about, reason=str(error))

    def _is_grave(self, now: float) -> bool:
        match self._error:
            case None:
                return False
            case NeedsPerson():
                return True
            case Throttled():
                return now - self._since >= _THROTTLED_SECONDS
            case _:
                return now - self._since >= _PATIENT_SECONDS

    def grave(self, now: float) -> Retryable | None:
        """The error, when it has lasted for so long, or is of such a kind, that reading does not go well."""
        return self._error if self._is_grave(now) else None
