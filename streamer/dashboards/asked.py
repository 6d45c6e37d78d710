"""Asked: what a saved object asks of OpenSearch: which fields of which family, how, and by which search.

One reading of the objects, for the offline check and for tests that run the searches.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from streamer.dashboards.objects import INDEX_REFERENCE, Object

_SUMMED: Final = frozenset({"sum", "avg", "percentiles", "median", "std_dev"})
_ORDERED: Final = frozenset({"max", "min"})
_IN_TIME: Final = frozenset({"date_histogram", "auto_date_histogram"})
# What stands for the time and the filters of the dashboard, as a search without any of them.
_EVERYTHING: Final[Mapping[str, object]] = {"match_all": {}}


class Use(NamedTuple):
    """One field as it is used.

    Attributes
    ----------
    field : str
        In full.
    how : str
        ``sum`` (a number is needed), ``order`` (a number or a time), ``time``, ``count`` (what documents can
        be counted or sorted by), ``show`` (anything that is kept).
    """

    field: str
    how: str


def use_of(kind: str, field: str) -> Use:
    """What an aggregation of a kind needs of its field."""
    if kind in _SUMMED:
        return Use(field, "sum")
    if kind in _ORDERED:
        return Use(field, "order")
    return Use(field, "time" if kind in _IN_TIME else "count")


def view_of(one: Object, name: str = INDEX_REFERENCE) -> str | None:
    """Id of the data view a reference of this name leads to."""
    found = [r["id"] for r in one["references"] if r["name"] == name and r["type"] == "index-pattern"]
    return found[0] if found else None


def uses_in_aggregations(aggregations: list[Object]) -> Iterator[Use]:
    """Fields a classic visualization uses."""
    for one in aggregations:
        field = one["params"].get("field")
        if field is not None:
            yield use_of(one["type"], field)


def uses_in_body(body: object) -> Iterator[Use]:
    """Fields a search uses, wherever in it they stand."""
    if isinstance(body, list):
        for one in body:
            yield from uses_in_body(one)
    if not isinstance(body, dict):
        return
    for key, value in body.items():
        if key == "range":
            yield from (Use(field, "order") for field in value)
        elif key == "sort":
            yield from (Use(field, "count") for one in value for field in one)
        elif key == "_source":
            yield from (Use(field, "show") for field in value)
        elif isinstance(value, dict) and isinstance(value.get("field"), str):
            yield use_of(key, value["field"])
            yield from uses_in_body({k: v for k, v in value.items() if k != "field"})
        else:
            yield from uses_in_body(value)


def spec_of(one: Object) -> Object | None:
    """The Vega-Lite specification of a visualization; ``None`` for other kinds."""
    if one["type"] != "visualization":
        return None
    state = json.loads(one["attributes"]["visState"])
    spec: Object | None = json.loads(state["params"]["spec"]) if state["type"] == "vega" else None
    return spec


def body_of(state: Object) -> Object:
    """The search of a classic visualization, as Dashboards would send it for all of time: time in a hundred steps."""
    metrics = [one for one in state["aggs"] if one["schema"] == "metric"]
    inner: Object = {one["id"]: {one["type"]: {"field": one["params"]["field"]}} for one in metrics}
    for one in reversed([one for one in state["aggs"] if one["schema"] != "metric"]):
        parameters = one["params"]
        if one["type"] == "date_histogram":
            bucket: Object = {"auto_date_histogram": {"field": parameters["field"], "buckets": 100}}
        else:
            order = {parameters["orderBy"]: parameters["order"]}
            bucket = {"terms": {"field": parameters["field"], "size": parameters["size"], "order": order}}
        if one["type"] == "terms":
            # What it is ordered by must be beside it, too.
            inner = {**inner, **{m["id"]: {m["type"]: {"field": m["params"]["field"]}} for m in metrics}}
        inner = {one["id"]: {**bucket, "aggs": inner}}
    return {"size": 0, "aggs": inner}


def searches_of(one: Object, titles: Mapping[str, str]) -> Iterator[tuple[str, Object]]:
    """Every search of a saved object, as index pattern and body.

    Parameters
    ----------
    one : dict
        The object.
    titles : mapping of str to str
        Of the data views, by id.
    """
    spec = spec_of(one)
    if spec is not None:
        url = spec["data"]["url"]
        yield url["index"], _filled(url["body"])
    elif one["type"] == "search":
        order = [{field: direction} for field, direction in one["attributes"]["sort"]]
        yield titles[view_of(one) or ""], {"size": 10, "sort": order, "_source": one["attributes"]["columns"]}
    elif one["type"] == "visualization":
        state = json.loads(one["attributes"]["visState"])
        view = view_of(one)
        if view is not None:
            yield titles[view], body_of(state)
        for control in state["params"].get("controls", ()):
            found = view_of(one, control["indexPatternRefName"])
            terms = {"terms": {"field": control["fieldName"], "size": control["options"]["size"]}}
            yield titles[found or ""], {"size": 0, "aggs": {"termsAgg": terms}}


def _filled(value: Any) -> Any:
    """A Vega search without the dashboard's time and filters."""
    if isinstance(value, str):
        return _EVERYTHING if value.startswith("%dashboard_context-") and "must_not" not in value else value
    if isinstance(value, list):
        return [_filled(one) for one in value if one != "%dashboard_context-must_not_clause%"]
    if isinstance(value, dict):
        if any(isinstance(inner, dict) and "%timefilter%" in inner for inner in value.values()):
            return {field: {"gte": 0} for field in value}
        return {key: _filled(inner) for key, inner in value.items()}
    return value
