"""Signing: requests to OpenSearch on AWS, with credentials that are renewed off the loop."""

from collections.abc import Mapping
from typing import Any, Final, Literal, Protocol

from opensearchpy import AWSV4SignerAsyncAuth

from streamer.adapters.aws_errors import calling
from streamer.core.errors import Denied

_RENEW_SECONDS: Final = 30.0


class Renewing(Protocol):
    """Credentials of the SDK, of which we use this."""

    async def get_frozen_credentials(self) -> Any:
        """Key, secret and token that belong together; renewed first where they expire soon."""
        ...


class Signing:
    """Signs requests; ``renew`` goes before each, as the signer itself can't wait.

    Parameters
    ----------
    credentials : Renewing or None
        ``None`` where there are none: then no request is made.
    region : str
        Of the domain or collection.
    service : {"es", "aoss"}
        A domain, or a Serverless collection.
    """

    def __init__(self, credentials: Renewing | None, region: str, service: Literal["es", "aoss"]) -> None:
        self._credentials, self._region, self._service = credentials, region, service
        self._signer: AWSV4SignerAsyncAuth | None = None
        self._frozen: object = None

    async def renew(self) -> None:
        """Have credentials at hand that hold for the next request.

        Raises
        ------
        Denied
            There are none.
        Retryable
            They can't be renewed now.
        """
        if self._credentials is None:
            raise Denied("can't sign requests to OpenSearch: no AWS credentials")
        async with calling("renew the AWS credentials for OpenSearch", _RENEW_SECONDS):
            frozen = await self._credentials.get_frozen_credentials()
        if frozen != self._frozen or self._signer is None:
            self._frozen = frozen
            self._signer = AWSV4SignerAsyncAuth(frozen, self._region, self._service)

    def __call__(self, method: str, url: str, body: Any, headers: Mapping[str, str]) -> dict[str, str]:
        """The headers of a request, with its signature."""
        assert self._signer is not None
        # A body that is sent in slices is signed as a whole.
        whole = getattr(body, "data", body)
        return self._signer(method=method, url=url, body=whole, headers=dict(headers))
