from streamer.core.totals import Totals, add_reason


def test_every_heading_is_part_of_what_is_accounted() -> None:
    totals = Totals(
        records=63, accepted=1, invalid={"not-json": 2, "no-endpoint": 4}, duplicate=8, late_revised=16, late_dropped=32
    )
    assert totals.late == 48
    assert totals.accounted == totals.records
    totals.ignored += 64
    assert totals.accounted == 127


def test_partial_records_are_no_heading_of_their_own() -> None:
    assert Totals(partial={"bad-csv": 5}, rows_in=7, rows_out=9).accounted == 0


def test_reasons_are_counted_apart() -> None:
    counts: dict[str, int] = {}
    for reason in ("a", "b", "a"):
        add_reason(counts, reason)
    add_reason(counts, "b", 5)
    assert counts == {"a": 2, "b": 6}


def test_two_totals_share_no_counts() -> None:
    one, other = Totals(), Totals()
    add_reason(one.invalid, "a")
    assert other.invalid == {}
