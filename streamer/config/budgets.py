"""False-alarm budgets as an operator writes them: ``"1 per month"``, ``"2 per week"``, ``"1 per 3 months"``."""

import re
from typing import Final

# A month is 30 days, as in every figure we give.
_SECONDS: Final = {"second": 1, "hour": 3_600, "day": 86_400, "week": 604_800, "month": 2_592_000, "year": 31_536_000}
_BUDGET: Final = re.compile(r"\s*(\d{1,4})\s+per\s+(?:(\d{1,9})\s+)?([a-z]+?)s?\s*", re.ASCII)
_LEAST: Final = 3_600
_MOST: Final = 3_153_600_000
EXPECTED: Final = 'false alarms such as "1 per month" or "2 per week", at most one an hour'


def parse_budget(value: object) -> int:
    """Seconds to a false alarm, in the mean.

    Raises
    ------
    ValueError
        The text says what was expected, not what was found.

    Examples
    --------
    >>> parse_budget("1 per month"), parse_budget("2 per week"), parse_budget("1 per 3 months")
    (2592000, 302400, 7776000)
    """
    found = _BUDGET.fullmatch(value.lower()) if isinstance(value, str) else None
    if found is None or found[3] not in _SECONDS or not int(found[1]):
        raise ValueError(f"expected {EXPECTED}")
    seconds = int(found[2] or 1) * _SECONDS[found[3]] // int(found[1])
    if not _LEAST <= seconds <= _MOST:
        raise ValueError(f"expected {EXPECTED}")
    return seconds


def budget_text(seconds: int) -> str:
    """Shortest text of a budget that ``parse_budget`` reads back.

    Examples
    --------
    >>> budget_text(2_592_000), budget_text(302_400), budget_text(7_776_000), budget_text(100_001)
    ('1 per month', '2 per week', '1 per 3 months', '1 per 100001 seconds')
    """
    for unit, length in sorted(_SECONDS.items(), key=lambda item: -item[1]):
        if seconds == length:
            return f"1 per {unit}"
        if seconds % length == 0:
            return f"1 per {seconds // length} {unit}s"
        if length % seconds == 0 and length // seconds < 10:
            return f"{length // seconds} per {unit}"
    raise ValueError("whole seconds are expected")
