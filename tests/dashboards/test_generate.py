"""The committed file is what the source makes, and nothing in it depends on the day it is made."""

import json
from pathlib import Path

from streamer.core.index.families import FILED, Family
from streamer.core.index.fields import fields_of
from streamer.dashboards.check import problems_in
from streamer.dashboards.generate import encoded, objects
from streamer.dashboards.objects import entry_of

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
    attributes = [o["attributes"] for o in objects() if o["type"] == "index-pattern"]
    assert {a["title"]: a["timeFieldName"] for a in attributes} == {f"streamer-{f}-*": FILED[f].time for f in Family}


def test_a_title_is_searched_by_word_and_counted_whole() -> None:
    fields = fields_of(Family.INCIDENTS)
    assert (entry_of(fields["title"])["type"], entry_of(fields["title"])["aggregatable"]) == ("string", False)
    whole = entry_of(fields["title.keyword"])
    assert (whole["aggregatable"], whole["subType"]) == (True, {"multi": {"parent": "title"}})
    assert (entry_of(fields["opened"])["type"], entry_of(fields["revision"])["type"]) == ("date", "number")


def test_every_line_is_one_object_and_no_time_is_in_it() -> None:
    for line in FILE.read_text().splitlines():
        assert not {"updated_at", "version"} & set(json.loads(line))
