"""What a young baseline learns from the weeks after it, and what it leaves out."""

from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamer.core.baseline.build import BuildOptions, Chunk, build
from streamer.core.baseline.dispersion import dispersion_of
from streamer.core.baseline.hourly import Hourly, ended
from streamer.core.baseline.model import Baseline, Dispersion, FeatureBaseline, check
from streamer.core.baseline.patterns import middles_of, scores_of
from streamer.core.baseline.refit import pooled, refitted
from streamer.core.baseline.weather import ENOUGH_DAYS, Weather
from streamer.core.detectors.watch import Watch
from streamer.core.engine import Engine
from streamer.core.eventtime import as_datetime
from streamer.core.layout import Layout
from streamer.core.outbox import encode_actions
from streamer.core.panes import Part
from streamer.core.profile import Profile
from streamer.core.schema import Side
from streamer.core.settings import EndpointSettings, EngineSettings, Limits, Spans
from streamer.core.track import Track
from streamer.core.types import Action, Key
from tests.strategies import baseline, batch, capture, category, number

HOUR = 3_600_000
DAY = 24 * HOUR
# A midnight.
START = 1_767_571_200_000
Counts = NDArray[np.int64]


def timed(days: int, seed: int = 0, rows: int = 40) -> Baseline:
    """A number whose days share a shock, and a category, an hour at a time."""
    rng = np.random.default_rng(seed)
    n = days * 24 * rows
    at = START - days * DAY + np.arange(n) // rows * HOUR
    values = rng.normal(size=n) + 0.3 * rng.normal(size=days).repeat(24 * rows)
    columns = {"x": values.tolist(), "c": rng.choice(["a", "b"], n).tolist()}
    return build(lambda: [Chunk(columns=columns, rows=n, event_at=at.tolist())], BuildOptions(time_zone="UTC"))


def panes(layout: Layout, hours: int, seed: int = 1) -> Counts:
    """Like the baseline's rows, shape (hours, layout.size)."""
    rng = np.random.default_rng(seed)
    found = np.zeros((hours, layout.size), np.int64)
    for cells in layout.features:
        own = layout.baseline_counts(cells)
        found[:, cells.start : cells.stop] = rng.multinomial(40, own / own.sum(), hours)
    return found


def fresh(layout: Layout) -> Weather:
    """Weather whose first day, which it leaves out, was the one before ``START``."""
    weather = Weather(layout)
    weather.take(START - DAY, np.zeros(layout.size, np.int64))
    return weather


def fed(weather: Weather, counts: Counts, first: int = 0) -> Weather:
    for hour, own in enumerate(counts, first):
        weather.take(START + hour * HOUR, own)
    return weather


SMALL = Layout(baseline(number("x"), category("k")))


