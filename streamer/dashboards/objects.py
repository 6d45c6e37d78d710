"""Saved objects: data views, visualizations, searches and dashboards as OpenSearch Dashboards imports them.

References
----------
OpenSearch Dashboards, ``src/plugins/*/saved_objects`` and ``src/core/server/saved_objects``: attributes of each
type, names of references, last known migrations, which are the same in every release from 1.x to 3.x.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from streamer.core.index.families import FILED, Family, pattern_of
from streamer.core.index.fields import Field, fields_of

Object = dict[str, Any]

# A later one is refused as of "a more recent version"; without any, all migrations run.
MIGRATION: Final[Mapping[str, str]] = {
    "index-pattern": "7.6.0",
    "visualization": "7.10.0",
    "search": "7.9.3",
    "dashboard": "7.9.3",
}
INDEX_REFERENCE: Final = "kibanaSavedObjectMeta.searchSourceJSON.index"
VEGA_LITE: Final = "https://vega.github.io/schema/vega-lite/v5.json"
# A grid has so many columns.
COLUMNS: Final = 48
_PANEL_VERSION: Final = "2.19.0"
_TYPES: Final[Mapping[str, str]] = {
    "date": "date",
    "keyword": "string",
    "text": "string",
    "boolean": "boolean",
    "long": "number",
    "double": "number",
    "flat_object": "unknown",
}


class Views(NamedTuple):
    """The data views of one index prefix.

    Attributes
    ----------
    prefix : str
        Before every index of ours.
    """

    prefix: str

    def named(self, name: str) -> str:
        """Id of an object: Dashboards takes ids apart at underscores, which a prefix may have."""
        return f"{self.prefix.replace('_', '-')}-{name}"

    def id_of(self, family: Family) -> str:
        """Id of a family's view."""
        return self.named(family)

    def title_of(self, family: Family) -> str:
        """The pattern of its indices, which is its title."""
        return pattern_of(self.prefix, family)


class Place(NamedTuple):
    """Where a panel is, in columns and rows of the grid."""

    x: int
    y: int
    w: int
    h: int


