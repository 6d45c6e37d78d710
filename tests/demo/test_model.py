import numpy as np

from streamer.demo.flights import training
from streamer.demo.model import auc, cross_validated_scores, fit, scores
from tests.demo import january, to_july, year


def test_january_is_foreseen_as_well_as_weather_and_delays_allow() -> None:
    # Published values with a look at the flight's own departure are higher: that is not known in time.
    assert 0.68 < auc(january(), january()["score"].to_numpy()) < 0.75


def test_later_months_are_foreseen_about_as_well() -> None:
    assert 0.65 < auc(to_july(), to_july()["score"].to_numpy()) < 0.78


def test_scores_of_flights_learned_from_are_better_than_cross_validated_ones() -> None:
    flights = training(year())
    assert auc(flights, scores(fit(flights), flights)) > auc(january(), january()["score"].to_numpy())


def test_every_flight_has_a_score_that_is_a_probability() -> None:
    score = np.concatenate([january()["score"].to_numpy(), to_july()["score"].to_numpy()])
    assert np.isfinite(score).all()
    assert score.min() >= 0
    assert score.max() <= 1


def test_scores_have_six_digits() -> None:
    score = to_july()["score"].to_numpy()
    assert (score == score.round(6)).all()


def test_diverted_flights_of_january_are_scored_too() -> None:
    diverted = january()[january()["late"].isna()]
    assert len(diverted) > 50
    assert diverted["score"].notna().all()


def test_january_is_scored_the_same_each_time() -> None:
    few = training(year()).iloc[:4_000]
    assert (cross_validated_scores(few) == cross_validated_scores(few)).all()


def test_a_day_is_scored_by_a_model_that_has_not_seen_it() -> None:
    few = training(year()).iloc[:6_000]
    first_day = few["service_day_at"] == few["service_day_at"].min()
    # Turning the day's own labels round changes the other days' scores and not the day's.
    turned = few.assign(late=few["late"].where(~first_day, ~few["late"]))
    before, after = cross_validated_scores(few), cross_validated_scores(turned)
    assert (before[first_day] == after[first_day]).all()
    assert (before != after).any()


def test_an_airport_or_carrier_never_seen_gets_a_score() -> None:
    few = training(year()).iloc[:4_000]
    unknown = few.iloc[:3].assign(carrier="??", dest="???")
    assert np.isfinite(scores(fit(few), unknown)).all()
