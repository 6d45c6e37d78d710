"""The first configuration."""

import tomllib

import jsonschema
import pytest

from streamer.config.load import parse
from streamer.config.model import Config
from streamer.config.template import template


def test_it_loads_as_it_is() -> None:
    config = parse(template("churn", "baselines/churn"), {})
    assert [(e.name, e.baseline) for e in config.endpoints] == [("churn", "baselines/churn")]


def test_without_a_baseline_it_learns_one() -> None:
    assert parse(template("churn", None), {}).endpoints[0].baseline is None


def test_its_comments_load_when_they_are_uncommented() -> None:
    prose, _, rest = template("churn", None).partition("\n\n")
    assert all(line.startswith("# ") for line in prose.splitlines())
    config = parse(rest.replace("\n# ", "\n"), {})
    endpoint = config.endpoints[0]
    assert (endpoint.baseline, endpoint.time_zone, endpoint.rules.psi) == ("baselines/churn", "Europe/Paris", 0.2)
    assert (endpoint.alerts.hold, endpoint.versions[0].id, config.index.retention_days) == (600, "2", 90)


def test_a_quote_in_a_path_is_escaped() -> None:
    assert parse(template("churn", 'a"b'), {}).endpoints[0].baseline == 'a"b'


@pytest.mark.parametrize("uncommented", [False, True])
def test_it_satisfies_the_published_schema(uncommented: bool) -> None:
    text = template("churn", None)
    document = tomllib.loads(text.partition("\n\n")[2].replace("\n# ", "\n") if uncommented else text)
    for endpoint in document["endpoint"]:
        for version in endpoint.get("version", []):
            version["from"] = version["from"].isoformat()
    jsonschema.validate(document, Config.model_json_schema())
