"""The system's clock: the only place that asks what time it is."""

import time


class SystemClock:
    """Wall-clock, monotonic and CPU time of this machine."""

    def now(self) -> int:
        """Milliseconds since the epoch, UTC."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Seconds from an arbitrary start."""
        return time.monotonic()

    def cpu(self) -> float:
        """CPU seconds of the calling thread."""
        return time.thread_time()
