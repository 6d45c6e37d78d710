import math

import msgspec
import numpy as np
import pytest

from streamer.core.baseline.model import Dispersion, FeatureBaseline
from streamer.core.columns import UNSEEN, Columns
from streamer.core.layout import Layout
from streamer.core.profile import Profile, profile_of
from streamer.core.rules.distance import DISTANCES
from streamer.core.rules.history import Expectation
from streamer.core.rules.judge import Judgement, judge
from streamer.core.rules.missing import missing, run_of
from streamer.core.rules.unreadable import unreadable
from streamer.core.rules.view import FeatureView, Run, percent
from streamer.core.rules.volume import volume
from streamer.core.schema import Side
from streamer.core.settings import Rules
from streamer.core.statistics import statistics_of
from streamer.core.types import Cause, Finding, Key, State
from tests.strategies import baseline, category, number

KEY = Key("e", "v", "1")
END = 60_000
# A whole baseline whose blocks vary 400 times as much as independent rows do.
STORMY = Dispersion(rows=(100.0, 200.0, 400.0), ratio=(400.0, 400.0, 400.0), degrees=(20.0, 20.0, 20.0))


def with_dispersion(feature: FeatureBaseline, score: str, dispersion: Dispersion = STORMY) -> FeatureBaseline:
    return msgspec.structs.replace(feature, dispersion={score: dispersion})


def judged(values: list[float], rules: Rules, feature: FeatureBaseline | None = None, shift: float = 0.0) -> Judgement:
    layout = Layout(baseline(feature or number("x", rows=10_000)))
    numbers = np.array([values], np.float64)
    columns = Columns(numbers, None, np.empty((0, len(values)), np.int32), np.arange(len(values)))
    statistics = statistics_of(layout, profile_of(layout, {Side.INPUT: columns}))[0]
    return judge(FeatureView(KEY, rules, 0, END, statistics, shift))


def judged_codes(codes: list[int], rules: Rules) -> Judgement:
    layout = Layout(baseline(category("k", "abc", rows=9_000)))
    columns = Columns(np.empty((0, len(codes))), None, np.array([codes], np.int32), np.arange(len(codes)))
    statistics = statistics_of(layout, profile_of(layout, {Side.INPUT: columns}))[0]
    return judge(FeatureView(KEY, rules, 0, END, statistics, 0.0))


def only(judgement: Judgement) -> Finding:
    (finding,) = judgement.findings
    return finding


def on(rule: str, limit: float) -> Rules:
    return msgspec.structs.replace(Rules(), **{rule: limit})


def uniform(n: int, seed: int = 1) -> list[float]:
    found: list[float] = np.random.default_rng(seed).uniform(0, 10, n).tolist()
    return found


def test_what_looks_like_the_baseline_is_ok() -> None:
    every = Rules(mean_shift=0.2, outside_share=0.01, chi_square=3.0)
    every = msgspec.structs.replace(every, **dict.fromkeys(set(DISTANCES) - {"chi_square"}, 0.1))
    assert judged(uniform(1000), every).state is State.OK


def test_too_few_rows_are_insufficient_data_and_heal_nothing() -> None:
    found = judged([math.nan] * 99, Rules(minimum_rows=100))
    assert found.state is State.INSUFFICIENT
    assert found.findings == ()
    assert found.judged == {Cause.WILD}


def test_missing_values_far_over_the_baselines_are_broken() -> None:
    found = only(judged([math.nan] * 200 + uniform(800), Rules()))
    assert (found.state, found.cause, found.unit) == (State.BROKEN, Cause.MISSING, "points")
    assert found.size == pytest.approx(0.2)
    assert "20 %" in found.words


def test_a_rise_of_missing_values_that_is_certain_but_small_says_so() -> None:
    assert only(judged([math.nan] * 400 + uniform(19_600), Rules())).state is State.SMALL


def test_a_rise_of_missing_values_that_is_large_but_unproven_says_so() -> None:
    few = Rules(minimum_rows=15)
    assert only(judged([math.nan, *uniform(15)], few)).state is State.NOT_ENOUGH


def test_fewer_missing_values_than_in_the_baseline_are_no_trouble() -> None:
    often = msgspec.structs.replace(number("x", rows=10_000), missing=5_000, counts=(500,) * 10)
    assert judged(uniform(1000), Rules(), often).findings == ()


