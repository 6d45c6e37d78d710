"""Admin: a small path beside the service's own, for tests that run the emulator as a process of its own.

==================== ======== =====================================================================
path                 method   what it does
==================== ======== =====================================================================
/_admin/faults       POST     arms a fault: ``{"kind": "Throttle", "calls": 3}``; answers ``{"id": 1}``
/_admin/faults       GET      every fault with how often it struck
/_admin/faults       DELETE   removes all; stalled answers go on
/_admin/limits       PUT      sets limits, those left out as AWS publishes them
/_admin/clock        POST     goes ahead of the clock: ``{"seconds": 301}``; answers ``{"now": …}``
/_admin/calls        GET      calls by operation and outcome
==================== ======== =====================================================================
"""

from collections.abc import Callable
from typing import Annotated, Final

import msgspec

from streamer.testing.kinesis.emulator import Kinesis
from streamer.testing.kinesis.faults import AnyFault
from streamer.testing.kinesis.limits import Limits
from streamer.testing.kinesis.protocol import HttpRequest

ADMIN_PATH: Final = "/_admin/"


class _Advance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    seconds: Annotated[float, msgspec.Meta(ge=0)]


def administer(kinesis: Kinesis, request: HttpRequest, clear_faults: Callable[[], None]) -> tuple[int, bytes]:
    """Do what an admin request says.

    Returns
    -------
    int, bytes
        HTTP status and JSON.
    """
    # A page in a browser can reach loopback, too; it cannot leave this header out.
    if "origin" in request.headers:
        return 403, _said("not for browsers")
    try:
        return _administer(kinesis, request, clear_faults)
    except msgspec.DecodeError as error:
        return 400, _said(str(error))


def _administer(kinesis: Kinesis, request: HttpRequest, clear_faults: Callable[[], None]) -> tuple[int, bytes]:
    match request.method, request.path.removeprefix(ADMIN_PATH):
        case "POST", "faults":
            fault = msgspec.json.decode(request.body, type=AnyFault)
            return 200, msgspec.json.encode({"id": kinesis.faults.arm(fault, kinesis.now())})
        case "GET", "faults":
            return 200, msgspec.json.encode(list(kinesis.faults))
        case "DELETE", "faults":
            clear_faults()
            return 200, b"{}"
        case "PUT", "limits":
            kinesis.limits = msgspec.json.decode(request.body, type=Limits)
            return 200, b"{}"
        case "POST", "clock":
            kinesis.advance(msgspec.json.decode(request.body, type=_Advance).seconds)
            return 200, msgspec.json.encode({"now": kinesis.now()})
        case "GET", "calls":
            counted: dict[str, dict[str, int]] = {}
            for (operation, outcome), calls in sorted(kinesis.calls.items()):
                counted.setdefault(operation, {})[outcome] = calls
            return 200, msgspec.json.encode(counted)
        case _:
            return 404, _said("no such path or method")


def _said(text: str) -> bytes:
    return msgspec.json.encode({"error": text})
