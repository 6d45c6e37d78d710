"""Thresholds on the shares of unseen categories and of values outside the baseline's range."""

from streamer.core.evidence import SHARE_DEGREES, shares_z, student_z
from streamer.core.noise import noise_of
from streamer.core.rules.view import FeatureView, percent, state_of
from streamer.core.types import Cause, Finding, State

# What a baseline has not seen may still belong to it: the mass of the unseen is about the number
# of singletons over its rows (Good and Turing); so many rows at least are allowed for.
_ALLOWED_FOR = 3.0


def unseen_share(view: FeatureView) -> Finding | None:
    """Judge the share of rows whose category the baseline does not know."""
    s = view.statistics
    if s.cells.is_number:
        return None
    return _judged(
        view, "unseen_share", view.rules.unseen_share, s.unseen, "cells", "a category unseen in the baseline"
    )


def outside_share(view: FeatureView) -> Finding | None:
    """Judge the share of rows below or above everything in the baseline."""
    s = view.statistics
    words = "a value outside the baseline's range"
    return _judged(view, "outside_share", view.rules.outside_share, s.below + s.above, "value", words)


def surplus_z(view: FeatureView, count: int, score: str) -> float:
    """Normal deviations by which rows that have what no row of the baseline had are too many.

    Parameters
    ----------
    view : FeatureView
        Its feature and window.
    count : int
        Rows that have it.
    score : str
        Whose dispersion they come in clumps by.
    """
    s = view.statistics
    if not count:
        return 0.0
    noise = noise_of(s.cells.baseline.dispersion_of(score), s.rows, max(s.cells.baseline.rows, 1))
    allowed = min(max(_ALLOWED_FOR, s.cells.baseline.singletons), noise.past_rows / 2)
    z = shares_z(s.share(count) * noise.live_rows, noise.live_rows, allowed, noise.past_rows)
    return student_z(z, max(noise.degrees, SHARE_DEGREES))


def _judged(view: FeatureView, rule: str, limit: float | None, count: int, score: str, what: str) -> Finding | None:
    s = view.statistics
    if limit is None or not count:
        return None
    share = s.share(count)
    z = surplus_z(view, count, score)
    state = state_of(large=share >= limit, significant=z >= view.rules.significant_deviations)
    if state in (State.OK, State.SMALL):
        return None
    return view.finding(
        rule,
        Cause.DRIFT,
        state,
        live=share,
        expected=0.0,
        size=share,
        unit="points",
        weight=z,
        words=f"{percent(share)} of rows have {what} (limit {percent(limit)})",
    )
