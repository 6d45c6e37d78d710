"""What a configuration comes to, before it runs."""

import pytest

from streamer.core.index.families import Family, Partition
from streamer.core.index.sizes import DOCUMENT_BYTES, INDEX_BYTES, Watched, advice, sizes_of

HUNDRED = Watched("churn", 100, 300)


def test_a_year_of_an_endpoint_with_a_hundred_features_at_five_minutes() -> None:
    found = sizes_of([HUNDRED], Partition.DAY, 365)
    a_day = {Family.FEATURES: 28_800, Family.ENDPOINTS: 288, Family.OPERATIONS: 1_440}
    assert found.documents_a_day == a_day
    assert sum(a_day.values()) * 365 == 11_142_720
    written = sum(count * DOCUMENT_BYTES[family] for family, count in a_day.items()) * 365
    # Four families by the day, three by the year.
    assert found.shards == 4 * 366 + 3 * 3
    assert found.bytes_a_year == found.kept_bytes == written + INDEX_BYTES * found.shards
    assert 6.1e9 < found.bytes_a_year < 6.3e9
    assert (found.largest_bytes, found.series) == (28_800 * 576, 100)


def test_variants_and_endpoints_add_up() -> None:
    found = sizes_of([Watched("a", 10, 60, keys=2), Watched("b", 5, 600)], Partition.MONTH, 30)
    assert found.documents_a_day[Family.FEATURES] == 2 * 10 * 1_440 + 5 * 144
    assert found.documents_a_day[Family.ENDPOINTS] == 2 * 1_440 + 144
    assert found.series == 25


@pytest.mark.parametrize(("partition", "dated"), [(Partition.DAY, 31), (Partition.MONTH, 2), (Partition.YEAR, 2)])
def test_a_retention_lies_in_one_stretch_more_than_it_is_long(partition: Partition, dated: int) -> None:
    # Of incidents and what belongs to them more than a year is kept, however short the rest.
    assert sizes_of([HUNDRED], partition, 30).shards == 4 * dated + 3 * 3


def test_tiny_shards_are_better_by_the_month() -> None:
    said = advice(sizes_of([HUNDRED], Partition.DAY, 365), Partition.DAY, [HUNDRED])
    assert 'partition = "month" makes 61' in said[0]
    assert "more shards than the 1,000" in said[1]
    assert advice(sizes_of([HUNDRED], Partition.MONTH, 365), Partition.MONTH, [HUNDRED]) == []


def test_shards_of_many_endpoints_are_better_by_the_day() -> None:
    many = [HUNDRED] * 200
    assert 'partition = "day"' in advice(sizes_of(many, Partition.MONTH, 365), Partition.MONTH, many)[0]
    assert advice(sizes_of(many, Partition.DAY, 30), Partition.DAY, many) == []


def test_a_day_that_is_too_large_by_itself_is_told() -> None:
    huge = [Watched("e", 1_000, 60)] * 100
    assert "a day alone" in advice(sizes_of(huge, Partition.DAY, 30), Partition.DAY, huge)[0]


def test_nothing_watched_still_has_the_service_itself() -> None:
    found = sizes_of([], Partition.MONTH, 30)
    assert found.documents_a_day[Family.OPERATIONS] == 1_440
    assert found.largest_bytes > 0