def test_missing_values_that_come_in_clumps_in_the_baseline_need_more_to_be_significant() -> None:
    rare = msgspec.structs.replace(number("x", rows=10_000), missing=500, counts=(950,) * 10)
    clumped = with_dispersion(rare, "missing")
    values = [math.nan] * 150 + uniform(850)
    assert only(judged(values, Rules(), rare)).state is State.BROKEN
    assert only(judged(values, Rules(), clumped)).state is State.NOT_ENOUGH


def test_a_dead_feed_is_broken_even_where_missing_values_come_in_clumps() -> None:
    rare = msgspec.structs.replace(number("x", rows=10_000), missing=20, counts=(998,) * 10)
    mild = Dispersion(rows=(100.0, 1000.0), ratio=(8.0, 20.0), degrees=(2.0, 2.0))
    assert only(judged([math.nan] * 1000, Rules(), with_dispersion(rare, "missing", mild))).state is State.BROKEN


def test_wild_values_need_no_minimum_of_rows() -> None:
    found = judged([900.0] * 5 + uniform(5), Rules())
    assert (only(found).state, only(found).rule, found.state) == (State.BROKEN, "wild", State.BROKEN)
    assert "5 values of 10 rows" in only(found).words


def test_a_few_wild_values_of_very_many_rows_may_be_the_tail_of_a_small_baseline() -> None:
    small = number("x", rows=1_000)
    found = only(judged([900.0] * 6 + uniform(40_000), Rules(), small))
    assert found.state is State.NOT_ENOUGH


def test_a_few_wild_values_are_not_enough_evidence() -> None:
    found = only(judged([-900.0, *uniform(500)], Rules()))
    assert found.state is State.NOT_ENOUGH
    assert "1 value of 501 rows" in found.words
    assert "about -900" in found.words


@pytest.mark.parametrize(("value", "shown"), [(1234.5678, "1,200"), (99.4, "99"), (-1e300, "-1e+300")])
def test_an_extreme_is_told_with_two_digits_only(value: float, shown: str) -> None:
    assert only(judged([value] * 9, Rules())).words.endswith(f"about {shown}")


def test_a_moved_mean_breaks_its_threshold_with_size_in_deviations() -> None:
    values = [v * 0.5 + 5 for v in uniform(2000)]
    found = only(judged(values, Rules(mean_shift=0.5)))
    assert (found.state, found.cause, found.unit) == (State.BROKEN, Cause.DRIFT, "sd")
    assert found.size == pytest.approx(2.5 / 2.886, abs=0.05)


def test_a_moved_mean_is_not_enough_evidence_where_hours_share_their_weather() -> None:
    stormy = with_dispersion(number("x", rows=10_000), "value")
    values = [v * 0.5 + 5 for v in uniform(2000)]
    assert only(judged(values, Rules(mean_shift=0.5), stormy)).state is State.NOT_ENOUGH


def test_what_the_hour_of_day_explains_is_no_shift() -> None:
    values = [v * 0.5 + 5 for v in uniform(2000)]
    assert judged(values, Rules(mean_shift=0.5), shift=2.5 / 2.886).findings == ()


EVERY_DISTANCE = pytest.mark.parametrize("rule", list(DISTANCES))


@EVERY_DISTANCE
def test_a_changed_distribution_breaks_its_threshold(rule: str) -> None:
    found = only(judged([v * 0.5 + 5 for v in uniform(2000)], on(rule, 0.2)))
    assert (found.state, found.cause, found.rule) == (State.BROKEN, Cause.DRIFT, rule)
    assert "(limit 0.2), mean 7.5" in found.words


@EVERY_DISTANCE
def test_a_changed_distribution_is_not_enough_evidence_where_hours_share_their_weather(rule: str) -> None:
    stormy = with_dispersion(number("x", rows=10_000), "cells")
    found = only(judged([v * 0.5 + 5 for v in uniform(2000)], on(rule, 0.05), stormy))
    assert found.state is State.NOT_ENOUGH


@EVERY_DISTANCE
@pytest.mark.parametrize("rows", [100, 400])
def test_chance_in_a_small_window_breaks_no_threshold_however_low(rule: str, rows: int) -> None:
    rules = on(rule, 1e-6)
    states = {judged(uniform(rows, seed), rules).state for seed in range(100)}
    assert State.BROKEN not in states


