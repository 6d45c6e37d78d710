"""``streamer schema``: JSON Schema of what is written, or of the configuration."""

from typing import Annotated

import typer


def schema(
    of_config: Annotated[bool, typer.Option("--config", help="Of the configuration file, for editors.")] = False,
) -> None:
    """Print the JSON Schema of documents, notifications and dead letters."""
    import json

    if of_config:
        from streamer.config.model import Config

        found: dict[str, object] = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            **Config.model_json_schema(),
        }
    else:
        from streamer.core.documents import json_schema

        found = json_schema()
    typer.echo(json.dumps(found, indent=2, ensure_ascii=False))
