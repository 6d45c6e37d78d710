"""Fields by full name, and the one each family's time is in."""

from typing import get_args

import msgspec
import pytest

from streamer.core.documents import Notification, encode_notification
from streamer.core.index.families import FILED, Family, Indexed, date_of, family_of
from streamer.core.index.fields import Field, fields_of
from tests.contract.documents import feature, incident, notify, operations, reject, window


def test_every_document_has_a_family_and_a_time_it_is_filed_under() -> None:
    assert {filed.document for filed in FILED.values()} == set(get_args(Indexed))
    told = msgspec.json.decode(encode_notification(notify()), type=Notification)
    for document in (feature().document, window().document, incident(), told, operations()):
        assert isinstance(document, FILED[family_of(document)].document)
        assert date_of(document) is not None
    assert date_of(reject().letter) is reject().letter.noted


@pytest.mark.parametrize("family", Family)
def test_the_time_of_a_family_is_a_date_of_its_mapping(family: Family) -> None:
    assert fields_of(family)[FILED[family].time].type == "date"


def test_fields_are_named_in_full_and_what_is_only_kept_is_none() -> None:
    fields = fields_of(Family.FEATURES)
    assert fields["quantiles.p50"] == Field("quantiles.p50", "double")
    assert not {"cells", "cuts", "baseline_shares", "quantiles"} & set(fields)
    assert fields["kind"].type == "keyword"
    assert set(FILED[Family.OPERATIONS].document.__struct_fields__) < set(fields_of(Family.OPERATIONS))


def test_what_a_field_is_good_for_follows_from_its_type() -> None:
    fields = fields_of(Family.INCIDENTS)
    assert (fields["title"].is_counted, fields["title.keyword"].is_counted) == (False, True)
    assert fields["title.keyword"].parent == "title"
    assert (fields["revision"].is_number, fields["opened"].is_number) == (True, False)
