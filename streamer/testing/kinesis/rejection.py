"""Rejections: calls that are refused, each with the code the service gives it."""

from typing import Final

# Codes that say "later" for calls that carry records; calls about streams are told LimitExceededException.
THROUGHPUT: Final = "ProvisionedThroughputExceededException"
LIMIT: Final = "LimitExceededException"


class Rejection(Exception):
    """A call that is refused.

    Parameters
    ----------
    code : str
        The error's type as clients match it, for example ``ResourceNotFoundException``.
    text : str
        What is wrong, for a person.
    status : int
        HTTP status: 400 for what the caller did, 500 and above for what the service did.
    """

    def __init__(self, code: str, text: str, status: int = 400) -> None:
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text
        self.status = status


def invalid(text: str) -> Rejection:
    """An argument that reads well and makes no sense here."""
    return Rejection("InvalidArgumentException", text)


def not_found(text: str) -> Rejection:
    """A stream or a shard that is not there."""
    return Rejection("ResourceNotFoundException", text)


def in_use(text: str) -> Rejection:
    """A stream that exists already, or is in the middle of a change."""
    return Rejection("ResourceInUseException", text)


def beyond_limit(text: str) -> Rejection:
    """Too many shards, changes or calls about streams."""
    return Rejection(LIMIT, text)


def throttled(text: str) -> Rejection:
    """More records, bytes or reads than a shard takes in a second."""
    return Rejection(THROUGHPUT, text)
