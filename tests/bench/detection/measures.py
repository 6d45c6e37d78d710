"""Measures: endpoint-months without drift, and records until a drift is named."""

from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np

from streamer.core.detectors.alternatives import alternatives_of
from streamer.core.detectors.bank import Bank
from tests.bench.detection.endpoint import Endpoint
from tests.bench.detection.laws import Drifts, Law

# A month of 720 windows of 500 records, in panes of 50: one false alarm a month is asked.
MONTH_PANES: Final = 7_200
PANE_ROWS: Final = 50
BASELINE_ROWS: Final = 10_000
MONTHS_EACH: Final = 5
_PANE_SECONDS: Final = 360
_WARM_PANES: Final = 100
_LONGEST_PANES: Final = 600
_BLOCK: Final = 600


class Months(msgspec.Struct, frozen=True, kw_only=True):
    """Months without drift, the bank begun anew each month.

    Attributes
    ----------
    months, alarmed : int
        How many there were, and in how many the threshold was passed.
    rate, upper : float
        The share, and its upper 95 % limit.
    """

    months: int
    alarmed: int
    rate: float
    upper: float


class Delay(msgspec.Struct, frozen=True, kw_only=True):
    """Records until the alarm, when one of 40 features drifts from some record of a pane on.

    Attributes
    ----------
    drift : str
        Its name in ``Drifts``.
    runs : int
        Features and baselines tried.
    found, named : float
        Share that raised the alarm in 30,000 records, and of those the share that named the feature first.
    median : float
        Records; infinite when fewer than half were found.
    """

    drift: str
    runs: int
    found: float
    named: float
    median: float


def months(laws: Sequence[Law], count: int, seed: int) -> Months:
    """Count months in which there is a false alarm; every five have a baseline of their own."""
    alarmed = 0
    for month in range(count):
        if month % MONTHS_EACH == 0:
            endpoint = Endpoint(laws, BASELINE_ROWS, np.random.default_rng([seed, month]))
            alternatives = alternatives_of(endpoint.layout, MONTH_PANES, _PANE_SECONDS)
        alarmed += _is_alarmed(endpoint, Bank(alternatives, MONTH_PANES))
    return Months(months=count, alarmed=alarmed, rate=alarmed / count, upper=upper_limit(alarmed, count))


def _is_alarmed(endpoint: Endpoint, bank: Bank) -> bool:
    for _ in range(MONTH_PANES // _BLOCK):
        for counts in endpoint.panes(endpoint.usual, _BLOCK, PANE_ROWS):
            bank.step(counts)
            if bank.level >= 1.0:
                return True
    return False


def delays(laws: Sequence[Law], drifts: Drifts, features: Sequence[int], seed: int) -> list[Delay]:
    """Let each of some features drift alone, in every way it can; one that comes again has another baseline."""
    runs: dict[str, list[tuple[float, bool]]] = {name: [] for name in drifts}
    for at, feature in enumerate(features):
        rng = np.random.default_rng([seed, at])
        endpoint = Endpoint(laws, BASELINE_ROWS, rng)
        alternatives = alternatives_of(endpoint.layout, MONTH_PANES, _PANE_SECONDS)
        for name, drift in drifts.items():
            law = drift(laws[feature])
            if law is not None:
                bank = Bank(alternatives, MONTH_PANES)
                runs[name].append(_delay(endpoint, bank, feature, law, int(rng.integers(PANE_ROWS))))
    return [_summed(name, several) for name, several in runs.items() if several]


def _delay(endpoint: Endpoint, bank: Bank, feature: int, law: Law, offset: int) -> tuple[float, bool]:
    for counts in endpoint.panes(endpoint.usual, _WARM_PANES, PANE_ROWS):
        bank.step(counts)
    if bank.level >= 1.0:
        return float("nan"), False
    chances = list(endpoint.usual)
    chances[feature] = endpoint.chances(feature, law)
    before = endpoint.panes(endpoint.usual, 1, offset)[0]
    first = before + endpoint.panes(chances, 1, PANE_ROWS - offset)[0]
    for i, counts in enumerate([first, *endpoint.panes(chances, _LONGEST_PANES - 1, PANE_ROWS)]):
        bank.step(counts)
        if bank.level >= 1.0:
            return float((i + 1) * PANE_ROWS - offset), bank.guilty(0.1)[0].feature == feature
    return float("inf"), False


def _summed(name: str, runs: Sequence[tuple[float, bool]]) -> Delay:
    taken = np.array([records for records, _ in runs])
    found = np.isfinite(taken)
    named = np.array([is_named for _, is_named in runs])
    valid = taken[~np.isnan(taken)]
    return Delay(
        drift=name,
        runs=len(runs),
        found=float(found.mean()),
        named=float(named[found].mean()) if found.any() else 0.0,
        median=float(np.median(valid)) if len(valid) else float("inf"),
    )


def upper_limit(hits: int, tries: int) -> float:
    """Upper 95 % limit of a share (Clopper and Pearson 1934), by halving.

    Examples
    --------
    >>> round(upper_limit(0, 200), 4)
    0.0149
    """
    if hits >= tries:
        return 1.0
    below, above = hits / tries, 1.0
    for _ in range(60):
        share = (below + above) / 2
        chance, term = 0.0, (1 - share) ** tries
        for i in range(hits + 1):
            chance += term
            term *= (tries - i) / (i + 1) * share / (1 - share)
        below, above = (share, above) if chance > 0.05 else (below, share)
    return above
