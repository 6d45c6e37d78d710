"""Install: brings saved objects to a running OpenSearch Dashboards, and does not take its word for it.

An import can answer that it was a success and have written nothing, or a part; so the answer is counted,
and every object is read back and compared with what was sent.
"""

import json
import ssl
from base64 import b64encode
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import aiohttp

from streamer.core.errors import SinkError
from streamer.dashboards.check import problems_in
from streamer.dashboards.generate import encoded
from streamer.dashboards.objects import Object

_SECONDS: Final = 60.0
# So much of an answer is read; one of some hundred objects has a tenth of it.
_MOST_BYTES: Final = 16_777_216
_COMPARED: Final = ("attributes", "references", "migrationVersion")


class Access(NamedTuple):
    """How Dashboards is reached.

    Attributes
    ----------
    url : str
        Its address, with the path of a domain (``https://…/_dashboards``) where there is one.
    username, password : str
        Basic authentication; empty for none.
    tenant : str
        Of the security plugin; empty for the user's own.
    ca_file : str
        PEM file of the authority that signed its certificate; empty for the system's.
    """

    url: str
    username: str = ""
    password: str = ""
    tenant: str = ""
    ca_file: str = ""


async def install(access: Access, objects: Sequence[Object]) -> None:
    """Import these objects over what is there, and make sure that they are there.

    Parameters
    ----------
    access : Access
        Where to.
    objects : sequence of dict
        Saved objects.

    Raises
    ------
    SinkError
        They are not well; or it can't be reached, refuses, or has not kept all of them as they are. The
        text says which.
    """
    text = encoded(objects)
    if problems := problems_in(text):
        # Most of these a server would take without a word.
        raise SinkError("\n".join(problems))
    url = access.url.rstrip("/")
    headers = {"osd-xsrf": "true"}
    if access.tenant:
        headers["securitytenant"] = access.tenant
    if access.username:
        headers["Authorization"] = f"Basic {b64encode(f'{access.username}:{access.password}'.encode()).decode()}"
    try:
        connector = aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=access.ca_file or None))
        timeout = aiohttp.ClientTimeout(total=_SECONDS)
        async with aiohttp.ClientSession(connector=connector, headers=headers, timeout=timeout) as session:
            form = aiohttp.FormData()
            # By any other ending of its name the file is refused.
            form.add_field("file", text, filename="streamer.ndjson", content_type="application/ndjson")
            told = await _answer(session, f"{url}/api/saved_objects/_import?overwrite=true", url, data=form)
            _check_import(told, len(objects), url)
            wanted = [{"type": one["type"], "id": one["id"]} for one in objects]
            kept = await _answer(session, f"{url}/api/saved_objects/_bulk_get", url, json=wanted)
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        # The text of a library's error may have the address with what was put into it.
        raise SinkError(f"{url}: can't be reached: {type(error).__name__}") from error
    if differing := _differing(kept, objects):
        raise SinkError(f"{url}: said to be imported, and is not there as it was sent: {', '.join(differing)}")


async def _answer(session: aiohttp.ClientSession, address: str, url: str, **body: Any) -> Object:
    # A redirect to a sign-in page would answer 200.
    async with session.post(address, allow_redirects=False, **body) as response:
        text = b""
        async for part in response.content.iter_any():
            text += part
            if len(text) > _MOST_BYTES:
                raise SinkError(f"{url}: answers with more than {_MOST_BYTES // 1_048_576} MiB")
        try:
            answer = json.loads(text)
        except ValueError:
            answer = None
        if response.status != 200:
            why = answer.get("message") if isinstance(answer, dict) else None
            raise SinkError(f"{url}: answers {response.status}: {why or response.reason}")
        if not isinstance(answer, dict):
            raise SinkError(f"{url}: no JSON object is answered: is it OpenSearch Dashboards?")
        return answer


def _check_import(told: Object, sent: int, url: str) -> None:
    """Raise unless all of it was imported."""
    errors = [f"{e.get('type')} {e.get('id')}: {(e.get('error') or {}).get('type')}" for e in told.get("errors", ())]
    if told.get("success") is not True or errors:
        raise SinkError(f"{url}: not imported: {'; '.join(errors) or 'no reason is given'}")
    if told.get("successCount") != sent:
        raise SinkError(f"{url}: {told.get('successCount')} of {sent} objects were imported")


def _differing(kept: Object, objects: Sequence[Object]) -> list[str]:
    """Objects that are not there, or not as they were sent."""
    found = {(one.get("type"), one.get("id")): one for one in kept.get("saved_objects", ()) if "error" not in one}
    return [
        f"{one['type']} {one['id']}"
        for one in objects
        if any(found.get((one["type"], one["id"]), {}).get(name) != one[name] for name in _COMPARED)
    ]
