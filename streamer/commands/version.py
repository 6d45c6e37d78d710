"""``streamer version``: what is installed."""

from typing import Annotated

import typer


def version(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False) -> None:
    """Print the versions of streamer and of Python."""
    import json
    import platform
    from importlib import metadata

    versions = {"streamer": metadata.version("streamer"), "python": platform.python_version()}
    typer.echo(json.dumps(versions) if as_json else f"streamer {versions['streamer']} (Python {versions['python']})")
