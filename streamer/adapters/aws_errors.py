"""What the errors of AWS and of its SDK mean: each becomes one of the tree in ``streamer.core.errors``."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp
import botocore.exceptions as sdk
from botocore.parsers import ResponseParserError

from streamer.core.errors import (
    Absent,
    Denied,
    ExpiredIterator,
    NeedsPerson,
    Refused,
    Retryable,
    StreamerError,
    Throttled,
    Unavailable,
)
from streamer.printable import printable

# Names without "Exception" and in lower case, as services do not agree with themselves on either.
_MEANING: Final[Mapping[type[Retryable] | type[Refused], str]] = {
    Throttled: """
        bandwidthlimitexceeded ec2throttled kmsthrottled kmsthrottling limitexceeded overlimit priorrequestnotcomplete
        provisionedthroughputexceeded requestlimitexceeded requestthrottled slowdown throttled throttling
        toomanyrequests transactioninprogress 429
    """,
    Unavailable: """
        concurrentaccess concurrentmodification conditionalrequestconflict idpcommunicationerror internal internalerror
        internalfailure internalservererror operationaborted purgequeueinprogress queuedeletedrecently requesttimeout
        resourceinuse serviceunavailable 500 502 503 504
    """,
    ExpiredIterator: "expirediterator expirednexttoken",
    Denied: """
        accessdenied accountproblem allaccessdisabled authorizationerror expiredtoken expiredtradeintoken
        idprejectedclaim incompletesignature invalidaccesskeyid invalidclienttokenid invalididentitytoken
        invalidsecurity invalidsignature invalidtoken kmsaccessdenied kmsdisabled kmsinvalidkeyusage kmsinvalidstate
        kmsoptinrequired malformedpolicydocument missingauthenticationtoken notauthorized notauthorizedfordetailtype
        notauthorizedforsource optinrequired outboundwebidentityfederationdisabled packedpolicytoolarge regiondisabled
        requestexpired requesttimetooskewed sessiondurationescalation signaturedoesnotmatch tokenrefreshrequired
        unauthorizedoperation unrecognizedclient 401 403
    """,
    Absent: """
        invalidaddress kmsnotfound nonexistentqueue nosuchbucket nosuchkey notfound permanentredirect
        queuedoesnotexist resourcenotfound 301 404
    """,
    Refused: """
        annotationlimitexceeded annotationnametoolong batchentryidsnotdistinct batchrequesttoolong bucketalreadyexists
        bucketalreadyownedbyyou dryrunoperation emptybatchrequest encryptiontypemismatch endpointdisabled
        entitytoolarge filterpolicylimitexceeded idempotencyparametermismatch illegalstatus invalidaccountid
        invalidannotationname invalidargument invalidattributename invalidattributevalue invalidauthorizationmessage
        invalidbatchentryid invalideventpattern invalididformat invalidmessagecontents invalidobjectstate
        invalidparameter invalidparametervalue invalidprefix invalidrequest invalidstate invalidwriteoffset
        jwtpayloadsizeexceeded malformeddetail managedrule messagenotinflight nosuchannotation nosuchupload
        objectalreadyinactivetiererror objectnotinactivetiererror operationdisabled optedout parametervalueinvalid
        platformapplicationdisabled policylengthexceeded preconditionfailed queuenameexists receipthandleisinvalid
        redactionfailure replaylimitexceeded resourcealreadyexists staletag subscriptionlimitexceeded taglimitexceeded
        tagpolicy toomanyentriesinbatchrequest toomanyparts topiclimitexceeded unsupportedmediatype
        unsupportedoperation usererror validation validationerror verification 400 405 409 412 413
    """,
}
_BY_CODE: Final = {code: meaning for meaning, codes in _MEANING.items() for code in codes.split()}

# Messages to these name principals and resources. Others may quote the request, and with it payload;
# the one to a wrong signature quotes the session token.
_QUOTED: Final = frozenset(
    {"accessdenied", "authorizationerror", "kmsaccessdenied", "kmsdisabled", "kmsinvalidstate", "kmsnotfound"}
    | {"nosuchbucket", "notauthorizedfordetailtype", "notauthorizedforsource", "notfound", "queuedoesnotexist"}
    | {"resourcenotfound"}
)
_QUOTED_CHARACTERS: Final = 300

_NO_ANSWER: Final = (
    sdk.ConnectionError,
    sdk.HTTPClientError,
    sdk.IncompleteReadError,
    sdk.ChecksumError,
    sdk.FlexibleChecksumError,
    ResponseParserError,
    aiohttp.ClientError,
    OSError,
)
NO_CREDENTIALS: Final = (
    sdk.NoCredentialsError,
    sdk.PartialCredentialsError,
    sdk.CredentialRetrievalError,
    sdk.MetadataRetrievalError,
    sdk.NoAuthTokenError,
    sdk.TokenRetrievalError,
    sdk.RefreshWithMFAUnsupportedError,
    sdk.UnknownCredentialError,
    sdk.SSOError,
    sdk.LoginError,
)
_BAD_REQUEST: Final = (
    sdk.ParamValidationError,
    sdk.ValidationError,
    sdk.MissingParametersError,
    sdk.InvalidHostLabelError,
    sdk.InvalidDNSNameError,
)
FOREIGN: Final = (sdk.BotoCoreError, sdk.ClientError, ResponseParserError, aiohttp.ClientError, OSError)


@asynccontextmanager
async def calling(doing: str, within_seconds: float) -> AsyncIterator[None]:
    """Bound the time of the calls inside, and translate what they raise.

    Parameters
    ----------
    doing : str
        What is tried, after "can't": ``publish to arn:…``.
    within_seconds : float
        The SDK bounds each read; this bounds all of them together.

    Raises
    ------
    StreamerError
        As ``translated`` says.
    """
    try:
        async with asyncio.timeout(within_seconds):
            yield
    except FOREIGN as error:
        # A cause is shown with its text, and these quote the request.
        hidden = isinstance(error, _BAD_REQUEST) or _quotes_request(error)
        raise translated(error, doing) from (None if hidden else error)


def translated(error: Exception, doing: str) -> StreamerError:
    """What an error of the SDK means to us.

    Parameters
    ----------
    error : Exception
        One of ``FOREIGN``.
    doing : str
        What was tried, after "can't".

    Returns
    -------
    StreamerError
        ``Retryable`` or one of its branches, or ``Refused``. Its text holds no payload and no secret.
    """
    name = type(error).__name__
    match error:
        case sdk.ClientError():
            answer: Mapping[str, Any] = error.response
            about, meta = answer.get("Error", {}), answer.get("ResponseMetadata", {})
            status = int(meta.get("HTTPStatusCode") or 0)
            text = f"can't {doing}: {about.get('Code', 'no code')} ({error.operation_name}, status {status})"
            headers = meta.get("HTTPHeaders") or {}
            code, said = str(about.get("Code", "")), str(about.get("Message", ""))
            return of_code(code, text, status=status, said=said, retry_after=headers.get("retry-after"))
        case _ if isinstance(error, NO_CREDENTIALS):
            return Denied(f"can't {doing}: no AWS credentials ({name})")
        case TimeoutError() | sdk.ReadTimeoutError() | sdk.ConnectTimeoutError():
            return Unavailable(f"can't {doing}: no answer in time ({name})")
        case _ if isinstance(error, _NO_ANSWER):
            return Unavailable(f"can't {doing}: no answer ({name})")
        case _ if isinstance(error, _BAD_REQUEST):
            return Refused(f"can't {doing}: the request breaks the service's rules ({name})")
        case _:
            return NeedsPerson(f"can't {doing}: the SDK can't make the request ({name})")


def of_code(
    code: str, text: str, *, status: int = 0, said: str = "", retry_after: str | None = None
) -> Retryable | Refused:
    """What an error code of a call, or of one entry of it, means to us.

    Parameters
    ----------
    code : str
        As the service spells it.
    text : str
        Text of the error that is made.
    status : int
        HTTP status, for codes that are not known: 5xx is the far side's fault, 401 and 403 a matter
        of permission, and everything else is refused.
    said : str
        The service's message; quoted for those codes whose messages hold no payload and no secret.
    retry_after : str, optional
        The header of that name.
    """
    key = _key(code)
    meaning = _BY_CODE.get(key)
    if meaning is None:
        meaning = _BY_CODE.get(str(status), Unavailable if status >= 500 else Refused)
    if said and key in _QUOTED:
        text += ": " + printable(said[:_QUOTED_CHARACTERS], " ")
    if issubclass(meaning, Refused):
        return meaning(text)
    seconds = retry_after if retry_after is not None and retry_after.isdecimal() else None
    # Nobody is told to stay away for more than five minutes: whoever repairs the far side waits.
    return meaning(text, None if seconds is None else min(float(seconds), 300.0))


def knows(code: str) -> bool:
    """Whether a code has a meaning of its own, whatever its status."""
    return _key(code) in _BY_CODE


def _key(code: str) -> str:
    return code.rpartition("#")[2].rpartition(".")[2].removesuffix("Exception").lower()


def _quotes_request(error: Exception) -> bool:
    return isinstance(error, sdk.ClientError) and "Signature" in str(error.response.get("Error", {}).get("Code", ""))
