"""The system's clock: the only place that asks what time it is."""

import time


class SystemClock:
    """Wall-clock and monotonic time of this machine."""

    def now(self) -> int:
        """Milliseconds since the epoch, UTC."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Seconds from an arbitrary start."""
        return time.monotonic()
