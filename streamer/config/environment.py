"""Environment variables that override the file: ``STREAMER_INDEX__SQLITE=/data/streamer.sqlite``.

Tables are joined by two underscores and entries of lists have their number
(``STREAMER_ENDPOINT__0__WINDOW``). A variable that means nothing here is a problem, as a key is.
"""

import re
import tomllib
from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

from streamer.config.keys import Table, closest, fields_of, is_list, is_secret, table_of
from streamer.config.places import KeyPath

PREFIX = "STREAMER_"
# Not ours: variables of tests, and those Kubernetes makes for a service named "streamer".
_FOREIGN = re.compile(r"STREAMER_(TEST_.*|SERVICE_(HOST|PORT(_.*)?)|PORT(_.*)?)")


class Overrides(NamedTuple):
    """What the environment says.

    Attributes
    ----------
    values : dict of KeyPath to object
        Values by key, as TOML would give them.
    variables : dict of KeyPath to str
        The variable each came from.
    problems : list of str
        Variables that can't be used, in whole lines.
    """

    values: dict[KeyPath, object]
    variables: dict[KeyPath, str]
    problems: list[str]


def overrides_in(environment: Mapping[str, str], table: Table) -> Overrides:
    """Overrides of a table's keys, in order of the variables' names.

    Parameters
    ----------
    environment : mapping of str to str
        All variables.
    table : type
        Model of the whole configuration.
    """
    found = Overrides({}, {}, [])
    # By number where there is one, so that entry 2 comes before entry 10.
    for variable in sorted(environment, key=lambda name: [part.zfill(9) for part in name.split("__")]):
        if not variable.startswith(PREFIX) or _FOREIGN.fullmatch(variable):
            continue
        parts = variable.removeprefix(PREFIX).lower().split("__")
        path = tuple(int(p) if re.fullmatch(r"\d{1,6}", p, re.ASCII) else p for p in parts)
        leaf = _leaf(table, path)
        if leaf is None:
            meant = closest(variable, {name.lower(): name for name in _variables(table, path)})
            hint = f"; did you mean {meant.upper()}?" if meant else ""
            found.problems.append(f"{variable}: no such key{hint}")
        else:
            found.values[path] = environment[variable] if leaf is str else _toml(environment[variable])
            found.variables[path] = variable
    return found


def apply(overrides: Overrides, document: dict[str, object]) -> None:
    """Write overrides into what the file says; entries may follow a list's last one, without gaps."""
    for path, value in overrides.values.items():
        inside: object = document
        for part, following in pairwise(path):
            inside = _entered(inside, part, [] if isinstance(following, int) else {})
            if inside is None:
                break
        if isinstance(inside, dict):
            inside[path[-1]] = value
        else:
            variable = overrides.variables[path]
            overrides.problems.append(f"{variable}: there is no entry before it, or no table to put it in")


def _entered(inside: object, part: str | int, empty: object) -> object:
    if isinstance(inside, list) and isinstance(part, int) and part <= len(inside):
        if part == len(inside):
            inside.append(empty)
        return inside[part]
    if isinstance(inside, dict) and isinstance(part, str):
        return inside.setdefault(part, empty)
    return None


def _leaf(table: Table, path: KeyPath) -> type | None:
    """``str`` where the value is text as it stands, ``object`` where TOML's rules apply, ``None`` for no key."""
    around: Table | None = table
    wants_number = False
    for i, part in enumerate(path):
        if around is None or isinstance(part, int) != wants_number:
            return None
        if isinstance(part, int):
            wants_number = False
            continue
        field = fields_of(around).get(part)
        if field is None:
            return None
        around, wants_number = table_of(field), is_list(field)
        if around is None:
            text = str(field.annotation) in ("<class 'str'>", "str | None") or is_secret(field)
            return (str if text else object) if i == len(path) - 1 and not wants_number else None
    return None


def _toml(text: str) -> object:
    """A number or truth value as TOML writes it; else the text."""
    if "\n" in text:
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, RecursionError):
        return text


def _variables(table: Table, path: KeyPath) -> list[str]:
    """Variables that could be meant: every plain key, lists with the numbers the path has."""
    numbers = [part for part in path if isinstance(part, int)]
    return [PREFIX + "__".join(parts).upper() for parts in _leaves(table, numbers)]


def _leaves(table: Table, numbers: list[int]) -> list[list[str]]:
    leaves: list[list[str]] = []
    for key, field in fields_of(table).items():
        inner = table_of(field)
        if inner is None:
            leaves.append([key])
            continue
        listed = is_list(field)
        here = [key, str(numbers[0] if numbers else 0)] if listed else [key]
        leaves += [[*here, *leaf] for leaf in _leaves(inner, numbers[1:] if listed else numbers)]
    return leaves
