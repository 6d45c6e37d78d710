"""Entries: actions as two lines of a bulk request each, with all that is needed to answer for them."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple, assert_never

import msgspec

from streamer.core.documents import encode, encode_notification
from streamer.core.index.families import Family, Partition, date_of, family_of, index_name
from streamer.core.index.refused import refused_document
from streamer.core.types import Action, Index, Notify, Reject, Retrain

_encode: Final = msgspec.json.encode


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

    def lines(self, *, with_index: bool = True) -> bytes:
        """Action line and document, each with its newline.

        Parameters
        ----------
        with_index : bool
            Whether the action names the index; not where the request's path does.

        Notes
        -----
        ``external_gte``: an equal revision is written once more, which changes nothing, and an older
        one is a conflict (OpenSearch documentation, "Index document", ``version_type``).
        """
        head = _head(self.place) if with_index else b""
        return b'{"index":{%b"_id":%b,"version":%d,"version_type":"external_gte"}}\n%b\n' % (
            head,
            _encode(self.id),
            self.revision,
            self.body,
        )


@lru_cache(maxsize=1_000)
def _head(index: str) -> bytes:
    return b'"_index":%b,' % _encode(index)


class Shelf(NamedTuple):
    """Where documents go.

    Attributes
    ----------
    prefix : str
        Before every index.
    partition : Partition
        How long a stretch of time shares one.
    """

    prefix: str
    partition: Partition

    def entry_of(self, action: Action) -> Entry | None:
        """The entry of an action; ``None`` for what the index has no use for."""
        match action:
            case Index(document):
                at, family = date_of(document), family_of(document)
                return self._entry(family, at, document.id, document.revision, encode(document))
            case Notify(identity, incident):
                # Equal whenever it is told, so there is one revision.
                body = encode_notification(action)
                return self._entry(Family.NOTIFICATIONS, incident.opened, identity, 1, body)
            case Reject(letter):
                return self._entry(Family.DEAD_LETTERS, letter.noted, letter.id, 1, encode(letter))
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
        return self._entry(Family.DEAD_LETTERS, entry.noted, letter.id, letter.revision, _encode(letter))

    def _entry(self, family: Family, at: datetime | None, identity: str, revision: int, body: bytes) -> Entry:
        day = None if at is None else (at if at.tzinfo is UTC else at.astimezone(UTC)).toordinal()
        return Entry(index_name(self.prefix, family, day, self.partition), identity, revision, family, at, body)
