"""The command line: options for every command, and the only place that turns errors into exit codes.

0 done; 1 it could not be done (a bug, a full disk, no such file); 2 wrong usage; 78 the configuration
or a baseline can't be used; 130 interrupted; 143 ended by SIGTERM (a replay).
"""

import sys
from typing import Annotated, Literal

import typer

from streamer.commands import alert, baseline, bench, dashboards, demo, index, model
from streamer.commands.accept import accept
from streamer.commands.health import health
from streamer.commands.init import init
from streamer.commands.plan import plan
from streamer.commands.replay import replay
from streamer.commands.run import run
from streamer.commands.schema import schema
from streamer.commands.validate import validate
from streamer.commands.version import version
from streamer.core.errors import BaselineError, ConfigError, StreamerError

FAILED = 1
BAD_CONFIGURATION = 78

app = typer.Typer(
    name="streamer",
    help="Watch machine-learning models in production while they serve.",
    # A bug's traceback is Python's own: the pretty one would show local variables, and so payloads.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
)


@app.callback(invoke_without_command=True)
def options(
    ctx: typer.Context,
    log_format: Annotated[
        Literal["auto", "json", "console"], typer.Option(help="Form of log lines; auto is JSON unless on a terminal.")
    ] = "auto",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Warnings and errors only.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="More, for developers.")] = False,
) -> None:
    """Watch machine-learning models in production while they serve."""
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())
        return
    if ctx.invoked_subcommand not in _SILENT:
        from streamer import log

        log.set_up(form=log_format, level="warning" if quiet else "debug" if verbose else "info")


# They log nothing, and should be there at once.
_SILENT = frozenset({"dashboards", "health", "init", "plan", "schema", "version"})

app.command()(demo.demo)
app.command()(init)
app.add_typer(baseline.app, name="baseline")
baseline.app.command()(accept)
app.add_typer(alert.app, name="alert")
app.add_typer(model.app, name="model")
app.add_typer(dashboards.app, name="dashboards")
app.add_typer(index.app, name="index")
app.command()(validate)
app.command()(plan)
app.command()(replay)
app.command()(run)
app.command()(schema)
app.command()(bench.bench)
app.command()(health)
app.command()(version)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line; it always ends by ``SystemExit``.

    Parameters
    ----------
    arguments : list of str, optional
        Instead of the process's own.
    """
    try:
        app(arguments)
    except (ConfigError, BaselineError) as error:
        _fail(error, BAD_CONFIGURATION)
    except StreamerError as error:
        _fail(error, FAILED)


def _fail(error: StreamerError, code: int) -> None:
    typer.echo(f"streamer: {error}" if "\n" not in str(error) else f"streamer:\n{error}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
