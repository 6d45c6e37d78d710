"""Refused documents: what the index did not take, told without its values."""

import hashlib
from datetime import datetime

import msgspec

from streamer.core.identity import hash_of


class RefusedDocument(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="refused_document"):
    """A document that the index did not take; kept with the dead letters.

    Attributes
    ----------
    id : str
        Hash of its index and id: a later revision that is refused as well takes its place.
    revision : int
        The document's.
    index, document, document_kind : str
        Where it should have gone, its id, and the family it belongs to.
    error : str
        Type of the server's error.
    sha256 : str
        Of the document as it was sent; its values are not kept.
    size_bytes : int
        Of the same.
    noted : datetime or None
        The time the document is filed under.
    """

    id: str
    revision: int
    index: str
    document: str
    document_kind: str
    error: str
    sha256: str
    size_bytes: int
    noted: datetime | None = None


def refused_document(
    index: str, document: str, family: str, revision: int, body: bytes, error: str, noted: datetime | None
) -> RefusedDocument:
    """What is kept of a document that was refused; see ``RefusedDocument``."""
    return RefusedDocument(
        id=hash_of("refused", index, document),
        revision=revision,
        index=index,
        document=document,
        document_kind=family,
        error=error,
        sha256=hashlib.sha256(body).hexdigest(),
        size_bytes=len(body),
        noted=noted,
    )
