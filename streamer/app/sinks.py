"""Sinks: which ones a configuration asks for, by name, and how each is opened."""

from collections.abc import Awaitable, Callable
from functools import partial

from streamer.adapters.aws import Aws
from streamer.adapters.sqlite import SqliteSink
from streamer.config.model import Config
from streamer.ports import Clock, Sink

Opener = Callable[[Config, Aws, Clock], Awaitable[Sink]]


def openers_of(config: Config) -> dict[str, Opener]:
    """What opens each sink, by the name it has in the outbox, the metrics and the log."""
    alerts, requests = config.alerts.eventbridge.bus, config.retraining.eventbridge.bus
    found: dict[str, Opener] = {}
    if config.index.sqlite is not None:
        found["sqlite"] = _sqlite
    if config.index.opensearch.url is not None:
        found["opensearch"] = _opensearch
    if config.alerts.sns.topic_arn is not None:
        found["sns"] = _sns
    if alerts is not None:
        found["eventbridge"] = partial(_eventbridge, "eventbridge", alerts, alerts=True, retraining=alerts == requests)
    if requests is not None and requests != alerts:
        # What one sink has taken is acknowledged by name, so two must not share one.
        name = "eventbridge-retraining"
        found[name] = partial(_eventbridge, name, requests, alerts=False, retraining=True)
    return found


async def _sqlite(config: Config, aws: Aws, clock: Clock) -> Sink:
    path = config.path_of(config.index.sqlite or "")
    path.parent.mkdir(parents=True, exist_ok=True)
    return SqliteSink(path, retention_days=config.index.retention_days)


async def _opensearch(config: Config, aws: Aws, clock: Clock) -> Sink:
    from streamer.app.index import sink_of

    return await sink_of(config, aws, clock)


async def _sns(config: Config, aws: Aws, clock: Clock) -> Sink:
    from streamer.adapters.sns import SnsSink, region_of

    topic_arn = config.alerts.sns.topic_arn or ""
    return SnsSink(await aws.client("sns", region=region_of(topic_arn)), topic_arn)


async def _eventbridge(
    name: str, bus: str, config: Config, aws: Aws, clock: Clock, *, alerts: bool, retraining: bool
) -> Sink:
    from streamer.adapters.eventbridge import EventBridgeSink

    return EventBridgeSink(await aws.client("events"), bus, alerts=alerts, retraining=retraining, name=name)
