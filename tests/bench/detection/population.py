"""Population: 40 laws of the open data, one for each column of three tables; their rows are taken as independent."""

from pathlib import Path
from typing import Final

import numpy as np

from tests.bench.detection.laws import Law
from tests.bench.detection.series import AIR_GAP, table

_FEATURES: Final = 40
_CATEGORIES: Final = frozenset({"SEX", "EDUCATION", "MARITALSTATUS", "day"})
_FILES: Final = ("credit_default.csv.gz", "electricity.csv.gz", "air_quality.csv.gz")
# No features: keys, times, targets, and a sensor that was mostly off.
_LEFT_OUT: Final = frozenset({
    "USER_ID", "DID_DEFAULT_PAYMENT", "date", "period", "class", "Date", "Time", "NMHC(GT)",
})  # fmt: skip


def population(data: Path) -> list[Law]:
    """Read the laws.

    Parameters
    ----------
    data : Path
        Folder of the open data.
    """
    found = []
    for file in _FILES:
        for name, column in table(data / file).items():
            if name not in _LEFT_OUT:
                found.append(_law(name, column))
    return found[:_FEATURES]


def _law(name: str, column: list[str]) -> Law:
    numbers = np.array([text for text in column if text], np.float64)
    values, rows = np.unique(numbers[numbers != AIR_GAP], return_counts=True)
    chances = rows / rows.sum()
    if name not in _CATEGORIES:
        return Law(True, values, chances)
    # The most frequent first, as drifts of categories expect it.
    return Law(False, np.arange(len(rows), dtype=np.float64), np.sort(chances)[::-1])
