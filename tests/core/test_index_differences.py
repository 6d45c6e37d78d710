"""What a server has another way than it should be."""

import copy
import json
from typing import Any

import pytest

from streamer.core.index.differences import differences, joined, lacking
from streamer.core.index.families import Family
from streamer.core.index.template import mappings_of


def told(change: Any, family: Family = Family.INCIDENTS) -> list[str]:
    # Through JSON: fields of one kind share one object, and only one is to change.
    found: Any = json.loads(json.dumps(mappings_of(family)))
    change(found)
    return list(differences(mappings_of(family), found))


def test_what_is_as_it_should_be_has_no_difference() -> None:
    assert [told(lambda found: None, family) for family in Family] == [[] for _ in Family]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(
            lambda m: m["properties"].pop("since"), "field since: expected date, found nothing", id="a field is missing"
        ),
        pytest.param(
            lambda m: m["properties"]["since"].update(type="text"),
            "field since: expected date, found text",
            id="another type",
        ),
        pytest.param(
            lambda m: m["properties"]["contributions"]["properties"].pop("size"),
            "field contributions.size: expected double, found nothing",
            id="inside another",
        ),
        pytest.param(
            lambda m: m["properties"]["title"].pop("fields"),
            "field title.keyword: expected keyword, found nothing",
            id="a second form",
        ),
        pytest.param(
            lambda m: m["properties"]["endpoint"].update(ignore_above=9),
            "field endpoint: expected ignore_above 256, found 9",
            id="another setting",
        ),
        pytest.param(lambda m: m.update(dynamic="true"), "dynamic: expected strict, found true", id="not strict"),
        pytest.param(lambda m: m.pop("dynamic"), "dynamic: expected strict, found nothing", id="not strict by itself"),
    ],
)
def test_a_difference_is_told_by_its_field(change: Any, words: str) -> None:
    assert told(change) == [words]


def test_more_than_is_needed_is_no_difference() -> None:
    assert told(lambda m: m["properties"].update(of_a_newer_program={"type": "long"})) == []


def test_servers_write_truth_as_a_text_and_that_is_no_difference() -> None:
    assert told(lambda m: m["properties"]["cells"].update(enabled="false"), Family.FEATURES) == []


def test_only_what_is_missing_is_added() -> None:
    whole: Any = mappings_of(Family.INCIDENTS)
    found = copy.deepcopy(whole)
    since = found["properties"].pop("since")
    size = found["properties"]["contributions"]["properties"].pop("size")
    added = lacking(whole, found)
    assert added == {"since": since, "contributions": {"properties": {"size": size}}}
    assert list(differences(whole, joined({"properties": added}, found))) == []


def test_joined_keeps_what_either_has_and_ours_where_both_speak() -> None:
    assert joined({"a": 1, "b": {"c": 1}}, {"a": 2, "b": {"d": 2}, "e": 3}) == {"a": 1, "b": {"c": 1, "d": 2}, "e": 3}