@EVERY_DISTANCE
def test_hours_that_share_their_weather_break_no_threshold_however_low(rule: str) -> None:
    """Each window of 400 rows is moved as much as windows of the baseline are."""
    rng = np.random.default_rng(2)
    clustered = Dispersion(rows=(400.0, 800.0, 1600.0), ratio=(60.0, 60.0, 60.0), degrees=(60.0, 60.0, 60.0))
    feature = msgspec.structs.replace(
        number("x", rows=100_000), dispersion={"cells": clustered, "value": clustered, "spread": clustered}
    )
    states = set()
    for _ in range(50):
        # Shocks of 0.38 deviations, shared by 400 rows, make 60 times the noise of independent ones.
        values = np.clip(rng.uniform(0, 10, 400) + rng.normal() * 2.886 * math.sqrt(59 / 400), 0, 10)
        states.add(judged(values.tolist(), on(rule, 1e-6), feature).state)
    assert State.BROKEN not in states


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("psi", "PSI {:.2f}"),
        ("ks", "KS distance {:.2f}"),
        ("js", "Jensen-Shannon distance {:.2f}"),
        ("wasserstein", "values moved by {:.2f} baseline deviations"),
        ("hellinger", "Hellinger distance {:.2f}"),
        ("chi_square", "chi-square {:.1f} times that of chance"),
        ("l_infinity_simple", "L-infinity distance {:.2f}"),
        ("l_infinity_robust", "robust L-infinity distance {:.2f}"),
    ],
)
def test_a_distance_is_told_in_words(rule: str, words: str) -> None:
    found = only(judged([v * 0.5 + 5 for v in uniform(2000)], on(rule, 0.1)))
    assert found.words.startswith(f"distribution changed: {words.format(found.size)} (limit 0.1), mean 7.5")


@pytest.mark.parametrize("rule", ["js", "hellinger", "l_infinity_simple", "l_infinity_robust"])
def test_another_constant_breaks_the_thresholds_that_keep_apart_what_is_outside(rule: str) -> None:
    constant = msgspec.structs.replace(
        number("x", rows=5000), minimum=3.0, maximum=3.0, mean=3.0, deviation=0.0, edges=(), counts=(5000,), distinct=1
    )
    assert only(judged([3.5] * 200, on(rule, 0.5), constant)).state is State.BROKEN
    assert judged([3.0] * 200, on(rule, 0.01), constant).findings == ()


def test_a_distance_that_rests_on_smoothing_alone_says_nothing() -> None:
    constant = msgspec.structs.replace(number("x", rows=10**6), counts=(10**6, *[0] * 9))
    assert judged([0.5] * 100, Rules(psi=0.1), constant).findings == ()


def test_a_few_values_far_away_move_the_whole() -> None:
    found = only(judged([50.0] * 40 + uniform(960), Rules(wasserstein=0.5)))
    assert (found.state, found.unit) == (State.BROKEN, "sd")
    assert found.size == pytest.approx(0.04 * 45 / 2.886, abs=0.05)
    assert only(judged([200.0, 200.0, *uniform(298)], Rules(wasserstein=0.1, wild=False))).state is State.NOT_ENOUGH


@pytest.mark.parametrize("rule", ["js", "hellinger", "l_infinity_simple", "l_infinity_robust"])
def test_unseen_categories_break_thresholds_on_distances(rule: str) -> None:
    assert only(judged_codes([UNSEEN] * 300 + [0, 1, 2] * 300, on(rule, 0.05))).state is State.BROKEN


@EVERY_DISTANCE
def test_chance_in_rare_categories_breaks_no_threshold_however_low(rule: str) -> None:
    rng = np.random.default_rng(5)
    law = 1 / np.arange(1, 51) ** 2
    law /= law.sum()
    past = np.maximum(np.rint(law * 100_000), 5).astype(int).tolist()
    values = tuple(str(i) for i in range(50))
    rare = msgspec.structs.replace(category("k", values), rows=sum(past), counts=tuple(past), other=0)
    layout = Layout(baseline(rare))
    states = set()
    for _ in range(400):
        profile = Profile.empty(layout)
        profile.counts[:50] = rng.multinomial(100, law)
        states.add(judge(FeatureView(KEY, on(rule, 1e-6), 0, END, statistics_of(layout, profile)[0], 0.0)).state)
    assert State.BROKEN not in states


