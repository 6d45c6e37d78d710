"""Entries: actions as two lines of a bulk request each, with all that is needed to answer for them."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple, assert_never

import msgspec

from streamer.core.documents import encode_notification
from streamer.core.index.families import Family, Indexed, Partition, date_of, family_of, index_name
from streamer.core.index.refused import RefusedDocument, refused_document
from streamer.core.types import Action, Index, Notify, Reject, Retrain

_encode: Final = msgspec.json.encode
_MOST_KNOWN: Final = 10_000
_Filed = Indexed | Notify | RefusedDocument
_ANYWHERE: Final = b'{"index":{"_id":'


class Entry(NamedTuple):
    """One document on its way.

    Attributes
    ----------
    place : str
        Name of its index.
    id : str
        Its own, and there; also the id of its action.
    revision : int
        How complete it is: where a newer one is, it changes nothing.
    family : Family
        Whose mapping it has.
    noted : datetime or None
        The time it is filed under.
    body : bytes
        The document as JSON.
    """

    place: str
    id: str
    revision: int
    family: Family
    noted: datetime | None
    body: bytes

    def head(self, *, with_index: bool = True) -> bytes:
        """Action line of the document, without its newline.

        Parameters
        ----------
        with_index : bool
            Whether the action names the index; not where the request's path does.

        Notes
        -----
        ``external_gte``: an equal revision is written once more, which changes nothing, and an older
        one is a conflict (OpenSearch documentation, "Index document", ``version_type``).
        """
        return (_begin(self.place) if with_index else _ANYWHERE) + _encode(self.id) + _end(self.revision)


@lru_cache(maxsize=1_000)
def _begin(place: str) -> bytes:
    return b'{"index":{"_index":%b,"_id":' % _encode(place)


@lru_cache(maxsize=1_000)
def _end(revision: int) -> bytes:
    return b',"version":%d,"version_type":"external_gte"}}' % revision


class Shelf:
    """Where documents go.

    Parameters
    ----------
    prefix : str
        Before every index.
    partition : Partition
        How long a stretch of time shares one.
    """

    def __init__(self, prefix: str, partition: Partition) -> None:
        self.prefix, self.partition = prefix, partition
        # By type and day: names are made once a day, not once a document.
        self._known: dict[tuple[type, int | None], tuple[str, Family]] = {}

    def entry_of(self, action: Action) -> Entry | None:
        """The entry of an action; ``None`` for what the index has no use for."""
        match action:
            case Index():
                document = action.document
                return self._entry(document, date_of(document), document.id, document.revision, _encode(document))
            case Notify():
                # Equal whenever it is told, so there is one revision.
                opened, body = action.incident.opened, encode_notification(action)
                return self._entry(action, opened, action.id, 1, body)
            case Reject():
                letter = action.letter
                return self._entry(letter, letter.noted, letter.id, 1, _encode(letter))
            case Retrain():
                # It goes to who can train.
                return None
            case _:
                assert_never(action)

    def refusal_of(self, entry: Entry, error: str) -> Entry | None:
        """The entry that tells of a refused one; ``None`` where that is such a letter itself."""
        if entry.family is Family.DEAD_LETTERS:
            return None
        letter = refused_document(entry.place, entry.id, entry.family, entry.revision, entry.body, error, entry.noted)
        return self._entry(letter, entry.noted, letter.id, letter.revision, _encode(letter))

    def _entry(self, filed: _Filed, at: datetime | None, identity: str, revision: int, body: bytes) -> Entry:
        day = None if at is None else (at if at.tzinfo is UTC else at.astimezone(UTC)).toordinal()
        known = self._known.get((type(filed), day))
        if known is None:
            family = _family_of(filed)
            known = index_name(self.prefix, family, day, self.partition), family
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[type(filed), day] = known
        return Entry(known[0], identity, revision, known[1], at, body)


def _family_of(filed: _Filed) -> Family:
    match filed:
        case Notify():
            return Family.NOTIFICATIONS
        case RefusedDocument():
            return Family.DEAD_LETTERS
        case _:
            return family_of(filed)
