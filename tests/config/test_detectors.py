"""Named detectors in the configuration."""

import pytest

from streamer.config.effective import effective
from streamer.config.load import parse
from streamer.core.detectors.kinds import KINDS
from streamer.core.errors import ConfigError

HEAD = '[[endpoint]]\nname = "e"\n'


def detectors(*tables: str) -> str:
    return HEAD + "".join(f"[[endpoint.detector]]\n{table}\n" for table in tables)


def test_what_is_written_is_what_the_core_gets_and_reads_back() -> None:
    text = detectors('kind = "adwin"\nfeature = "x"\ndelta = 0.01', 'kind = "half_space_trees"\nname = "odd rows"')
    config = parse(text, {})
    adwin, trees = config.engine_settings().endpoints[0].detectors
    assert (adwin.name, adwin.feature, adwin.watches, adwin.parameters) == ("adwin:x", "x", "mean", {"delta": 0.01})
    assert (trees.name, trees.watches, trees.parameters) == ("odd rows", "rows", {})
    assert parse(effective(config), {}) == config


def test_there_is_none_unless_it_is_written() -> None:
    assert parse(HEAD, {}).engine_settings().endpoints[0].detectors == ()


@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter_of_every_kind_can_be_written(kind: str) -> None:
    written = [f"{name} = {str(p.default).lower()}" for name, p in KINDS[kind].parameters.items() if name != "mode"]
    feature = "" if kind == "half_space_trees" else 'feature = "x"\n'
    (found,) = (
        parse(detectors(f'kind = "{kind}"\n{feature}' + "\n".join(written)), {})
        .engine_settings()
        .endpoints[0]
        .detectors
    )
    assert len(found.parameters) == len(written)


ADWIN = 'kind = "adwin"\nfeature = "x"'


@pytest.mark.parametrize(
    ("tables", "expected"),
    [
        pytest.param(['kind = "adwim"'], ":4: endpoint[0].detector[0].kind: expected", id="no such kind"),
        pytest.param([f"{ADWIN}\ndelto = 1"], 'did you mean "delta"', id="a typo"),
        pytest.param([f"{ADWIN}\ndelta = 2"], "delta: expected more than 0 and less than 1, found 2.0", id="a range"),
        pytest.param([f'{ADWIN}\nclock = "a"'], "clock: expected a whole number", id="a wrong type"),
        pytest.param([f'{ADWIN}\nmode = "up"'], "mode: no parameter of adwin", id="another kind's"),
        pytest.param(['kind = "adwin"'], "feature: missing; adwin watches one feature", id="no feature"),
        pytest.param(['kind = "half_space_trees"\nfeature = "x"'], "feature: half_space_trees watch", id="of rows"),
        pytest.param([f'{ADWIN}\nname = "psi"'], 'name: "psi" is the name of a rule', id="a rule's name"),
        pytest.param([ADWIN] * 2, "detector[1].name: another detector is called", id="a name twice"),
    ],
)
def test_a_mistake_is_told_with_its_place(tables: list[str], expected: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse(detectors(*tables), {})
    assert expected in str(raised.value)
    assert "without a unit" not in str(raised.value)
