"""[index.opensearch]: what stands together, and what does not."""

import pytest

from streamer.config.load import parse
from streamer.core.errors import ConfigError

URL = 'url = "https://index.example:9200"\n'


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ('url = "https://user:secret@index"', "index.opensearch.url"),
        ('url = "index:9200"', "index.opensearch.url"),
        (f'{URL}prefix = "Streamer"', "index.opensearch.prefix"),
        (f'{URL}prefix = "a,b"', "index.opensearch.prefix"),
        (f'{URL}prefix = "-x"', "index.opensearch.prefix"),
        (f'{URL}partition = "week"', "index.opensearch.partition"),
        (f'{URL}username = "u"', "there is no password"),
        (f'{URL}password = "secret"', "there is no user"),
        (f'{URL}username = "u"\npassword = "secret"\npassword_file = "f"', "not both"),
        (f'{URL}username = "u"\npassword = "secret"\naws = "es"', "not both"),
        ('url = "http://index"\nca_file = "ca.pem"', "no certificates"),
        ('prefix = "x"', "there is no server"),
    ],
)
def test_what_can_not_be_is_told(lines: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        parse(f"[index.opensearch]\n{lines}", {})
    assert "secret" not in str(caught.value)


def test_a_password_of_digits_from_the_environment_stays_a_text() -> None:
    variables = {"STREAMER_INDEX__OPENSEARCH__PASSWORD": "0123"}
    config = parse(f'[index.opensearch]\n{URL}username = "u"', variables)
    password = config.index.opensearch.password
    assert password is not None
    assert password.get_secret_value() == "0123"


def test_both_indices_may_be_set_and_share_the_retention() -> None:
    config = parse(f'[index]\nsqlite = "s"\nretention = "30 d"\n[index.opensearch]\n{URL}', {})
    assert (config.index.sqlite, config.index.retention_days) == ("s", 30)
