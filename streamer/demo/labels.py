"""Labels: once it is known which flights were late, how much of the lateness each model foresaw."""

from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from streamer.demo.model import Model, scores

# The last night of July runs into August.
_LEAST_FLIGHTS: Final = 1_000


class Month(NamedTuple):
    """One month of flights whose arrival is known.

    Attributes
    ----------
    month : int
    late : float
        Share of flights that were late.
    first, served : float
        Late flights the first model foresaw, and whichever answered, over those there were: the sums of
        their probabilities.
    """

    month: int
    late: float
    first: float
    served: float


def foreseen(flights: pd.DataFrame, first: Model, second: Model | None = None, from_at: int = 0) -> list[Month]:
    """Hold what was foreseen against what came, month by month; the first model goes on in the shadow.

    Parameters
    ----------
    flights : DataFrame
        Those watched; months with a handful of them are left out.
    first : Model
        The first version.
    second : Model or None
        The second, where there was one.
    from_at : int
        From when on it answered, milliseconds since the epoch.
    """
    known = flights[flights["late"].notna()]
    of_first = served = scores(first, known)
    if second is not None:
        served = np.where(known["scheduled_at"] >= from_at, scores(second, known), of_first)
    months = pd.to_datetime(known["scheduled_at"], unit="ms").dt.month.to_numpy()
    late = known["late"].to_numpy(np.bool_)
    found = []
    for month in np.unique(months).tolist():
        mine = months == month
        came = float(late[mine].sum())
        if mine.sum() >= _LEAST_FLIGHTS:
            sums = float(of_first[mine].sum()), float(served[mine].sum())
            found.append(Month(month, came / float(mine.sum()), sums[0] / came, sums[1] / came))
    return found


def tell(months: list[Month], console: Console) -> None:
    """Print it as a table."""
    table = Table(title="Once the arrivals are known: late flights foreseen, of every 100 there were")
    for name in ("month", "flights late", "January's model", "the one that answered"):
        table.add_column(name, justify="right")
    for month in months:
        name = pd.Timestamp(2013, month.month, 1).strftime("%B")
        table.add_row(name, f"{month.late:.0%}", f"{100 * month.first:.0f}", f"{100 * month.served:.0f}")
    console.print(table)
