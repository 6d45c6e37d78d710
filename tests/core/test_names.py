import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.decode.names import (
    Names,
    first_known,
    names_in_envelope,
    names_in_partition_key,
    names_in_path,
)
from streamer.core.errors import InvalidRecord, Reason


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("s3/prefix/churn/Blue/2026/01/05/09/27-57-062-x.jsonl", Names("churn", "Blue")),
        ("churn/Blue/2026/01/05/09/x", Names("churn", "Blue")),
        ("churn/Blue/2026/01/05/09/x/y", Names()),
        ("churn/2026/01/05/09/x", Names()),
        ("a b/Blue/2026/01/05/09/x", Names()),
        ("churn/Blue/2026/01/05/09/x\n", Names("churn", "Blue")),
        ("", Names()),
    ],
)
def test_a_capture_files_path_names_endpoint_and_variant(path: str, names: Names) -> None:
    assert names_in_path(path) == names


@pytest.mark.parametrize(
    ("key", "names"),
    [
        ("churn/Blue", Names("churn", "Blue")),
        ("churn", Names()),
        ("/", Names()),
        ("churn/", Names()),
        ("churn/Blue/more", Names()),
        ("churn/Blue\n", Names()),
        ("é/Blue", Names()),
    ],
)
def test_a_partition_key_of_two_names_is_endpoint_and_variant(key: str, names: Names) -> None:
    assert names_in_partition_key(key) == names


@pytest.mark.parametrize("name", ["a", "A-1", "ns:model.v2_x", "x" * 256])
def test_a_name_is_letters_digits_and_a_few_marks(name: str) -> None:
    assert names_in_envelope(name, None, None) == Names(name)


@pytest.mark.parametrize("name", [" ", "-a", "a b", "a/b", "a\n", "é", "x" * 257, "\ud800", "\0", "../a"])
def test_any_other_name_is_refused(name: str) -> None:
    for given_names in ((name, None, None), ("a", name, None), ("a", "b", name)):
        with pytest.raises(InvalidRecord) as refusal:
            names_in_envelope(*given_names)
        assert refusal.value.reason is Reason.BAD_NAME


def test_an_empty_name_is_no_name() -> None:
    assert names_in_envelope("", None, "") == Names()


@given(st.lists(st.builds(Names, *[st.sampled_from(["", "a", "b"])] * 3), max_size=4))
def test_a_variant_never_comes_from_a_place_that_names_another_endpoint(candidates: list[Names]) -> None:
    found = first_known(*candidates)
    if found.variant:
        assert any(c.variant == found.variant and c.endpoint in ("", found.endpoint) for c in candidates)


@given(st.text(max_size=40))
def test_any_path_and_any_key_give_names_or_none(text: str) -> None:
    for names in (names_in_path(text), names_in_partition_key(text)):
        assert bool(names.endpoint) == bool(names.variant)
