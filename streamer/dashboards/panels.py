"""Panels: what is shown of an endpoint, one function each."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from streamer.core.index.families import FILED, Family
from streamer.dashboards.objects import (
    Object,
    Views,
    aggregation,
    by,
    controls,
    over_time,
    search,
    vega,
    visualization,
)

# Of the features with the most: more lines than that can't be read.
_FEATURES: Final = 25
_SERIES: Final = 10
# Parts of what raises the alarm; evidence grows by factors.
_EVIDENCE: Final = (0.0, 0.001, 0.01, 0.1, 0.5, 1.0, 100.0)
_MISSING: Final = (0.0, 0.01, 0.02, 0.05, 0.1, 0.5, 1.01)
_STEPS: Final = 120
_GREY: Final = "#69707D"
_BLUE: Final = "#006BB4"
_RED: Final = "#BD271E"
_NOTES: Final = """\
**Made by `streamer dashboards generate`: what is changed here is lost with the next install.**
Choose an endpoint; *feature* narrows the heat maps and the histogram. Evidence of 1 raises the alarm.
The histogram is that of the feature and window with the most evidence in the time shown."""


def choice(views: Views) -> Object:
    """What to look at."""
    of_features = views.id_of(Family.FEATURES)
    fields = [
        ("endpoint", of_features),
        ("variant", of_features),
        ("model_version", of_features),
        ("feature", of_features),
    ]
    return controls(views.named("choice"), "endpoint and feature", fields)


def notes(views: Views) -> Object:
    """How to read the others."""
    parameters = {"fontSize": 12, "openLinksInNewTab": False, "markdown": _NOTES}
    return visualization(views.named("notes"), "notes", "markdown", parameters)


def evidence(views: Views) -> Object:
    """Where and when evidence of drift grows."""
    return _heat_map(views, "evidence", "evidence by feature", "evidence", _EVIDENCE, "Yellow to Red")


def missing(views: Views) -> Object:
    """Where and when values are missing."""
    return _heat_map(views, "missing", "missing share by feature", "missing_share", _MISSING, "Blues")


def budget(views: Views) -> Object:
    """How near each endpoint is to an alarm."""
    aggregations = [
        aggregation(1, "max", "metric", field="budget_used", customLabel="part of what raises the alarm"),
        over_time(2, Family.ENDPOINTS),
        by(3, "endpoint", _SERIES),
    ]
    parameters = _along_time(["line"], ["part of what raises the alarm"], threshold=1.0)
    return _of_endpoints(views, "budget", "budget used", "line", parameters, aggregations)


def volume(views: Views) -> Object:
    """Rows, and what they are of those of the past weeks at this weekday and hour."""
    aggregations = [
        aggregation(1, "sum", "metric", field="rows", customLabel="rows"),
        over_time(2, Family.ENDPOINTS),
        aggregation(3, "avg", "metric", field="volume_ratio", customLabel="over the past weeks'"),
    ]
    parameters = _along_time(["histogram", "line"], ["rows", "over the past weeks'"], apart=True)
    return _of_endpoints(views, "volume", "volume", "histogram", parameters, aggregations)


def trouble(views: Views) -> Object:
    """Records that could not be used, or not in time."""
    fields = ("invalid", "partial", "late", "duplicates")
    aggregations = [
        aggregation(n, "sum", "metric", field=field, customLabel=field) for n, field in enumerate(fields, 1)
    ]
    aggregations.append(over_time(len(fields) + 1, Family.ENDPOINTS))
    parameters = _along_time(["histogram"] * len(fields), fields, stacked=True)
    return _of_endpoints(
        views, "trouble", "invalid, partial, late and repeated records", "histogram", parameters, aggregations
    )


def incidents(views: Views) -> Object:
    """Incidents opened in the time shown, the newest first."""
    columns = ("state", "severity", "endpoint", "cause", "title", "since", "until", "acknowledged_by", "verdict")
    view = views.id_of(Family.INCIDENTS)
    return search(views.named("incidents-list"), "incidents", view, columns, FILED[Family.INCIDENTS].time)


def histogram(views: Views) -> Object:
    """Live rows over the baseline's cells, in the window with the most evidence."""
    within = {"range": {"window_start": {"%timefilter%": True}}}
    query = {
        "bool": {
            # Only windows with rows enough have cells, and this share.
            "must": ["%dashboard_context-must_clause%", within, {"exists": {"field": "missing_share"}}],
            "filter": ["%dashboard_context-filter_clause%"],
            "must_not": ["%dashboard_context-must_not_clause%"],
        }
    }
    source = ["feature", "window_start", "rows", "feature_kind", "cells", "baseline_shares", "cuts"]
    body = {
        "size": 1,
        "query": query,
        "sort": [{"evidence": {"order": "desc", "missing": "_last"}}, {"window_start": "desc"}],
        "_source": source,
    }
    x = {"field": "cell", "type": "nominal", "sort": {"field": "n"}, "title": None, "axis": {"labelLimit": 120}}
    y = {"type": "quantitative", "axis": {"format": ".1%"}, "title": "share of rows; red: baseline"}
    about = {"field": "about", "type": "nominal"}
    spec = {
        "data": {
            "url": {"index": views.title_of(Family.FEATURES), "body": body},
            "format": {"property": "hits.hits"},
        },
        "transform": [
            {"calculate": "datum._source", "as": "d"},
            {"calculate": "datum.d.cells.length", "as": "cells"},
            {"calculate": "datum.d.feature + ', window from ' + datum.d.window_start", "as": "about"},
            {"flatten": ["d.cells", "d.baseline_shares"], "as": ["count", "usual"]},
            {"window": [{"op": "row_number", "as": "n"}]},
            {"calculate": "datum.count / datum.d.rows", "as": "share"},
            {"calculate": _CELL, "as": "cell"},
        ],
        "layer": [
            {
                "mark": {"type": "bar", "color": _BLUE, "tooltip": True},
                "encoding": {"x": x, "y": {**y, "field": "share"}, "detail": about},
            },
            {
                "mark": {"type": "tick", "color": _RED, "thickness": 3, "tooltip": True},
                "encoding": {"x": x, "y": {**y, "field": "usual"}, "detail": about},
            },
            {
                "transform": [{"filter": "datum.n == 1"}],
                "mark": {
                    "type": "text",
                    "x": "width",
                    "y": 8,
                    "dx": -4,
                    "align": "right",
                    "fontSize": 13,
                    "color": _GREY,
                },
                "encoding": {"text": about},
            },
        ],
    }
    return vega(views.named("histogram"), "rows by cell, live and baseline", spec)


