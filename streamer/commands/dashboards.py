"""``streamer dashboards``: the views and dashboards for OpenSearch Dashboards, made, checked and installed."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Views and dashboards for OpenSearch Dashboards.", no_args_is_help=True)

_FILE = Path("dashboards/streamer.ndjson")
_PREFIX = Annotated[str, typer.Option(help="Before every index of ours.")]


@app.command()
def generate(
    out: Annotated[Path, typer.Argument(help="Where the file goes.")] = _FILE, prefix: _PREFIX = "streamer"
) -> None:
    """Write the saved objects as a file, to be kept and looked through, or imported by hand."""
    from streamer.core.errors import SinkError
    from streamer.dashboards.check import problems_in
    from streamer.dashboards.generate import encoded, objects

    made = objects(prefix)
    text = encoded(made)
    if problems := problems_in(text):
        raise typer.BadParameter("\n".join(problems), param_hint="--prefix")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(text)
    except OSError as error:
        raise SinkError(f"can't write {out}: {error.strerror}") from error
    typer.echo(f"{out}: {len(made)} objects")


@app.command()
def check(path: Annotated[Path, typer.Argument(help="A file of saved objects.")] = _FILE) -> None:
    """Check saved objects as far as that can be done without a server; exit 1 with every problem."""
    from streamer.core.errors import SinkError
    from streamer.dashboards.check import problems_in

    try:
        text = path.read_bytes()
    except OSError as error:
        raise SinkError(f"can't read {path}: {error.strerror}") from error
    problems = problems_in(text)
    for problem in problems:
        typer.echo(problem)
    if problems:
        raise typer.Exit(1)
    typer.echo(f"{path}: {len(text.splitlines())} objects, all well")


@app.command()
def install(
    url: Annotated[str, typer.Argument(help="Address of Dashboards; of a domain, with /_dashboards.")],
    prefix: _PREFIX = "streamer",
    username: Annotated[str, typer.Option(help="For basic authentication; the password is asked for.")] = "",
    password: Annotated[
        str, typer.Option(envvar="DASHBOARDS_PASSWORD", help="Better in the environment.", show_default=False)
    ] = "",
    tenant: Annotated[str, typer.Option(help="Of the security plugin, such as global.")] = "",
    ca_file: Annotated[str, typer.Option(help="PEM file of the authority that signed its certificate.")] = "",
) -> None:
    """Import everything into a running Dashboards, over what is there, and read it back."""
    import asyncio
    from urllib.parse import urlsplit

    from streamer.dashboards.generate import objects
    from streamer.dashboards.install import Access
    from streamer.dashboards.install import install as bring

    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise typer.BadParameter(
            "expected an address like http://127.0.0.1:5601, without a password in it", param_hint="URL"
        )
    if username and not password:
        password = typer.prompt("password", hide_input=True)
    made = objects(prefix)
    asyncio.run(bring(Access(url, username, password, tenant, ca_file), made))
    typer.echo(f"{url}: {len(made)} objects are there as they were sent")
