"""Outcome: what each answer of OpenSearch means for the document or the request it is about.

One table for documents and one for whole requests, read from the top: the first line that fits is
it. The type of an error says more than its status, so lines with a type come first; the text of an
error is never looked at, as servers differ in it, and it may quote a document.
"""

from collections.abc import Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple

from streamer.core.errors import Absent, Denied, NeedsPerson, Retryable, StorageFull, Throttled, Unavailable


class Outcome(StrEnum):
    """What became of one document, or of a whole request."""

    WRITTEN = "written"
    SUPERSEDED = "superseded"
    RETRY = "retry"
    REFUSE = "refuse"
    STOP = "stop"
    SPLIT = "split"


class Line(NamedTuple):
    """One line of a table.

    Attributes
    ----------
    error_type : str
        As the server spells it; empty for any, or none.
    statuses : range
        HTTP statuses it holds for.
    outcome : Outcome
        What it means.
    error : type of Retryable or None
        What is raised where the document waits: to be sent again.
    words : str
        Why, for people.
    """

    error_type: str
    statuses: range
    outcome: Outcome
    error: type[Retryable] | None
    words: str


def _only(status: int) -> range:
    return range(status, status + 1)


_ANY: Final = range(1_000)
_UPGRADE: Final = 'the index lacks a field: "streamer index install" adds it'
_OTHER_THING: Final = "another thing bears the name of the index: an alias, or a data stream"

# Read in the source and seen on servers of 2.19 and 3.8.
DOCUMENTS: Final[Sequence[Line]] = (
    Line("", range(200, 300), Outcome.WRITTEN, None, "written"),
    Line("version_conflict_engine_exception", _only(409), Outcome.SUPERSEDED, None, "a newer revision is there"),
    Line("cluster_block_exception", _only(429), Outcome.RETRY, StorageFull, "a disk of the server is full"),
    Line("cluster_block_exception", _ANY, Outcome.STOP, Denied, "the index is blocked for writing"),
    Line("index_create_block_exception", _ANY, Outcome.STOP, Denied, "no new index may be made"),
    Line("security_exception", _ANY, Outcome.STOP, Denied, "no permission"),
    Line("index_closed_exception", _ANY, Outcome.STOP, NeedsPerson, "the index is closed"),
    Line("validation_exception", _ANY, Outcome.STOP, NeedsPerson, "the server's limit of shards is reached"),
    Line("index_not_found_exception", _ANY, Outcome.STOP, Absent, "no such index, and none is made by itself"),
    Line("strict_dynamic_mapping_exception", _ANY, Outcome.STOP, NeedsPerson, _UPGRADE),
    Line("illegal_argument_exception", _ANY, Outcome.STOP, NeedsPerson, _OTHER_THING),
    Line("invalid_index_name_exception", _ANY, Outcome.STOP, NeedsPerson, "the server takes no index of this name"),
    Line("mapper_parsing_exception", _only(400), Outcome.REFUSE, None, "a value does not fit its field"),
    Line("", _only(401), Outcome.STOP, Denied, "no credentials that hold"),
    Line("", _only(403), Outcome.STOP, Denied, "no permission"),
    Line("", _only(404), Outcome.STOP, Absent, "not there"),
    Line("", _only(408), Outcome.RETRY, Unavailable, "no answer in time"),
    Line("", _only(409), Outcome.RETRY, Unavailable, "a conflict that is not one of versions"),
    Line("", _only(429), Outcome.RETRY, Throttled, "the server asks for less"),
    Line("", range(400, 500), Outcome.REFUSE, None, "refused"),
    Line("", range(500, 600), Outcome.RETRY, Unavailable, "a fault of the server"),
    Line("", _ANY, Outcome.RETRY, Unavailable, "not an answer"),
)

# One bad action line is a 400 for all of them, so that who is to blame must be found.
REQUESTS: Final[Sequence[Line]] = (
    Line("", range(200, 300), Outcome.WRITTEN, None, "answered"),
    Line("", _only(400), Outcome.SPLIT, None, "one of them breaks the rules"),
    Line("", _only(413), Outcome.SPLIT, None, "too large"),
    Line("", _only(401), Outcome.STOP, Denied, "no credentials that hold"),
    Line("", _only(403), Outcome.STOP, Denied, "no permission"),
    Line("", _only(404), Outcome.STOP, Absent, "not there"),
    Line("", _only(408), Outcome.RETRY, Unavailable, "no answer in time"),
    Line("", _only(429), Outcome.RETRY, Throttled, "the server asks for less"),
    Line("", range(300, 500), Outcome.STOP, NeedsPerson, "not what an OpenSearch answers: another service?"),
    Line("", range(500, 600), Outcome.RETRY, Unavailable, "a fault of the server"),
    Line("", _ANY, Outcome.RETRY, Unavailable, "not an answer"),
)


@lru_cache(maxsize=1_000)
def of_document(status: int, error_type: str = "") -> Line:
    """The line for one document of a bulk request.

    Parameters
    ----------
    status : int
        HTTP status of the item.
    error_type : str
        ``error.type`` of the item; empty where there is none.

    Examples
    --------
    >>> of_document(409, "version_conflict_engine_exception").outcome.value
    'superseded'
    """
    return _first(DOCUMENTS, status, error_type)


def of_request(status: int) -> Line:
    """The line for a request as a whole, by its status alone.

    Examples
    --------
    >>> of_request(413).outcome.value
    'split'
    """
    return _first(REQUESTS, status, "")


def _first(table: Sequence[Line], status: int, error_type: str) -> Line:
    status = status if status in _ANY else 0
    return next(line for line in table if status in line.statuses and line.error_type in ("", error_type))