# Names the n-th of the cells; what a number has around and between its cuts, or a category after its values.
_CELL: Final = (
    "datum.d.feature_kind == 'category' || datum.d.feature_kind == 'boolean'"
    " ? (datum.n == datum.cells ? 'missing' : datum.n == datum.cells - 1 ? 'unseen'"
    " : datum.n == datum.cells - 2 ? 'other' : 'value ' + datum.n)"
    " : (datum.n == 1 ? 'far below' : datum.n == 2 ? 'below' : datum.n == datum.cells - 3 ? 'above'"
    " : datum.n == datum.cells - 2 ? 'far above' : datum.n == datum.cells - 1 ? 'missing'"
    " : datum.n == datum.cells ? 'mistyped' : datum.n - 3 < datum.d.cuts.length ? 'up to ' + datum.d.cuts[datum.n - 3]"
    " : 'the rest')"
)


def lag(views: Views) -> Object:
    """How far reading is behind, and how old the last snapshot is."""
    series = {"lag_seconds": "lag", "snapshot_age_seconds": "age of the snapshot"}
    return _operations(views, "lag", "service: lag and age of the snapshot", "seconds", series)


def outbox(views: Views) -> Object:
    """What waits for the sinks."""
    series = {"outbox_bytes": "outbox"}
    return _operations(views, "outbox", "service: waiting for sinks", "bytes", series)


def _operations(views: Views, name: str, title: str, unit: str, series: dict[str, str]) -> Object:
    """Whatever endpoint is chosen: the service is not one of an endpoint."""
    steps: Object = {
        "auto_date_histogram": {"field": "noted", "buckets": _STEPS},
        "aggs": {field: {"max": {"field": field}} for field in series},
    }
    body = {
        "size": 0,
        "query": {"range": {"noted": {"%timefilter%": True}}},
        "aggs": {"who": {"terms": {"field": "instance", "size": _SERIES}, "aggs": {"steps": steps}}},
    }
    values = [{"calculate": f"datum.step.{field}.value", "as": label} for field, label in series.items()]
    spec = {
        "data": {"url": {"index": views.title_of(Family.OPERATIONS), "body": body}},
        "transform": [
            # Without any index there are no aggregations in the answer.
            {"filter": "isValid(datum.aggregations)"},
            {"calculate": "datum.aggregations.who.buckets", "as": "several"},
            {"flatten": ["several"], "as": ["one"]},
            {"calculate": "datum.one.steps.buckets", "as": "all"},
            {"flatten": ["all"], "as": ["step"]},
            {"calculate": "datum.step.key", "as": "at"},
            *values,
            {"fold": list(series.values()), "as": ["what", "value"]},
            {"filter": "isValid(datum.value)"},
            {"calculate": "datum.one.key + ': ' + datum.what", "as": "line"},
        ],
        "mark": {"type": "line", "point": True, "tooltip": True},
        "encoding": {
            "x": {"field": "at", "type": "temporal", "title": None},
            "y": {"field": "value", "type": "quantitative", "title": unit},
            "color": {"field": "line", "type": "nominal", "title": None, "legend": {"orient": "bottom"}},
        },
    }
    return vega(views.named(name), title, spec)


