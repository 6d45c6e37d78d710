"""Raw rows: what an endpoint's first traffic held, kept packed until a baseline is learned from it."""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from streamer.core.schema import Side

# While a baseline is learned, so many rows of one pane are kept at most, and so many late ones of one
# window, those with the smallest identities: more traffic than that learns in seconds anyway.
RAW_ROWS: Final = 20_000

Cell = str | int | float | bool | None
# Cells without names are named by their place behind these, as Model Monitor's analyzer does for inputs.
NAMELESS: Final = {Side.INPUT: "_c", Side.OUTPUT: "output_"}

_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(dict[str, Cell])


class RawRow(msgspec.Struct, frozen=True, order=True):
    """One row as it came.

    Attributes
    ----------
    identity : int
        Hash of the record's identity.
    row : int
        Row within the record.
    event_at : int
        Milliseconds since the epoch.
    inputs, outputs : bytes
        Cells by name in payload order, as MessagePack: a tenth of what Python's objects take.
        Empty where the record has no such row on that side.
    """

    identity: int
    row: int
    event_at: int
    inputs: bytes = b""
    outputs: bytes = b""


def smallest(kept: list[RawRow], more: list[RawRow], most: int) -> list[RawRow]:
    """Of rows kept (in order) and more of them so many with the smallest identities, in one order however they came."""
    if len(kept) >= most:
        last = kept[-1].identity
        more = [row for row in more if row.identity <= last]
        if not more:
            return kept
    return sorted([*kept, *more])[:most]


def packed(cells: Iterable[tuple[str, Cell]]) -> bytes:
    """Cells by name as bytes; of two with one name the last stands."""
    return _ENCODER.encode(dict(cells))


def cells_of(data: bytes) -> Mapping[str, Cell]:
    """Cells by name, in the order they were packed; none of no bytes."""
    return _DECODER.decode(data) if data else {}
