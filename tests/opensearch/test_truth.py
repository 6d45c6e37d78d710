"""2,000 documents through faults and kills, compared one by one with the truth.

``python -m tests.bench.index`` does it with 100,000.
"""

from random import Random

import pytest

from streamer.testing.opensearch import StubOpenSearch
from tests.opensearch.front import Front
from tests.opensearch.place import Place
from tests.opensearch.truth import carry, faults_of, lots_of, truth_of

DOCUMENTS = 2_000


@pytest.mark.parametrize("seed", [1, 2])
async def test_on_the_stub_none_is_missing_none_double_none_stale(stub: StubOpenSearch, seed: int) -> None:
    chance = Random(seed)
    lots = lots_of(DOCUMENTS, chance)
    with Place(stub.url) as place:
        stub.faults.extend(faults_of(400, chance))
        kills = await carry(
            lots,
            lambda: place.sink(most_bytes=150_000, timeout_seconds=0.2),
            lambda: sum(seen.path.endswith("_bulk") for seen in stub.seen),
            chance,
            life_requests=14,
        )
        found = [((d.place, d.id), d.body) for d in place.documents()]
    assert len(found) == len(dict(found)) == DOCUMENTS
    assert dict(found) == truth_of(lots, place.shelf)
    assert kills


async def test_on_a_real_server_none_is_missing_none_double_none_stale(real: Place) -> None:
    chance = Random(3)
    lots = lots_of(DOCUMENTS, chance)
    async with Front(real.url, faults_of(400, chance)) as front:
        before = Place(front.url, installed=False)
        before.shelf = real.shelf
        kills = await carry(
            lots,
            lambda: before.sink(most_bytes=150_000, timeout_seconds=1.0),
            lambda: front.bulks,
            chance,
            life_requests=14,
        )
    found = [((d.place, d.id), d.body) for d in real.documents()]
    assert len(found) == len(dict(found)) == DOCUMENTS
    assert dict(found) == truth_of(lots, real.shelf)
    assert kills
