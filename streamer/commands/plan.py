"""``streamer plan``: what a configuration will cost in documents, bytes, shards, series and memory."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import typer

from streamer.commands.printing import printing

if TYPE_CHECKING:
    from streamer.config.model import Config
    from streamer.core.index.sizes import Sizes, Watched

# Measured (`streamer bench` has the memory of open endpoints): the program with the clients of AWS, what a
# feature of one variant holds, what looking for drift adds to it, and river, where a named detector is used.
_PROGRAM_BYTES = 130_000_000
_FEATURE_BYTES = 8_200
_EVIDENCE_BYTES = 16_500
_RIVER_BYTES = 170_000_000
_YEAR = 365


class Service(NamedTuple):
    """What the service itself takes.

    Attributes
    ----------
    memory_bytes : int
        About; the outbox may add as much as it is allowed.
    outbox_bytes : int
        So much it is allowed.
    metric_series : int
        At ``/metrics``.
    """

    memory_bytes: int
    outbox_bytes: int
    metric_series: int


def plan(
    path: Annotated[Path, typer.Argument(help="The configuration.")] = Path("streamer.toml"),
    variants: Annotated[int, typer.Option(min=1, help="Variants of each endpoint that answer at the same time.")] = 1,
    features: Annotated[
        int, typer.Option(min=1, help="Features, outputs included, of endpoints without a baseline.")
    ] = 40,
    shards: Annotated[int, typer.Option(min=1, help="Shards of the stream.")] = 1,
    days: Annotated[int | None, typer.Option(min=1, help="Days kept, instead of index.retention.")] = None,
    partition: Annotated[
        Literal["day", "month"] | None, typer.Option(help="Instead of index.opensearch.partition.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Work out what a configuration will cost: documents, GB a year, shards, metric series, memory."""
    import json
    import os

    from streamer.app.baselines import baselines_of
    from streamer.config.load import load
    from streamer.core.index.families import Partition
    from streamer.core.index.sizes import Watched, advice, sizes_of

    config = load(path, os.environ)
    baselines = baselines_of(config)
    watched = []
    assumed = []
    for endpoint in config.endpoints:
        given = [len(b.features) for (name, _), b in baselines.items() if name == endpoint.name]
        if not given:
            assumed.append(endpoint.name)
        watched.append(Watched(endpoint.name, max(given, default=features), endpoint.window, variants))
    by = Partition(partition or config.index.opensearch.partition)
    sizes = sizes_of(watched, by, days or config.index.retention_days or _YEAR)
    service = _service(config, watched, shards)
    said = advice(sizes, by, watched)
    if assumed:
        said.append(f"{features} features are taken for endpoints without a baseline: {', '.join(assumed)}")
    if days is None and config.index.retention_days is None:
        said.append("index.retention is not set: everything is kept, and a year of it is counted here")
    with printing():
        if as_json:
            typer.echo(json.dumps(_plain(sizes, service, by, said), indent=2, ensure_ascii=False))
        else:
            typer.echo("\n".join(_lines(watched, sizes, service, by, said)))


def _service(config: "Config", watched: "list[Watched]", shards: int) -> Service:
    several = zip(watched, config.endpoints, strict=True)
    memory = _PROGRAM_BYTES + sum(
        of.keys * of.features * (_FEATURE_BYTES + (_EVIDENCE_BYTES if e.false_alarms is not None else 0))
        for of, e in several
    )
    if any(detector.kind != "half_space_trees" for e in config.endpoints for detector in e.detectors):
        memory += _RIVER_BYTES
    return Service(memory, config.service.outbox, _metric_series(config, shards))


def _metric_series(config: "Config", shards: int) -> int:
    """Counted on the metrics as the service registers them."""
    from prometheus_client import CollectorRegistry

    from streamer.app.sinks import openers_of
    from streamer.metrics import Metrics

    registry = CollectorRegistry()
    metrics = Metrics(
        registry, version="", sinks=list(openers_of(config)), endpoints=[e.name for e in config.endpoints]
    )
    metrics.note_lag({f"shard-{n}": 0.0 for n in range(shards)})
    return sum(len(metric.samples) for metric in registry.collect())


def _plain(sizes: "Sizes", service: Service, partition: str, said: list[str]) -> dict[str, object]:
    found = {**sizes._asdict(), "documents_a_day": {str(f): n for f, n in sizes.documents_a_day.items()}}
    return {"index": {**found, "partition": partition}, "service": service._asdict(), "advice": said}


def _lines(watched: "list[Watched]", sizes: "Sizes", service: Service, partition: str, said: list[str]) -> list[str]:
    a_day = sum(sizes.documents_a_day.values())
    ends = "" if len(watched) == 1 else "s"
    return [
        f"watched      {len(watched)} endpoint{ends}, {sizes.series:,} series of a feature and a variant",
        f"documents    {a_day:,.0f} a day, {a_day * _YEAR:,.0f} a year",
        f"index        {sizes.bytes_a_year / 1e9:,.1f} GB a year; kept for {sizes.kept_days:,} days: "
        f"{sizes.kept_bytes / 1e9:,.1f} GB, twice that with a replica",
        f"shards       {sizes.shards:,} by the {partition}, the largest of {sizes.largest_bytes / 1e6:,.0f} MB",
        f"metrics      {service.metric_series:,} series at /metrics",
        f"memory       about {service.memory_bytes / 1e6:,.0f} MB, "
        f"and up to {service.outbox_bytes / 1e6:,.0f} MB while sinks are away",
        *(f"advice       {text}" for text in said),
    ]
