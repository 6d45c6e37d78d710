"""Check: whether saved objects will work, as far as that can be known without a server.

A server checks little: of a dashboard whose panel is not there, a reference by a wrong name, or JSON in
JSON that is none, it says that the import was a success, and the browser shows an error. A field that is
not in the list of its view breaks a classic panel; one that is not in the mapping leaves a Vega panel empty.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Final

import msgspec

from streamer.core.index.families import FILED, Family
from streamer.core.index.fields import Field, fields_of
from streamer.dashboards.asked import Use, spec_of, uses_in_aggregations, uses_in_body, view_of
from streamer.dashboards.objects import COLUMNS, INDEX_REFERENCE, MIGRATION, VEGA_LITE, Object, entry_of, text_of

# Any other attribute is refused by the server.
_ATTRIBUTES: Final[Mapping[str, frozenset[str]]] = {
    "index-pattern": frozenset({"title", "timeFieldName", "fields"}),
    "visualization": frozenset({"title", "description", "version", "uiStateJSON", "visState", "kibanaSavedObjectMeta"}),
    "search": frozenset({"title", "description", "hits", "columns", "sort", "version", "kibanaSavedObjectMeta"}),
    "dashboard": frozenset(
        [
            "title",
            "description",
            "hits",
            "version",
            "panelsJSON",
            "optionsJSON",
            "timeRestore",
            "timeFrom",
            "timeTo",
            "refreshInterval",
            "kibanaSavedObjectMeta",
        ]
    ),
}
_JSON_IN_JSON: Final = ("fields", "visState", "uiStateJSON", "panelsJSON", "optionsJSON")
_KEYS: Final = frozenset({"type", "id", "attributes", "references", "migrationVersion"})
# Dashboards joins ids with underscores, and splits them again.
_ID: Final = re.compile(r"[a-z0-9][a-z0-9.-]*")
# A quote or a bracket in a field's name compiles, and fails when it is drawn.
_NAME: Final = re.compile(r"[\w .]+")
_WITHOUT_VIEW: Final = frozenset({"markdown", "vega", "input_control_vis"})


def problems_in(text: bytes) -> list[str]:
    """Everything that is wrong with a file of saved objects, a line each; empty when all is well.

    Parameters
    ----------
    text : bytes
        As ``generate.encoded`` makes it.
    """
    objects: list[Object] = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            one = json.loads(line)
        except ValueError:
            return [f"line {number}: no JSON"]
        if not isinstance(one, dict) or set(one) != _KEYS or one["type"] not in MIGRATION:
            return [
                f"line {number}: no saved object of ours: {', '.join(sorted(_KEYS))}, of type {', '.join(MIGRATION)}"
            ]
        objects.append(one)
    if not objects:
        return ["no saved objects"]
    found = [f"{who}: twice" for who in sorted({_who(a) for a, b in combinations(objects, 2) if _who(a) == _who(b)})]
    for one in objects:
        found += [f"{_who(one)}: {problem}" for problem in _problems(one, objects)]
    return found


def _who(one: Object) -> str:
    return f"{one['type']} {one['id']}"


def _problems(one: Object, objects: Sequence[Object]) -> Iterator[str]:
    if not _ID.fullmatch(one["id"]):
        yield "an id of lower-case letters, digits, dots and dashes is needed, without underscores"
    kind, attributes = one["type"], one["attributes"]
    if one["migrationVersion"] != {kind: MIGRATION[kind]}:
        yield f"migrationVersion is {one['migrationVersion']}, expected {MIGRATION[kind]}"
    if odd := set(attributes) ^ _ATTRIBUTES[kind]:
        yield f"attributes missing or not known: {', '.join(sorted(odd))}"
        return
    broken = [name for name in _JSON_IN_JSON if name in attributes and not _is_json(attributes[name])]
    source = attributes.get("kibanaSavedObjectMeta", {}).get("searchSourceJSON", "{}")
    if broken or not _is_json(source):
        yield f"no JSON in {', '.join(broken) or 'searchSourceJSON'}"
        return
    yield from _references(one, objects)
    if "index" in json.loads(source):
        yield "its index is named, instead of referred to"
    views = {o["id"]: o["attributes"]["title"] for o in objects if o["type"] == "index-pattern"}
    match kind:
        case "index-pattern":
            yield from _view(attributes)
        case "visualization":
            yield from _visualization(one, views)
        case "search":
            uses = [Use(field, "show") for field in attributes["columns"]]
            uses += [Use(field, "count") for field, _ in attributes["sort"]]
            yield from _misused(uses, views.get(view_of(one) or ""))
        case _:
            yield from _panels(json.loads(attributes["panelsJSON"]))


def _is_json(text: object) -> bool:
    try:
        return isinstance(text, str) and isinstance(json.loads(text), dict | list)
    except ValueError:
        return False


def _references(one: Object, objects: Sequence[Object]) -> Iterator[str]:
    """Names that are used and not there, there and not used, or lead nowhere."""
    names = [reference["name"] for reference in one["references"]]
    used = sorted(_reference_names(one["attributes"]))
    if sorted(names) != used:
        yield f"references {sorted(names)}, used are {used}"
    known = {(o["type"], o["id"]) for o in objects}
    for reference in one["references"]:
        if (reference["type"], reference["id"]) not in known:
            yield f"refers to {reference['type']} {reference['id']}, which is not in the file"


def _reference_names(value: object) -> Iterator[str]:
    """Values of every key that ends in ``RefName``, in JSON in JSON, too."""
    if isinstance(value, str) and _is_json(value):
        yield from _reference_names(json.loads(value))
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key.endswith("RefName"):
                yield inner
            else:
                yield from _reference_names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _reference_names(inner)


def _family(title: str | None) -> Family | None:
    return next((f for f in Family if title is not None and title.endswith(f"-{f}-*")), None)


def _view(attributes: Object) -> Iterator[str]:
    family = _family(attributes["title"])
    if family is None:
        yield f"no indices of ours are called {attributes['title']}"
        return
    if attributes["timeFieldName"] != FILED[family].time:
        yield f"its time is {attributes['timeFieldName']}, expected {FILED[family].time}"
    if json.loads(attributes["fields"]) != [entry_of(field) for field in fields_of(family).values()]:
        yield "its fields are not those of the mapping"


def _misused(uses: Sequence[Use], title: str | None) -> Iterator[str]:
    """Fields that are not in a view's mapping, or not of a type for what they are used for."""
    family = _family(title)
    if family is None:
        yield f"no data view of ours is called {title}"
        return
    fields = fields_of(family)
    kept = {name.partition(".")[0] for name in fields} | _kept(family)
    for use in uses:
        field = fields.get(use.field)
        if field is None and not (use.how == "show" and use.field in kept):
            yield f"field {use.field} is not in {title}"
        elif field is not None and not _serves(field, use.how):
            yield f"field {use.field} of {title} is of type {field.type}, which is not for {use.how}"


