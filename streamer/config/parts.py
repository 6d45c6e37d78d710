"""The configuration of the running service: where records come from, where effects go, where state is."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from streamer.config.forms import Duration, Size
from streamer.core.settings import RetrainingSettings


class Table(BaseModel):
    """A table of the TOML file: every key known, every value of its type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


Address = Annotated[str | None, Field(pattern=r"^https?://\S+$")]


class KinesisConfig(Table):
    """A Kinesis stream to read."""

    stream: str | None = Field(default=None, min_length=1, max_length=2_048, description="Name or ARN of the stream")
    start: str = Field(default="latest", description='Where a first start begins: "latest", "trim_horizon", or a time')
    endpoint_url: Address = Field(default=None, description="Another address of the service, as an emulator has")
    memory: Size = Field(
        default=67_108_864, ge=1_048_576, le=8_589_934_592, description="Bytes of answers in hand at most"
    )


class AwsConfig(Table):
    """How AWS is reached; what is left out is found as every AWS program finds it."""

    region: str | None = Field(default=None, min_length=1, description="Region of every service")
    profile: str | None = Field(default=None, min_length=1, description="Profile of the shared AWS configuration")
    role_arn: str | None = Field(default=None, min_length=1, description="Role to assume")
    external_id: str | None = Field(default=None, min_length=1, description="External id that the role asks for")


class StateConfig(Table):
    """Where snapshots are kept: a directory or S3."""

    directory: str | None = Field(default=None, min_length=1, description="Folder of the state")
    s3: str | None = Field(
        default=None, pattern=r"^s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/\S*)?$", description="Or s3://bucket/prefix"
    )
    endpoint_url: Address = Field(default=None, description="Another address of S3, as an emulator has")
    interval: Duration = Field(default=10, ge=1, le=3_600, description="A snapshot is due this long after the last")
    size: Size = Field(default=67_108_864, ge=1_048_576, description="Or after so many bytes read")


class SnsConfig(Table):
    """Alerts to an SNS topic."""

    topic_arn: str | None = Field(default=None, pattern=r"^arn:\S+$", description="The topic's ARN; .fifo ones, too")
    endpoint_url: Address = Field(default=None, description="Another address of the service, as an emulator has")


class EventBridgeConfig(Table):
    """Alerts to an EventBridge bus."""

    bus: str | None = Field(default=None, min_length=1, max_length=1_600, description="Name or ARN of the bus")
    endpoint_url: Address = Field(default=None, description="Another address of the service, as an emulator has")


class AlertSinksConfig(Table):
    """Where alerts go."""

    sns: SnsConfig = Field(default=SnsConfig(), description="Alerts to an SNS topic")
    eventbridge: EventBridgeConfig = Field(default=EventBridgeConfig(), description="Alerts to an EventBridge bus")


class RetrainingBusConfig(EventBridgeConfig):
    """Retraining requests to an EventBridge bus, and when there are any."""

    after: Duration = Field(default=604_800, ge=0, description="A drift that has lasted this long asks for retraining")
    every: Duration | None = Field(default=None, ge=3_600, description="A schedule: this often without any trouble")
    cool_down: Duration = Field(default=604_800, ge=0, description="After a request there is none for this long")


class RetrainingConfig(Table):
    """Where retraining requests go."""

    eventbridge: RetrainingBusConfig = Field(
        default=RetrainingBusConfig(), description="Retraining requests to an EventBridge bus"
    )

    def settings(self) -> RetrainingSettings:
        """As the core takes them: no request is made that has nowhere to go."""
        bus = self.eventbridge
        if bus.bus is None:
            return RetrainingSettings()
        return RetrainingSettings(after=bus.after, every=bus.every, cool_down=bus.cool_down)


class OpenSearchConfig(Table):
    """The index on an OpenSearch server."""

    url: str | None = Field(
        default=None,
        pattern=r"^https?://[^\s?#]+$",
        description="Address of the server, domain or collection; without user and password",
    )
    prefix: str = Field(
        default="streamer",
        pattern=r"^[a-z0-9][a-z0-9_-]{0,99}$",
        description="Begin of the names of its indices and templates",
    )
    partition: Literal["day", "month"] = Field(default="day", description="How long a stretch of time shares an index")
    username: str | None = Field(default=None, pattern=r"^[^:]+$", description="User, where the server knows passwords")
    password: SecretStr | None = Field(default=None, description="Password; better in the environment, or in a file")
    password_file: str | None = Field(default=None, min_length=1, description="File whose first line is the password")
    ca_file: str | None = Field(
        default=None, min_length=1, description="Certificates to trust instead of the system's, as PEM"
    )
    aws: Literal["es", "aoss"] | None = Field(
        default=None, description='Sign for AWS: "es" for a domain, "aoss" for a Serverless collection (SEARCH)'
    )
    timeout: Duration = Field(default=30, ge=1, le=600, description="Longest wait for an answer")


class HttpConfig(Table):
    """The server of /metrics, /healthz and /readyz."""

    host: str = Field(default="127.0.0.1", min_length=1, description="Address it listens on")
    port: int = Field(default=9_464, ge=0, le=65_535, description="Port; 0 takes a free one")


class ServiceConfig(Table):
    """How the service runs and stops."""

    drain: Duration = Field(
        default=25, ge=1, le=3_600, description="Time to publish what is decided, once told to stop"
    )
    outbox: Size = Field(
        default=268_435_456,
        ge=1_048_576,
        le=17_179_869_184,
        description="Effects that wait for sinks at most; then reading stops",
    )
    stalled: Duration = Field(default=30, ge=1, le=3_600, description="Not ready when no loop turned for this long")