def test_unseen_categories_are_no_wonder_where_the_baseline_has_many_rare_ones() -> None:
    values = tuple(str(i) for i in range(200))
    many = msgspec.structs.replace(category("k", values), rows=2_000, counts=(34,) * 50, other=300)
    few = msgspec.structs.replace(category("k", values[:50]), rows=2_000, counts=(40,) * 50, other=0)
    found = {}
    for feature in (many, few):
        layout = Layout(baseline(feature))
        profile = Profile.empty(layout)
        profile.counts[:50] = 17
        profile.counts[50:52] = 150 - 45, 45
        view = FeatureView(KEY, on("unseen_share", 0.01), 0, END, statistics_of(layout, profile)[0], 0.0)
        found[len(feature.feature.values)] = judge(view).state
    assert found == {200: State.NOT_ENOUGH, 50: State.BROKEN}


@pytest.mark.parametrize("rule", ["js", "hellinger", "l_infinity_simple", "l_infinity_robust"])
def test_unseen_categories_in_place_of_rare_ones_break_thresholds_on_distances(rule: str) -> None:
    assert only(judged_codes([UNSEEN, 0, 1] * 300, on(rule, 0.05))).state is State.BROKEN


@EVERY_DISTANCE
def test_a_category_that_grew_breaks_the_thresholds_it_has(rule: str) -> None:
    found = judged_codes([0] * 900 + [1, 2] * 100, on(rule, 0.05))
    assert found.state is (State.OK if rule in ("ks", "wasserstein") else State.BROKEN)


@EVERY_DISTANCE
def test_a_distance_of_too_few_rows_is_insufficient_data(rule: str) -> None:
    found = judged([9.5] * 99, on(rule, 0.01))
    assert (found.state, found.findings) == (State.INSUFFICIENT, ())


def test_values_outside_the_range_break_their_threshold() -> None:
    found = only(judged([12.0] * 100 + uniform(900), Rules(outside_share=0.05)))
    assert found.state is State.BROKEN
    assert found.size == pytest.approx(0.1)


def test_unseen_categories_break_their_threshold() -> None:
    found = only(judged_codes([UNSEEN] * 100 + [0, 1, 2] * 300, Rules(unseen_share=0.05)))
    assert (found.state, found.rule) == (State.BROKEN, "unseen_share")


def test_a_rule_switched_off_says_nothing() -> None:
    off = Rules(missing=False, wild=False)
    found = judged([math.nan] * 500 + [900.0] * 500, off)
    assert (found.findings, found.judged) == ((), frozenset())


def test_a_constant_feature_has_no_shift() -> None:
    constant = msgspec.structs.replace(number("x"), deviation=0.0)
    assert judged(uniform(500), Rules(mean_shift=0.1), constant).findings == ()


PAST = Expectation(rows=1000.0, dispersion=1.0, weeks=4, typical=1000.0)


@pytest.mark.parametrize(
    ("rows", "state"),
    [(500, State.BROKEN), (2000, State.BROKEN), (950, None), (895, State.NOT_ENOUGH), (1400, State.BROKEN)],
)
def test_traffic_is_judged_by_change_and_by_how_much_windows_differ(rows: int, state: State | None) -> None:
    found = volume(KEY, Rules(), 0, END, rows, PAST)
    assert (None if found is None else found.state) == state


def test_traffic_that_changed_certainly_but_little_says_so() -> None:
    found = volume(KEY, Rules(volume_change=0.5), 0, END, 700, PAST)
    assert found is not None
    assert (found.state, found.size) == (State.SMALL, 0.7)
    assert "-30 %" in found.words


def test_traffic_that_comes_in_clumps_needs_more_to_be_significant() -> None:
    found = volume(KEY, Rules(), 0, END, 700, PAST._replace(dispersion=9.0))
    assert found is not None
    assert found.state is State.NOT_ENOUGH


def test_an_empty_window_is_silence_only_where_chance_can_not_explain_it() -> None:
    sure = volume(KEY, Rules(), 0, END, 0, PAST)
    assert sure is not None
    assert (sure.cause, sure.state) == (Cause.SILENCE, State.BROKEN)
    unsure = volume(KEY, Rules(), 0, END, 0, PAST._replace(rows=5.0, typical=5.0))
    assert unsure is not None
    assert unsure.state is State.NOT_ENOUGH


def test_a_few_rows_at_night_are_no_matter_beside_a_days_traffic() -> None:
    for rows, expected in ((12, 0.0), (0, 4.0), (30, 4.0)):
        found = volume(KEY, Rules(), 0, END, rows, PAST._replace(rows=expected))
        assert found is None or found.state is State.SMALL


