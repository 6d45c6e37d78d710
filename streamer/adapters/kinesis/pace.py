"""Pace: when a shard may be read next, and how many records are asked for; pure.

The service allows five reads a second and 2 MiB a second of each shard, for all who read it, so one
read a second is always left to others. A read of nothing costs as much of our time as one of three
hundred records, so quiet shards are read rarely; how rarely, follows from how many there are.
"""

from random import Random
from typing import Final

import msgspec

_MIB: Final = 2**20
_MOST_RECORDS: Final = 10_000
# Of the 2 MiB/s a shard gives; an answer that took more than its turn is waited for.
_BYTES_PER_SECOND: Final = 1.9 * _MIB
# Of a batch that may be made at the time, what says something of it: parts of an answer are even.
_TELLING: Final = 0.5
# Of the old mean when a new answer comes in.
_REMEMBERED: Final = 0.7
# Records of a batch at first and at least, and how much the next one may be larger.
_FIRST_RECORDS: Final = 64
_LEAST_RECORDS: Final = 16
_GROWTH: Final = 1.5
# Additive increase, multiplicative decrease of the share of our pace we allow ourselves.
_RECOVERY: Final = 0.05
_LEAST_SHARE: Final = 1 / 16


class PaceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How fast shards are read.

    Attributes
    ----------
    flowing_per_second : float
        Reads of a shard that has records.
    behind_per_second : float
        Reads of a shard that is far behind; 4 at most, so that others can read it, too.
    far_behind_seconds : float
        What far is.
    quiet_first_seconds, quiet_most_seconds : float
        Between two reads of a shard that has nothing: grows from the first to the most with the
        time it has been quiet, a tenth of that.
    quiet_per_second : float
        Reads of all quiet shards together up to which none waits longer than ``quiet_first_seconds``.
    batch_records, batch_bytes : int
        What an answer holds about.
    behind_batches : int
        Times that, of a shard that is far behind: a call costs us 2 ms, whatever it brings.
    batch_seconds : float
        CPU that a batch of it takes to fold about: the loop is held meanwhile. A record costs 10 us among
        many of its endpoint, and 500 us alone.
    """

    flowing_per_second: float = 2.0
    behind_per_second: float = 4.0
    far_behind_seconds: float = 10.0
    quiet_first_seconds: float = 1.0
    quiet_most_seconds: float = 5.0
    quiet_per_second: float = 20.0
    batch_records: int = 2_000
    batch_bytes: int = 2 * _MIB
    behind_batches: int = 2
    batch_seconds: float = 0.02


class Pace:
    """One shard's pace.

    Parameters
    ----------
    settings : PaceSettings
        How fast.
    chance : random.Random
        Spreads the shards' turns.
    now : float
        Monotonic clock, seconds.

    Attributes
    ----------
    next_at : float
        Monotonic time of the next turn.
    share : float
        Of the full pace, 1 unless the service throttles.
    """

    def __init__(self, settings: PaceSettings, chance: Random, now: float) -> None:
        self.next_at = now
        self.share = 1.0
        self._settings = settings
        self._chance = chance
        self._flowed_at = now
        self._is_far_behind = False
        self._mean_bytes = settings.batch_bytes / settings.batch_records
        self._records = float(min(_FIRST_RECORDS, settings.batch_records))

    @property
    def limit(self) -> int:
        """Records to ask for: a batch of them, several where far behind, by what records here have come to."""
        settings = self._settings
        batches = settings.behind_batches if self._is_far_behind else 1
        records = min(settings.batch_records, settings.batch_bytes / self._mean_bytes)
        return max(1, min(_MOST_RECORDS, int(batches * records)))

    @property
    def batch_records(self) -> int:
        """Records to fold at once, by what they have cost here."""
        return int(self._records)

    def folded(self, records: int, seconds: float) -> None:
        """Note what CPU a batch took: the next ones are smaller at once, or larger little by little."""
        settings = self._settings
        fit = records * settings.batch_seconds / max(seconds, 1e-9)
        if seconds > settings.batch_seconds:
            self._records = max(_LEAST_RECORDS, min(self._records, fit))
        elif records >= self._records * _TELLING:
            # A small one, all there was in an answer, says nothing of larger ones.
            self._records = min(fit, self._records * _GROWTH, settings.batch_records)

    def answered(
        self,
        called_at: float,
        now: float,
        *,
        records: int,
        held_bytes: int,
        sent_bytes: int,
        behind_seconds: float,
        shards: int,
    ) -> None:
        """Note an answer.

        Parameters
        ----------
        called_at, now : float
            Monotonic clock before and after the call.
        records : int
            In the answer.
        held_bytes : int
            Of their payloads, unwrapped: what there is to fold.
        sent_bytes : int
            As the service counts.
        behind_seconds : float
            How far the shard is behind.
        shards : int
            Shards that are read.
        """
        settings = self._settings
        self.share = min(1.0, self.share + _RECOVERY)
        if records:
            self._mean_bytes = _REMEMBERED * self._mean_bytes + (1 - _REMEMBERED) * max(1.0, held_bytes / records)
        self._is_far_behind = behind_seconds > settings.far_behind_seconds
        if records or behind_seconds > 0:
            self._flowed_at = now
            interval = 1 / (settings.behind_per_second if self._is_far_behind else settings.flowing_per_second)
        else:
            most = min(
                settings.quiet_most_seconds, max(settings.quiet_first_seconds, shards / settings.quiet_per_second)
            )
            interval = min(most, max(settings.quiet_first_seconds, (now - self._flowed_at) / 10))
            interval *= self._chance.uniform(0.9, 1.0)
        # An answer blocks its shard for as long as the service takes to earn it.
        self.next_at = max(called_at + interval / self.share, now + sent_bytes / _BYTES_PER_SECOND)

    def throttled(self) -> None:
        """Note that the service asked for less: half the pace, which comes back little by little."""
        self.share = max(_LEAST_SHARE, self.share / 2)
