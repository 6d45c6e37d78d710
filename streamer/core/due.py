"""Due: a window that is being closed, with whose it is and what its rows show."""

from typing import NamedTuple

from streamer.core.statistics import FeatureStatistics
from streamer.core.tracks import Generation
from streamer.core.windows import Window


class Due(NamedTuple):
    """A window that is being closed.

    Attributes
    ----------
    track : Generation
        Whose.
    window : Window
        With every on-time record.
    statistics : list of FeatureStatistics
        Of its on-time rows; empty while learning and without rows.
    """

    track: Generation
    window: Window
    statistics: list[FeatureStatistics]