def text_of(value: object) -> str:
    """JSON that is the same bytes every time."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False, allow_nan=False)


def entry_of(field: Field) -> Object:
    """One field as a data view lists it.

    With the list complete, Dashboards asks for nothing and writes nothing back when the view is opened.
    """
    counted = field.is_counted
    entry: Object = {
        "count": 0,
        "name": field.name,
        "type": _TYPES[field.type],
        "esTypes": [field.type],
        "scripted": False,
        "searchable": True,
        "aggregatable": counted,
        "readFromDocValues": counted,
    }
    if field.parent:
        entry["subType"] = {"multi": {"parent": field.parent}}
    return entry


def data_view(views: Views, family: Family) -> Object:
    """The data view of a family."""
    attributes = {
        "title": views.title_of(family),
        "timeFieldName": FILED[family].time,
        "fields": text_of([entry_of(field) for field in fields_of(family).values()]),
    }
    return _object("index-pattern", views.id_of(family), attributes)


def aggregation(number: int, kind: str, schema: str, **parameters: object) -> Object:
    """One aggregation of a classic visualization.

    Parameters
    ----------
    number : int
        From 1, in the visualization.
    kind : str
        ``max``, ``terms`` …
    schema : str
        What it is for: ``metric``, ``segment`` (along x), ``group`` (series, or along y).
    """
    return {"id": str(number), "enabled": True, "type": kind, "schema": schema, "params": parameters}


def over_time(number: int, family: Family) -> Object:
    """Along x: time, in as many steps as fit."""
    return aggregation(
        number,
        "date_histogram",
        "segment",
        field=FILED[family].time,
        useNormalizedOpenSearchInterval=True,
        interval="auto",
        min_doc_count=1,
        drop_partials=False,
        scaleMetricValues=False,
        extended_bounds={},
    )


def by(number: int, field: str, size: int, schema: str = "group", *, order_by: str = "1") -> Object:
    """One series, or one line of a heat map, for each of the first values of a field."""
    return aggregation(
        number,
        "terms",
        schema,
        field=field,
        orderBy=order_by,
        order="desc",
        size=size,
        otherBucket=False,
        missingBucket=False,
    )


def visualization(
    identity: str, title: str, kind: str, parameters: Object, aggregations: Sequence[Object] = (), *, view: str = ""
) -> Object:
    """A visualization.

    Parameters
    ----------
    identity, title : str
        Its id, without an underscore, and what stands above it.
    kind : str
        ``line``, ``heatmap``, ``vega`` …
    parameters, aggregations
        As the kind takes them.
    view : str
        Id of the data view that the aggregations are over; empty for kinds that have none.
    """
    source: Object = {"query": {"query": "", "language": "kuery"}, "filter": []}
    if view:
        source["indexRefName"] = INDEX_REFERENCE
    elif kind != "vega":
        # Notes and controls ask for nothing.
        source = {}
    attributes = {
        "title": title,
        "description": "",
        "version": 1,
        "uiStateJSON": "{}",
        "visState": text_of({"title": title, "type": kind, "aggs": list(aggregations), "params": parameters}),
        "kibanaSavedObjectMeta": {"searchSourceJSON": text_of(source)},
    }
    references = [_reference(INDEX_REFERENCE, "index-pattern", view)] if view else []
    return _object("visualization", identity, attributes, references)


def vega(identity: str, title: str, spec: Object) -> Object:
    """A Vega-Lite visualization; it names its indices in its own text, and refers to no view."""
    # Without this an empty stretch of time writes warnings over the panel.
    quiet = {"$schema": VEGA_LITE, **spec, "config": {**spec.get("config", {}), "kibana": {"hideWarnings": True}}}
    return visualization(identity, title, "vega", {"spec": json.dumps(quiet, indent=1, ensure_ascii=False)})


def controls(identity: str, title: str, fields: Iterable[tuple[str, str]]) -> Object:
    """Lists to choose from, each of a field and the view it is looked up in."""
    lists: list[Object] = []
    references: list[Object] = []
    for n, (field, view) in enumerate(fields):
        name = f"control_{n}_index_pattern"
        options = {"type": "terms", "multiselect": True, "dynamicOptions": True, "size": 5, "order": "desc"}
        lists.append(
            {
                "id": f"control-{n}",
                "fieldName": field,
                "parent": "",
                "label": field.replace("_", " "),
                "type": "list",
                "indexPatternRefName": name,
                "options": options,
            }
        )
        references.append(_reference(name, "index-pattern", view))
    parameters = {"controls": lists, "updateFiltersOnChange": True, "useTimeFilter": False, "pinFilters": False}
    made = visualization(identity, title, "input_control_vis", parameters)
    return {**made, "references": references}


def search(identity: str, title: str, view: str, columns: Sequence[str], newest_by: str) -> Object:
    """A list of documents."""
    source = {
        "query": {"query": "", "language": "kuery"},
        "filter": [],
        "highlightAll": True,
        "version": True,
        "indexRefName": INDEX_REFERENCE,
    }
    attributes = {
        "title": title,
        "description": "",
        "hits": 0,
        "columns": list(columns),
        "sort": [[newest_by, "desc"]],
        "version": 1,
        "kibanaSavedObjectMeta": {"searchSourceJSON": text_of(source)},
    }
    return _object("search", identity, attributes, [_reference(INDEX_REFERENCE, "index-pattern", view)])


def dashboard(identity: str, title: str, description: str, placed: Sequence[tuple[Object, Place]]) -> Object:
    """A dashboard of panels, each in its place; it begins with the last week."""
    panels, references = [], []
    for n, (shown, place) in enumerate(placed):
        panels.append(
            {
                "version": _PANEL_VERSION,
                "gridData": {**place._asdict(), "i": str(n)},
                "panelIndex": str(n),
                "embeddableConfig": {},
                "panelRefName": f"panel_{n}",
            }
        )
        references.append(_reference(f"panel_{n}", shown["type"], shown["id"]))
    attributes = {
        "title": title,
        "description": description,
        "hits": 0,
        "version": 1,
        "panelsJSON": text_of(panels),
        "optionsJSON": text_of({"hidePanelTitles": False, "useMargins": True}),
        "timeRestore": True,
        "timeFrom": "now-7d",
        "timeTo": "now",
        "refreshInterval": {"pause": True, "value": 0},
        "kibanaSavedObjectMeta": {
            "searchSourceJSON": text_of({"query": {"query": "", "language": "kuery"}, "filter": []})
        },
    }
    return _object("dashboard", identity, attributes, references)


def _object(kind: str, identity: str, attributes: Object, references: Sequence[Object] = ()) -> Object:
    return {
        "type": kind,
        "id": identity,
        "attributes": attributes,
        "references": list(references),
        "migrationVersion": {kind: MIGRATION[kind]},
    }


def _reference(name: str, kind: str, identity: str) -> Object:
    return {"name": name, "type": kind, "id": identity}