def _of_endpoints(
    views: Views, name: str, title: str, kind: str, parameters: Object, aggregations: Sequence[Object]
) -> Object:
    view = views.id_of(Family.ENDPOINTS)
    return visualization(views.named(name), title, kind, {**parameters, "type": kind}, aggregations, view=view)


def _heat_map(views: Views, name: str, title: str, field: str, limits: Sequence[float], colors: str) -> Object:
    aggregations = [
        aggregation(1, "max", "metric", field=field, customLabel=field.replace("_", " ")),
        over_time(2, Family.FEATURES),
        by(3, "feature", _FEATURES),
    ]
    ranges = [{"from": low, "to": high} for low, high in pairwise(limits)]
    axis = {
        "show": False,
        "id": "ValueAxis-1",
        "type": "value",
        "scale": {"type": "linear", "defaultYExtents": False},
        "labels": {"show": False, "rotate": 0, "overwriteColor": False, "color": "black"},
    }
    parameters = {
        "type": "heatmap",
        "addTooltip": True,
        "addLegend": True,
        "enableHover": False,
        "legendPosition": "right",
        "times": [],
        "colorsNumber": len(ranges),
        "colorSchema": colors,
        "setColorRange": True,
        "colorsRange": ranges,
        "invertColors": False,
        "percentageMode": False,
        "valueAxes": [axis],
    }
    view = views.id_of(Family.FEATURES)
    return visualization(views.named(name), title, "heatmap", parameters, aggregations, view=view)


def _along_time(
    kinds: Sequence[str],
    labels: Sequence[str],
    *,
    threshold: float | None = None,
    stacked: bool = False,
    apart: bool = False,
) -> Object:
    """Parameters of lines and bars along time, each series with its axis if they are apart."""
    axes = labels if apart else [labels[0] if len(labels) == 1 else "records"]
    value_axes = [
        {
            "id": f"ValueAxis-{n}",
            "name": f"{'Left' if n == 1 else 'Right'}Axis-1",
            "type": "value",
            "position": "left" if n == 1 else "right",
            "show": True,
            "style": {},
            "scale": {"type": "linear", "mode": "normal"},
            "labels": {"show": True, "rotate": 0, "filter": False, "truncate": 100},
            "title": {"text": title},
        }
        for n, title in enumerate(axes, 1)
    ]
    # Metrics have their numbers with the time's between them where there are two.
    numbers = [1, 3] if apart else range(1, len(kinds) + 1)
    series = [
        {
            "show": True,
            "type": kind,
            "mode": "stacked" if stacked else "normal",
            "data": {"label": label, "id": str(number)},
            "valueAxis": f"ValueAxis-{n if apart else 1}",
            "drawLinesBetweenPoints": True,
            "lineWidth": 2,
            "interpolate": "linear",
            "showCircles": True,
        }
        for n, (kind, label, number) in enumerate(zip(kinds, labels, numbers, strict=True), 1)
    ]
    bottom = {
        "id": "CategoryAxis-1",
        "type": "category",
        "position": "bottom",
        "show": True,
        "style": {},
        "scale": {"type": "linear"},
        "labels": {"show": True, "filter": True, "truncate": 100},
        "title": {},
    }
    line = {"show": threshold is not None, "value": threshold or 0, "width": 1, "style": "dashed", "color": _RED}
    return {
        "grid": {"categoryLines": False},
        "categoryAxes": [bottom],
        "valueAxes": value_axes,
        "seriesParams": series,
        "addTooltip": True,
        "addLegend": True,
        "legendPosition": "right",
        "times": [],
        "addTimeMarker": False,
        "labels": {},
        "thresholdLine": line,
    }
