"""Duplicates: identities seen in a shard, exact, per pane, until the pane's lateness has ended."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# So many sorted runs are kept before they are merged into one.
_RUNS = 8


class Duplicates:
    """Identities of one key's records.

    A record is a duplicate when its identity was met before in the same shard and pane. Identities
    of other shards are not looked at: which of two came first would depend on how shards interleave.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[str, int], list[NDArray[np.uint64]]] = {}

    def fresh(self, shard: str, pane_at: NDArray[np.int64], identity: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Tell first sightings from repetitions, and remember them.

        Parameters
        ----------
        shard : str
            Where the records come from.
        pane_at : ndarray, shape (n,), int64
            Pane of each record.
        identity : ndarray, shape (n,), uint64
            In the shard's order.

        Returns
        -------
        ndarray, shape (n,), bool
            False for repetitions.
        """
        fresh = np.zeros(len(identity), np.bool_)
        # Stable, so that within a pane the shard's order stays; one sort, however many panes.
        order = np.argsort(pane_at, kind="stable")
        panes, starts = np.unique(pane_at[order], return_index=True)
        bounds = [*starts.tolist(), len(order)]
        for pane, begin, end in zip(panes.tolist(), bounds, bounds[1:], strict=False):
            mine = order[begin:end]
            values, first = np.unique(identity[mine], return_index=True)
            runs = self._seen.setdefault((shard, pane), [])
            new = np.ones(len(values), np.bool_)
            for run in runs:
                at = np.minimum(np.searchsorted(run, values), len(run) - 1)
                new &= run[at] != values
            if new.any():
                runs.append(values[new])
                if len(runs) > _RUNS:
                    runs[:] = [np.sort(np.concatenate(runs))]
            fresh[mine[first[new]]] = True
        return fresh

    def inherit(self, shard: str, parents: Sequence[str]) -> None:
        """Take identities of shards that have ended for a shard's that continues them, before its first record."""
        for (parent, pane), runs in list(self._seen.items()):
            if parent in parents:
                self._seen.setdefault((shard, pane), []).extend(runs)

    def forget(self, until_at: int) -> None:
        """Let go of panes that start before a time."""
        for key in [key for key in self._seen if key[1] < until_at]:
            del self._seen[key]

    def __len__(self) -> int:
        return sum(len(run) for runs in self._seen.values() for run in runs)

    def to_arrays(self) -> dict[tuple[str, int], NDArray[np.uint64]]:
        """Identities by shard and pane, each sorted: the same for the same records, whatever the batches."""
        return {key: np.sort(np.concatenate(runs)) for key, runs in sorted(self._seen.items()) if runs}

    def restore(self, arrays: dict[tuple[str, int], NDArray[np.uint64]]) -> None:
        """Go on from what ``to_arrays`` gave."""
        self._seen = {key: [values] for key, values in arrays.items()}
