"""The service put together: from a configuration to a run that ends with a drain."""

import asyncio
import gc
import platform
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from importlib.metadata import version
from random import Random
from typing import Final, Literal

import msgspec
import structlog
from prometheus_client import CollectorRegistry

from streamer.adapters.aws import Aws
from streamer.adapters.clock import SystemClock
from streamer.adapters.decisions_file import FILE as DECISIONS_FILE
from streamer.adapters.decisions_file import DecisionsFile
from streamer.adapters.http import HttpServer
from streamer.app.aws import aws_config
from streamer.app.baselines import baselines_of, read_baseline
from streamer.app.sinks import openers_of
from streamer.config.model import Config
from streamer.config.quantities import parse_instant
from streamer.core.baseline.model import Baseline
from streamer.core.engine import Engine
from streamer.core.errors import ConfigError, StateError
from streamer.core.manifest import Loaded
from streamer.core.outbox import Outbox
from streamer.core.settings import EngineSettings
from streamer.drain import run_until_drained
from streamer.metrics import Metrics
from streamer.ports import Clock, LiveSource, Sink, SnapshotStore
from streamer.retry import Retry
from streamer.service.keeper import DECISIONS, SERVICE, SOURCE, KeeperSettings, ServiceState
from streamer.service.loop import Service
from streamer.service.reporter import Reporter
from streamer.watchdog import Watchdog

_OBSERVE_SECONDS: Final = 1.0
# Sinks that keep documents, and so those on the service itself; others tell people.
_KEEPING: Final = ("sqlite", "opensearch")
_log = structlog.get_logger()


async def run(
    config: Config, *, clock: Clock | None = None, on_ready: Callable[[str], None] = lambda url: None
) -> None:
    """Run the service until a signal, then drain.

    Parameters
    ----------
    config : Config
        Names a stream and a place for the state.
    clock : Clock, optional
        Instead of the system's.
    on_ready : callable
        Told the address of ``/metrics`` once everything is open.

    Raises
    ------
    ConfigError
        Something the service needs is not configured, or can't be read.
    StateInUse, StateError
        The state is another process's, or can't be used.
    TimeoutError
        The drain took longer than its deadline.
    ExceptionGroup
        A part could not go on.
    """
    clock = clock if clock is not None else SystemClock()
    _check(config)
    baselines = baselines_of(config)
    settings = config.engine_settings()
    async with AsyncExitStack() as open_parts:
        aws = await open_parts.enter_async_context(Aws(aws_config(config)))
        store = await _store(config, aws, clock)
        open_parts.push_async_callback(store.close)
        sinks = await _sinks(config, aws, clock, open_parts)
        names = [sink.name for sink in sinks]
        registry = CollectorRegistry()
        metrics = Metrics(
            registry, version=version("streamer"), sinks=names, endpoints=[e.name for e in settings.endpoints]
        )
        source = await _source(config, aws, clock, metrics)
        decisions = _decisions(config)
        # Another task may be draining still, and S3 may be slow to answer: a start waits a while.
        patient = Retry(asyncio.Event(), clock, Random())
        epoch = await patient.run(store.acquire, within_seconds=60.0)
        loaded = await patient.run(store.load, within_seconds=60.0)
        engine, outbox = restored(loaded, settings, baselines, source, names, config.service.outbox)
        # What is restored stays: with a thousand endpoints a look at all of it holds the loop for 150 ms.
        gc.collect()
        gc.freeze()
        if decisions is not None and loaded is not None and DECISIONS in loaded.chunks:
            decisions.restore(loaded.chunks[DECISIONS])
        metrics.resume(engine.totals)
        keeping = KeeperSettings(interval_seconds=config.state.interval, size_bytes=config.state.size)
        service = Service(engine, source, outbox, sinks, store, clock, Random(), metrics, keeping, decisions=decisions)
        reporter = Reporter(platform.node(), service, source, outbox, _KEEPING, clock)
        watchdog = Watchdog(
            clock,
            limit_seconds=config.service.stalled,
            on_lag=metrics.note_loop_lag,
            on_change=metrics.note_stalled,
        )

        def readiness() -> Mapping[str, Sequence[str]]:
            return {**service.troubles(), "loop": watchdog.troubles()}

        async def observe() -> None:
            while True:
                metrics.note_engine(engine)
                metrics.note_lag({str(shard): seconds for shard, seconds in source.lag().items()})
                metrics.note_outbox(outbox.size_bytes, config.service.outbox)
                metrics.note_troubles(readiness())
                await asyncio.sleep(_OBSERVE_SECONDS)

        server = HttpServer(registry, readiness, host=config.http.host, port=config.http.port)
        await open_parts.enter_async_context(server)
        open_parts.enter_context(watchdog.watching())
        _log.info("started", epoch=epoch, snapshot=loaded.number if loaded is not None else 0, metrics=server.url)
        on_ready(server.url)
        await run_until_drained(
            [service.run],
            [watchdog.run, observe, reporter.run],
            drain_seconds=config.service.drain,
            on_drain=lambda: _log.info("draining", seconds=config.service.drain),
        )
        _log.info("drained", snapshot=service.keeper.number)


