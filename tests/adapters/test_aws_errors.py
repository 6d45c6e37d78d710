import asyncio
import inspect
from collections.abc import Iterator, Mapping

import aiohttp
import botocore.exceptions as sdk
import botocore.session
import pytest
from botocore.parsers import ResponseParserError

from streamer.adapters.aws_errors import FOREIGN, calling, knows, of_code, translated
from streamer.core.errors import (
    Absent,
    ConfigError,
    Denied,
    ExpiredIterator,
    NeedsPerson,
    Refused,
    Retryable,
    StreamerError,
    Throttled,
    Unavailable,
)

SERVICES = ("sns", "events", "kinesis", "s3", "sqs", "sts")
# Every service may give these, and no service's model lists them.
EVERYWHERE = """
    AccessDenied AccessDeniedException ExpiredToken ExpiredTokenException IncompleteSignature InternalFailure
    InternalServerError InvalidAccessKeyId InvalidClientTokenId InvalidSignatureException MissingAuthenticationToken
    NotAuthorized OptInRequired RequestExpired RequestTimeTooSkewed RequestTimeout ServiceUnavailable
    SignatureDoesNotMatch SlowDown Throttling ThrottlingException TooManyRequestsException UnrecognizedClientException
    ValidationError ValidationException
"""
ENTRIES = """
    InternalFailure ThrottlingException AccessDeniedException InvalidAccountIdException InvalidArgument MalformedDetail
    RedactionFailure NotAuthorizedForSourceException NotAuthorizedForDetailTypeException
    ProvisionedThroughputExceededException
"""
CONDITIONAL = "PreconditionFailed ConditionalRequestConflict 412 404 403 503"


def codes_of(service: str) -> Iterator[str]:
    model = botocore.session.get_session().get_service_model(service)
    for shape in model.error_shapes:
        yield shape.name
        yield shape.metadata.get("error", {}).get("code", shape.name)


def client_error(
    code: str, status: int = 400, said: str = "", headers: Mapping[str, str] | None = None
) -> sdk.ClientError:
    about, meta = {"Code": code, "Message": said}, {"HTTPStatusCode": status, "HTTPHeaders": dict(headers or {})}
    return sdk.ClientError({"Error": about, "ResponseMetadata": meta}, "Publish")  # type: ignore[typeddict-item]


@pytest.mark.parametrize("service", SERVICES)
def test_every_error_in_a_services_model_has_a_meaning(service: str) -> None:
    assert [code for code in codes_of(service) if not knows(code)] == []


@pytest.mark.parametrize("codes", [EVERYWHERE, ENTRIES, CONDITIONAL], ids=["everywhere", "entries", "conditional"])
def test_every_error_no_model_lists_has_a_meaning(codes: str) -> None:
    assert [code for code in codes.split() if not knows(code)] == []


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("ProvisionedThroughputExceededException", Throttled),
        ("KMSThrottling", Throttled),
        ("InternalFailureException", Unavailable),
        ("ConditionalRequestConflict", Unavailable),
        ("ExpiredIteratorException", ExpiredIterator),
        ("ExpiredNextTokenException", ExpiredIterator),
        ("AccessDenied", Denied),
        ("ExpiredTokenException", Denied),
        ("RequestTimeTooSkewed", Denied),
        ("ResourceNotFoundException", Absent),
        ("NotFound", Absent),
        ("AWS.SimpleQueueService.NonExistentQueue", Absent),
        ("com.amazonaws.sqs#QueueDoesNotExist", Absent),
        ("MalformedDetail", Refused),
        ("PreconditionFailed", Refused),
    ],
)
def test_a_code_means_the_same_however_it_is_spelled(code: str, expected: type) -> None:
    assert type(of_code(code, "x")) is expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (500, Unavailable),
        (503, Unavailable),
        (599, Unavailable),
        (429, Throttled),
        (401, Denied),
        (403, Denied),
        (404, Absent),
        (400, Refused),
        (418, Refused),
        (0, Refused),
    ],
)
def test_a_code_nobody_knows_means_what_its_status_means(status: int, expected: type) -> None:
    assert type(of_code("BrandNew", "x", status=status)) is expected


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (sdk.EndpointConnectionError(endpoint_url="u"), Unavailable),
        (sdk.ConnectTimeoutError(endpoint_url="u"), Unavailable),
        (sdk.ReadTimeoutError(endpoint_url="u"), Unavailable),
        (sdk.ConnectionClosedError(endpoint_url="u"), Unavailable),
        (sdk.HTTPClientError(error="e"), Unavailable),
        (sdk.ResponseStreamingError(error="e"), Unavailable),
        (sdk.ProxyConnectionError(proxy_url="u"), Unavailable),
        (sdk.SSLError(endpoint_url="u", error=OSError("e")), Unavailable),
        (sdk.IncompleteReadError(actual_bytes=1, expected_bytes=2), Unavailable),
        (ResponseParserError("<html>"), Unavailable),
        (aiohttp.ClientPayloadError("e"), Unavailable),
        (aiohttp.ServerDisconnectedError(), Unavailable),
        (TimeoutError(), Unavailable),
        (ConnectionResetError(), Unavailable),
        (sdk.NoCredentialsError(), Denied),
        (sdk.PartialCredentialsError(provider="p", cred_var="c"), Denied),
        (sdk.CredentialRetrievalError(provider="p", error_msg="e"), Denied),
        (sdk.UnauthorizedSSOTokenError(), Denied),
        (sdk.ParamValidationError(report="r"), Refused),
        (sdk.EndpointResolutionError(msg="m"), NeedsPerson),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value.__name__,
)
def test_what_the_sdk_raises_by_itself_has_a_meaning(error: Exception, expected: type) -> None:
    assert type(translated(error, "try")) is expected


