"""Who a capture is from: envelope, then partition key, then path, then the configuration."""

import re
from typing import NamedTuple

from streamer.core.errors import InvalidRecord, Reason

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,255}")
# <endpoint>/<variant>/yyyy/mm/dd/hh/<file> (SageMaker data capture's S3 layout).
_CAPTURE_PATH = re.compile(r"(?:^|/)([^/]+)/([^/]+)/\d{4}/\d{2}/\d{2}/\d{2}/[^/]+$")


class Names(NamedTuple):
    """Endpoint, variant and model version; empty where unknown."""

    endpoint: str = ""
    variant: str = ""
    version: str = ""


def names_in_path(path: str) -> Names:
    """Endpoint and variant of a capture file's path or S3 key; empty if it is not of that layout."""
    found = _CAPTURE_PATH.search(path)
    if found and _NAME.fullmatch(found[1]) and _NAME.fullmatch(found[2]):
        return Names(found[1], found[2])
    return Names()


def names_in_partition_key(key: str) -> Names:
    """Endpoint and variant of a partition key ``endpoint/variant``; empty if it is another kind of key."""
    endpoint, slash, variant = key.partition("/")
    if slash and _NAME.fullmatch(endpoint) and _NAME.fullmatch(variant):
        return Names(endpoint, variant)
    return Names()


def names_in_envelope(endpoint: str | None, variant: str | None, version: str | None) -> Names:
    """Names an envelope gives.

    Raises
    ------
    InvalidRecord
        ``bad-name``: a name is not 1 to 256 of letters, digits and ``. _ : -``.
    """
    names = Names(endpoint or "", variant or "", version or "")
    if any(name and not _NAME.fullmatch(name) for name in names):
        raise InvalidRecord(Reason.BAD_NAME)
    return names


def first_known(*candidates: Names) -> Names:
    """The first endpoint given, with its own variant; the first version given anywhere.

    A variant is taken only from a place that agrees on the endpoint, so that an envelope's endpoint
    is never paired with another endpoint's variant.
    """
    endpoint = next((c.endpoint for c in candidates if c.endpoint), "")
    variant = next((c.variant for c in candidates if c.variant and c.endpoint in ("", endpoint)), "")
    version = next((c.version for c in candidates if c.version), "")
    return Names(endpoint, variant, version)