def of_a_day(chance: np.random.Generator, rows: int, busy: int = 1) -> Counts:
    """Hours of a day, shape (24, SMALL.size): of so many rows, from 8 to 20 o'clock so many times as many."""
    found = np.zeros((24, SMALL.size), np.int64)
    hours = np.arange(24)
    several = np.where((hours >= 8) & (hours < 20), busy * rows, rows)
    for cells in SMALL.features:
        shares = chance.dirichlet(np.ones(cells.stop - cells.start))
        found[:, cells.start : cells.stop] = chance.multinomial(several, shares)
    return found


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([0, 1, 7, 400, 30_000, 1_000_000]),
    st.sampled_from([1, 3, 1_000]),
    st.integers(1, 3),
)
@settings(max_examples=60, deadline=None)
def test_a_days_cells_and_rows_come_back_as_they_were_and_its_sums_nearly(
    seed: int, rows: int, busy: int, times: int
) -> None:
    counts, hourly = of_a_day(np.random.default_rng(seed), rows, busy), Hourly(SMALL)
    weather = fresh(SMALL)
    for day in range(times):
        fed(weather, counts, 24 * day)
    fed(weather, counts[:1], 24 * times)
    assert list(weather.days) == [START // DAY + day for day in range(times) if rows]
    if not rows:
        return
    table = weather.table()
    assert (table.counts == times * counts.sum(axis=0)).all()
    exact = np.tile([hourly.of(own) for own in counts], (times, 1))
    assert (table.hours[:, 0] == exact[:, 0]).all()
    # A unit is half a deviation of independent rows, or a 128th of them; half of one is lost at each end of a block.
    whole = exact.sum(axis=0) / np.maximum(exact[:, :1].sum(), 1)
    varies = whole * (1 - whole)
    varies[hourly.scored] = 1.0
    like = exact[:, :1] * np.maximum(varies, 0.0)
    unit = np.maximum(np.maximum(0.5 * np.sqrt(like), like / 128), 1.0) + 1e-6 * exact[:, :1]
    off = table.hours - exact
    assert (np.abs(off) <= 1.01 * unit).all()
    # Where hours are alike, what one has too much the next one lacks.
    if busy == 1:
        for day in range(times):
            hours = slice(24 * day, 24 * day + 24)
            assert (np.abs(off[hours].sum(axis=0)) <= 0.51 * unit[hours].max(axis=0) + 1e-5 * rows).all()


@pytest.mark.parametrize(("rows", "busy"), [(100, 1), (100_000, 1), (10_000_000, 1), (10_000, 100)])
def test_a_day_takes_no_more_bytes_the_busier_it_is(rows: int, busy: int) -> None:
    chance, weather = np.random.default_rng(0), fresh(SMALL)
    for day in range(4):
        # No hour is like the one before.
        fed(weather, np.array([of_a_day(chance, rows, busy)[hour] for hour in range(24)]), 24 * day)
    assert max(len(packed) for packed in weather.days.values()) < 600


A_DOZEN = "abcdefghijkl"


@pytest.mark.parametrize(
    "features",
    [[number(f"x{i}") for i in range(10)], [category(f"k{i}", A_DOZEN, rows=1_200) for i in range(10)]],
    ids=["numbers", "categories"],
)
@pytest.mark.parametrize("rows", [300, 20_000])
def test_what_is_known_of_a_feature_takes_no_more_than_8_kb(features: list[FeatureBaseline], rows: int) -> None:
    chance, layout = np.random.default_rng(0), Layout(baseline(*features))
    weather, own = Weather(layout), [layout.baseline_counts(cells) for cells in layout.features]
    # Longer than it needs, as an incident may keep it waiting.
    for hour in range(40 * 24 - 1):
        shares = [chance.dirichlet(counts / counts.sum() * 1_000 + 0.1) for counts in own]
        several = chance.poisson(rows)
        weather.take(START + hour * HOUR, np.concatenate([chance.multinomial(several, p) for p in shares]))
    assert len(weather.days) == ENOUGH_DAYS
    kept = [*weather.to_state()[1].values(), *Watch(layout, 2_592_000, 10).to_state()[1].values()]
    assert sum(array.nbytes for array in kept) < 8_000 * len(features)


def test_what_is_kept_of_hours_tells_scores_as_their_cells_do() -> None:
    layout = Layout(timed(14))
    counts = panes(layout, 24 * 28)
    cells = layout.features[0]
    # The traffic's mean moves, and what is spread around it is told around the new one.
    counts[:, cells.stop - 8 : cells.stop - 5] += 5
    weather = fed(fresh(layout), np.vstack([counts, counts[:1]]))
    inside = ended(counts[:, cells.start : cells.stop])
    whole = inside.sum(axis=0)
    middles = np.array([middles_of(cells.baseline)[0], *middles_of(cells.baseline), middles_of(cells.baseline)[-1]])
    told = weather.table().scores(0, whole)
    for name, score in scores_of(middles, whole).items():
        sums = inside @ score
        rest = told[name] - sums
        rest -= inside.sum(axis=1) * (rest.sum() / inside.sum())
        # Ranks among the rows there are now are not those they had among the baseline's.
        near = 0.2 if "rank" in name else 0.03
        assert np.square(rest).mean() < near * np.square(sums - sums.mean()).mean(), name


def test_days_with_an_incident_have_no_rows() -> None:
    weather = fresh(SMALL)
    ones = np.ones((24, SMALL.size), np.int64)
    for day in range(6):
        fed(weather, ones, 24 * day)
        if day == 3:
            # Found on the fourth day, it began on the third.
            weather.spoil(START + 2 * DAY + HOUR)
    fed(weather, ones[:1], 24 * 6)
    table = weather.table()
    assert table.hours.reshape(6, 24, -1)[:, :, 0].any(axis=1).tolist() == [True, True, False, False, True, True]
    assert table.counts.tolist() == [4 * 24] * SMALL.size


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 24 * 5 - 1), st.booleans())
def test_weather_restored_anywhere_is_weather_never_stopped(cut: int, spoilt: bool) -> None:
    counts = np.random.default_rng(3).poisson(3.0, (24 * 5 + 1, SMALL.size)).astype(np.int64)
    whole, first = fresh(SMALL), fresh(SMALL)
    for weather in (whole, first):
        fed(weather, counts[:cut])
        if spoilt:
            weather.spoil(START + (cut - 1) * HOUR)
    second = Weather(SMALL)
    second.restore(*first.to_state())
    for weather in (whole, second):
        fed(weather, counts[cut:], cut)
    assert whole.days == second.days
    assert whole.to_state()[0] == second.to_state()[0]