def test_no_error_of_the_sdk_loses_an_alert_but_a_bad_request() -> None:
    refused = set()
    for name, kind in inspect.getmembers(sdk, inspect.isclass):
        if issubclass(kind, sdk.BotoCoreError):
            error = kind.__new__(kind)
            if isinstance(translated(error, "try"), Refused):
                refused.add(name)
    allowed = (sdk.ParamValidationError, sdk.ValidationError, sdk.MissingParametersError)
    others = {"InvalidHostLabelError", "InvalidDNSNameError"}
    assert {name for name in refused if not issubclass(getattr(sdk, name), allowed)} == others


def test_what_needs_a_person_is_tried_on() -> None:
    assert issubclass(NeedsPerson, Retryable)
    assert not issubclass(NeedsPerson, ConfigError)


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("86400", 300.0), ("Wed, 21 Oct 2026 07:28:00 GMT", None), ("-1", None)]
)
def test_the_far_side_may_say_how_long_to_wait(header: str, seconds: float | None) -> None:
    error = translated(client_error("SlowDown", 503, headers={"retry-after": header}), "try")
    assert isinstance(error, Throttled)
    assert error.retry_after_seconds == seconds


def test_the_text_says_what_was_tried_and_what_came_back() -> None:
    said = "User: arn:aws:sts::1:assumed-role/r is not\nauthorized"
    error = translated(client_error("AccessDenied", 403, said), "publish to arn:t")
    assert str(error) == (
        "can't publish to arn:t: AccessDenied (Publish, status 403): "
        "User: arn:aws:sts::1:assumed-role/r is not authorized"
    )


@pytest.mark.parametrize(
    "error",
    [
        client_error("SignatureDoesNotMatch", 403, "The canonical string is POST x-amz-security-token:SECRET"),
        client_error("InvalidParameter", 400, "Value 'SECRET' failed to satisfy constraint"),
        client_error("BrandNew", 400, "SECRET"),
        sdk.ParamValidationError(report="Invalid type for parameter Message, value: SECRET"),
        sdk.CredentialRetrievalError(provider="p", error_msg="SECRET"),
        ResponseParserError("Unable to parse response, invalid XML: SECRET"),
        sdk.EndpointConnectionError(endpoint_url="http://host/SECRET"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_no_text_holds_payload_or_secrets(error: Exception) -> None:
    assert "SECRET" not in str(translated(error, "try"))


@pytest.mark.parametrize(
    "error", [client_error("SignatureDoesNotMatch", 403, "SECRET"), sdk.ParamValidationError(report="SECRET")]
)
async def test_what_quotes_the_request_is_no_cause(error: Exception) -> None:
    with pytest.raises(StreamerError) as raised:
        async with calling("try", 60.0):
            raise error
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


async def test_every_other_error_is_the_cause_of_its_translation() -> None:
    error = client_error("Throttled", 429)
    with pytest.raises(Throttled) as raised:
        async with calling("try", 60.0):
            raise error
    assert raised.value.__cause__ is error


async def test_a_call_that_takes_too_long_ends() -> None:
    with pytest.raises(Unavailable, match="no answer in time"):
        async with calling("try", 0.0):
            await asyncio.Event().wait()


async def test_a_deadline_around_a_call_stays_a_deadline() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.0), calling("try", 60.0):
            await asyncio.Event().wait()


async def test_a_bug_inside_a_call_rises_as_it_is() -> None:
    with pytest.raises(KeyError):
        async with calling("try", 60.0):
            raise KeyError("x")


def test_nothing_of_ours_is_foreign() -> None:
    assert not issubclass(StreamerError, FOREIGN)
