"""How AWS is reached, as the configuration has it."""

from streamer.adapters.aws import AwsConfig
from streamer.config.model import Config


def aws_config(config: Config) -> AwsConfig:
    """How AWS is reached."""
    addresses = {
        "kinesis": config.source.kinesis.endpoint_url,
        "s3": config.state.endpoint_url,
        "sns": config.alerts.sns.endpoint_url,
        "events": config.alerts.eventbridge.endpoint_url or config.retraining.eventbridge.endpoint_url,
    }
    return AwsConfig(
        region=config.aws.region,
        profile=config.aws.profile,
        role_arn=config.aws.role_arn,
        external_id=config.aws.external_id,
        endpoint_urls={service: url for service, url in addresses.items() if url is not None},
    )