def test_days_that_a_long_silence_made_old_do_not_make_a_refit_due() -> None:
    weather = fresh(SMALL)
    ones = np.ones((24, SMALL.size), np.int64)
    fed(weather, ones, 0)
    fed(weather, ones, 24)
    fed(weather, ones, 24 * 100)
    fed(weather, ones[:1], 24 * 101)
    assert list(weather.days) == [START // DAY + 100]
    assert not weather.is_due
    # Nor does an incident right after it, which leaves no day at all.
    weather.spoil(START + 100 * DAY)
    assert not weather.days
    assert not weather.is_due


def of(sums: NDArray[np.float64], rows: NDArray[np.float64]) -> Dispersion:
    found = dispersion_of(sums, rows)
    assert found is not None
    return found


@pytest.mark.parametrize("shock", [0.0, 0.3])
def test_two_halves_pooled_vary_as_the_whole_does(shock: float) -> None:
    rng = np.random.default_rng(4)
    steps = 56 * 24
    rows = np.full(steps, 100.0)
    sums = rng.normal(size=steps) * 10 + 100 * shock * rng.normal(size=56).repeat(24)
    half = steps // 2
    both, whole = pooled(of(sums[:half], rows[:half]), half, of(sums[half:], rows[half:]), half), of(sums, rows)
    assert len(both.ratio) == len(whole.ratio)
    assert both.ratio[:6] == pytest.approx(whole.ratio[:6], rel=0.15)
    assert both.degrees[-3:] == pytest.approx(whole.degrees[-3:], rel=0.4)


def test_shocks_of_busier_hours_weigh_as_much_more() -> None:
    rng = np.random.default_rng(5)
    shocks = 0.3 * rng.normal(size=672)
    quiet, busy = (of(n * shocks + np.sqrt(n) * rng.normal(size=672), np.full(672, n)) for n in (10.0, 1_000.0))
    both = pooled(quiet, 672, busy, 672)
    assert both.ratio[0] == pytest.approx(busy.ratio[0], rel=0.2)
    assert both.rows[: len(busy.rows)] == pytest.approx(busy.rows)


def test_a_refit_has_the_rows_of_both_in_the_same_cells() -> None:
    layout = Layout(timed(14))
    counts = panes(layout, 14 * 24 + 1)
    # Two beyond the range, and one of a category never seen.
    counts[5, layout.features[0].start + 1] += 2
    counts[5, layout.features[1].stop - 2] += 1
    found = refitted(layout, fed(fresh(layout), counts).table(), "UTC")
    check(found)
    both = Layout(found)
    assert both.size == layout.size
    for mine, cells in zip(both.features, layout.features, strict=True):
        own = layout.baseline_counts(cells) + counts[:-1, cells.start : cells.stop].sum(axis=0)
        assert both.baseline_counts(mine).tolist() == own.tolist()
    assert found.features[0].beyond == (0, 2, 0, 0)
    assert found.features[1].beyond == (1,)
    assert found.timeline is not None
    assert found.timeline.steps == 28 * 24


def test_a_shift_between_hours_that_only_the_traffic_shows_is_learned() -> None:
    layout = Layout(baseline(number("x", rows=10_000)))
    (cells,) = (f for f in layout.features if f.baseline.feature.name == "x")
    counts = panes(layout, 7 * 24 + 1)
    top = counts[:, cells.stop - 5].copy()
    counts[np.arange(len(counts)) % 24 == 6, cells.stop - 5] += 40
    assert top.sum() < counts[:, cells.stop - 5].sum()
    found = refitted(layout, fed(fresh(layout), counts).table(), "UTC")
    by_hour = found.features[layout.features.index(cells)].scores_by_hour["value"]
    assert max(range(24), key=lambda hour: by_hour[hour]) == 6


def clock(days: int, rows: int = 40) -> Layout:
    """Of days of the hour itself, in New York."""
    at = START - days * DAY + np.arange(days * 24 * rows) // rows * HOUR
    hours = [float(as_datetime(t).astimezone(ZoneInfo("America/New_York")).hour) for t in at.tolist()]
    chunk = Chunk(columns={"hour": hours}, rows=len(at), event_at=at.tolist())
    return Layout(build(lambda: [chunk], BuildOptions(time_zone="America/New_York")))


def of_clock(layout: Layout, at: int, rows: int = 40) -> Counts:
    """An hour's rows of it."""
    (cells,) = layout.features
    hour = as_datetime(at).astimezone(ZoneInfo("America/New_York")).hour
    counts = np.zeros(layout.size, np.int64)
    counts[cells.start + np.searchsorted(layout.sides[Side.INPUT].edges[0], float(hour))] = rows
    return counts


@pytest.mark.parametrize("first", [0, 15])
def test_what_follows_the_clock_does_so_after_a_refit_with_days_left_out_and_a_first_one_half_seen(first: int) -> None:
    layout, weather = clock(14), Weather(clock(14))
    for hour in range(first, 14 * 24 + 1):
        weather.take(START + hour * HOUR, of_clock(layout, START + hour * HOUR))
        if hour == 5 * 24 + 7:
            weather.spoil(START + hour * HOUR)
    refit = Layout(refitted(layout, weather.table(), "UTC"))
    # Of days of one kind, none of them cut off.
    dispersion = refit.features[0].baseline.dispersion
    assert max(dispersion["value by day"].ratio) < 1e-3
    # The days of both, which a block is a fourth of at most: eight of them.
    assert len(dispersion["value by day"].ratio) == 3
    watch = Watch(refit, 2_592_000, 3_600)
    for hour in range(15 * 24, 20 * 24):
        at = START + hour * HOUR
        is_afternoon = as_datetime(at).astimezone(ZoneInfo("America/New_York")).hour >= 12
        watch.take(at, of_clock(layout, at, 0 if hour // 24 == 18 and is_afternoon else 40))
        assert watch.level < 1.0 or hour >= 18 * 24
    assert watch.level >= 1.0


def test_the_day_of_a_refit_is_judged_as_a_whole() -> None:
    layout = clock(14)
    before, after = Watch(layout, 2_592_000, 3_600), Watch(layout, 2_592_000, 3_600)
    for hour in range(5, 72 + 5 + 8):
        before.take(START + hour * HOUR, of_clock(layout, START + hour * HOUR))
    after.follow(before)
    assert after.until_at == before.until_at
    # The rest of that day does not come.
    for hour in range(72 + 24 + 5, 72 + 24 + 6):
        after.take(START + hour * HOUR, of_clock(layout, START + hour * HOUR))
    assert after.level >= 1.0


def part(layout: Layout, at: int, counts: Counts) -> Part:
    profile = Profile.empty(layout)
    profile.counts[:] = counts
    return Part(at, False, 40, 40, 0, profile, [])


def watched(given: Baseline, name: str = "e") -> tuple[Track, Layout]:
    asked = EndpointSettings(name=name, spans=Spans(pane=3600, window=3600), false_alarm_seconds=2_592_000)
    return Track(Key(name, "v", ""), asked, Limits(), given), Layout(given)


def hours_at_which_it_was_refitted(track: Track, layout: Layout, days: int) -> list[int]:
    found, refit = [], None
    for hour, counts in enumerate(panes(layout, days * 24)):
        at = START + hour * HOUR
        track.add([part(layout, at, counts)])
        assert track.due(at + HOUR) is not None
        track.relearn(at + HOUR)
        if track.refit is not refit:
            found.append(hour)
            refit = track.refit
    return found


def days_at_which_it_was_refitted(track: Track, layout: Layout, days: int) -> list[int]:
    return [hour // 24 for hour in hours_at_which_it_was_refitted(track, layout, days)]


def test_a_baseline_of_two_weeks_is_refitted_weekly_until_four_are_in() -> None:
    track, layout = watched(timed(14))
    before = track.watch
    assert days_at_which_it_was_refitted(track, layout, 24) == [8, 15]
    assert track.weather is None
    assert track.watch is not before
    assert track.watch is not None
    assert track.watch.until_at == START + 24 * DAY
    assert track.weather_days == 28


def test_endpoints_that_began_together_are_refitted_within_a_day_and_not_at_one_hour() -> None:
    given = timed(14)
    hours = [hours_at_which_it_was_refitted(*watched(given, f"endpoint-{n}"), 10) for n in range(8)]
    # Whose turn is in the last hour has it when the day is over.
    assert all(8 * 24 <= hour <= 9 * 24 for (hour,) in hours)
    assert len({hour for (hour,) in hours}) >= 5


def test_who_missed_its_turn_is_refitted_with_the_next_window() -> None:
    track, layout = watched(timed(14))
    for hour, counts in enumerate(panes(layout, 9 * 24 + 1)):
        track.add([part(layout, START + hour * HOUR, counts)])
        track.due(START + (hour + 1) * HOUR)
    assert track.relearn(START + 9 * DAY)


def test_a_silence_between_the_days_is_no_traffic_to_know_by() -> None:
    layout = Layout(timed(14))
    counts = panes(layout, 7 * 24 + 1)
    weather = fed(fed(fresh(layout), counts[: 4 * 24]), counts[4 * 24 :], 40 * 24)
    table = weather.table()
    found = refitted(layout, table, "UTC")
    assert len(table.hours) == 43 * 24
    assert found.timeline is not None
    assert found.timeline.steps == (14 + 7) * 24


def test_a_baseline_of_four_weeks_is_left_alone() -> None:
    track, _ = watched(timed(ENOUGH_DAYS))
    assert track.weather is None


def test_a_baseline_without_times_knows_hours_after_three_days_and_then_more_every_week() -> None:
    track, layout = watched(baseline(number("x", rows=10_000)))
    assert track.watch is not None
    assert days_at_which_it_was_refitted(track, layout, 17) == [4, 8, 15]


def test_evidence_that_is_nearly_proof_is_neither_learned_nor_forgotten() -> None:
    track, layout = watched(timed(14))
    assert track.watch is not None
    assert days_at_which_it_was_refitted(track, layout, 8) == []
    track.watch.bank.values[0, 0] = 0.5
    track.watch.bank.values[3, :1] = 1e9
    track.watch.bank.values[3, :1] *= np.sign(track.watch.bank.alternatives.gain[:1])
    track.close_panes(START + 9 * DAY)
    assert track.weather is not None
    track.weather.take(START + 9 * DAY, np.zeros(layout.size, np.int64))
    assert track.weather.is_due
    track.relearn(START + 10 * DAY)
    assert track.refit is None


def test_what_whole_days_have_nearly_proven_is_not_learned_either() -> None:
    asked = EndpointSettings(name="e", spans=Spans(pane=3600, window=3600), false_alarm_seconds=2_592_000)
    track = Track(Key("e", "v", ""), asked, Limits(), clock(14).baseline)
    assert track.watch is not None
    assert track.watch.days is not None
    for hour in range(9 * 24):
        track.add([part(clock(14), START + hour * HOUR, of_clock(clock(14), START + hour * HOUR))])
        track.due(START + (hour + 1) * HOUR)
    # Of no row, so that it is large enough.
    track.watch.days.bank.values[:] = 0.0
    track.watch.days.bank.values[0] = 0.5
    last_at = START + 9 * DAY - 1
    assert not track.relearn(last_at)
    track.watch.days.bank.values[0] = 0.0
    assert track.relearn(last_at)


def hourly(days: int, missing_on: range = range(0)) -> list[bytes]:
    """A record of 40 rows for each hour; on some days half of the values are missing."""
    rng = np.random.default_rng(7)
    found = []
    for hour in range(24 * days):
        values = [f"{v:.4f}" for v in rng.normal(size=40)]
        if hour // 24 in missing_on:
            values[:20] = [""] * 20
        lines = "\n".join(f"{v},{c}" for v, c in zip(values, rng.choice(["a", "b"], 40), strict=True))
        found.append(capture(lines, at=START + hour * HOUR, event_id=str(hour), endpoint="e"))
    return found


def engine(given: Baseline | None, burn_in_rows: int = 2_000) -> tuple[Engine, EngineSettings]:
    spans = Spans(pane=3600, window=3600, lateness=0)
    one = EndpointSettings(name="e", spans=spans, false_alarm_seconds=2_592_000, burn_in_rows=burn_in_rows)
    asked = EngineSettings(endpoints=(one,), out_of_orderness_seconds=0)
    return Engine(asked, {} if given is None else {("e", ""): given}), asked


def read(of: Engine, records: list[bytes], first: int = 0) -> list[Action]:
    actions: list[Action] = []
    for i, record in enumerate(records, first):
        actions += of.ingest(batch(record, first=i), START + 1_000 * DAY)
    return actions


def the_track(of: Engine) -> Track:
    (track,) = of.endpoints["e"].tracks.values()
    return track


@pytest.mark.parametrize("cut", [24 * 3 + 5, 24 * 7 + 30, 24 * 16])
def test_an_engine_restored_between_refits_goes_on_as_if_never_stopped(cut: int) -> None:
    given, records = timed(14), hourly(17)
    whole, asked = engine(given)
    read(whole, records[:cut])
    second = Engine.restore(asked, {("e", ""): given}, whole.snapshot())
    assert encode_actions(read(second, records[cut:], cut)) == encode_actions(read(whole, records[cut:], cut))
    assert second.snapshot() == whole.snapshot()
    assert the_track(whole).refit is not None


def test_a_learned_baseline_raises_no_alarm_by_evidence_before_its_weather_is_known() -> None:
    one, _ = engine(None, burn_in_rows=200)
    records = hourly(5)
    read(one, records[: 24 * 3])
    assert the_track(one).layout is not None
    assert (the_track(one).watch, the_track(one).weather_days) == (None, None)
    read(one, records[24 * 3 :], 24 * 3)
    assert the_track(one).watch is not None
    assert the_track(one).weather_days == 3


def test_the_days_of_an_incident_are_not_learned() -> None:
    one, _ = engine(timed(14))
    read(one, hourly(6, missing_on=range(3, 5)))
    weather = the_track(one).weather
    assert weather is not None
    assert START // DAY + 1 in weather.days
    assert not {START // DAY + 3, START // DAY + 4} & set(weather.days)


def test_a_restart_without_an_alarm_budget_says_that_evidence_is_let_go_of() -> None:
    given = timed(14)
    whole, asked = engine(given)
    read(whole, hourly(2))
    (one,) = asked.endpoints
    without = msgspec.structs.replace(asked, endpoints=(msgspec.structs.replace(one, false_alarm_seconds=None),))
    (said,) = Engine.restore(without, {("e", ""): given}, whole.snapshot()).endpoints["e"].restarted
    assert "let go of" in said


def test_one_key_of_an_endpoint_is_refitted_at_a_time() -> None:
    one, _ = engine(timed(14))
    for variant in ("A", "B"):
        records = [record.replace(b"AllTraffic", variant.encode()) for record in hourly(10)]
        for i, record in enumerate(records):
            one.fold(batch(record, first=i, keys=[f"e/{variant}"], shard=variant), START + 1_000 * DAY)
    while one.undecided:
        before = sum(t.refit is not None for t in one.endpoints["e"].tracks.values())
        one.decide(1)
        assert sum(t.refit is not None for t in one.endpoints["e"].tracks.values()) <= before + 1
    assert sum(t.refit is not None for t in one.endpoints["e"].tracks.values()) == 2
