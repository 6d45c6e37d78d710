"""Kinesis: a stream's records as they are made, every one once, in the order of their keys.

::

    calls ── fetch ──> Answer ── slices ──> Batch ── reader ──> Intake
      │                                                │ moves
      └─ listing ──> shards (graph) ── source ─────> positions (state)

``reader`` is one shard's loop; ``pace`` says when its turn is, ``budget`` whether there is room,
``trouble`` when somebody should know. ``source`` starts a reader for each shard in the order of the
graph. ``shards``, ``pace``, ``slices`` and ``positions`` are pure.

How the rest of the world breaks, and what is done about it:

* a shard splits or merges: the children begin at their first record once all parents have ended;
  they are told of by the parent's last answer, and by a listing twice a minute in case it got lost;
* ``latest`` is fixed to the time of the first start, so that shards discovered later miss nothing;
* an iterator expires: the record at the position is asked for again, and passed over;
* that record is no longer kept: reading goes on with the oldest one, and the gap is told of;
* a shard ends without children: asked again, then looked up in the listing;
* the service throttles: the place is kept, the pace halved, and comes back little by little;
* the stream is absent, or access denied: said in ``troubles``, logged, tried again.
"""

from streamer.adapters.kinesis.fetch import KinesisClient, install
from streamer.adapters.kinesis.pace import PaceSettings
from streamer.adapters.kinesis.positions import Gap
from streamer.adapters.kinesis.source import KinesisSettings, KinesisSource

__all__ = ["Gap", "KinesisClient", "KinesisSettings", "KinesisSource", "PaceSettings", "install"]