def _kept(family: Family) -> set[str]:
    """Fields that are kept and not indexed."""
    return {field.encode_name for field in msgspec.structs.fields(FILED[family].document)}


def _serves(field: Field, how: str) -> bool:
    match how:
        case "sum":
            return field.is_number
        case "order":
            return field.is_number or field.type == "date"
        case "time":
            return field.type == "date"
        case "count":
            return field.is_counted
        case _:
            return True


def _visualization(one: Object, views: Mapping[str, str]) -> Iterator[str]:
    state = json.loads(one["attributes"]["visState"])
    if state["title"] != one["attributes"]["title"]:
        yield "its two titles differ"
    if state["type"] in _WITHOUT_VIEW:
        if INDEX_REFERENCE in {reference["name"] for reference in one["references"]}:
            yield f"of type {state['type']}, which has no data view"
        if state["type"] == "input_control_vis":
            for control in state["params"]["controls"]:
                title = views.get(view_of(one, control["indexPatternRefName"]) or "")
                yield from _misused([Use(control["fieldName"], "count")], title)
        if state["type"] == "vega":
            yield from _vega(one, set(views.values()))
        return
    aggregations = state["aggs"]
    ids = [aggregation["id"] for aggregation in aggregations]
    if len(set(ids)) < len(ids):
        yield "two aggregations have one id"
    asked = [a["params"]["orderBy"] for a in aggregations if "orderBy" in a["params"]]
    asked += [series["data"]["id"] for series in state["params"].get("seriesParams", ())]
    if not set(asked) <= {a["id"] for a in aggregations if a["schema"] == "metric"}:
        yield "an order or a series is of no metric"
    yield from _misused(list(uses_in_aggregations(aggregations)), views.get(view_of(one) or ""))


def _vega(one: Object, titles: set[str]) -> Iterator[str]:
    try:
        spec = spec_of(one)
    except ValueError:
        spec = None
    if spec is None:
        yield "its specification is no JSON"
        return
    url = spec["data"]["url"]
    if spec.get("$schema") != VEGA_LITE:
        yield f"its schema is {spec.get('$schema')}, expected {VEGA_LITE}"
    if odd := sorted(name for name in _made(spec["transform"]) if not _NAME.fullmatch(name)):
        yield f"names of made fields can't be read as a path: {', '.join(odd)}"
    if {"width", "height"} & set(spec):
        yield "width and height are the panel's"
    if "%context%" in url and "query" in url["body"]:
        yield "%context% and a query exclude each other"
    if url["index"] not in titles:
        yield f"asks {url['index']}, which is no data view's title"
    yield from _misused(list(uses_in_body(url["body"])), url["index"])


def _made(transforms: Sequence[Object]) -> Iterator[str]:
    for transform in transforms:
        names = transform.get("as", [])
        yield from [names] if isinstance(names, str) else names
        yield from transform.get("fold", [])
        yield from (one["as"] for one in transform.get("window", []))


def _panels(panels: Sequence[Object]) -> Iterator[str]:
    for panel in panels:
        grid = panel["gridData"]
        if grid["i"] != panel["panelIndex"]:
            yield f"panel {panel['panelIndex']} is called {grid['i']} in the grid"
        if grid["x"] < 0 or grid["y"] < 0 or min(grid["w"], grid["h"]) < 1 or grid["x"] + grid["w"] > COLUMNS:
            yield f"panel {panel['panelIndex']} is outside the grid"
    indices = [panel["panelIndex"] for panel in panels]
    if len(set(indices)) < len(indices):
        yield "two panels have one index"
    for a, b in combinations(panels, 2):
        one, other = a["gridData"], b["gridData"]
        apart_x = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        apart_y = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        if not (apart_x or apart_y):
            yield f"panels {a['panelIndex']} and {b['panelIndex']} overlap"


def schema_problems(one: Object, schema: Object) -> list[str]:
    """What the JSON Schema of Vega-Lite says of a visualization's specification; empty for other kinds.

    Parameters
    ----------
    one : dict
        A saved object.
    schema : dict
        Vega-Lite's own; ``jsonschema`` is needed to read it.
    """
    from jsonschema import Draft7Validator

    spec = spec_of(one)
    if spec is None:
        return []
    # What only Dashboards knows: where the data are from, and its own settings.
    plain = {**spec, "data": {"values": []}, "config": {k: v for k, v in spec["config"].items() if k != "kibana"}}
    return [
        f"{_who(one)}: {text_of(list(e.path))}: {e.message[:200]}" for e in Draft7Validator(schema).iter_errors(plain)
    ]
