import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.decode.batch import BatchDecoder, Captures
from streamer.core.decode.names import Names
from streamer.core.decode.sides import SideReader
from streamer.core.duplicates import Duplicates
from streamer.core.errors import Reason
from streamer.core.fold import Folded, Sequenced, columns_of, fold, fold_raw, sequence
from streamer.core.layout import Layout
from streamer.core.profile import Profile, profile_of
from streamer.core.rawrows import RawRow, cells_of, packed
from streamer.core.schema import Kind, Side
from streamer.core.settings import Limits, Spans
from streamer.core.types import Key
from streamer.core.watermarks import Watermarks
from tests.strategies import NOW, START, baseline, batch, capture, number

LIMITS = Limits()
BASELINE = baseline()
LAYOUT = Layout(BASELINE)
READERS = {side: SideReader(BASELINE.schema, side, "", LIMITS) for side in Side}
KEY = Key("e", "V", "")


def captures_of(*payloads: bytes) -> Captures:
    decoder = BatchDecoder(LIMITS, Names("e", "V"), lambda names, event_at: KEY)
    return decoder.decode(batch(*payloads), NOW).captures[KEY]


def in_order(captures: Captures, spans: Spans = Spans(), slack: int = 5) -> Sequenced:  # noqa: B008
    lateness = Watermarks(slack, 30).observe("s", captures.event_at)
    return sequence(captures, lateness.watermark_at, spans, "s", Duplicates())


def folded(*payloads: bytes) -> Folded:
    captures = captures_of(*payloads)
    return fold(captures, in_order(captures), LAYOUT, READERS)


def at(seconds: float, event_id: str, data: str = "1.5,2.5,a", output: str | None = "0.5") -> bytes:
    return capture(data, output, at=START + int(seconds * 1000), event_id=event_id)


def test_a_record_is_in_the_pane_that_holds_its_time() -> None:
    captures = captures_of(at(0, "a"), at(9.999, "b"), at(10, "c"))
    assert in_order(captures).pane_at.tolist() == [START, START, START + 10_000]
    assert in_order(captures, Spans(offset=3)).pane_at.tolist() == [START - 7_000, START + 3_000, START + 3_000]


def test_a_record_is_late_when_its_shards_watermark_has_passed_its_pane() -> None:
    found = in_order(captures_of(at(0, "a"), at(14.999, "b"), at(9, "c"), at(15, "d"), at(9, "e")))
    assert found.late.tolist() == [False, False, False, False, True]
    assert not found.gone.any()


def test_beyond_the_lateness_it_is_gone_and_no_longer_late() -> None:
    found = in_order(captures_of(at(74.999, "a"), at(0, "b"), at(75, "c"), at(0, "d")))
    assert found.late.tolist() == [False, True, False, False]
    assert found.gone.tolist() == [False, False, False, True]
    assert found.kept.tolist() == [0, 1, 2]


def test_where_all_are_gone_nothing_is_remembered() -> None:
    captures = captures_of(at(0, "a"), at(0, "a"))
    duplicates = Duplicates()
    found = sequence(captures, np.full(2, START + 70_000), Spans(), "s", duplicates)
    assert found.gone.all()
    assert not found.duplicate.any()
    assert len(duplicates) == 0


def test_a_repetition_is_left_out_and_one_that_is_gone_is_not_remembered() -> None:
    found = in_order(captures_of(at(0, "a"), at(0, "a"), at(200, "b"), at(0, "a")))
    assert found.duplicate.tolist() == [False, True, False, False]
    assert found.gone.tolist() == [False, False, False, True]


def test_rows_of_both_sides_are_summarised_in_their_pane() -> None:
    parts = folded(at(0, "a", "1,2,a\n3,4,b"), at(12, "b")).parts
    assert [(p.pane_at, p.records, p.rows_in, p.rows_out) for p in parts] == [
        (START, 1, 2, 1),
        (START + 10_000, 1, 1, 1),
    ]


def test_one_unreadable_side_is_told_and_the_other_used() -> None:
    found = folded(at(0, "a", "1,2"), at(0, "b", output='"'), at(0, "c"))
    assert found.accepted.tolist() == [True, True, True]
    assert [(r.record, r.side, r.reason, r.whole) for r in found.refusals] == [
        (0, Side.INPUT, Reason.COLUMN_COUNT, False),
        (1, Side.OUTPUT, Reason.BAD_CSV, False),
    ]
    assert [(p.records, p.rows_in, p.rows_out) for p in found.parts] == [(3, 2, 2)]


@pytest.mark.parametrize("output", [None, '"'])
def test_a_record_none_of_whose_sides_can_be_read_is_invalid_once(output: str | None) -> None:
    for found in (folded(at(0, "a", '"', output)), raw(at(0, "a", '"', output))):
        assert found.accepted.tolist() == [False]
        assert [(r.record, r.side, r.whole) for r in found.refusals] == [(0, Side.INPUT, True)]
        assert found.parts == []


payloads = st.sampled_from(["1,2,a", "1,2", "", '"', "3,4,z\n5,,b", "x,y,z", "1,2,a\n1"])
records = st.lists(
    st.tuples(payloads, st.none() | st.sampled_from(["0.5", "1,2", "", '"']), st.integers(-40, 40), st.integers(0, 9)),
    min_size=1,
    max_size=10,
)


