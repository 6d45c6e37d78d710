"""The committed file is what the source makes, and nothing in it depends on the day it is made."""

import json
from pathlib import Path

import msgspec
import pytest

from streamer.core.documents import Notification, encode_notification
from streamer.core.index.families import Family, date_of, family_of
from streamer.core.index.fields import TIME_OF, Field, fields_of
from streamer.core.index.mappings import DOCUMENTS
from streamer.dashboards.check import problems_in
from streamer.dashboards.generate import encoded, objects
from streamer.dashboards.objects import entry_of
from tests.contract.documents import feature, incident, notify, operations, reject, window

FILE = Path(__file__).parents[2] / "dashboards" / "streamer.ndjson"


def test_the_committed_file_is_what_the_source_makes() -> None:
    assert FILE.read_bytes() == encoded(objects()), "streamer dashboards generate writes it anew"


def test_another_prefix_has_objects_of_its_own() -> None:
    ours, theirs = ({(o["type"], o["id"]) for o in objects(prefix)} for prefix in ("streamer", "staging"))
    assert not ours & theirs
    assert b"streamer-" not in encoded(objects("staging"))


def test_a_prefix_with_underscores_makes_ids_without() -> None:
    made = objects("ml_ops")
    assert problems_in(encoded(made)) == []
    assert {o["attributes"]["title"] for o in made if o["type"] == "index-pattern"} == {f"ml_ops-{f}-*" for f in Family}


def test_every_family_has_a_view_over_the_time_it_is_dated_by() -> None:
    told = msgspec.json.decode(encode_notification(notify()), type=Notification)
    documents = [feature().document, window().document, incident(), told, operations()]
    for document in documents:
        value: object = document
        for name in TIME_OF[family_of(document)].split("."):
            value = getattr(value, name)
        assert value == date_of(document)
    assert reject().letter.noted is date_of(reject().letter)
    views = {
        o["attributes"]["title"]: o["attributes"]["timeFieldName"] for o in objects() if o["type"] == "index-pattern"
    }
    assert views == {f"streamer-{family}-*": TIME_OF[family] for family in Family}


@pytest.mark.parametrize("family", Family)
def test_the_time_of_a_family_is_a_date_of_its_mapping(family: Family) -> None:
    assert fields_of(family)[TIME_OF[family]].type == "date"


def test_fields_are_named_in_full_and_what_is_only_kept_is_none() -> None:
    fields = fields_of(Family.FEATURES)
    assert fields["quantiles.p50"] == Field("quantiles.p50", "double")
    assert not {"cells", "cuts", "baseline_shares", "quantiles"} & set(fields)
    assert fields["kind"].type == "keyword"
    assert set(DOCUMENTS[Family.OPERATIONS].__struct_fields__) < set(fields_of(Family.OPERATIONS))


def test_a_title_is_searched_by_word_and_counted_whole() -> None:
    fields = fields_of(Family.INCIDENTS)
    assert (entry_of(fields["title"])["type"], entry_of(fields["title"])["aggregatable"]) == ("string", False)
    whole = entry_of(fields["title.keyword"])
    assert (whole["aggregatable"], whole["subType"]) == (True, {"multi": {"parent": "title"}})
    assert (entry_of(fields["opened"])["type"], entry_of(fields["revision"])["type"]) == ("date", "number")


def test_every_line_is_one_object_and_no_time_is_in_it() -> None:
    for line in FILE.read_text().splitlines():
        assert not {"updated_at", "version"} & set(json.loads(line))
