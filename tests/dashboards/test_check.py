"""The offline check finds each defect that a server takes without a word, or refuses when it is too late."""

import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from streamer.dashboards.check import problems_in, schema_problems
from streamer.dashboards.generate import encoded, objects
from streamer.dashboards.objects import Object

Change = Callable[[dict[str, Object]], object]


def changed(change: Change) -> list[str]:
    """Problems after a change of the objects, given by id."""
    made = {one["id"]: one for one in objects()}
    change(made)
    return problems_in(encoded(list(made.values())))


def within(name: str, change: Callable[[Any], object]) -> Callable[[Object], None]:
    """A change of the JSON in an attribute's JSON."""

    def do(one: Object) -> None:
        inner = json.loads(one["attributes"][name])
        change(inner)
        one["attributes"][name] = json.dumps(inner)

    return do


def state(change: Callable[[Object], object]) -> Callable[[Object], None]:
    return within("visState", change)


def spec(change: Callable[[Object], object]) -> Callable[[Object], None]:
    def do(inner: Object) -> None:
        found = json.loads(inner["params"]["spec"])
        change(found)
        inner["params"]["spec"] = json.dumps(found)

    return state(do)


def field(name: str) -> Callable[[Object], None]:
    return state(lambda s: s["aggs"][0]["params"].update(field=name))


def source(**more: str) -> Callable[[Object], None]:
    return lambda one: one["attributes"]["kibanaSavedObjectMeta"].update(searchSourceJSON=json.dumps(more))


def panel(n: int, **place: int | str) -> Callable[[Object], None]:
    return within("panelsJSON", lambda panels: panels[n]["gridData"].update(place))


def test_the_objects_as_they_are_made_are_well() -> None:
    assert problems_in(encoded(objects())) == []


EVIDENCE, LAG, SEEN, WHOLE = "streamer-evidence", "streamer-lag", "streamer-incidents-list", "streamer-endpoint"


