"""``streamer health``: asks a running service how it is, for health checks of containers."""

from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from streamer.printable import printable

if TYPE_CHECKING:
    from http.client import HTTPConnection

# An answer has some hundred bytes.
_MOST_BYTES = 65_536


def health(
    url: Annotated[
        str, typer.Option(help="Where to ask: /readyz for readiness, /healthz for a loop that turns.")
    ] = "http://127.0.0.1:9464/readyz",
    timeout: Annotated[float, typer.Option(min=0.1, max=600, help="Seconds to wait for each part of an answer.")] = 3.0,
) -> None:
    """Ask a running service whether it is well; exit 0 if it is, else 1 with the reasons."""
    from http.client import HTTPException

    connection, path = _connection(url, timeout)
    try:
        connection.request("GET", path, headers={"Accept": "application/json", "Connection": "close"})
        response = connection.getresponse()
        status, body = response.status, response.read(_MOST_BYTES)
    except TimeoutError as error:
        _fail(f"no answer from {url} within {timeout:g} s", error)
    except (OSError, HTTPException) as error:
        _fail(f"no answer from {url}: {printable(getattr(error, 'strerror', None) or type(error).__name__)}", error)
    finally:
        connection.close()
    if status == 200:
        typer.echo("well")
        return
    for line in _reasons(body) or [f"{url} answers {status}"]:
        typer.echo(line)
    raise typer.Exit(1)


def _connection(url: str, timeout: float) -> "tuple[HTTPConnection, str]":
    from http.client import HTTPConnection, InvalidURL
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        known = parts.scheme == "http" and parts.hostname and url.isprintable() and " " not in url
        connection = HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
    except (ValueError, InvalidURL):
        known = False
    if not known:
        raise typer.BadParameter("expected an address like http://127.0.0.1:9464/readyz", param_hint="--url")
    return connection, parts.path or "/readyz"


def _fail(text: str, error: Exception) -> NoReturn:
    typer.echo(text)
    raise typer.Exit(1) from error


def _reasons(body: bytes) -> list[str]:
    """Lines to print, from an answer of ``/readyz``; empty when it is something else."""
    import json

    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return []
    parts = found.get("reasons") if isinstance(found, dict) else None
    if not isinstance(parts, dict):
        return []
    return [
        f"{printable(part)}: {printable(str(why))}"
        for part, whys in parts.items()
        if isinstance(whys, list)
        for why in whys
    ]
