"""Report: the table of a bench, with what is to be reached."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from tests.bench.detection.bench import Clustered, Independent
from tests.bench.detection.clustered import Alerts, Found
from tests.bench.detection.traffic import RECORDED, Family

# Alerts a month that were asked for: their upper limit has to stay below.
_ASKED: Final = 1.0
_NAMED: Final = 0.9
# Median records to the alert of one feature that does not move with the time, and of one that does.
_BESIDE: Final = {"mean +0.25 sd": 700, "missing 1 to 5 %": 500, "unit x1000": 50}
_MOVING: Final = {(Family.HOUR, "mean +0.25 sd"): 3_500}
# The same of one of 40 laws of the open data.
_OPEN: Final = {
    "mean +0.25 sd, tilted": 820,
    "mean +0.5 sd, tilted": 260,
    "missing 1 to 5 %": 550,
    "new category 1 %": 540,
    "unit x1000": 40,
}
_LEFT_OUT: Final = "open laws, metro, elec and air: left out, for no folder of open data was given"


def lines(parts: Iterable[Independent | Clustered]) -> Iterator[str]:
    """Lines of each part as soon as it is there, and what all families have in common at the end."""
    quiet: list[Alerts] = []
    found: list[Found] = []
    is_open = False
    for part in parts:
        match part:
            case Clustered():
                quiet.append(part.quiet[0])
                found.extend(part.delays)
                yield from _clustered(part)
            case Independent():
                is_open = is_open or part.laws == "open"
                yield from _independent(part)
    if quiet:
        yield from ["", *_together(quiet), _named(found)]
    if not is_open:
        yield _LEFT_OUT


def _clustered(part: Clustered) -> Iterator[str]:
    yield ""
    for own in part.quiet:
        kind = "of 50 rows" if own.panes_an_hour > 1 else "of an hour"
        yield (
            f"{own.family}: {own.rate:.2f} alerts a month, upper 95 % limit {own.upper:.2f}, "
            f"{own.alarmed:.0%} of {own.months} months with one; panes {kind}{_missed(own.upper, _ASKED)}"
        )
        if own.directions:
            yield "  " + ", ".join(f"{name} {count}" for name, count in own.directions.items())
    left, grown = part.young
    yield (
        f"  14 days of baseline, refitted weekly: {grown.rate:.2f}, upper 95 % limit {grown.upper:.2f}, of "
        f"{grown.months} months; left as it is: {left.rate:.2f}"
    )
    dense, sparse = part.uneven
    yield (
        f"  ten times the baseline's rows an hour: {dense.rate:.2f}, upper 95 % limit {dense.upper:.2f}, of "
        f"{dense.months} months; a tenth of them: {sparse.rate:.2f} ({sparse.upper:.2f})"
    )
    yield _heading("one feature drifts")
    for found in part.delays:
        yield _row(_words(found), found.median, _goal(found), found.found, found.named, found.runs, found.anyway)


def _independent(part: Independent) -> Iterator[str]:
    quiet = part.quiet
    yield ""
    yield (
        f"independent rows, laws {part.laws}: {quiet.alarmed} of {quiet.months} months with an alarm, "
        f"{quiet.rate:.3f}, upper 95 % limit {quiet.upper:.3f}{_missed(quiet.upper, _ASKED)}"
    )
    yield _heading("one of 40 features drifts")
    for delay in part.delays:
        goal = _OPEN.get(delay.drift) if part.laws == "open" else None
        yield _row(delay.drift, delay.median, goal, delay.found, delay.named, delay.runs)


def _together(quiet: Sequence[Alerts]) -> Iterator[str]:
    rates = [own.rate for own in quiet]
    yield f"mean over {len(rates)} families: {sum(rates) / len(rates):.2f} alerts a month where one was asked"
    made_up = [own.rate for own in quiet if own.family not in RECORDED]
    if 0 < len(made_up) < len(rates):
        yield f"mean over the {len(made_up)} that are made up: {sum(made_up) / len(made_up):.2f}"


def _named(several: Sequence[Found]) -> str:
    alerts, named = sum(found.alerts for found in several), sum(found.alerts * found.named for found in several)
    return f"the guilty feature is named first in {named / max(alerts, 1):.1%} of {alerts} first alerts"


def _words(found: Found) -> str:
    which = "clustered" if found.is_clustered else "independent"
    return f"{which}, {found.drift}"


def _goal(found: Found) -> int | None:
    return _MOVING.get((found.family, found.drift)) if found.is_clustered else _BESIDE[found.drift]


def _heading(title: str) -> str:
    return f"  {title:32s} {'records':>8s} {'goal':>6s} {'found':>6s} {'named':>6s} {'anyway':>6s} {'runs':>5s}"


def _row(
    title: str, median: float, goal: int | None, found: float, named: float, runs: int, anyway: float = 0.0
) -> str:
    wanted = "" if goal is None else f"{goal:,}"
    missed = "" if goal is None else _missed(median, goal)
    # What is raised without the drift, too, is a false alarm, and counted as such above.
    if named < _NAMED * (1 - anyway):
        missed += f"  named: MISSED, {_NAMED:.0%}"
    records = f"{median:,.0f}" if math.isfinite(median) else "-"
    return f"  {title:32s} {records:>8s} {wanted:>6s} {found:6.0%} {named:6.0%} {anyway:6.0%} {runs:5d}{missed}"


def _missed(figure: float, goal: float) -> str:
    return "" if figure <= goal else f"  MISSED, {goal:g}"
