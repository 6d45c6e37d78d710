"""Bench: everything measured in one setting."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from tests.bench.detection.clustered import Alerts, Drifting, Found, Series, alerts, delays
from tests.bench.detection.laws import DRIFTS, OPEN_CATEGORY_DRIFTS, OPEN_DRIFTS, laws
from tests.bench.detection.measures import Delay, Months
from tests.bench.detection.measures import delays as independent_delays
from tests.bench.detection.measures import months as independent_months
from tests.bench.detection.population import population
from tests.bench.detection.series import series
from tests.bench.detection.traffic import RECORDED, Family, fine
from tests.bench.detection.young import young

# Hours waited for an alert: 30,000 rows or more, ten days and four weeks.
_SOON: Final = 150
_LATER: Final = 240
_LONG: Final = 672


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """How much is measured.

    Attributes
    ----------
    months : int
        Endpoint-months of independent rows without drift, of made-up and of open laws each.
    every : int
        Lets every such feature drift.
    categories : int
        Times each category of the open laws drifts.
    endpoints : int
        Endpoint-months of each family in panes of an hour.
    fine : int
        The same in panes of 50 rows, of the families that are made up.
    drifting : int
        Endpoints of each family in which features drift one at a time.
    features : int
        Of each of these.
    young : int
        Endpoint-months of each family with a baseline of two weeks, refitted and not.
    uneven : int
        The same with four weeks, of which the traffic has ten times the rows, and a tenth of them.
    seed : int
    """

    months: int
    every: int
    categories: int
    endpoints: int
    fine: int
    drifting: int
    features: int
    young: int
    uneven: int
    seed: int


FULL: Final = Setting(
    months=200, every=1, categories=8, endpoints=100, fine=10, drifting=20, features=5, young=40, uneven=40, seed=1
)
SMALL: Final = Setting(
    months=10, every=8, categories=1, endpoints=8, fine=4, drifting=2, features=4, young=2, uneven=2, seed=1
)


class Independent(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Independent rows of 40 laws.

    Attributes
    ----------
    laws : str
        Which.
    quiet : Months
    delays : list of Delay
    """

    laws: str
    quiet: Months
    delays: list[Delay]


class Clustered(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One family of traffic.

    Attributes
    ----------
    quiet : list of Alerts
    young : list of Alerts
        With a baseline of two weeks, left as it is, and refitted weekly.
    uneven : list of Alerts
        With ten times the baseline's rows an hour, and with a tenth of them.
    delays : list of Found
    """

    quiet: list[Alerts]
    young: list[Alerts]
    uneven: list[Alerts]
    delays: list[Found]


def bench(setting: Setting, data: Path | None) -> Iterator[Independent | Clustered]:
    """Measure one thing after the other.

    Parameters
    ----------
    setting : Setting
    data : Path or None
        Folder of the open data; ``None``: what needs it is left out.
    """
    recorded = series(data) if data is not None else {}
    for family in Family:
        if family in RECORDED and data is None:
            continue
        yield _clustered(setting, family, recorded)
    several = [("made up", laws(), DRIFTS)]
    if data is not None:
        several.append(("open", population(data), OPEN_DRIFTS))
    for name, own, drifts in several:
        found = independent_delays(own, drifts, range(0, len(own), setting.every), setting.seed)
        if name == "open":
            # They are four.
            categories = [i for i, law in enumerate(own) if not law.is_number] * setting.categories
            found += independent_delays(own, OPEN_CATEGORY_DRIFTS, categories, setting.seed)
        quiet = independent_months(own, setting.months, setting.seed)
        yield Independent(laws=name, quiet=quiet, delays=found)


def _clustered(setting: Setting, family: Family, recorded: Series) -> Clustered:
    quiet = [alerts(family, recorded, setting.endpoints, setting.seed)]
    if family not in RECORDED:
        quiet.append(alerts(family, recorded, setting.fine, setting.seed, fine(family)))
    drifting = [
        Drifting(drift, False, fine(family), _SOON, setting.features)
        for drift in ("mean +0.25 sd", "missing 1 to 5 %", "unit x1000")
    ]
    match family:
        case Family.IID:
            pass
        case Family.HOUR:
            drifting.append(Drifting("mean +0.25 sd", True, fine(family), _LATER, setting.features))
        case Family.DAY | Family.MIX:
            drifting.append(Drifting("mean +1 sd", True, 1, _LONG, setting.features))
        case _:
            drifting.append(Drifting("mean +2 sd", True, 1, _LONG, setting.features))
    grown = [young(family, recorded, setting.young, setting.seed, is_refitted=own) for own in (False, True)]
    uneven = [alerts(family, recorded, setting.uneven, setting.seed, 1, density) for density in (10.0, 0.1)]
    return Clustered(
        quiet=quiet,
        young=grown,
        uneven=uneven,
        delays=delays(family, recorded, setting.drifting, setting.seed, drifting),
    )
