"""The configuration as data: one frozen model per table of the TOML file.

Every key has a description, from which the README's table is made, and a default, unless it is
required on purpose. Rules that span several keys are in ``checks.py``.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from pydantic import BeforeValidator, Field, PrivateAttr, WithJsonSchema

from streamer.config.detectors import DetectorConfig
from streamer.config.forms import Budget, Duration, Instant, Share, Size
from streamer.config.parts import (
    AlertSinksConfig,
    AwsConfig,
    HttpConfig,
    KinesisConfig,
    OpenSearchConfig,
    RetrainingConfig,
    ServiceConfig,
    StateConfig,
    Table,
)
from streamer.config.places import KeyPath, path_text
from streamer.core.settings import (
    DEFAULT_TOLERANCE,
    AlertSpans,
    EndpointSettings,
    EngineSettings,
    Limits,
    RetrainingSettings,
    Rules,
    Spans,
    Tolerance,
    VersionSettings,
)

# Bounds of whole numbers where a larger one can only be a slip: it would switch the rule off in silence.
_MANY = 1_000_000_000


def _off(value: object) -> object:
    return None if value is False else value


# ``false`` switches a threshold off for an endpoint where ``[defaults]`` sets it.
_NumberOrOff = Annotated[
    float | None, BeforeValidator(_off), WithJsonSchema({"anyOf": [{"type": "number"}, {"const": False}]})
]
_BudgetOrOff = Annotated[
    Budget | None, BeforeValidator(_off), WithJsonSchema({"anyOf": [{"type": "string"}, {"const": False}]})
]
_ShareOrOff = Annotated[
    Share | None, BeforeValidator(_off), WithJsonSchema({"anyOf": [{"type": ["string", "number"]}, {"const": False}]})
]
# Thresholds that are off unless they are set.
_size = partial(Field, default=None, gt=0, le=_MANY, allow_inf_nan=False)
_share = partial(Field, default=None, gt=0, le=1)


class RulesConfig(Table):
    """Rules on closed windows."""

    missing: bool = Field(default=True, description="Alert when a feature's missing share rises")
    missing_points: Share = Field(default=0.05, gt=0, le=1, description="Least rise of a missing share worth an alert")
    wild: bool = Field(default=True, description="Alert on values far outside the baseline's range")
    wild_rows: int = Field(default=5, ge=1, le=_MANY, description="Least number of such values in a window")
    volume: bool = Field(
        default=True, description="Alert when traffic differs from the past weeks at this weekday and hour"
    )
    volume_change: Share = Field(
        default=0.1, gt=0, le=100, description="Least relative change of traffic worth an alert"
    )
    volume_deviations: float = Field(
        default=5.0,
        gt=0,
        le=100,
        allow_inf_nan=False,
        description="Robust deviations from the past weeks that are significant",
    )
    unreadable: bool = Field(default=True, description="Alert when too many records can't be read")
    unreadable_share: Share = Field(default=0.05, gt=0, le=1, description="Share of unreadable records worth an alert")
    silence: bool = Field(default=True, description="Alert when records stop where some are expected")
    silence_windows: int = Field(default=3, ge=1, le=10_000, description="Empty windows before silence is an alert")
    psi: _NumberOrOff = _size(le=1_000, description="Threshold on PSI, its noise taken off")
    ks: _ShareOrOff = _share(description="Threshold on the Kolmogorov-Smirnov distance")
    js: _ShareOrOff = _share(description="Threshold on the Jensen-Shannon distance, its noise taken off")
    wasserstein: _NumberOrOff = _size(description="Threshold on the Wasserstein distance, in baseline deviations")
    hellinger: _ShareOrOff = _share(description="Threshold on the Hellinger distance, its noise taken off")
    chi_square: _NumberOrOff = _size(
        description="Threshold on the chi-square per degree of freedom: 1 by chance; it grows with the rows"
    )
    l_infinity_simple: _ShareOrOff = _share(description="Threshold on Model Monitor's Simple distance")
    l_infinity_robust: _ShareOrOff = _share(description="Threshold on Model Monitor's Robust distance")
    mean_shift: _NumberOrOff = _size(description="Threshold on the mean's shift, in baseline deviations")
    unseen_share: _ShareOrOff = _share(description="Threshold on the share of unseen categories")
    outside_share: _ShareOrOff = _share(description="Threshold on the share of values outside the baseline's range")
    minimum_rows: int = Field(default=100, ge=1, le=_MANY, description="Fewer rows in a window are insufficient data")
    significant_deviations: float = Field(
        default=5.0,
        ge=1,
        le=100,
        allow_inf_nan=False,
        description="Deviations beyond its own noise that are significant",
    )

    def rules(self, *, baseline_is_traffic: bool) -> Rules:
        """As the core takes them."""
        return Rules(**self.model_dump(), baseline_is_traffic=baseline_is_traffic)


class AlertsConfig(Table):
    """The three durations that stop flapping, in event time."""

    hold: Duration = Field(default=0, ge=0, description="A rule must stay broken this long before its alert fires")
    keep_firing: Duration = Field(
        default=900, ge=0, description="An alert is resolved when its rule has held this long"
    )
    repeat: Duration = Field(default=86_400, ge=0, description="A firing alert is told again after this long; 0 never")


class WatchConfig(Table):
    """How an endpoint is watched; the defaults of all endpoints, and how unknown ones are watched."""

    pane: Duration = Field(default=10, ge=1, le=86_400, description="Length of a pane; divides the window")
    window: Duration = Field(default=300, ge=1, le=604_800, description="Length of a window; 7 days at most")
    offset: Duration = Field(
        default=0,
        ge=0,
        le=604_800,
        description="Windows start at multiples of their length from 1970 UTC, shifted by this",
    )
    lateness: Duration = Field(
        default=60,
        ge=0,
        le=604_800,
        description="A late record still revises its window this long after its pane's end",
    )
    time_zone: str = Field(default="UTC", description="Where the users live: hours and weekdays are told in it")
    json_path: str = Field(
        default="",
        max_length=1_000,
        description="Dotted path to the rows in a JSON payload; found by itself when empty",
    )
    false_alarms: _BudgetOrOff = Field(
        default=None,
        description='False alarms of drift that are borne, such as "1 per month"; without it drift is not looked for',
    )
    tolerated_deviations: float = Field(
        default=DEFAULT_TOLERANCE.deviations,
        ge=0,
        le=100,
        allow_inf_nan=False,
        description="A smaller shift of a mean, in baseline deviations, is no drift worth an alert, however sure",
    )
    tolerated_points: Share = Field(
        default=DEFAULT_TOLERANCE.points,
        ge=0,
        le=1,
        description="A smaller change of a category's or the missing values' share is no drift worth an alert",
    )
    burn_in_rows: int = Field(
        default=2_000, ge=100, le=1_000_000, description="Rows from which a baseline is learned where none is given"
    )
    baseline_is_traffic: bool = Field(
        default=False, description="The baseline's rows are all of the traffic, so its volume is known from the start"
    )
    rules: RulesConfig = Field(default=RulesConfig(), description="Rules on closed windows")
    alerts: AlertsConfig = Field(default=AlertsConfig(), description="The durations that stop flapping")

    def spans(self) -> Spans:
        """As the core takes them."""
        return Spans(pane=self.pane, window=self.window, offset=self.offset, lateness=self.lateness)

    def settings(
        self, name: str, retraining: RetrainingSettings, versions: tuple[VersionSettings, ...] = ()
    ) -> EndpointSettings:
        """As the core takes them, for an endpoint of this name."""
        return EndpointSettings(
            name=name,
            retraining=retraining,
            spans=self.spans(),
            rules=self.rules.rules(baseline_is_traffic=self.baseline_is_traffic),
            alerts=AlertSpans(**self.alerts.model_dump()),
            burn_in_rows=self.burn_in_rows,
            false_alarm_seconds=self.false_alarms,
            tolerance=Tolerance(deviations=self.tolerated_deviations, points=self.tolerated_points),
            json_path=self.json_path,
            time_zone=self.time_zone,
            versions=versions,
        )


class VersionConfig(Table):
    """A model version that is served from a time on."""

    id: str = Field(description="The version's name; stamped on every document")
    from_at: Instant = Field(alias="from", description="When it took over, with its zone")
    baseline: str | None = Field(
        default=None, min_length=1, description="Its own baseline, a folder or a file; without one the endpoint's"
    )


class EndpointConfig(WatchConfig):
    """One endpoint; keys it does not set are those of ``[defaults]``."""

    name: str = Field(description="The endpoint's name as SageMaker knows it")
    baseline: str | None = Field(
        default=None, min_length=1, description="A folder or a file; without one it is learned from the first traffic"
    )
    versions: Annotated[tuple[VersionConfig, ...], Field(strict=False)] = Field(
        default=(),
        alias="version",
        description="Model versions by the time they took over; one a record names itself wins",
    )
    detectors: Annotated[tuple[DetectorConfig, ...], Field(strict=False)] = Field(
        default=(), alias="detector", description="Named detectors; none unless written"
    )

    def under(self, defaults: WatchConfig) -> "EndpointConfig":
        """The same endpoint with the settings of some defaults where it says nothing else."""
        values: dict[str, object] = {name: getattr(defaults, name) for name in WatchConfig.model_fields}
        own = {name: getattr(self, name) for name in self.model_fields_set}
        rules = defaults.rules.model_copy(update=self.rules.model_dump(include=self.rules.model_fields_set))
        alerts = defaults.alerts.model_copy(update=self.alerts.model_dump(include=self.alerts.model_fields_set))
        return self.model_copy(update={**values, **own, "rules": rules, "alerts": alerts})

    def endpoint_settings(self, retraining: RetrainingSettings) -> EndpointSettings:
        """As the core takes them."""
        versions = tuple(VersionSettings(id=v.id, from_at=v.from_at) for v in self.versions)
        settings = self.settings(self.name, retraining, versions)
        return msgspec.structs.replace(settings, detectors=tuple(d.settings() for d in self.detectors))


class LimitsConfig(Table):
    """Bounds on hostile records; beyond one, a record is refused with its reason."""

    record_size: Size = Field(
        default=1_048_576, ge=1_024, le=67_108_864, description="One record as it stands in the source"
    )
    payload_size: Size = Field(
        default=6_291_456, ge=1_024, le=67_108_864, description="One side's payload, BASE64 undone"
    )
    rows: int = Field(default=10_000, ge=1, le=1_000_000, description="Rows in one record")
    depth: int = Field(default=64, ge=1, le=200, description="Nesting of a JSON payload")
    features: int = Field(default=2_000, ge=1, le=100_000, description="Columns in one row")
    text_characters: int = Field(
        default=65_536, ge=256, le=1_048_576, description="Longer texts are cut before they are measured"
    )
    future: Duration = Field(
        default=300, ge=0, le=86_400, description="Event times further ahead of the clock are refused"
    )

    def limits(self) -> Limits:
        """As the core takes them."""
        return Limits(
            record_bytes=self.record_size,
            payload_bytes=self.payload_size,
            rows=self.rows,
            depth=self.depth,
            features=self.features,
            text_characters=self.text_characters,
            future_seconds=self.future,
        )


class SourceConfig(Table):
    """How records are taken in, whatever they come from."""

    kinesis: KinesisConfig = Field(default=KinesisConfig(), description="A Kinesis stream to read")
    out_of_orderness: Duration = Field(
        default=5, ge=0, le=86_400, description="A record this far behind its shard's newest is still on time"
    )
    idle: Duration = Field(
        default=30, ge=1, le=86_400, description="A shard quiet this long stops holding the others back"
    )
    endpoint: str = Field(
        default="", description="Endpoint of records that name none; the only configured one when empty"
    )
    variant: str = Field(default="", description="Variant of records that name none; AllTraffic when empty")
    unknown_endpoints: Literal["learn", "ignore"] = Field(
        default="learn", description="Endpoints not configured are learned from their traffic, or counted and ignored"
    )
    max_endpoints: int = Field(
        default=1_000,
        ge=1,
        le=100_000,
        description="Endpoints watched at most, with room kept for the configured ones; more are ignored",
    )
    max_tracks: int = Field(
        default=64, ge=1, le=10_000, description="Variants and versions of one endpoint watched at most"
    )


class IndexConfig(Table):
    """Where documents are kept."""

    sqlite: str | None = Field(
        default=None, min_length=1, description="SQLite file of the embedded index; none when left out"
    )
    retention: Duration | None = Field(
        default=None,
        ge=86_400,
        description="Documents this much older than the newest are deleted; never when left out",
    )
    opensearch: OpenSearchConfig = Field(
        default=OpenSearchConfig(), description="The index on an OpenSearch server; beside SQLite, or instead of it"
    )

    @property
    def retention_days(self) -> int | None:
        """Whole days, as the index takes them."""
        return None if self.retention is None else self.retention // 86_400


class Config(Table):
    """The whole configuration, checked.

    ``endpoints`` hold the settings of ``[defaults]`` where they say nothing else. Paths are relative
    to the configuration's folder: ``path_of`` resolves them.
    """

    source: SourceConfig = Field(default=SourceConfig(), description="How records are taken in")
    limits: LimitsConfig = Field(default=LimitsConfig(), description="Bounds on hostile records")
    index: IndexConfig = Field(default=IndexConfig(), description="Where documents are kept")
    alerts: AlertSinksConfig = Field(default=AlertSinksConfig(), description="Where alerts go")
    retraining: RetrainingConfig = Field(default=RetrainingConfig(), description="Where retraining requests go")
    state: StateConfig = Field(default=StateConfig(), description="Where snapshots are kept")
    aws: AwsConfig = Field(default=AwsConfig(), description="How AWS is reached")
    http: HttpConfig = Field(default=HttpConfig(), description="The server of /metrics, /healthz and /readyz")
    service: ServiceConfig = Field(default=ServiceConfig(), description="How the service runs and stops")
    defaults: WatchConfig = Field(
        default=WatchConfig(),
        description="An endpoint's keys but name, baseline, version: for those that say nothing else",
    )
    endpoints: Annotated[tuple[EndpointConfig, ...], Field(strict=False)] = Field(
        default=(), alias="endpoint", description="An endpoint to watch"
    )
    _folder: Path = PrivateAttr(default=Path())
    _where: Callable[[KeyPath], str] | None = PrivateAttr(default=None)

    def merged(self) -> "Config":
        """The same configuration, its endpoints with the settings of ``[defaults]``."""
        return self.model_copy(update={"endpoints": tuple(e.under(self.defaults) for e in self.endpoints)})

    def placed(self, folder: Path, where: Callable[[KeyPath], str] | None = None) -> "Config":
        """The same configuration, its paths relative to a folder, and what tells where a key stands."""
        config = self.model_copy()
        config._folder, config._where = folder, where
        return config

    def place_of(self, path: KeyPath) -> str:
        """Where a key stands, as errors begin: file, line and key, or its variable."""
        return path_text(path) if self._where is None else self._where(path)

    def path_of(self, text: str) -> Path:
        """A path as the configuration writes it, resolved against the configuration's folder."""
        return self._folder / Path(text).expanduser()

    def engine_settings(self) -> EngineSettings:
        """As the core takes them."""
        retraining = self.retraining.settings()
        return EngineSettings(
            limits=self.limits.limits(),
            out_of_orderness_seconds=self.source.out_of_orderness,
            idle_seconds=self.source.idle,
            learn_unknown=self.source.unknown_endpoints == "learn",
            max_endpoints=self.source.max_endpoints,
            max_tracks=self.source.max_tracks,
            endpoint=self.source.endpoint,
            variant=self.source.variant,
            endpoints=tuple(e.endpoint_settings(retraining) for e in self.endpoints),
            unknown=self.defaults.settings("", retraining),
        )
