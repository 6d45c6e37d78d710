"""Generate: every saved object in order, and the file they are committed as."""

from collections.abc import Sequence
from typing import Final

from streamer.core.index.families import Family
from streamer.dashboards import panels
from streamer.dashboards.objects import Object, Place, Views, dashboard, data_view, text_of

PREFIX: Final = "streamer"
_DESCRIPTION: Final = (
    "Drift, missing values, volume and incidents of an endpoint, and how the service stands [generated]"
)


def objects(prefix: str = PREFIX) -> list[Object]:
    """Data views, panels and the dashboard, each after what it refers to.

    Parameters
    ----------
    prefix : str
        Of the indices; ids begin with it, too.
    """
    views = Views(prefix)
    placed = [
        (panels.choice(views), Place(0, 0, 30, 7)),
        (panels.notes(views), Place(30, 0, 18, 7)),
        (panels.evidence(views), Place(0, 7, 30, 16)),
        (panels.budget(views), Place(30, 7, 18, 16)),
        (panels.incidents(views), Place(0, 23, 48, 12)),
        (panels.histogram(views), Place(0, 35, 30, 14)),
        (panels.missing(views), Place(30, 35, 18, 14)),
        (panels.volume(views), Place(0, 49, 24, 13)),
        (panels.trouble(views), Place(24, 49, 24, 13)),
        (panels.lag(views), Place(0, 62, 24, 12)),
        (panels.outbox(views), Place(24, 62, 24, 12)),
    ]
    whole = dashboard(views.named("endpoint"), f"{prefix}: endpoint", _DESCRIPTION, placed)
    return [*(data_view(views, family) for family in Family), *(shown for shown, _ in placed), whole]


def encoded(several: Sequence[Object]) -> bytes:
    """The file: one object a line."""
    return "".join(text_of(one) + "\n" for one in several).encode()
