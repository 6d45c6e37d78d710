"""Setup: templates put and checked, first indices made, indices older than the retention deleted."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple, TypeVar

import msgspec

from streamer.adapters.opensearch.client import Answer, Server, path_of, trouble_of
from streamer.core.errors import SinkError, StreamerError, Unavailable
from streamer.core.index.differences import Tree, differences, is_tree, joined, lacking
from streamer.core.index.entry import Shelf
from streamer.core.index.families import UNDATED, Family, index_name, is_kept, oldest_kept, pattern_of, stretch_of
from streamer.core.index.template import mappings_of, template_name, template_of
from streamer.printable import printable

_SAID_CHARACTERS: Final = 300

_T = TypeVar("_T")


class _Named(msgspec.Struct, frozen=True):
    """A template as a server tells it."""

    name: str
    index_template: dict[str, object]


class _Templates(msgspec.Struct):
    index_templates: list[_Named] = []


class _Fault(msgspec.Struct):
    type: str = ""
    reason: str = ""


class _Faulty(msgspec.Struct):
    error: _Fault


class _Index(msgspec.Struct):
    mappings: dict[str, object] = {}


class Swept(NamedTuple):
    """What the retention did, or would do.

    Attributes
    ----------
    deleted, kept : list of str
        Names of indices, in order.
    """

    deleted: list[str]
    kept: list[str]


async def check_templates(server: Server, prefix: str) -> list[str]:
    """How the server's templates differ from ours, a line each; empty when they are as they should be.

    Raises
    ------
    Retryable
        The server does not answer, or not to us.
    """
    found = await _templates(server, prefix)
    wrong: list[str] = []
    for family in Family:
        name, ours = template_name(prefix, family), template_of(prefix, family)
        if name not in found:
            wrong.append(f"template {name} is not there")
            continue
        there = found[name]
        if there.get("index_patterns") != ours["index_patterns"]:
            wrong.append(f"template {name}: expected index_patterns {ours['index_patterns']}")
        wrong += [f"template {name}: {one}" for one in differences(mappings_of(family), _mappings_in(there))]
    return wrong


async def check_indices(server: Server, prefix: str) -> list[str]:
    """How the mappings of the indices there are differ from ours, a line each.

    Raises
    ------
    Retryable
        As ``check_templates``.
    """
    return [
        f"index {name}: {one}"
        for family in Family
        for name, found in (await _indices(server, prefix, family)).items()
        for one in differences(mappings_of(family), found)
    ]


async def install(server: Server, shelf: Shelf, now: datetime) -> list[str]:
    """Put the templates, bring the indices there are up to date, and make the first ones.

    Fields are added and never taken away, so that days written by an older program stay as they
    are, and one that still runs goes on. Settings an operator has changed in a template stay.

    Parameters
    ----------
    server : Server
        Where.
    shelf : Shelf
        Prefix and partition.
    now : datetime
        Whose index is made, for views to have something to open.

    Returns
    -------
    list of str
        What was done, a line each.

    Raises
    ------
    SinkError
        The server refuses, or has something of these names that can't be brought to our form.
    Retryable
        It does not answer, or not to us.
    """
    done = []
    found = await _templates(server, shelf.prefix)
    for family in Family:
        name = template_name(shelf.prefix, family)
        body = template_of(shelf.prefix, family)
        if name in found:
            body = _upgraded(body, found[name])
        await _put(server, path_of("_index_template", name), body, f"template {name}")
        done.append(f"template {name}: {'brought up to date' if name in found else 'put'}")
    for family in Family:
        for index, there in (await _indices(server, shelf.prefix, family)).items():
            if fields := lacking(mappings_of(family), there):
                await _put(server, path_of(index, "_mapping"), {"properties": fields}, f"mapping of {index}")
                done.append(f"index {index}: {len(fields)} fields added")
        first = index_name(shelf.prefix, family, now.astimezone(UTC).toordinal(), shelf.partition)
        answer = await server.call("PUT", path_of(first))
        fault = _fault(answer)
        if answer.status == 200:
            done.append(f"index {first}: made")
        elif fault.type != "resource_already_exists_exception":
            raise _refusal(answer, f"index {first}")
    wrong = [*await check_templates(server, shelf.prefix), *await check_indices(server, shelf.prefix)]
    if wrong:
        raise SinkError(
            "installed, but not all is as it should be (a type can't be changed where documents are: delete the index, "
            "or copy it into one of another name):\n" + "\n".join(wrong)
        )
    return done


async def sweep(server: Server, prefix: str, now: datetime, days: int, *, dry_run: bool = False) -> Swept:
    """Delete the indices that hold nothing the retention keeps, each by its name.

    Parameters
    ----------
    server : Server
        Where.
    prefix : str
        Before every index of ours.
    now : datetime
        From when the days count back.
    days : int
        How long is kept.
    dry_run : bool
        Delete nothing.

    Raises
    ------
    SinkError
        The server refuses to delete one.
    Retryable
        It does not answer, or not to us.
    """
    swept = Swept([], [])
    for family in Family:
        oldest = oldest_kept(family, now, days)
        for name in await _names(server, prefix, family):
            if is_kept(name, prefix, family, oldest):
                swept.kept.append(name)
                continue
            if not dry_run:
                answer = await server.ask("DELETE", path_of(name))
                # Gone is gone, whoever did it.
                if answer.status not in (200, 404):
                    raise _refusal(answer, f"deleting index {name}")
            swept.deleted.append(name)
    return swept


async def _templates(server: Server, prefix: str) -> dict[str, dict[str, object]]:
    answer = await server.ask("GET", path_of("_index_template", f"{prefix}-*"))
    if answer.status == 404:
        return {}
    return {one.name: one.index_template for one in _decoded(answer, _Templates).index_templates}


async def _indices(server: Server, prefix: str, family: Family) -> dict[str, Tree]:
    """Mappings of the indices of a family that are open, in order."""
    path = path_of(pattern_of(prefix, family), "_mapping", expand_wildcards="open")
    answer = await server.ask("GET", path)
    found = {} if answer.status == 404 else _decoded(answer, dict[str, _Index])
    return {name: found[name].mappings for name in sorted(found) if _is_ours(name, prefix, family)}


async def _names(server: Server, prefix: str, family: Family) -> list[str]:
    query = {"expand_wildcards": "open,closed", "filter_path": "*.settings.index.creation_date"}
    answer = await server.ask("GET", path_of(pattern_of(prefix, family), "_settings", **query))
    found = {} if answer.status == 404 else _decoded(answer, dict[str, msgspec.Raw])
    return sorted(name for name in found if _is_ours(name, prefix, family))


def _is_ours(name: str, prefix: str, family: Family) -> bool:
    return stretch_of(name, prefix, family) is not None or name == f"{prefix}-{family}-{UNDATED}"


def _upgraded(ours: Mapping[str, object], found: Tree) -> dict[str, object]:
    inside, there = ours["template"], found.get("template")
    assert is_tree(inside)
    if not is_tree(there):
        return dict(ours)
    settings, theirs = inside["settings"], there.get("settings")
    assert is_tree(settings)
    kept = _flat(theirs, "") if is_tree(theirs) else {}
    mappings = joined(_tree(inside, "mappings"), _tree(there, "mappings"))
    return {**ours, "template": {**there, "settings": {**settings, **kept}, "mappings": mappings}}


def _flat(settings: Tree, above: str) -> dict[str, object]:
    flat: dict[str, object] = {}
    for key, value in settings.items():
        flat |= _flat(value, f"{above}{key}.") if is_tree(value) else {f"{above}{key}": value}
    return flat


def _mappings_in(template: Tree) -> Tree:
    return _tree(_tree(template, "template"), "mappings")


def _tree(inside: Tree, key: str) -> Tree:
    found = inside.get(key)
    return found if is_tree(found) else {}


async def _put(server: Server, path: str, body: object, what: str) -> None:
    answer = await server.call("PUT", path, body)
    if answer.status != 200:
        raise _refusal(answer, what)


def _refusal(answer: Answer, what: str) -> StreamerError:
    """A request of ours that was not taken; its text holds names only, so the server's word is passed on."""
    if answer.status not in (400, 404, 409):
        return trouble_of(answer, what)
    fault = _fault(answer)
    said = printable(f"{fault.type}: {fault.reason}"[:_SAID_CHARACTERS], " ")
    return SinkError(f"OpenSearch refuses {what} (status {answer.status}): {said}")


def _fault(answer: Answer) -> _Fault:
    try:
        return msgspec.json.decode(answer.body, type=_Faulty).error
    except (msgspec.MsgspecError, UnicodeEncodeError):
        return _Fault()


def _decoded(answer: Answer, form: type[_T]) -> _T:
    try:
        return msgspec.json.decode(answer.body, type=form)
    except (msgspec.MsgspecError, UnicodeEncodeError) as error:
        raise Unavailable("OpenSearch: an answer that can't be read") from error
