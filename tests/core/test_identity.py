from hypothesis import given
from hypothesis import strategies as st

from streamer.core.identity import hash_of

parts = st.lists(st.text(st.characters(), max_size=6), max_size=4)


@given(parts, parts)
def test_equal_parts_and_only_those_have_equal_ids(a: list[str], b: list[str]) -> None:
    assert (hash_of(*a) == hash_of(*b)) == (a == b)


def test_moving_a_letter_from_part_to_part_changes_the_id() -> None:
    assert len({hash_of("ab", "c"), hash_of("a", "bc"), hash_of("abc"), hash_of("abc", ""), hash_of("1:a", "b")}) == 5


def test_an_id_is_the_same_in_every_run() -> None:
    assert hash_of("flight-delay", "volume") == "e71da7df067fb1296b2558c258c2175b"


def test_a_path_that_is_no_utf8_has_an_id() -> None:
    assert len(hash_of("caf\udce9.jsonl")) == 32