def _check(config: Config) -> None:
    problems = []
    if config.source.kinesis.stream is None:
        problems.append("source.kinesis.stream: the service needs a stream to read")
    if config.state.directory is None and config.state.s3 is None:
        problems.append("state: the service needs a place for its state; set state.directory or state.s3")
    if problems:
        raise ConfigError("\n".join(problems))


async def _store(config: Config, aws: Aws, clock: Clock) -> SnapshotStore:
    code = version("streamer")
    if config.state.directory is not None:
        from streamer.adapters.state_directory import DirectorySnapshotStore

        return DirectorySnapshotStore(config.path_of(config.state.directory), code=code)
    from streamer.adapters.state_s3 import S3SnapshotStore

    bucket, _, prefix = (config.state.s3 or "").removeprefix("s3://").partition("/")
    return S3SnapshotStore(await aws.client("s3"), bucket=bucket, prefix=prefix, now=clock.now, code=code)


async def _sinks(config: Config, aws: Aws, clock: Clock, open_parts: AsyncExitStack) -> list[Sink]:
    sinks: list[Sink] = []
    for opener in openers_of(config).values():
        sink = await opener(config, aws, clock)
        open_parts.push_async_callback(sink.close)
        sinks.append(sink)
    return sinks


async def _source(config: Config, aws: Aws, clock: Clock, metrics: Metrics) -> LiveSource:
    from streamer.adapters.kinesis import KinesisSettings, KinesisSource, install

    kinesis = config.source.kinesis
    client = await aws.client("kinesis", connections=50)
    install(client)
    start: Literal["latest", "trim_horizon"] | int
    match kinesis.start:
        case "latest" | "trim_horizon" as start:
            pass
        case text:
            start = parse_instant(text)
    settings = KinesisSettings(stream=kinesis.stream or "", start=start, in_flight_bytes=kinesis.memory)
    return KinesisSource(client, settings, clock, Random(), on_retry=metrics.note_source_retry)


def _decisions(config: Config) -> DecisionsFile | None:
    """Operators' decisions lie in the state's directory; on S3 there is no place for them yet."""
    if config.state.directory is None:
        return None
    return DecisionsFile(config.path_of(config.state.directory) / DECISIONS_FILE, read_baseline)


def restored(
    loaded: Loaded | None,
    settings: EngineSettings,
    baselines: Mapping[tuple[str, str], Baseline],
    source: LiveSource,
    sinks: Sequence[str],
    outbox_bytes: int,
) -> tuple[Engine, Outbox]:
    """Engine and outbox as the last snapshot has them; the source reads on from it."""
    if loaded is None:
        return Engine(settings, baselines), Outbox(sinks, outbox_bytes)
    for reason in loaded.fell_back:
        _log.error("a newer snapshot can't be used", reason=reason, used=loaded.number)
    for chunk in (SOURCE, SERVICE):
        if chunk not in loaded.chunks:
            raise StateError(f"the state lacks the chunk {chunk!r}")
    source.restore(loaded.chunks[SOURCE])
    try:
        own = msgspec.json.decode(loaded.chunks[SERVICE], type=ServiceState)
    except msgspec.MsgspecError as error:
        raise StateError(f"the state's chunk {SERVICE!r} can't be read") from error
    engine = Engine.restore(settings, baselines, loaded.chunks)
    for name, endpoint in engine.endpoints.items():
        for words in endpoint.restarted:
            _log.warning("configuration changed", endpoint=name, effect=words)
    return engine, Outbox.restore(sinks, loaded.chunks, own.next_segment, outbox_bytes)
