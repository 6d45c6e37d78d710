"""AWS: the one place that makes clients.

Standard AWS configuration holds: environment, profiles, container and instance roles are found as
by every other AWS tool. What is given here goes before it. Retries of the SDK are off
(``streamer.retry`` does that), and every call has a time limit.
"""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

import botocore.exceptions as sdk
import msgspec
from aiobotocore.config import AioConfig
from aiobotocore.credentials import AioDeferredRefreshableCredentials
from aiobotocore.session import AioSession

from streamer.adapters.aws_errors import NO_CREDENTIALS, translated
from streamer.core.errors import ConfigError


class AccessKeys(msgspec.Struct, frozen=True, kw_only=True):
    """Credentials given outright, for emulators; they never show."""

    access_key: str
    secret_key: str
    session_token: str | None = None

    def __repr__(self) -> str:
        return "AccessKeys(…)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Nothing, for tracebacks that show values."""
        return []


class AwsConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How AWS is reached; what is ``None`` comes from the standard AWS configuration.

    Attributes
    ----------
    region, profile : str or None
        Region, and profile of the shared AWS files.
    role_arn, external_id : str or None
        Role to assume with those credentials, renewed before it expires.
    role_session_name : str
        Name the role's sessions bear in CloudTrail.
    endpoint_urls : mapping of str to str
        Address of a service (``sns``, ``events``, ``kinesis``, ``s3``, ``sqs``, ``sts``) other than AWS's.
    connect_seconds, read_seconds : float
        Longest wait for a connection, and between two reads of an answer.
    connections : int
        Connections of one client at most.
    keys : AccessKeys or None
        Credentials given outright.
    """

    region: str | None = None
    profile: str | None = None
    role_arn: str | None = None
    external_id: str | None = None
    role_session_name: str = "streamer"
    endpoint_urls: Mapping[str, str] = {}
    connect_seconds: float = 5.0
    read_seconds: float = 20.0
    connections: int = 10
    keys: AccessKeys | None = None


class Aws:
    """Clients of AWS services, open as long as this is entered.

    Parameters
    ----------
    config : AwsConfig
        How they reach it.
    """

    def __init__(self, config: AwsConfig) -> None:
        self._config = config
        self._stack = AsyncExitStack()
        self._session: AioSession | None = None
        self._clients: dict[tuple[str, str | None], Any] = {}

    async def __aenter__(self) -> "Aws":
        return self

    async def __aexit__(self, *raised: object) -> None:
        """Close every client."""
        self._clients.clear()
        self._session = None
        await self._stack.aclose()

    async def client(self, service: str, *, region: str | None = None, connections: int | None = None) -> Any:
        """Client of a service, made at the first call and the same at every other.

        Parameters
        ----------
        service : str
            As the SDK calls it.
        region : str, optional
            Where it is another than the configuration's: that of a topic's ARN.
        connections : int, optional
            Where it needs another number of them; holds for the first call.

        Returns
        -------
        aiobotocore client
            Not typed, as its methods are made at run time; adapters say in a Protocol which they use.

        Raises
        ------
        ConfigError
            No such profile or region, or an address that is none.
        Denied
            Credentials there should be can't be read.
        """
        made = self._clients.get((service, region))
        if made is None:
            try:
                if self._session is None:
                    self._session = await self._make_session()
                made = await self._open(self._session, service, region, connections)
            except NO_CREDENTIALS as error:
                raise translated(error, "find AWS credentials") from error
            except (sdk.BotoCoreError, ValueError) as error:
                raise ConfigError(f"aws: can't make a client of {service}: {error}") from error
            self._clients[service, region] = made
        return made

    async def credentials(self, region: str | None = None) -> tuple[Any, str | None]:
        """Credentials that renew themselves, for requests the SDK does not make, and the region they are for.

        Parameters
        ----------
        region : str, optional
            Instead of the configuration's.

        Returns
        -------
        tuple
            What ``get_frozen_credentials`` can be awaited on, ``None`` where there are none; and the region.

        Raises
        ------
        ConfigError
            No such profile.
        Denied
            Credentials there should be can't be read.
        """
        try:
            if self._session is None:
                self._session = await self._make_session()
            found = await self._session.get_credentials()
            known = region if region is not None else self._config.region
            return found, known if known is not None else self._session.get_config_variable("region")
        except NO_CREDENTIALS as error:
            raise translated(error, "find AWS credentials") from error
        except (sdk.BotoCoreError, ValueError) as error:
            raise ConfigError(f"aws: can't find credentials: {error}") from error

    async def _make_session(self) -> AioSession:
        config = self._config
        source = AioSession(profile=config.profile)
        if config.keys is not None:
            source.set_credentials(config.keys.access_key, config.keys.secret_key, config.keys.session_token)
        if config.role_arn is None:
            return source
        assumed = AioSession(profile=config.profile)
        sts = await self._open(source, "sts", None, None)
        assumed.register_component("credential_provider", AssumedRole(sts, config))
        return assumed

    async def _open(self, session: AioSession, service: str, region: str | None, connections: int | None) -> Any:
        config = self._config
        settings = AioConfig(
            connect_timeout=config.connect_seconds,
            read_timeout=config.read_seconds,
            max_pool_connections=connections if connections is not None else config.connections,
            retries={"mode": "standard", "total_max_attempts": 1},
            user_agent_extra="streamer",
        )
        # Through Any: the stubs name every service, and ours comes as a value.
        create: Any = session.create_client
        made = create(
            service,
            region_name=region if region is not None else config.region,
            endpoint_url=config.endpoint_urls.get(service),
            config=settings,
        )
        return await self._stack.enter_async_context(made)


class AssumedRole:
    """A session's credentials when it acts in a role: fetched at the first call, renewed in time.

    Parameters
    ----------
    sts : aiobotocore client
        Of STS, with credentials that may assume the role; stays open.
    config : AwsConfig
        Names the role.
    """

    def __init__(self, sts: Any, config: AwsConfig) -> None:
        self._sts = sts
        self._parameters = {"RoleArn": config.role_arn, "RoleSessionName": config.role_session_name}
        if config.external_id is not None:
            self._parameters["ExternalId"] = config.external_id

    async def load_credentials(self) -> AioDeferredRefreshableCredentials:
        """Credentials that fetch themselves; nothing is asked for yet."""
        return AioDeferredRefreshableCredentials(self._fetch, "assume-role")

    async def _fetch(self) -> dict[str, str]:
        found = (await self._sts.assume_role(**self._parameters))["Credentials"]
        return {
            "access_key": found["AccessKeyId"],
            "secret_key": found["SecretAccessKey"],
            "token": found["SessionToken"],
            "expiry_time": found["Expiration"].isoformat(),
        }
