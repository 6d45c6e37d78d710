"""Checks that span several keys, or need more than a type: spans, names, versions, time zones.

Each returns problems, so that all of them are told at once.
"""

from collections.abc import Collection, Iterable, Iterator
from zoneinfo import ZoneInfo, available_timezones

from streamer.config.detectors import problems_of_detectors
from streamer.config.durations import duration_text
from streamer.config.keys import closest
from streamer.config.model import Config, EndpointConfig, WatchConfig
from streamer.config.parts import OpenSearchConfig
from streamer.config.places import KeyPath
from streamer.config.problems import Problem, found_text
from streamer.config.quantities import parse_instant
from streamer.core.decode.names import names_in_envelope
from streamer.core.errors import InvalidRecord

_SPAN_KEYS = ("pane", "window", "offset")
# Keys that are checked together: where one could not be read, nothing is said of the others.
_TOGETHER = (
    frozenset(_SPAN_KEYS),
    frozenset({"sqlite", "retention"}),
    frozenset({"username", "password", "password_file"}),
)


def problems_of(config: Config, unread: Collection[KeyPath] = ()) -> list[Problem]:
    """Everything that is wrong with a configuration whose values are each right.

    Parameters
    ----------
    config : Config
        As the file has it: without the defaults in its endpoints.
    unread : collection of KeyPath
        Keys that were left out because their values can't be used.
    """
    problems = [
        *_spans(config.defaults, ("defaults",), _SPAN_KEYS),
        *_time_zone(config.defaults, ("defaults",)),
        *_source(config),
        *_index(config),
        *_service(config),
        *_endpoints(config),
    ]
    return [p for p in problems if not any(_hangs_on(p.path, path) for path in unread)]


def _hangs_on(path: KeyPath, unread: KeyPath) -> bool:
    """Whether a problem at one key may be there only because another could not be read."""
    if path[: len(unread)] == unread or (path[0] == "source" and unread[0] == "endpoint"):
        return True
    if not any(path[-1] in keys and unread[-1] in keys for keys in _TOGETHER):
        return False
    return unread[:-1] in (path[:-1], ("defaults",))


def _spans(watch: WatchConfig, path: KeyPath, own: Iterable[str]) -> Iterator[Problem]:
    """Panes tile windows and offsets; a problem is told at the key of ``own`` that is nearest to it."""
    pane, window, offset = (duration_text(s) for s in (watch.pane, watch.window, watch.offset))
    if watch.window % watch.pane:
        key = _first(("pane", "window"), own)
        yield Problem((*path, key), f"the window ({window}) must be a whole number of panes ({pane})")
    elif watch.offset >= watch.window:
        key = _first(("offset", "window"), own)
        yield Problem((*path, key), f"the offset ({offset}) must be less than the window ({window})")
    elif watch.offset % watch.pane:
        key = _first(("offset", "pane"), own)
        yield Problem((*path, key), f"the offset ({offset}) must be a whole number of panes ({pane})")


def _first(keys: tuple[str, ...], own: Iterable[str]) -> str:
    return next((key for key in keys if key in own), keys[0])


def _time_zone(watch: WatchConfig, path: KeyPath) -> Iterator[Problem]:
    name = watch.time_zone
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        by_lower = {zone.lower(): zone for zone in available_timezones()}
        meant = by_lower.get(closest(name, by_lower) or "")
        hint = f'did you mean "{meant}"?' if meant else 'expected a name such as "Europe/Paris"'
        yield Problem((*path, "time_zone"), f"unknown time zone; {hint}")


def _source(config: Config) -> Iterator[Problem]:
    source, names = config.source, [e.name for e in config.endpoints]
    for key, name in (("endpoint", source.endpoint), ("variant", source.variant)):
        if name and not _is_name(name):
            yield Problem(("source", key), _bad_name(name))
    if source.unknown_endpoints == "learn":
        return
    if not names:
        text = "no endpoint is configured, so ignoring unknown ones would watch nothing"
        yield Problem(("source", "unknown_endpoints"), text)
    elif source.endpoint and source.endpoint not in names:
        meant = closest(source.endpoint, names)
        hint = f'; did you mean "{meant}"?' if meant else ""
        yield Problem(("source", "endpoint"), f"no such endpoint is configured, and unknown ones are ignored{hint}")