@pytest.mark.parametrize(
    ("identity", "change", "said"),
    [
        pytest.param(EVIDENCE, lambda o: o.update(id="with_underscore"), "underscores", id="an id with an underscore"),
        pytest.param(EVIDENCE, lambda o: o.update(id="streamer-missing"), "twice", id="two objects of one id"),
        pytest.param(
            EVIDENCE,
            lambda o: o["migrationVersion"].update(visualization="7.11.0"),
            "migrationVersion",
            id="a migration no server knows",
        ),
        pytest.param(EVIDENCE, lambda o: o["attributes"].update(colour="red"), "colour", id="an unknown attribute"),
        pytest.param(EVIDENCE, lambda o: o["attributes"].pop("uiStateJSON"), "uiStateJSON", id="an attribute missing"),
        pytest.param(
            EVIDENCE, lambda o: o["attributes"].update(visState="{"), "no JSON in visState", id="no JSON in JSON"
        ),
        pytest.param(
            EVIDENCE, lambda o: o["attributes"].update(visState={}), "no JSON in visState", id="JSON that is no text"
        ),
        pytest.param(
            EVIDENCE,
            lambda o: o["attributes"]["kibanaSavedObjectMeta"].update(searchSourceJSON="x"),
            "no JSON in searchSourceJSON",
            id="no JSON in a search",
        ),
        pytest.param(EVIDENCE, lambda o: o["references"].clear(), "references []", id="a name without a reference"),
        pytest.param(EVIDENCE, source(), "used are []", id="a reference without use"),
        pytest.param(
            EVIDENCE,
            lambda o: o["references"][0].update(id="streamer-gone"),
            "streamer-gone, which is not in the file",
            id="a reference to nothing",
        ),
        pytest.param(
            WHOLE,
            lambda o: o["references"][0].update(id="streamer-gone"),
            "streamer-gone, which is not in the file",
            id="a panel that is not there",
        ),
        pytest.param(
            WHOLE,
            lambda o: o["references"][0].update(name="panel_99"),
            "panel_99",
            id="a panel's reference by another name",
        ),
        pytest.param(
            "streamer-choice",
            lambda o: o["references"].pop(),
            "control_3_index_pattern",
            id="a control without its reference",
        ),
        pytest.param(
            EVIDENCE,
            source(index="streamer-features-*", indexRefName="kibanaSavedObjectMeta.searchSourceJSON.index"),
            "instead of referred to",
            id="an index by name",
        ),
        pytest.param(EVIDENCE, state(lambda s: s.update(title="x")), "titles differ", id="two titles"),
        pytest.param(EVIDENCE, field("evidense"), "field evidense is not in", id="a field that is not mapped"),
        pytest.param(EVIDENCE, field("feature"), "keyword, which is not for order", id="the largest of words"),
        pytest.param("streamer-volume", field("window_start"), "date, which is not for sum", id="a sum of times"),
        pytest.param(EVIDENCE, field("cells"), "field cells is not in", id="a field that is only kept"),
        pytest.param(
            EVIDENCE,
            state(lambda s: s["aggs"][1]["params"].update(field="rows")),
            "long, which is not for time",
            id="a histogram over what is no time",
        ),
        pytest.param(EVIDENCE, state(lambda s: s["aggs"][0].update(id="2")), "one id", id="two aggregations of one id"),
        pytest.param(
            EVIDENCE,
            state(lambda s: s["aggs"][2]["params"].update(orderBy="9")),
            "of no metric",
            id="an order by what is not there",
        ),
        pytest.param(
            "streamer-volume",
            state(lambda s: s["params"]["seriesParams"][1]["data"].update(id="2")),
            "of no metric",
            id="a series of what is not there",
        ),
        pytest.param(
            "streamer-choice",
            state(lambda s: s["params"]["controls"][0].update(fieldName="end_point")),
            "field end_point is not in",
            id="a control of no field",
        ),
        pytest.param(
            SEEN, lambda o: o["attributes"]["columns"].append("since_when"), "since_when", id="a column of no field"
        ),
        pytest.param(
            SEEN,
            lambda o: o["attributes"].update(sort=[["text", "desc"]]),
            "text, which is not for count",
            id="a sort by text",
        ),
        pytest.param(
            "streamer-features", lambda o: o["attributes"].update(fields="[]"), "not those", id="a view without fields"
        ),
        pytest.param(
            "streamer-features",
            within("fields", lambda fields: fields[0].update(type="string")),
            "not those of the mapping",
            id="a view's field of another type",
        ),
        pytest.param(
            "streamer-features",
            lambda o: o["attributes"].update(timeFieldName="window_end"),
            "expected window_start",
            id="a view by another time",
        ),
        pytest.param(
            "streamer-features",
            lambda o: o["attributes"].update(title="logs-*"),
            "no indices of ours",
            id="a view of others' indices",
        ),
        pytest.param(LAG, spec(lambda s: s.pop("$schema")), "its schema is None", id="no schema"),
        pytest.param(LAG, spec(lambda s: s.update(width=300)), "width and height", id="a width of its own"),
        pytest.param(
            LAG,
            spec(lambda s: s["data"]["url"].update({"%context%": True})),
            "exclude each other",
            id="context beside a query",
        ),
        pytest.param(
            LAG,
            spec(lambda s: s["data"]["url"].update(index="streamer-ops-*")),
            "streamer-ops-*, which is no data view's",
            id="an index without a view",
        ),
        pytest.param(
            LAG,
            spec(lambda s: s["data"]["url"]["body"]["aggs"]["who"]["terms"].update(field="host")),
            "field host is not in",
            id="a Vega field that is not mapped",
        ),
        pytest.param(
            LAG,
            spec(lambda s: s["data"]["url"]["body"]["query"].update(range={"at": {}})),
            "field at is not in",
            id="a Vega range over no field",
        ),
        pytest.param(
            "streamer-histogram",
            spec(lambda s: s["data"]["url"]["body"]["_source"].append("bins")),
            "field bins is not in",
            id="a kept field that is not there",
        ),
        pytest.param(
            "streamer-histogram",
            spec(lambda s: s["data"]["url"]["body"]["sort"].append({"cells": "desc"})),
            "field cells is not in",
            id="a sort by what is only kept",
        ),
        pytest.param(
            LAG,
            spec(lambda s: s["transform"].append({"calculate": "1", "as": "the snapshot's age"})),
            "can't be read as a path",
            id="a quote in a made field's name",
        ),
        pytest.param(
            LAG,
            state(lambda s: s["params"].update(spec="{")),
            "its specification is no JSON",
            id="a specification that is no JSON",
        ),
        pytest.param(WHOLE, panel(1, x=0), "panels 0 and 1 overlap", id="panels on one another"),
        pytest.param(WHOLE, panel(1, w=40), "panel 1 is outside the grid", id="a panel too wide"),
        pytest.param(WHOLE, panel(1, i="7"), "panel 1 is called 7", id="a panel of two numbers"),
        pytest.param(
            WHOLE,
            within("panelsJSON", lambda panels: panels[1].update(panelIndex="0")),
            "two panels have one index",
            id="two panels of one number",
        ),
    ],
)
def test_a_defect_is_found(identity: str, change: Callable[[Object], object], said: str) -> None:
    found = changed(lambda made: change(made[identity]))
    assert any(said in problem for problem in found), found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "no saved objects"),
        (b"{}\n{", "line 1: no saved object"),
        (b"[]", "line 1: no saved object"),
        (b"{", "line 1: no JSON"),
        (b'{"exportedCount":19}', "line 1: no saved object"),
    ],
)
def test_what_is_no_file_of_saved_objects_is_told(text: bytes, said: str) -> None:
    assert said in problems_in(text)[0]


@pytest.fixture(scope="module")
def vega_lite() -> Object:
    """Vega-Lite's own schema, as altair carries it; importing altair itself takes a second."""
    found = find_spec("altair")
    assert found is not None
    assert found.origin is not None
    schema: Object = json.loads((Path(found.origin).parent / "vegalite/v5/schema/vega-lite-schema.json").read_bytes())
    return schema


def test_every_vega_panel_keeps_to_the_schema_of_vega_lite(vega_lite: Object) -> None:
    assert [problem for one in objects() for problem in schema_problems(one, vega_lite)] == []


@pytest.mark.parametrize(
    "change", [lambda s: s.update(mark="curve"), lambda s: s["encoding"]["x"].update(type="temporary")]
)
def test_a_mistake_in_a_vega_panel_is_found(change: Callable[[Object], object], vega_lite: Object) -> None:
    made = {one["id"]: one for one in objects()}
    spec(change)(made[LAG])
    assert schema_problems(made[LAG], vega_lite)
