"""Template: what an OpenSearch server is told before the first document of a family."""

from collections.abc import Mapping
from typing import Final

from streamer.core.index.families import FILED, Family, pattern_of
from streamer.core.index.mappings import BESIDE, properties_of

# Grows with every change of a mapping, so that a server with an older template is told apart.
VERSION: Final = 1
OWNER: Final = "streamer"
# Windows of one feature side by side compress better: what its baseline had is in each of them. Measured
# on OpenSearch 3.8: 576 bytes a document where they stand as they came 703 (24 cells, 100 features).
_ORDER: Final[Mapping[Family, Mapping[str, object]]] = {
    Family.FEATURES: {"index.sort.field": ["feature", "window_start"], "index.sort.order": ["asc", "asc"]}
}


def template_name(prefix: str, family: Family) -> str:
    """Name of a family's index template."""
    return f"{prefix}-{family}"


def mappings_of(family: Family) -> dict[str, object]:
    """``mappings`` of a family's indices.

    A field that is not in them refuses the document, so that a server that was not upgraded shows,
    instead of guessing a type from the first value it sees.
    """
    beside = BESIDE.get(family)
    also = {} if beside is None else properties_of(beside)
    return {"dynamic": "strict", "properties": {**also, **properties_of(FILED[family].document)}}


def template_of(prefix: str, family: Family) -> dict[str, object]:
    """Body of ``PUT _index_template/NAME`` (OpenSearch documentation, "Index templates")."""
    return {
        "index_patterns": [pattern_of(prefix, family)],
        "priority": 200,
        "version": VERSION,
        "_meta": {"owner": OWNER, "version": VERSION},
        "template": {
            "settings": {
                "index.number_of_shards": "1",
                "index.auto_expand_replicas": "0-1",
                "index.refresh_interval": "10s",
                "index.codec": "best_compression",
                **_ORDER.get(family, {}),
            },
            "mappings": mappings_of(family),
        },
    }
