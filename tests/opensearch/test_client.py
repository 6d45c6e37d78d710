"""Requests: who asks, what errors of the client mean, and that nothing secret shows."""

import ssl
from base64 import b64decode
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest
from opensearchpy import exceptions as sdk

from streamer.adapters.opensearch import Server, ServerConfig
from streamer.adapters.opensearch.client import path_of, translated
from streamer.adapters.opensearch.signing import Signing
from streamer.core.errors import ConfigError, Denied, NeedsPerson, Unavailable
from streamer.testing.opensearch import StubOpenSearch


class Frozen(NamedTuple):
    """As the SDK freezes credentials."""

    access_key: str
    secret_key: str
    token: str | None = None


class Credentials:
    """Credentials that renew themselves."""

    def __init__(self, *several: Frozen | Exception) -> None:
        self.several = list(several)

    async def get_frozen_credentials(self) -> Any:
        found = self.several.pop(0) if len(self.several) > 1 else self.several[0]
        if isinstance(found, Exception):
            raise found
        return found


async def test_a_user_signs_in_with_a_password(stub: StubOpenSearch) -> None:
    server = Server(ServerConfig(url=stub.url, username="streamer", password="schlüssel €"))
    await server.call("GET", "/_index_template/x")
    await server.close()
    kind, _, encoded = stub.seen[-1].headers["Authorization"].partition(" ")
    assert (kind, b64decode(encoded).decode()) == ("Basic", "streamer:schlüssel €")


def test_a_password_does_not_show() -> None:
    config = ServerConfig(url="https://index", username="streamer", password="geheim")
    assert "geheim" not in f"{config!r} {config} {config.__rich_repr__()}"


@pytest.mark.parametrize("service", ["es", "aoss"])
async def test_requests_are_signed_for_the_service_and_the_region(stub: StubOpenSearch, service: Any) -> None:
    signing = Signing(Credentials(Frozen("AKIDEXAMPLE", "secret", "session")), "eu-west-1", service)
    server = Server(ServerConfig(url=stub.url), signing)
    await server.call("POST", "/_bulk", b"{}\n")
    await server.close()
    headers = stub.seen[-1].headers
    assert headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert f"/eu-west-1/{service}/aws4_request" in headers["Authorization"]
    assert "x-amz-content-sha256" in headers["Authorization"]
    assert headers["X-Amz-Security-Token"] == "session"
    # The digest of what was sent, as Serverless insists on.
    assert headers["X-Amz-Content-SHA256"] == "ca3d163bab055381827226140568f3bef7eaac187cebd76878e0b63e9e442356"


async def test_credentials_are_renewed_before_a_request(stub: StubOpenSearch) -> None:
    signing = Signing(Credentials(Frozen("FIRST", "s"), Frozen("SECOND", "s")), "eu-west-1", "es")
    server = Server(ServerConfig(url=stub.url), signing)
    for name in ("FIRST", "SECOND"):
        await server.call("GET", "/_index_template/x")
        assert f"Credential={name}/" in stub.seen[-1].headers["Authorization"]
    await server.close()


@pytest.mark.parametrize(("credentials", "error"), [(None, Denied), (Credentials(OSError("no route")), Unavailable)])
async def test_without_credentials_nothing_is_asked(
    stub: StubOpenSearch, credentials: Credentials | None, error: type[Exception]
) -> None:
    server = Server(ServerConfig(url=stub.url), Signing(credentials, "eu-west-1", "es"))
    with pytest.raises(error):
        await server.call("GET", "/")
    await server.close()
    assert stub.seen == []


@pytest.mark.parametrize(
    ("raised", "meaning"),
    [
        (sdk.ConnectionTimeout("TIMEOUT", "secret", TimeoutError()), Unavailable),
        (sdk.ConnectionError("N/A", "secret", ConnectionResetError()), Unavailable),
        (sdk.ConnectionError("N/A", "secret", aiohttp.ServerDisconnectedError()), Unavailable),
        (sdk.SSLError("N/A", "secret", ssl.SSLError()), NeedsPerson),
        (sdk.ConnectionError("N/A", "secret", aiohttp.ServerFingerprintMismatch(b"", b"", "h", 1)), NeedsPerson),
        (sdk.SerializationError("secret"), NeedsPerson),
        (sdk.TransportError("N/A", "secret", {}), NeedsPerson),
        (sdk.RequestError(400, "secret", {}), NeedsPerson),
    ],
)
def test_an_error_of_the_client_has_a_meaning_and_its_text_does_not_pass(
    raised: sdk.OpenSearchException, meaning: type[Exception]
) -> None:
    found = translated(raised, "POST /_bulk")
    assert type(found) is meaning
    assert "secret" not in str(found)


def test_every_error_of_the_client_has_a_meaning() -> None:
    known = [e for e in vars(sdk).values() if isinstance(e, type) and issubclass(e, sdk.OpenSearchException)]
    assert len(known) > 8
    for kind in known:
        assert isinstance(translated(kind("N/A", "text", {}), "x"), Unavailable | NeedsPerson)


async def test_a_certificate_nobody_trusts_needs_a_person(stub: StubOpenSearch) -> None:
    # No TLS at all on the other side: the handshake fails.
    server = Server(ServerConfig(url=stub.url.replace("http:", "https:")))
    with pytest.raises(NeedsPerson, match="certificate"):
        await server.call("GET", "/")
    await server.close()


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_without_certificates_is_a_mistake_in_the_configuration(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "ca.pem").write_text(content)
    with pytest.raises(ConfigError, match=r"index\.opensearch"):
        Server(ServerConfig(url="https://127.0.0.1:1", ca_file=str(tmp_path / "ca.pem")))


def test_a_path_can_not_be_left_by_a_name() -> None:
    assert path_of("../_all", "_bulk") == "/..%2F_all/_bulk"


async def test_closing_before_anything_was_asked_is_fine() -> None:
    server = Server(ServerConfig(url="http://127.0.0.1:1"))
    await server.close()
    await server.close()
