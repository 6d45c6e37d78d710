"""Every search of the dashboard, run on a real server over what the engine makes of traffic with everything in it."""

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from streamer.core.engine import Engine
from streamer.core.settings import EndpointSettings, EngineSettings, Rules, Spans
from streamer.core.types import Action, Index
from streamer.dashboards.asked import searches_of
from streamer.dashboards.generate import objects
from tests.contract.documents import operations
from tests.opensearch.place import Place
from tests.strategies import NOW, START, baseline, batch, capture

MINUTE = 60_000
WATCHED = EndpointSettings(
    name="churn", spans=Spans(pane=10, window=60), rules=Rules(minimum_rows=20), false_alarm_seconds=2_592_000
)
NAMES = [one["id"] for one in objects() if one["type"] not in ("index-pattern", "dashboard")]


def traffic(seconds: int) -> Iterator[tuple[int, bytes]]:
    """Half an hour: steady, then a drift; values are missing, and records are none, late and repeated."""
    for s in range(seconds):
        at, low = START + s * 1000, 5 if s > seconds // 2 else 0
        x = "" if s % 40 == 7 else f"{low + s % (10 - low)}.5"
        data = f"{x},{s % 10}.5,{'abc'[s % 3]}"
        yield at, capture(data, f"{s % 10}.5", at=at, event_id=str(s), endpoint="churn")
        if s % 100 == 50:
            yield at, b"no capture"
            yield at, capture(data, f"{s % 10}.5", at=at, event_id=str(s), endpoint="churn")
            yield at, capture(data, f"{s % 10}.5", at=at - 15_000, event_id=f"late {s}", endpoint="churn")


def actions() -> list[Action]:
    engine = Engine(EngineSettings(endpoints=(WATCHED,)), {("churn", ""): baseline()})
    payloads = [payload for _, payload in traffic(1_800)]
    made = engine.ingest(batch(*payloads, keys=["churn/AllTraffic"] * len(payloads)), NOW)
    made += engine.finish()
    stood = [operations(f"o{n}", at=START + n * MINUTE) for n in range(30)]
    return [*made, *map(Index, stood)]


def leaves(found: object) -> Iterator[object]:
    """Values of all metrics in an answer's aggregations; an empty list of buckets has none."""
    if isinstance(found, list):
        for one in found:
            yield from leaves(one)
    elif isinstance(found, dict):
        if "value" in found and set(found) <= {"value", "value_as_string"}:
            yield found["value"]
        for inner in found.values():
            if isinstance(inner, dict | list):
                yield from leaves(inner)


def buckets(found: Any) -> Iterator[int]:
    """Numbers of buckets, of each first one's own, too."""
    if not isinstance(found, dict):
        return
    several = found.get("buckets")
    if isinstance(several, list):
        yield len(several)
        found = several[0] if several else {}
    for inner in found.values():
        yield from buckets(inner)


@pytest.fixture(scope="module")
def shown(opensearch_url: str) -> Iterator[Place]:
    """A server that has the traffic's documents."""
    with Place(opensearch_url) as place:
        lines: list[bytes] = []
        for action in actions():
            entry = place.shelf.entry_of(action)
            if entry is not None:
                where = json.dumps({"index": {"_index": entry.place, "_id": entry.id}})
                lines += [where.encode(), entry.body]
        answer = json.loads(place.post_lines("/_bulk?refresh=true", b"\n".join(lines) + b"\n"))
        assert not answer["errors"]
        yield place


def answers(place: Place, identity: str) -> list[dict[str, Any]]:
    made = objects(place.shelf.prefix)
    titles = {one["id"]: one["attributes"]["title"] for one in made if one["type"] == "index-pattern"}
    (one,) = [one for one in made if one["id"] == f"{place.shelf.prefix}-{identity}"]
    return [json.loads(place.request("POST", f"/{t}/_search", body)) for t, body in searches_of(one, titles)]


@pytest.mark.parametrize("name", NAMES)
def test_no_panel_is_empty(name: str, shown: Place) -> None:
    identity = name.removeprefix("streamer-")
    found = answers(shown, identity)
    assert (found == []) == (identity == "notes")
    for answer in found:
        assert "error" not in answer, answer
        aggregations = answer.get("aggregations")
        if aggregations is None:
            assert answer["hits"]["hits"]
        else:
            assert all(buckets(aggregations))
            values = list(leaves(aggregations))
            assert any(value is not None for value in values) or identity == "choice"


def test_what_went_wrong_is_seen(shown: Place) -> None:
    (evidence,) = answers(shown, "evidence")
    assert max(v for v in leaves(evidence["aggregations"]) if isinstance(v, float)) >= 1.0
    (missing,) = answers(shown, "missing")
    assert max(v for v in leaves(missing["aggregations"]) if isinstance(v, float)) > 0.0
    (trouble,) = answers(shown, "trouble")
    sums = {n: sum(b[n]["value"] for b in trouble["aggregations"]["5"]["buckets"]) for n in "134"}
    assert all(total > 0 for total in sums.values()), sums
    (incidents,) = answers(shown, "incidents-list")
    assert "drift" in {hit["_source"]["cause"] for hit in incidents["hits"]["hits"]}


def test_the_histogram_has_the_feature_that_drifted_with_the_baseline_beside_it(shown: Place) -> None:
    (answer,) = answers(shown, "histogram")
    (hit,) = answer["hits"]["hits"]
    source = hit["_source"]
    assert source["feature"] == "x"
    assert len(source["cells"]) == len(source["baseline_shares"]) == len(source["cuts"]) + 7
    assert sum(source["cells"]) == source["rows"]
    assert all(low < high for low, high in pairwise(source["cuts"]))


def test_the_service_is_seen_whatever_endpoint_is_chosen(shown: Place) -> None:
    (answer,) = answers(shown, "lag")
    (one,) = answer["aggregations"]["who"]["buckets"]
    assert (one["key"], one["doc_count"]) == ("pod-1", 30)
    assert all(step["lag_seconds"]["value"] == 0.5 for step in one["steps"]["buckets"] if step["doc_count"])


def test_a_view_lists_the_fields_as_the_server_has_them(shown: Place) -> None:
    for view in (one for one in objects(shown.shelf.prefix) if one["type"] == "index-pattern"):
        listed = {f["name"]: f for f in json.loads(view["attributes"]["fields"])}
        answer = json.loads(shown.request("GET", f"/{view['attributes']['title']}/_field_caps?fields=*"))
        found = {name: kinds for name, kinds in answer["fields"].items() if not name.startswith("_")}
        # What has parts is no field of its own, and of free tags the list says less.
        plain = {name: kinds for name, kinds in found.items() if not {"object", "flat_object"} & set(kinds)}
        if answer["indices"]:
            assert set(plain) <= set(listed) <= set(found)
        for name, kinds in plain.items():
            (kind,) = kinds.values()
            assert kind["searchable"], name
            assert (listed[name]["esTypes"], listed[name]["aggregatable"]) == ([kind["type"]], kind["aggregatable"])