@given(records)
def test_every_record_is_accepted_refused_repeated_or_gone_and_only_one_of_them(
    given_records: list[tuple[str, str | None, int, int]],
) -> None:
    captures = captures_of(*[at(s, f"{n}", data, out) for data, out, s, n in given_records])
    sequenced = in_order(captures, Spans(lateness=10))
    for found in (fold(captures, sequenced, LAYOUT, READERS), fold_raw(captures, sequenced, "", LIMITS)):
        whole = np.zeros(len(given_records), np.int64)
        for refusal in found.refusals:
            whole[refusal.record] += refusal.whole
        verdicts = np.stack([found.accepted, whole, sequenced.duplicate, sequenced.gone]).astype(np.int64)
        assert verdicts.sum(axis=0).tolist() == [1] * len(given_records)
        assert sum(part.records for part in found.parts) == int(found.accepted.sum())
        places = [(part.pane_at, part.late) for part in found.parts]
        assert places == sorted(set(places))


@given(records, st.integers(0, 10))
def test_a_batch_cut_in_two_makes_the_same_panes(
    given_records: list[tuple[str, str | None, int, int]], cut: int
) -> None:
    def panes(pieces: list[list[bytes]]) -> tuple[dict[tuple[int, bool], Profile], list[tuple[int, Reason]]]:
        marks, duplicates = Watermarks(5, 30), Duplicates()
        profiles: dict[tuple[int, bool], Profile] = {}
        refused: list[tuple[int, Reason]] = []
        first = 0
        for piece in pieces:
            if not piece:
                continue
            captures = captures_of(*piece)
            watermark_at = marks.observe("s", captures.event_at).watermark_at
            found = fold(captures, sequence(captures, watermark_at, Spans(), "s", duplicates), LAYOUT, READERS)
            for part in found.parts:
                assert part.profile is not None
                profiles.setdefault((part.pane_at, part.late), Profile.empty(LAYOUT)).add(part.profile)
            refused += [(first + refusal.record, refusal.reason) for refusal in found.refusals]
            first += len(piece)
        return profiles, sorted(refused)

    whole = [at(s, f"{n}", data, out) for data, out, s, n in given_records]
    assert panes([whole]) == panes([whole[:cut], whole[cut:]])


def test_a_side_the_baseline_does_not_have_is_not_read() -> None:
    readers = {Side.INPUT: SideReader(baseline(number("x")).schema, Side.INPUT, "", LIMITS)}
    captures = captures_of(at(0, "a", "1", output='"'))
    found = fold(captures, in_order(captures), Layout(baseline(number("x"))), readers)
    assert found.accepted.all()
    assert found.refusals == []


def raw(*payloads: bytes) -> Folded:
    captures = captures_of(*payloads)
    return fold_raw(captures, in_order(captures), "", LIMITS)


def test_rows_are_kept_as_they_are_while_there_is_no_baseline() -> None:
    found = raw(at(0, "a", "1,x\n2,y", "0.5"), at(1, "b", "3,z", None))
    assert len(found.parts) == 1
    part = found.parts[0]
    assert (part.records, part.rows_in, part.rows_out, part.profile) == (2, 3, 1, None)
    assert [(row.row, cells_of(row.inputs), cells_of(row.outputs)) for row in part.raw] == [
        (0, {"_c0": "1", "_c1": "x"}, {"output_0": "0.5"}),
        (1, {"_c0": "2", "_c1": "y"}, {}),
        (0, {"_c0": "3", "_c1": "z"}, {}),
    ]


def test_a_part_unreadable_record_is_kept_with_the_other_side_while_learning() -> None:
    found = raw(at(0, "a", '"', "0.5"))
    assert [(r.side, r.whole) for r in found.refusals] == [(Side.INPUT, False)]
    assert [cells_of(row.outputs) for row in found.parts[0].raw] == [{"output_0": "0.5"}]


def test_kept_cells_are_such_as_a_snapshot_can_hold() -> None:
    odd = [("a", "NaN"), ("b", "Infinity"), ("c", "-Infinity"), ("d", str(2**70)), ("e", "true"), ("g", "null")]
    document = "{" + ",".join(f'"{name}":{cell}' for name, cell in odd) + f',"f":"{"x" * 70_000}"}}'
    record = json.loads(at(0, "a"))
    record["captureData"]["endpointInput"] |= {"data": document, "encoding": "JSON"}
    cells = cells_of(raw(json.dumps(record).encode()).parts[0].raw[0].inputs)
    assert cells == {
        "a": None, "b": "inf", "c": "-inf", "d": str(2**70), "e": True, "f": "x" * 65_536, "g": None,
    }  # fmt: skip


def test_kept_rows_are_read_as_the_reader_would_have_read_them() -> None:
    b = baseline(number("x"), number("t", kind=Kind.TEXT), number("score", Side.OUTPUT))
    readers = {side: SideReader(b.schema, side, "", LIMITS) for side in Side}
    layout = Layout(b)
    kept = [
        RawRow(1, 0, START, packed([("x", "1.5"), ("t", "abc")]), packed([("score", 0.5)])),
        RawRow(2, 0, START, b"", packed([("score", None)])),
        RawRow(3, 0, START, packed([("x", "junk"), ("t", None)]), b""),
    ]
    found = columns_of(kept, readers)
    assert found[Side.INPUT].record.tolist() == [0, 2]
    assert found[Side.OUTPUT].record.tolist() == [0, 1]
    assert np.array_equal(found[Side.INPUT].numbers, [[1.5, math.nan], [3.0, math.nan]], equal_nan=True)
    assert found[Side.INPUT].mistyped is not None
    assert profile_of(layout, found).counts.sum() == 2 * 2 + 2
