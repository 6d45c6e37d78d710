"""Ask every rule that is switched on about one feature."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from streamer.core.rules.distance import DISTANCES, distance
from streamer.core.rules.missing import missing
from streamer.core.rules.shares import outside_share, unseen_share
from streamer.core.rules.shift import mean_shift
from streamer.core.rules.view import FeatureView
from streamer.core.rules.wild import wild
from streamer.core.settings import Rules
from streamer.core.types import Cause, Finding, State

_Rule = Callable[[FeatureView], Finding | None]
# Rules on shares and distances say nothing of a handful of rows; a wild value needs no company.
_NEED_ROWS: tuple[tuple[str, Cause, _Rule], ...] = (
    ("missing", Cause.MISSING, missing),
    *((name, Cause.DRIFT, partial(distance, rule=name)) for name in DISTANCES),
    ("mean_shift", Cause.DRIFT, mean_shift),
    ("unseen_share", Cause.DRIFT, unseen_share),
    ("outside_share", Cause.DRIFT, outside_share),
)
_GRAVITY = (State.OK, State.INSUFFICIENT, State.SMALL, State.NOT_ENOUGH, State.BROKEN)


class Judgement(NamedTuple):
    """What the rules said of one feature in one window.

    Attributes
    ----------
    state : State
        The gravest of them; ``INSUFFICIENT`` when there were too few rows for most to speak.
    findings : tuple of Finding
        Those with something to say.
    judged : frozenset of Cause
        Causes that had enough rows to be judged: only these can end an incident.
    """

    state: State
    findings: tuple[Finding, ...]
    judged: frozenset[Cause]


def judge(view: FeatureView) -> Judgement:
    """Ask the rules about one feature of one window."""
    rules = view.rules
    enough = view.statistics.rows >= rules.minimum_rows
    findings: list[Finding] = []
    judged: set[Cause] = set()
    if rules.wild and view.statistics.rows:
        judged.add(Cause.WILD)
        findings += _said(wild(view))
    if enough:
        for name, cause, rule in _NEED_ROWS:
            if _is_on(rules, name):
                judged.add(cause)
                findings += _said(rule(view))
    state = gravest([f.state for f in findings] + ([] if enough else [State.INSUFFICIENT]))
    return Judgement(state, tuple(findings), frozenset(judged))


def unwatched(rules: Rules) -> frozenset[Cause]:
    """Causes that no rule is switched on for: no incident of them waits for one."""
    of_features = {cause for name, cause, _ in _NEED_ROWS if _is_on(rules, name)}
    others = (Cause.WILD, Cause.VOLUME, Cause.UNREADABLE, Cause.SILENCE)
    on = [rules.wild, rules.volume, rules.unreadable, rules.silence]
    return frozenset(Cause) - of_features - {cause for cause, is_on in zip(others, on, strict=True) if is_on}


def gravest(states: list[State]) -> State:
    """The gravest of some states; ``OK`` of none."""
    return max(states, key=_GRAVITY.index, default=State.OK)


def _said(finding: Finding | None) -> tuple[Finding, ...]:
    return () if finding is None else (finding,)


def _is_on(rules: Rules, name: str) -> bool:
    value: object = getattr(rules, name)
    return value is not None and value is not False
