"""Where documents have their place in OpenSearch, and how their fields are mapped."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.documents import Notification, encode_notification
from streamer.core.index.entry import Shelf
from streamer.core.index.families import (
    FILED,
    LEAST_DAYS,
    Family,
    Partition,
    Stretch,
    date_of,
    family_of,
    oldest_kept,
    stretch_of,
)
from streamer.core.index.mappings import BESIDE, properties_of
from streamer.core.index.template import mappings_of
from streamer.core.types import Action, Index
from tests.contract.documents import feature, incident, notify, operations, reject, window

moments = st.datetimes(datetime(1970, 1, 1), datetime(9998, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001


def place_of(action: Action, prefix: str = "s", partition: Partition = Partition.DAY) -> str:
    entry = Shelf(prefix, partition).entry_of(action)
    assert entry is not None
    return entry.place


def stretch(since: str, until: str) -> Stretch:
    return Stretch(*(datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (since, until)))


@given(at=moments, partition=st.sampled_from(Partition))
def test_a_window_is_in_the_stretch_its_index_is_named_after(at: datetime, partition: Partition) -> None:
    document = feature(at=int(at.timestamp() * 1000)).document
    found = stretch_of(place_of(Index(document), "streamer", partition), "streamer", Family.FEATURES)
    assert found is not None
    assert found.since <= (date_of(document) or found.until) < found.until


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "streamer-features-2026.11.29",
            Stretch(datetime(2026, 11, 29, tzinfo=UTC), datetime(2026, 11, 30, tzinfo=UTC)),
        ),
        ("streamer-features-2026.12", stretch("2026-12-01", "2027-01-01")),
        ("streamer-features-2026", stretch("2026-01-01", "2027-01-01")),
        ("streamer-features-undated", None),
        ("streamer-features-2026.13", None),
        ("streamer-features-2026.11.29-copy", None),
        ("streamer-endpoints-2026.11.29", None),
        ("2026.11.29", None),
    ],
)
def test_only_names_of_ours_are_a_stretch_of_time(name: str, expected: Stretch | None) -> None:
    assert stretch_of(name, "streamer", Family.FEATURES) == expected


def test_an_incident_keeps_its_place_however_often_it_changes() -> None:
    first = incident(revision=1)
    later = msgspec.structs.replace(first, revision=9, changed=first.changed + timedelta(days=500))
    assert place_of(Index(first)) == place_of(Index(later)) == "s-incidents-2026"


def test_a_dead_letter_without_a_time_has_a_place_of_its_own() -> None:
    assert place_of(reject()) == "s-deadletters-undated"


def test_incidents_are_kept_longer_than_windows() -> None:
    now = datetime(2026, 11, 29, tzinfo=UTC)
    assert oldest_kept(Family.FEATURES, now, 30) == now - timedelta(days=30)
    assert oldest_kept(Family.INCIDENTS, now, 30) == now - timedelta(days=LEAST_DAYS)
    assert oldest_kept(Family.INCIDENTS, now, 900) == now - timedelta(days=900)


def test_the_service_is_filed_under_the_day_it_was_looked_at() -> None:
    assert place_of(Index(operations())) == f"s-operations-{operations().noted:%Y.%m.%d}"


@pytest.mark.parametrize("family", Family)
def test_every_field_of_every_document_is_mapped(family: Family) -> None:
    document, beside = FILED[family].document, BESIDE.get(family)
    assert set(properties_of(document)) == {"kind", *document.__struct_fields__}
    also = {} if beside is None else properties_of(beside)
    assert mappings_of(family) == {"dynamic": "strict", "properties": also | properties_of(document)}


def test_documents_that_share_an_index_agree_on_the_fields_they_share() -> None:
    for family, beside in BESIDE.items():
        both = (properties_of(FILED[family].document), properties_of(beside))
        assert [name for name in both[0].keys() & both[1].keys() if both[0][name] != both[1][name]] == []


def test_a_field_of_a_type_without_a_rule_is_refused() -> None:
    class Odd(msgspec.Struct, tag=True):
        value: bytes

    with pytest.raises(TypeError, match="value"):
        properties_of(Odd)


def test_every_kind_of_document_has_a_family() -> None:
    told = msgspec.json.decode(encode_notification(notify()), type=Notification)
    documents = [feature().document, window().document, incident(), told, operations(), reject().letter]
    assert [family_of(document) for document in documents] == [
        Family.FEATURES,
        Family.ENDPOINTS,
        Family.INCIDENTS,
        Family.NOTIFICATIONS,
        Family.OPERATIONS,
        Family.DEAD_LETTERS,
    ]
