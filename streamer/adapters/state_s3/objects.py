"""Objects under a prefix of an S3 bucket, put on conditions."""

from base64 import b64encode
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, Literal, NamedTuple, Protocol

from botocore.exceptions import ClientError

from streamer.adapters.aws_errors import calling
from streamer.core.errors import Refused, StateError, Unavailable

_CALL_SECONDS: Final = 60.0
# S3 would take 1,000; the SDK holds the loop for 76 us a key as it reads a page.
_KEYS_AT_ONCE: Final = 200

Encryption = Literal["AES256", "aws:kms", "aws:kms:dsse"]


class S3Client(Protocol):
    """What is needed of an S3 client of aiobotocore."""

    async def put_object(self, **request: Any) -> Mapping[str, Any]:
        """Write an object, on conditions."""
        ...

    async def get_object(self, **request: Any) -> Mapping[str, Any]:
        """Read an object."""
        ...

    async def list_objects_v2(self, **request: Any) -> Mapping[str, Any]:
        """List objects, page by page."""
        ...

    async def delete_objects(self, **request: Any) -> Mapping[str, Any]:
        """Delete some objects."""
        ...


class Found(NamedTuple):
    """An object as it was read."""

    data: bytes
    etag: str
    written_at: int


class ConditionFailed(Exception):
    """What a write was to replace, or not to replace, has changed."""


class S3Objects:
    """The objects under a prefix.

    Parameters
    ----------
    client : S3Client
        Of aiobotocore, without retries of its own; ``adapters.aws`` makes one. It stays open.
    bucket, prefix : str
        Where.
    encryption, kms_key : str, optional
        Server-side encryption asked for with each object; else the bucket's default.
    """

    def __init__(
        self,
        client: S3Client,
        bucket: str,
        prefix: str,
        encryption: Encryption | None = None,
        kms_key: str | None = None,
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""
        asked = {"ServerSideEncryption": encryption, "SSEKMSKeyId": kms_key}
        self._encryption = {name: value for name, value in asked.items() if value}

    def __str__(self) -> str:
        return f"s3://{self._bucket}/{self._prefix}"

    async def get(self, key: str) -> Found | None:
        """Read an object; ``None`` when there is none.

        Raises
        ------
        Retryable
            Now it can't be read, or the answer was cut short; ``NeedsPerson`` where permissions, the
            bucket or a key are missing.
        StateError
            S3 refuses the request.
        """
        async with self._calling("read", key):
            try:
                answer = await self._client.get_object(Bucket=self._bucket, Key=self._prefix + key)
            except ClientError as error:
                if _code(error) == "NoSuchKey":
                    return None
                raise
            async with answer["Body"] as body:
                data: bytes = await body.read()
        if len(data) != answer["ContentLength"]:
            raise Unavailable(f"can't read {self}{key}: got {len(data)} bytes of {answer['ContentLength']}")
        return Found(data, answer["ETag"], _milliseconds(answer["LastModified"]))

    async def put(self, key: str, data: bytes, **condition: str) -> str:
        """Write an object.

        Parameters
        ----------
        condition
            ``IfNoneMatch="*"`` or ``IfMatch=etag``.

        Returns
        -------
        str
            Its ETag.

        Raises
        ------
        ConditionFailed
            It does not hold.
        Retryable, StateError
            As for ``get``; unless S3 refused, it may have been written.
        """
        async with self._calling("write", key):
            try:
                answer = await self._client.put_object(
                    Bucket=self._bucket,
                    Key=self._prefix + key,
                    Body=data,
                    ChecksumSHA256=b64encode(sha256(data).digest()).decode(),
                    **condition,
                    **self._encryption,
                )
            except ClientError as error:
                # With If-Match on an object that is gone the answer is "no such key".
                if condition and _code(error) in {"PreconditionFailed", "NoSuchKey"}:
                    raise ConditionFailed from error
                raise
        etag: str = answer["ETag"]
        return etag

    async def keys(self, folder: str) -> dict[str, int]:
        """Every key that begins so, and when it was written, in milliseconds since the epoch.

        Raises
        ------
        Retryable, StateError
            As for ``get``.
        """
        found: dict[str, int] = {}
        request = {"Bucket": self._bucket, "Prefix": self._prefix + folder, "MaxKeys": _KEYS_AT_ONCE}
        async with self._calling("list", folder):
            while True:
                page = await self._client.list_objects_v2(**request)
                for entry in page.get("Contents", ()):
                    found[entry["Key"].removeprefix(self._prefix)] = _milliseconds(entry["LastModified"])
                if not page.get("IsTruncated"):
                    return found
                request["ContinuationToken"] = page["NextContinuationToken"]

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete these; it is no error when some are gone.

        Raises
        ------
        Retryable, StateError
            As for ``get``; some may be deleted.
        """
        for i in range(0, len(keys), _KEYS_AT_ONCE):
            named = [{"Key": self._prefix + key} for key in keys[i : i + _KEYS_AT_ONCE]]
            async with self._calling("delete from", ""):
                answer = await self._client.delete_objects(
                    Bucket=self._bucket, Delete={"Objects": named, "Quiet": True}
                )
            if answer.get("Errors"):
                codes = sorted({entry["Code"] for entry in answer["Errors"]})
                raise StateError(f"can't delete {len(answer['Errors'])} objects from {self}: {', '.join(codes)}")

    @asynccontextmanager
    async def _calling(self, what: str, key: str) -> AsyncIterator[None]:
        try:
            async with calling(f"{what} {self}{key}", _CALL_SECONDS):
                yield
        except Refused as error:
            raise StateError(str(error)) from error


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")


def _milliseconds(time: datetime) -> int:
    return round(time.timestamp() * 1000)
