"""On which line each key of a TOML text stands."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.config.places import KeyPath, Places, path_text

TEXT = '''\
# a comment with [brackets] and = signs
top.below = 1
[source]
idle = "5 # s"
text = """
[not_a_table]
not_a_key = 3
"""
list = [1, [2,
  3], { a = 1, "b c".d = "]" },
]

[[endpoint]]
name = 'a'
rules = { psi = 1 }
[endpoint.alerts]
hold = 1
[[endpoint.version]]
id = "1"
[[endpoint]]
name = "b"
[[endpoint.version]]
id = "1"
[[endpoint.version]]
"from" = 2020-01-01 00:00:00Z
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("top", "below"), 2),
        (("source",), 3),
        (("source", "idle"), 4),
        (("source", "list"), 9),
        (("source", "list", 1, 1), 10),
        (("source", "list", 2, "b c", "d"), 10),
        (("endpoint", 0), 13),
        (("endpoint", 0, "rules", "psi"), 15),
        (("endpoint", 0, "alerts", "hold"), 17),
        (("endpoint", 0, "version", 0, "id"), 19),
        (("endpoint", 1, "name"), 21),
        (("endpoint", 1, "version", 1, "from"), 25),
    ],
)
def test_a_key_is_found_on_its_line(path: KeyPath, line: int) -> None:
    tomllib.loads(TEXT)
    assert Places(TEXT).line_of(path) == line


def test_a_key_that_is_missing_is_placed_at_its_table() -> None:
    assert Places(TEXT).line_of(("endpoint", 1, "version", 1, "id")) == 24


def test_a_table_that_is_missing_has_no_place() -> None:
    assert Places(TEXT).line_of(("index", "sqlite")) is None


def test_a_path_is_written_with_dots_and_brackets() -> None:
    assert path_text(("endpoint", 0, "version", 12, "id")) == "endpoint[0].version[12].id"


_key = st.sampled_from(["a", "b-1", '"q.x"', "'l # ='", "1"])
_scalar = st.sampled_from(
    [
        "1",
        "-1.5e3",
        "true",
        '"x # ] }"',
        "'''\n[a]\n'''",
        '"""a\\"""" """',
        '""""a"""""',
        "''",
        "2020-01-01 00:00:00Z",
        "inf",
    ]
)
_value = st.recursive(
    _scalar,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda values: "[ # ]\n" + " ,\n".join(values) + "]"),
        st.lists(inner, max_size=2).map(lambda vs: "{" + ", ".join(f"k{i} . x = {v}" for i, v in enumerate(vs)) + "}"),
    ),
    max_leaves=5,
)
_line = st.one_of(
    st.tuples(_key, _value).map(" = ".join),
    st.tuples(_key, _key, _value).map(lambda parts: f"{parts[0]} . {parts[1]}={parts[2]} # [c]"),
    st.lists(_key, min_size=1, max_size=3).map(lambda keys: "[" + " . ".join(keys) + "]"),
    st.lists(_key, min_size=1, max_size=3).map(lambda keys: "[[" + ".".join(keys) + "]]"),
    st.just("# [x]"),
)


def _paths(value: object, path: KeyPath = ()) -> list[KeyPath]:
    if isinstance(value, dict):
        return [p for key, inner in value.items() for p in [(*path, key), *_paths(inner, (*path, key))]]
    if isinstance(value, list):
        return [p for i, inner in enumerate(value) for p in [(*path, i), *_paths(inner, (*path, i))]]
    return []


@given(st.lists(_line, max_size=8))
def test_every_key_of_any_toml_has_a_place_of_its_own(lines: list[str]) -> None:
    kept: list[str] = []
    for line in lines:
        try:
            tomllib.loads("\n".join([*kept, line]))
        except tomllib.TOMLDecodeError:
            continue
        kept.append(line)
    text = "\n".join(kept)
    places = Places(text)
    assert set(places._lines) == set(_paths(tomllib.loads(text)))
