"""The index as the service starts with it."""

from pathlib import Path

import pytest

from streamer.adapters.aws import AccessKeys, Aws, AwsConfig
from streamer.app.index import server_of, sink_of
from streamer.config.load import parse
from streamer.core.errors import ConfigError, SinkError
from streamer.core.index.families import Family
from streamer.testing.memory import ManualClock
from streamer.testing.opensearch import StubOpenSearch
from tests.contract.documents import feature
from tests.opensearch.place import Place
from tests.strategies import NOW

KEYS = AccessKeys(access_key="AKIDEXAMPLE", secret_key="secret")


async def test_the_start_is_refused_where_the_templates_are_missing(stub: StubOpenSearch) -> None:
    config = parse(f'[index.opensearch]\nurl = "{stub.url}"', {})
    async with Aws(AwsConfig(keys=KEYS)) as aws:
        with pytest.raises(SinkError, match="streamer index install"):
            await sink_of(config, aws, ManualClock(NOW))


async def test_what_is_configured_is_what_is_written_with(stub: StubOpenSearch) -> None:
    with Place(stub.url) as place:
        text = (
            f'[index.opensearch]\nurl = "{stub.url}/"\nprefix = "{place.shelf.prefix}"\npartition = "month"\naws = "es"'
        )
        config = parse(text, {})
        async with Aws(AwsConfig(keys=KEYS, region="eu-west-1")) as aws:
            sink = await sink_of(config, aws, ManualClock(NOW))
            await sink.deliver([feature()])
            await sink.close()
        assert place.indices() == [f"{place.shelf.prefix}-features-2026.01"]
        assert set(place.of(Family.FEATURES)) == {"f"}
    bulk = next(seen for seen in stub.seen if seen.path.endswith("_bulk"))
    assert "/eu-west-1/es/aws4_request" in bulk.headers["Authorization"]


async def test_without_a_region_nothing_can_be_signed(
    stub: StubOpenSearch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for variable in ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    config = parse(f'[index.opensearch]\nurl = "{stub.url}"\naws = "es"', {})
    async with Aws(AwsConfig(keys=KEYS)) as aws:
        with pytest.raises(ConfigError, match=r"aws\.region"):
            await server_of(config, aws)
