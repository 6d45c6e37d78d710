"""Tests on the real flights, which are read and scored once for all of them."""

from functools import cache

import pandas as pd

from streamer.demo.flights import read_flights, training, watched
from streamer.demo.model import Model, cross_validated_scores, fit, scores


@cache
def year() -> pd.DataFrame:
    """All departed flights of 2013."""
    return read_flights()


@cache
def january() -> pd.DataFrame:
    """January's flights with their cross-validated scores."""
    flights = training(year())
    return flights.assign(score=cross_validated_scores(flights))


@cache
def model() -> Model:
    """January's."""
    return fit(training(year()))


@cache
def to_july() -> pd.DataFrame:
    """Flights of February to July with the scores of January's model."""
    flights = watched(year())
    return flights.assign(score=scores(model(), flights))
