"""Differences: what a server has another way than it should be, field by field."""

from collections.abc import Iterator, Mapping
from typing import TypeGuard

Tree = Mapping[str, object]


def is_tree(value: object) -> TypeGuard[Tree]:
    """Whether a value has keys of its own."""
    return isinstance(value, Mapping)


def differences(expected: Tree, found: Tree) -> Iterator[str]:
    """What differs between two mappings, a line for each field.

    What is found beyond the expected is no difference: a newer program may have added fields, and
    an older one still fits.

    Parameters
    ----------
    expected, found : mapping
        ``mappings`` of a template or an index, with ``dynamic`` and ``properties``.

    Examples
    --------
    >>> list(differences({"properties": {"rows": {"type": "long"}}}, {"properties": {"rows": {"type": "text"}}}))
    ['field rows: expected long, found text']
    >>> list(differences({"dynamic": "strict"}, {}))
    ['dynamic: expected strict, found nothing']
    """
    if "dynamic" in expected and str(found.get("dynamic", "nothing")) != expected["dynamic"]:
        yield f"dynamic: expected {expected['dynamic']}, found {found.get('dynamic', 'nothing')}"
    yield from _fields(_tree(expected, "properties"), _tree(found, "properties"), "")


def lacking(expected: Tree, found: Tree) -> dict[str, object]:
    """The fields that are not there at all, as ``properties`` that add them and change nothing else.

    Examples
    --------
    >>> lacking({"properties": {"a": {"type": "long"}, "b": {"type": "long"}}}, {"properties": {"a": {"type": "text"}}})
    {'b': {'type': 'long'}}
    """
    return _lacking(_tree(expected, "properties"), _tree(found, "properties"))


def joined(ours: Tree, theirs: Tree) -> dict[str, object]:
    """Two trees as one; where both say something, ours holds."""
    both = dict(theirs)
    for key, mine in ours.items():
        there = theirs.get(key)
        both[key] = joined(mine, there) if is_tree(mine) and is_tree(there) else mine
    return both


def _tree(inside: Tree, key: str) -> Tree:
    found = inside.get(key)
    return found if is_tree(found) else {}


def _fields(expected: Tree, found: Tree, above: str) -> Iterator[str]:
    for name, wanted in expected.items():
        path = f"{above}{name}"
        there = found.get(name)
        assert is_tree(wanted)
        if not is_tree(there):
            yield f"field {path}: expected {_kind(wanted)}, found nothing"
            continue
        if _kind(wanted) != _kind(there):
            yield f"field {path}: expected {_kind(wanted)}, found {_kind(there)}"
            continue
        for setting in sorted(wanted.keys() - {"type", "properties", "fields"}):
            if str(wanted[setting]).lower() != str(there.get(setting, "nothing")).lower():
                yield f"field {path}: expected {setting} {wanted[setting]}, found {there.get(setting, 'nothing')}"
        yield from _fields(_tree(wanted, "properties"), _tree(there, "properties"), f"{path}.")
        yield from _fields(_tree(wanted, "fields"), _tree(there, "fields"), f"{path}.")


def _kind(field: Tree) -> str:
    # An object has fields of its own, and servers leave its type out.
    return str(field.get("type", "object"))


def _lacking(expected: Tree, found: Tree) -> dict[str, object]:
    missing: dict[str, object] = {}
    for name, wanted in expected.items():
        there = found.get(name)
        if not is_tree(there):
            missing[name] = wanted
        elif is_tree(wanted) and (inside := _lacking(_tree(wanted, "properties"), _tree(there, "properties"))):
            missing[name] = {"properties": inside}
    return missing
