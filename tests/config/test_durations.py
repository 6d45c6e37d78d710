"""Durations as an operator writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.config.durations import duration_text, parse_duration


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("10 s", 10),
        ("10s", 10),
        ("5 min", 300),
        ("1 h", 3_600),
        ("7d", 604_800),
        ("2 weeks", 1_209_600),
        ("1 Day", 86_400),
        ("1 h 30 min", 5_400),
        (" 90 ", 90),
        ("0", 0),
        (45, 45),
    ],
)
def test_a_duration_is_read_in_any_of_its_forms(value: object, seconds: int) -> None:
    assert parse_duration(value) == seconds


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "5 mins later",
        "min",
        "-5 min",
        "1.5 h",
        "5 month",
        "٥ min",
        "5 min,",
        True,
        1.5,
        None,
        [],
        -1,
        "9" * 13,
        "200 years",
        "60000 weeks",
    ],
)
def test_anything_else_is_refused_with_what_was_expected(value: object) -> None:
    with pytest.raises(ValueError, match=r'^expected a duration such as "5 min" or a whole number of seconds'):
        parse_duration(value)


@given(st.integers(0, 3_155_760_000))
def test_what_is_written_is_read_back(seconds: int) -> None:
    assert parse_duration(duration_text(seconds)) == seconds


@given(st.text(max_size=20))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        seconds = parse_duration(text)
    except ValueError:
        return
    assert seconds >= 0
