"""A baseline from the endpoint's own first traffic, where none was given."""

from collections.abc import Mapping, Sequence

import msgspec

from streamer.core.baseline.build import BuildOptions, Chunk, build
from streamer.core.baseline.model import Baseline
from streamer.core.rawrows import Cell, RawRow, cells_of


def learn(rows: Sequence[RawRow], time_zone: str) -> Baseline:
    """Baseline of rows as they came.

    Parameters
    ----------
    rows : sequence of RawRow
        In any order: they are put in order of event time and identity, so that how they arrived
        does not matter.
    time_zone : str
        Zone of the hour-of-day profile.

    Returns
    -------
    Baseline
        ``learned`` is true. Columns are in the order of their first appearance.
    """
    ordered = sorted(rows, key=lambda row: (row.event_at, row.identity, row.row))
    inputs = _columns([cells_of(row.inputs) for row in ordered])
    outputs = _columns([cells_of(row.outputs) for row in ordered])
    times = [row.event_at for row in ordered]
    built = []
    for columns, are_outputs in ((inputs, False), (outputs, True)):
        if columns:
            chunk = Chunk(columns=columns, rows=len(ordered), event_at=times)
            options = BuildOptions(outputs=tuple(columns) if are_outputs else (), time_zone=time_zone)
            built.append(build(lambda chunk=chunk: [chunk], options))  # type: ignore[misc]
    features = tuple(feature for baseline in built for feature in baseline.features)
    return msgspec.structs.replace(built[0], features=features, learned=True)


def _columns(rows: Sequence[Mapping[str, Cell]]) -> dict[str, list[Cell]]:
    """Cells by name; a row without a name has no value there."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}