def _index(config: Config) -> Iterator[Problem]:
    index = config.index
    if index.retention is not None and index.retention % 86_400:
        yield Problem(("index", "retention"), f"expected whole days, found {duration_text(index.retention)}")
    if index.retention is not None and index.sqlite is None and index.opensearch.url is None:
        text = "there is no index to keep documents in; set index.sqlite or index.opensearch.url, too"
        yield Problem(("index", "retention"), text)
    yield from _opensearch(index.opensearch)


def _opensearch(server: OpenSearchConfig) -> Iterator[Problem]:
    path: KeyPath = ("index", "opensearch")
    if "@" in (server.url or ""):
        # Not quoted: what stands before it may be a password.
        yield Problem((*path, "url"), "user and password do not belong in an address; set username and password")
    passwords = [key for key in ("password", "password_file") if getattr(server, key) is not None]
    if len(passwords) == 2:
        yield Problem((*path, "password_file"), "the password is in one place: set password or password_file, not both")
    elif passwords and server.username is None:
        yield Problem((*path, passwords[0]), "there is no user whose it is; set username, too")
    elif server.username is not None and not passwords:
        yield Problem((*path, "username"), "there is no password; set password (in the environment) or password_file")
    elif server.username is not None and server.aws is not None:
        yield Problem((*path, "aws"), "requests are signed or have a password, not both")
    if server.ca_file is not None and server.url is not None and server.url.startswith("http:"):
        yield Problem((*path, "ca_file"), "http:// has no certificates; set url to https://…")
    if server.url is None and server.model_dump() != OpenSearchConfig().model_dump():
        yield Problem(path, "there is no server; set index.opensearch.url")


def _service(config: Config) -> Iterator[Problem]:
    start = config.source.kinesis.start
    if start not in ("latest", "trim_horizon"):
        try:
            parse_instant(start)
        except ValueError:
            text = (
                'expected "latest", "trim_horizon" or a time with a zone, such as 2026-11-01T00:00:00Z, '
                f"found {found_text(start)}"
            )
            yield Problem(("source", "kinesis", "start"), text)
    if config.state.directory is not None and config.state.s3 is not None:
        yield Problem(("state", "s3"), "state is kept in one place: set directory or s3, not both")
    if config.aws.external_id is not None and config.aws.role_arn is None:
        yield Problem(("aws", "external_id"), "there is no role that asks for it; set aws.role_arn, too")


def _endpoints(config: Config) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for i, endpoint in enumerate(config.endpoints):
        path: KeyPath = ("endpoint", i)
        if not _is_name(endpoint.name):
            yield Problem((*path, "name"), _bad_name(endpoint.name))
        elif first.setdefault(endpoint.name, i) != i:
            yield Problem((*path, "name"), f'endpoint[{first[endpoint.name]}] has the name "{endpoint.name}" already')
        own = endpoint.model_fields_set
        # What stands in [defaults] alone is told there, once.
        if own & set(_SPAN_KEYS):
            yield from _spans(endpoint.under(config.defaults), path, own)
        if "time_zone" in own:
            yield from _time_zone(endpoint, path)
        yield from _versions(endpoint, path)
        yield from problems_of_detectors(endpoint.detectors, path)


def _versions(endpoint: EndpointConfig, path: KeyPath) -> Iterator[Problem]:
    seen: set[str] = set()
    for i, version in enumerate(endpoint.versions):
        here: KeyPath = (*path, "version", i)
        if not _is_name(version.id):
            yield Problem((*here, "id"), _bad_name(version.id))
        elif version.id in seen:
            yield Problem((*here, "id"), f'the version "{version.id}" stands here twice')
        seen.add(version.id)
        if i and version.from_at <= endpoint.versions[i - 1].from_at:
            yield Problem((*here, "from"), "must be later than the version before: versions stand in order of time")


def _bad_name(name: str) -> str:
    return f'expected 1 to 256 letters, digits and ". _ : -", the first a letter or digit, found {found_text(name)}'


def _is_name(name: str) -> bool:
    try:
        return bool(name) and bool(names_in_envelope(name, None, None))
    except InvalidRecord:
        return False
