"""Sizes: how many documents, bytes and shards a watched configuration makes, known before the start.

Bytes of a document were measured on OpenSearch 3.8.0 with the templates of this package
(``best_compression``, merged to one segment): features of 24 cells, 1,000 rows a window. Features with few
cells are smaller, categories of 50 cells up to a tenth larger.
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

from streamer.core.index.families import LEAST_DAYS, Family, Partition

DOCUMENT_BYTES: Final = {Family.FEATURES: 576, Family.ENDPOINTS: 250, Family.OPERATIONS: 210}
# Of each index, however few documents are in it.
INDEX_BYTES: Final = 12_000
DAYS_A_YEAR: Final = 365
_DAY_SECONDS: Final = 86_400
_OPERATIONS_A_DAY: Final = 1_440
_DAYS: Final = {Partition.DAY: 1.0, Partition.MONTH: 30.44, Partition.YEAR: 365.25}
# Larger shards take long to move and to recover; OpenSearch's documentation advises 10 to 50 GB.
LARGE_BYTES: Final = 50_000_000_000
# Smaller ones cost more memory and cluster state than they are worth.
SMALL_BYTES: Final = 1_000_000_000
# ``cluster.max_shards_per_node`` by default.
MOST_SHARDS: Final = 1_000


class Watched(NamedTuple):
    """One endpoint as it is watched.

    Attributes
    ----------
    name : str
        The endpoint's.
    features : int
        Of its baseline, outputs included.
    window_seconds : int
        Length of a window.
    keys : int
        Variants that answer at the same time.
    """

    name: str
    features: int
    window_seconds: int
    keys: int = 1


class Sizes(NamedTuple):
    """What comes of a configuration in OpenSearch.

    Attributes
    ----------
    documents_a_day : dict of Family to float
        Of the families that come by the clock; incidents and dead letters come as they come.
    bytes_a_year : float
        Of one copy.
    kept_days : int
        How long documents are kept.
    kept_bytes : float
        Of one copy, once so many days are in.
    shards : int
        Primary shards by then, those of the other families included.
    largest_bytes : float
        The largest shard.
    series : int
        Pairs of a key and a feature: lines in a view.
    """

    documents_a_day: dict[Family, float]
    bytes_a_year: float
    kept_days: int
    kept_bytes: float
    shards: int
    largest_bytes: float
    series: int


def sizes_of(watched: Sequence[Watched], partition: Partition, kept_days: int) -> Sizes:
    """Work out the index of these endpoints.

    Parameters
    ----------
    watched : sequence of Watched
        Every endpoint.
    partition : Partition
        How long a stretch of time shares an index.
    kept_days : int
        How long documents are kept.

    Examples
    --------
    >>> found = sizes_of([Watched("churn", 100, 300)], Partition.MONTH, 365)
    >>> round(found.documents_a_day[Family.FEATURES] * 365), found.shards, round(found.bytes_a_year / 1e9, 1)
    (10512000, 61, 6.2)
    """
    windows = [(one, one.keys * _DAY_SECONDS / one.window_seconds) for one in watched]
    documents = {
        Family.FEATURES: sum(one.features * a_day for one, a_day in windows),
        Family.ENDPOINTS: sum(a_day for _, a_day in windows),
        Family.OPERATIONS: float(_OPERATIONS_A_DAY),
    }
    bytes_a_day = {family: count * DOCUMENT_BYTES[family] for family, count in documents.items()}
    shards = sum(_indices(family, partition, kept_days) for family in Family)
    a_day = sum(bytes_a_day.values())
    return Sizes(
        documents_a_day=documents,
        bytes_a_year=a_day * DAYS_A_YEAR + INDEX_BYTES * shards * DAYS_A_YEAR / kept_days,
        kept_days=kept_days,
        kept_bytes=a_day * kept_days + INDEX_BYTES * shards,
        shards=shards,
        largest_bytes=max(bytes_a_day.values()) * _DAYS[partition],
        series=sum(one.features * one.keys for one in watched),
    )


def _indices(family: Family, partition: Partition, kept_days: int) -> int:
    """Indices that so many days lie in; the oldest is let go of when the last of its days is old."""
    stretch, days = (Partition.YEAR, max(kept_days, LEAST_DAYS)) if family.is_rare else (partition, kept_days)
    return math.ceil(days / _DAYS[stretch]) + 1


def advice(sizes: Sizes, partition: Partition, watched: Sequence[Watched]) -> list[str]:
    """What to change, in words; empty where the partition fits."""
    said = []
    if sizes.largest_bytes > LARGE_BYTES:
        if partition is Partition.DAY:
            said.append(
                "a day alone is a shard of more than 50 GB: let two services, each with a prefix, share the endpoints"
            )
        else:
            said.append('shards get larger than 50 GB: partition = "day"')
    better = Partition.MONTH if partition is Partition.DAY else None
    small = sizes.largest_bytes < SMALL_BYTES
    if small and better is not None:
        then = sizes_of(watched, better, sizes.kept_days)
        if then.largest_bytes <= LARGE_BYTES and then.shards < sizes.shards:
            much = f"{sizes.shards:,} shards, the largest of {sizes.largest_bytes / 1e6:,.0f} MB"
            said.append(f'{much}: partition = "month" makes {then.shards:,}; what is old then goes a month at a time')
    if sizes.shards > MOST_SHARDS:
        said.append(
            f"more shards than the {MOST_SHARDS:,} that a node takes by default: keep less, or for longer stretches"
        )
    return said
