"""The sinks a configuration asks for."""

from pathlib import Path
from typing import cast

import pytest

from streamer.adapters.aws import Aws
from streamer.adapters.clock import SystemClock
from streamer.app.sinks import openers_of
from streamer.config.load import load


class NoAws:
    """Gives something for a client, which nobody calls."""

    async def client(self, name: str, *, region: str | None = None) -> object:
        return object()


SQLITE = '[index]\nsqlite = "x.sqlite"\n'
SNS = '[alerts.sns]\ntopic_arn = "arn:aws:sns:us-east-1:123456789012:t"\n'
ALERTS = '[alerts.eventbridge]\nbus = "alerts"\n'
REQUESTS = '[retraining.eventbridge]\nbus = "{}"\nafter = "7 d"\n'


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", []),
        (SQLITE + SNS, ["sqlite", "sns"]),
        (ALERTS, ["eventbridge"]),
        (ALERTS + REQUESTS.format("alerts"), ["eventbridge"]),
        (ALERTS + REQUESTS.format("requests"), ["eventbridge", "eventbridge-retraining"]),
        (REQUESTS.format("requests"), ["eventbridge-retraining"]),
    ],
)
async def test_each_is_known_by_the_name_it_has_when_it_is_open(tmp_path: Path, text: str, names: list[str]) -> None:
    (tmp_path / "s.toml").write_text('[[endpoint]]\nname = "e"\n[aws]\nregion = "us-east-1"\n' + text)
    config = load(tmp_path / "s.toml", {})
    openers = openers_of(config)
    assert list(openers) == names
    for name, opener in openers.items():
        sink = await opener(config, cast(Aws, NoAws()), SystemClock())
        assert sink.name == name
        if name == "sqlite":
            await sink.close()


def test_a_server_of_opensearch_is_a_sink(tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text('[[endpoint]]\nname = "e"\n[index.opensearch]\nurl = "http://127.0.0.1:9200"\n')
    assert list(openers_of(load(tmp_path / "s.toml", {}))) == ["opensearch"]
