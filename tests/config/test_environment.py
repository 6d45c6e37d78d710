"""Variables that override the file."""

import pytest
from pydantic import BaseModel, SecretStr

from streamer.config.environment import overrides_in
from streamer.config.load import parse
from streamer.core.errors import ConfigError

TEXT = '[[endpoint]]\nname = "a"\n[[endpoint]]\nname = "b"\n'


def problems_in(text: str, environment: dict[str, str]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        parse(text, environment, "s.toml")
    return str(caught.value).splitlines()


def test_a_variable_overrides_the_file() -> None:
    config = parse('[index]\nsqlite = "x"\n', {"STREAMER_INDEX__SQLITE": "/data/y"})
    assert config.index.sqlite == "/data/y"


def test_a_variable_makes_a_table_that_the_file_has_not() -> None:
    assert parse("", {"STREAMER_DEFAULTS__RULES__PSI": "0.25"}).defaults.rules.psi == 0.25


def test_numbers_name_the_entries_of_a_list() -> None:
    config = parse(TEXT, {"STREAMER_ENDPOINT__1__WINDOW": "10 min"})
    assert [e.window for e in config.endpoints] == [300, 600]


def test_entries_may_follow_the_last_one() -> None:
    environment = {f"STREAMER_ENDPOINT__{i}__NAME": f"e{i}" for i in (10, 2, 3, 4, 5, 6, 7, 8, 9)}
    assert len(parse(TEXT, environment).endpoints) == 11


def test_text_stays_text_even_if_it_looks_like_a_number() -> None:
    assert parse("", {"STREAMER_ENDPOINT__0__NAME": "007"}).endpoints[0].name == "007"


@pytest.mark.parametrize(("text", "value"), [("true", True), ("false", False)])
def test_a_truth_value_is_read_as_toml(text: str, value: bool) -> None:
    assert parse("", {"STREAMER_DEFAULTS__RULES__WILD": text}).defaults.rules.wild is value


def test_a_wrong_value_names_its_variable_and_not_the_file() -> None:
    assert problems_in(TEXT, {"STREAMER_ENDPOINT__0__WINDOW": "soon"}) == [
        "STREAMER_ENDPOINT__0__WINDOW: endpoint[0].window: "
        'expected a duration such as "5 min" or a whole number of seconds, found "soon"'
    ]


@pytest.mark.parametrize(
    ("variable", "problem"),
    [
        ("STREAMER_INDEX__SQLLITE", "no such key; did you mean STREAMER_INDEX__SQLITE?"),
        ("STREAMER_INDEX_SQLITE", "no such key; did you mean STREAMER_INDEX__SQLITE?"),
        ("STREAMER_ENDPOINT__0__WINDOWS", "no such key; did you mean STREAMER_ENDPOINT__0__WINDOW?"),
        ("STREAMER_ENDPOINT__WINDOW", "no such key; did you mean STREAMER_ENDPOINT__0__WINDOW?"),
        ("STREAMER_INDEX", "no such key"),
        ("STREAMER_INDEX__SQLITE__0", "no such key; did you mean STREAMER_INDEX__SQLITE?"),
        ("STREAMER_ENDPOINT__0", "no such key"),
        ("STREAMER_QUITE_SOMETHING_ELSE", "no such key"),
        ("STREAMER_ENDPOINT__5__NAME", "there is no entry before it, or no table to put it in"),
    ],
)
def test_a_variable_that_means_nothing_is_a_mistake(variable: str, problem: str) -> None:
    (found,) = problems_in(TEXT, {variable: "x"})
    assert found.startswith(f"{variable}: {problem}")


@pytest.mark.parametrize(
    "variable",
    ["STREAMER_TEST_DATA", "STREAMER_SERVICE_HOST", "STREAMER_SERVICE_PORT_HTTP", "STREAMER_PORT_80_TCP", "PATH"],
)
def test_variables_of_tests_and_of_kubernetes_are_left_alone(variable: str) -> None:
    assert parse("", {variable: "x"}) == parse("", {})


def test_an_entry_of_what_is_no_list_is_a_mistake() -> None:
    found = problems_in("endpoint = 3", {"STREAMER_ENDPOINT__0__NAME": "a"})
    assert "STREAMER_ENDPOINT__0__NAME: there is no entry before it, or no table to put it in" in found


def test_a_secret_is_taken_as_it_stands() -> None:
    class Sink(BaseModel):
        password: SecretStr

    class Whole(BaseModel):
        sink: Sink

    overrides = overrides_in({"STREAMER_SINK__PASSWORD": "12345"}, Whole)
    assert overrides.values == {("sink", "password"): "12345"}