def test_a_burst_where_there_never_was_any_traffic_is_told() -> None:
    found = volume(KEY, Rules(), 0, END, 5_000, PAST._replace(rows=0.0))
    assert found is not None
    assert (found.state, found.words) == (State.BROKEN, "5,000 rows, 0 expected by the past weeks")


def test_no_rows_where_none_are_expected_are_no_finding() -> None:
    assert volume(KEY, Rules(), 0, END, 0, Expectation(0.0, 1.0, 4, 0.0)) is None


@pytest.mark.parametrize(
    ("records", "invalid", "state"),
    [
        (100, 0, None),
        (0, 50, State.BROKEN),
        (900, 100, State.BROKEN),
        (3, 2, State.NOT_ENOUGH),
        (98_000, 2_000, State.SMALL),
        (1000, 1, None),
    ],
)
def test_unreadable_records_are_judged_by_share_and_number(records: int, invalid: int, state: State | None) -> None:
    found = unreadable(Key("e", "", ""), Rules(), 0, END, records, invalid, 0, {})
    assert (None if found is None else found.state) == state


def test_records_unreadable_on_one_side_count_too() -> None:
    found = unreadable(Key("e", "", ""), Rules(), 0, END, 100, 0, 100, {"column-count": 98, "bad-csv": 2})
    assert found is not None
    assert found.state is State.BROKEN
    assert found.words == (
        "100 of 100 records can't be read (100 %), 100 of them on one side only: column-count 98, bad-csv 2"
    )


@pytest.mark.parametrize(("share", "text"), [(0.5, "50 %"), (0.123, "12 %"), (0.034, "3.4 %"), (0.0012, "0.12 %")])
def test_a_share_is_told_with_two_digits(share: float, text: str) -> None:
    assert percent(share) == text


def outage_baseline() -> FeatureBaseline:
    """A feature missing in 0.4 % of its baseline's rows, all of them in outages of some hours."""
    rare = msgspec.structs.replace(number("x", rows=100_000), missing=400, counts=(9_960,) * 10)
    return with_dispersion(
        rare,
        "missing",
        Dispersion(rows=(70.0, 140.0, 280.0, 560.0), ratio=(60.0, 110.0, 180.0, 200.0), degrees=(3.0,) * 4),
    )


def test_a_dead_feed_is_proven_by_its_going_on_where_the_baseline_had_outages() -> None:
    feature, rules, run = outage_baseline(), Rules(minimum_rows=50), None
    states = []
    layout = Layout(baseline(feature))
    nothing = Columns(np.full((1, 70), np.nan), None, np.empty((0, 70), np.int32), np.arange(70))
    statistics = statistics_of(layout, profile_of(layout, {Side.INPUT: nothing}))[0]
    for hour in range(48):
        view = FeatureView(
            KEY, rules, hour * 3_600_000, (hour + 1) * 3_600_000, statistics, 0.0, None, run, 60 * 86_400_000
        )
        found = missing(view)
        assert found is not None
        states.append(found.state)
        run = run_of(view, found)
    assert states[0] is State.NOT_ENOUGH
    assert states[-1] is State.BROKEN
    assert states == sorted(states, key=lambda s: s is State.BROKEN)
    assert states.count(State.NOT_ENOUGH) < 40


def test_a_run_ends_with_the_first_window_that_has_its_values() -> None:
    feature = outage_baseline()
    layout = Layout(baseline(feature))
    full = Columns(np.ones((1, 70)), None, np.empty((0, 70), np.int32), np.arange(70))
    statistics = statistics_of(layout, profile_of(layout, {Side.INPUT: full}))[0]
    view = FeatureView(KEY, Rules(), 0, 1, statistics, 0.0, None, Run(0, 700, 700))
    assert run_of(view, missing(view)) is None


def test_values_that_are_always_missing_at_this_hour_are_no_trouble() -> None:
    values = [math.nan] * 200 + uniform(800)
    layout = Layout(baseline(number("x", rows=10_000)))
    columns = Columns(np.array([values]), None, np.empty((0, 1000), np.int32), np.arange(1000))
    statistics = statistics_of(layout, profile_of(layout, {Side.INPUT: columns}))[0]
    assert missing(FeatureView(KEY, Rules(), 0, END, statistics, 0.0, 0.2)) is None
    assert missing(FeatureView(KEY, Rules(), 0, END, statistics, 0.0, None)) is not None
