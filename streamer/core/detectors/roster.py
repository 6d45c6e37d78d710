"""Roster: the named detectors of one key, fed with its panes in order, and what they say when a window ends."""

import msgspec
import numpy as np
from numpy.typing import NDArray

from streamer.core.detectors.anomalies import Anomalies
from streamer.core.detectors.kinds import STREAMED
from streamer.core.detectors.named import version
from streamer.core.detectors.post import Post, PostState
from streamer.core.errors import StateError
from streamer.core.eventtime import as_datetime
from streamer.core.layout import FeatureCells, Layout
from streamer.core.sample import Samples, Sampling
from streamer.core.schema import Side
from streamer.core.settings import DetectorSettings, EndpointSettings
from streamer.core.types import Cause, Finding, Key


class RosterState(msgspec.Struct, frozen=True):
    """A roster as it stands in a snapshot.

    Attributes
    ----------
    river : str
        The version whose detectors' states these are; empty where none is river's.
    posts : list of PostState
        In the order of the configuration.
    """

    river: str
    posts: list[PostState]


class Roster:
    """The named detectors of one key.

    Parameters
    ----------
    settings : EndpointSettings
        Which detectors; those that do not fit the baseline are left out.
    layout : Layout
        Cells of the key's baseline.

    Attributes
    ----------
    posts : list of Post or Anomalies
        The detectors, in the order of the configuration.
    sampling : Sampling
        What of a pane's rows they want to see as it is.
    restarted : tuple of str
        In words, who begins anew since a restart, and why.
    """

    def __init__(self, settings: EndpointSettings, layout: Layout) -> None:
        watched = [(d, several) for d in settings.detectors if (several := _watched(d, layout))]
        self.sampling: Sampling = _sampling(watched)
        self.restarted: tuple[str, ...] = ()
        self._pane = settings.spans.pane * 1000
        self._zone = layout.baseline.zone
        significant = settings.rules.significant_deviations
        self.posts = [_post(d, several, self.sampling, significant) for d, several in watched]
        self._of_river = any(d.kind in STREAMED for d, _ in watched)

    def take(self, pane_at: int, counts: NDArray[np.int64], sums: NDArray[np.int64], samples: Samples | None) -> None:
        """Take in a closed pane.

        Parameters
        ----------
        pane_at : int
            Its start, milliseconds since the epoch, later than that of the one before.
        counts, sums, samples
            As ``Post.take`` has them.
        """
        hour = as_datetime(pane_at + self._pane // 2).astimezone(self._zone).hour
        for post in self.posts:
            post.take(counts, sums, samples or {}, hour)

    def close(self, key: Key, start_at: int, end_at: int) -> tuple[list[Finding], set[Cause]]:
        """What there is to say of a window that ends, and the causes that wait for no rows to be judged."""
        said = [post.close(key, start_at, end_at) for post in self.posts]
        unwatched = set(Cause) - {post.cause for post in self.posts}
        return [f for f, _ in said if f is not None], unwatched | {cause for _, cause in said if cause is not None}

    def to_state(self) -> RosterState:
        """Everything needed to go on as if never stopped."""
        return RosterState(version() if self._of_river else "", [post.to_state() for post in self.posts])

    def restore(self, state: RosterState) -> None:
        """Go on from a state; ``restarted`` says who can't."""
        kept = {post.settings.name: post for post in state.posts}
        for post in self.posts:
            before = kept.get(post.settings.name)
            why = None if before is None else self._hindrance(post, before, state.river)
            if why is not None:
                self.restarted += (f"the detector {post.settings.name} begins anew: {why}",)

    def _hindrance(self, post: Post | Anomalies, state: PostState, river: str) -> str | None:
        """Restore one; why not, where that can't be."""
        if state.settings != post.settings:
            return "it is configured otherwise"
        if post.settings.kind in STREAMED and river != version():
            return f"its state is of river {river}, and this is {version()}"
        try:
            post.restore(state)
        except StateError as error:
            return str(error)
        return None


def misfit(settings: DetectorSettings, layout: Layout) -> str | None:
    """Why a detector can't watch what a baseline describes; ``None`` where it can."""
    if settings.watches == "rows":
        return None if _numbers(layout) else "the baseline has no number that varies"
    cells = _found(settings.feature, layout)
    if cells is None:
        return "the baseline has no such feature"
    if settings.watches == "missing" or _varies(cells):
        return None
    what = "never varies" if cells.is_number else "is no number"
    return f'the feature {what} in the baseline, so only watches = "missing" is possible'


def _found(name: str, layout: Layout) -> FeatureCells | None:
    """The feature of a name: of two, the input."""
    mine = [cells for cells in layout.features if cells.baseline.feature.name == name]
    return min(mine, key=lambda cells: _side(cells) is not Side.INPUT, default=None)


def _varies(cells: FeatureCells) -> bool:
    return cells.is_number and bool(cells.baseline.deviation)


def _side(cells: FeatureCells) -> Side:
    return cells.baseline.feature.side


def _numbers(layout: Layout) -> list[FeatureCells]:
    """The numbers of whole rows: of inputs, or of outputs where no input varies."""
    varying = [cells for cells in layout.features if _varies(cells)]
    inputs = [cells for cells in varying if _side(cells) is Side.INPUT]
    return inputs or varying


def _watched(settings: DetectorSettings, layout: Layout) -> list[FeatureCells]:
    """Features a detector watches; none where it does not fit the baseline."""
    if misfit(settings, layout) is not None:
        return []
    if settings.watches == "rows":
        return _numbers(layout)
    return [cells for cells in (_found(settings.feature, layout),) if cells is not None]


def _sampling(watched: list[tuple[DetectorSettings, list[FeatureCells]]]) -> Sampling:
    wanted: dict[Side, set[int]] = {}
    for settings, several in watched:
        for cells in several if settings.watches in ("rows", "values") else []:
            wanted.setdefault(_side(cells), set()).add(cells.row)
    return {side: np.array(sorted(wanted[side]), np.int64) for side in Side if side in wanted}


def _post(
    settings: DetectorSettings, watched: list[FeatureCells], sampling: Sampling, significant: float
) -> Post | Anomalies:
    first = watched[0]
    rows = np.array([cells.row for cells in watched], np.int64)
    columns = np.searchsorted(sampling.get(_side(first), np.empty(0, np.int64)), rows)
    if settings.watches == "rows":
        return Anomalies(settings, _side(first), columns, [cells.baseline for cells in watched], significant)
    return Post(settings, first, int(columns[0]))
