"""The effective configuration: complete, readable back, without secrets."""

from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from streamer.config.effective import effective, table_text
from streamer.config.load import parse
from streamer.config.problems import problems_in
from tests.config.test_load import FULL


@pytest.mark.parametrize("text", ["", FULL, '[[endpoint]]\nname = "a"\n'], ids=["nothing", "everything", "little"])
def test_what_is_printed_reads_back_as_the_same(text: str) -> None:
    config = parse(text, {})
    assert parse(effective(config), {}) == config


def test_it_shows_what_the_environment_says() -> None:
    assert 'sqlite = "/data/x"' in effective(parse("", {"STREAMER_INDEX__SQLITE": "/data/x"}))


def test_an_endpoint_shows_only_what_differs_from_the_defaults() -> None:
    text = effective(parse('[[endpoint]]\nname = "a"\nlateness = "2 min"\nwindow = "5 min"\n', {}))
    assert text.endswith('[[endpoint]]\nname = "a"\nlateness = "2 min"\n')


def test_an_odd_text_is_escaped() -> None:
    config = parse(r"[index]" + "\n" + r'sqlite = "a\"b\\c\u007f\n\u00e9\t"', {})
    assert parse(effective(config), {}) == config


class _Far(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    user: str = "me"
    password: SecretStr
    token: SecretStr | None = None


class _Whole(BaseModel):
    far: _Far


def test_secrets_are_masked() -> None:
    far = _Far.model_validate({"password": "hunter2", "token": "t0ken"})
    assert table_text(far, "far") == '[far]\nuser = "me"\npassword = "**********"\ntoken = "**********"\n'


def test_a_secret_is_not_shown_by_a_mistake_in_it() -> None:
    document = {"far": {"password": 31_337, "token": ["t0ken"]}}
    with pytest.raises(ValidationError) as caught:
        _Whole.model_validate(document)
    problems = problems_in(caught.value, _Whole, document)
    assert [p.text for p in problems] == ["expected text in quotes, found a value that is not shown"] * 2


def test_paths_are_printed_as_they_are_written() -> None:
    config = parse('[index]\nsqlite = "x"\n', {}).placed(Path("/somewhere"))
    assert 'sqlite = "x"' in effective(config)
