from pathlib import Path
from typing import Any

import msgspec
import pytest

from streamer.adapters.aws import AccessKeys, AssumedRole, Aws, AwsConfig
from streamer.core.errors import ConfigError, Denied
from streamer.core.eventtime import as_datetime
from tests.aws.conftest import REGION

ROLE = "arn:aws:iam::123456789012:role/streamer"


async def test_a_client_is_made_once(aws: Aws) -> None:
    assert await aws.client("sns") is await aws.client("sns")


async def test_a_region_has_a_client_of_its_own(aws: Aws) -> None:
    one, other = await aws.client("sns"), await aws.client("sns", region="us-east-1")
    assert (one.meta.region_name, other.meta.region_name) == (REGION, "us-east-1")


async def test_the_sdk_makes_one_attempt(aws: Aws) -> None:
    client = await aws.client("sns")
    assert client.meta.config.retries["total_max_attempts"] == 1


async def test_calls_are_made_in_the_role(aws_config: AwsConfig) -> None:
    async with Aws(msgspec.structs.replace(aws_config, role_arn=ROLE)) as aws:
        identity = await (await aws.client("sts")).get_caller_identity()
    assert identity["Arn"] == "arn:aws:sts::123456789012:assumed-role/streamer/streamer"


class Sts:
    """Gives out credentials, and notes for whom."""

    def __init__(self, *until_at: int) -> None:
        self._until_at = list(until_at)
        self.asked: list[dict[str, Any]] = []

    async def assume_role(self, **parameters: Any) -> dict[str, Any]:
        self.asked.append(parameters)
        number = len(self.asked)
        until = as_datetime(self._until_at.pop(0))
        given = {"AccessKeyId": f"key-{number}", "SecretAccessKey": "s", "SessionToken": "t", "Expiration": until}
        return {"Credentials": given}


FAR_AHEAD = 32_503_680_000_000


async def test_a_role_is_assumed_with_its_external_id() -> None:
    sts = Sts(FAR_AHEAD)
    credentials = await AssumedRole(sts, AwsConfig(role_arn=ROLE, external_id="e")).load_credentials()
    await credentials.get_frozen_credentials()
    assert sts.asked == [{"RoleArn": ROLE, "RoleSessionName": "streamer", "ExternalId": "e"}]


async def test_a_roles_credentials_are_kept_while_they_last() -> None:
    sts = Sts(FAR_AHEAD)
    credentials = await AssumedRole(sts, AwsConfig(role_arn=ROLE)).load_credentials()
    for _ in range(3):
        assert (await credentials.get_frozen_credentials()).access_key == "key-1"


async def test_no_role_is_assumed_before_there_is_a_call() -> None:
    sts = Sts()
    await AssumedRole(sts, AwsConfig(role_arn=ROLE)).load_credentials()
    assert sts.asked == []


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (AwsConfig(profile="none-such", region=REGION), "none-such"),
        (AwsConfig(region="not a region"), "region"),
        (AwsConfig(region=REGION, endpoint_urls={"sns": "no address"}), "no address"),
    ],
)
async def test_what_cant_be_a_client_is_a_mistake_of_the_configuration(
    config: AwsConfig, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    keys = AccessKeys(access_key="k", secret_key="s")
    async with Aws(msgspec.structs.replace(config, keys=keys)) as aws:
        with pytest.raises(ConfigError, match=expected):
            await aws.client("sns")


async def test_a_profile_of_the_shared_files_is_used(
    moto_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text("[profile watch]\nregion = us-west-2\n")
    (tmp_path / "credentials").write_text("[watch]\naws_access_key_id = k\naws_secret_access_key = s\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    async with Aws(AwsConfig(profile="watch", endpoint_urls={"sns": moto_url})) as aws:
        client = await aws.client("sns")
        assert client.meta.region_name == "us-west-2"
        assert (await client.list_topics())["ResponseMetadata"]["HTTPStatusCode"] == 200


async def test_half_of_a_pair_of_keys_is_no_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "credentials").write_text("[watch]\naws_access_key_id = k\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    async with Aws(AwsConfig(profile="watch", region=REGION)) as aws:
        with pytest.raises(Denied, match="PartialCredentialsError"):
            await aws.client("sns")


async def test_keys_never_show() -> None:
    config = AwsConfig(keys=AccessKeys(access_key="AKIA", secret_key="hidden", session_token="hidden"))
    assert "hidden" not in repr(config)
    assert config.keys is not None
    assert list(config.keys.__rich_repr__()) == []
