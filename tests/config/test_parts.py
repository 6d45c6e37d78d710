"""The configuration of the running service."""

import pytest

from streamer.config.effective import effective
from streamer.config.load import parse
from streamer.core.errors import ConfigError
from streamer.core.settings import RetrainingSettings

SERVICE = """
[source.kinesis]
stream = "inference-captures"
start = "2026-11-01T00:00:00Z"
endpoint_url = "http://127.0.0.1:4567"

[[endpoint]]
name = "flight-delay"

[alerts.sns]
topic_arn = "arn:aws:sns:eu-west-1:123456789012:model-alerts"

[retraining.eventbridge]
bus = "default"
cool_down = "7d"

[index]
sqlite = "var/streamer.sqlite"

[state]
s3 = "s3://bucket/prefix"
interval = "20 s"

[aws]
region = "eu-west-1"
role_arn = "arn:aws:iam::123456789012:role/streamer"
external_id = "x"

[http]
port = 0

[service]
drain = "1 min"
outbox = "64 MiB"
"""


def test_a_first_configuration_of_the_service_is_read() -> None:
    config = parse(SERVICE, {}, "streamer.toml")
    assert config.source.kinesis.stream == "inference-captures"
    assert config.alerts.sns.topic_arn == "arn:aws:sns:eu-west-1:123456789012:model-alerts"
    assert (config.state.s3, config.state.interval, config.service.outbox) == ("s3://bucket/prefix", 20, 67_108_864)
    week = RetrainingSettings(after=604_800, every=None, cool_down=604_800)
    assert config.engine_settings().endpoints[0].retraining == week


def test_without_a_bus_nothing_asks_for_retraining() -> None:
    assert parse("", {}, "x").engine_settings().unknown.retraining == RetrainingSettings()


def test_the_effective_configuration_reads_back_as_the_same() -> None:
    config = parse(SERVICE, {}, "streamer.toml")
    assert parse(effective(config), {}, "x") == config


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[source.kinesis]\nstart = "earliest"', 'source.kinesis.start: expected "latest", "trim_horizon" or a time'),
        ('[state]\ndirectory = "var"\ns3 = "s3://bucket/x"', "state.s3: state is kept in one place"),
        ('[state]\ns3 = "bucket/x"', "state.s3"),
        ('[aws]\nexternal_id = "x"', "aws.external_id: there is no role"),
        ('[alerts.sns]\ntopic = "x"', "topic_arn"),
        ("[http]\nport = 70000", "http.port"),
        ('[state]\ninterval = "0 s"', "state.interval"),
    ],
)
def test_what_can_not_be_used_is_told_with_its_key(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse(text, {}, "streamer.toml")
    assert said in str(raised.value)
