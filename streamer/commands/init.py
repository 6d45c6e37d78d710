"""``streamer init``: a first configuration."""

from pathlib import Path
from typing import Annotated

import typer

from streamer.commands.printing import printing


def init(
    path: Annotated[Path, typer.Argument(help="The file to write.")] = Path("streamer.toml"),
    endpoint: Annotated[str, typer.Option(metavar="NAME", help="The endpoint's name.")] = "my-endpoint",
    baseline: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder or file of its baseline.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Write a commented first configuration; it loads as it is."""
    import os

    from streamer.app.whole import write_whole
    from streamer.config.load import parse
    from streamer.config.template import template
    from streamer.core.errors import ConfigError

    try:
        # Relative to the configuration's folder, as every path in it.
        place = None if baseline is None else Path(os.path.relpath(baseline, path.parent)).as_posix()
        text = template(endpoint, place)
        parse(text, {}, str(path))
    except (ConfigError, ValueError) as error:
        raise typer.BadParameter(str(error)) from error
    if os.path.lexists(path) and not force:
        raise typer.BadParameter(f"{path} is there already; --force replaces it")
    write_whole(path, text.encode())
    with printing():
        typer.echo(f'Wrote {path}. Next: "streamer validate {path}".')
