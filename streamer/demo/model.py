"""The demo's model: logistic regression on flights whose arrival is known, and its scores.

The training rows' own scores come from cross-validation by service day. Scores of rows the model has
learned from are too good, so a baseline of those would make the score drift on the first day; and
flights of one day share their weather, so random folds would be too good as well.
"""

from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.compose import make_column_transformer  # type: ignore[import-untyped]
from sklearn.impute import SimpleImputer  # type: ignore[import-untyped]
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]
from sklearn.metrics import roc_auc_score  # type: ignore[import-untyped]
from sklearn.model_selection import GroupKFold  # type: ignore[import-untyped]
from sklearn.pipeline import Pipeline, make_pipeline  # type: ignore[import-untyped]
from sklearn.preprocessing import OneHotEncoder, StandardScaler  # type: ignore[import-untyped]

from streamer.demo.flights import CATEGORIES, FEATURES

_FOLDS: Final = 5
# A carrier or destination with fewer flights than this shares a column with others like it.
_LEAST_FLIGHTS: Final = 30


class Model(NamedTuple):
    """A trained model.

    Attributes
    ----------
    features : tuple of str
        What it asks for.
    pipeline : Pipeline
    """

    features: tuple[str, ...]
    pipeline: Pipeline


def fit(flights: pd.DataFrame, features: tuple[str, ...] = FEATURES) -> Model:
    """Train on the flights whose arrival is known.

    Parameters
    ----------
    flights : DataFrame
        As ``read_flights`` gives them.
    features : tuple of str
        Columns to learn from.
    """
    known = flights[flights["late"].notna()]
    encoder = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=_LEAST_FLIGHTS)
    columns = make_column_transformer(
        (encoder, list(CATEGORIES)),
        (make_pipeline(SimpleImputer(), StandardScaler()), [name for name in features if name not in CATEGORIES]),
    )
    # Newton's steps go all the way to the optimum, so that scores are alike on every machine.
    pipeline = make_pipeline(columns, LogisticRegression(solver="newton-cholesky"))
    return Model(features, pipeline.fit(known[list(features)], known["late"].to_numpy(np.bool_)))


def scores(model: Model, flights: pd.DataFrame) -> NDArray[np.float64]:
    """Probability that each flight is late, shape (n,), as an endpoint answers: six digits."""
    probability = np.asarray(model.pipeline.predict_proba(flights[list(model.features)])[:, 1], np.float64)
    return probability.round(6)


def cross_validated_scores(flights: pd.DataFrame, features: tuple[str, ...] = FEATURES) -> NDArray[np.float64]:
    """Probability that each flight is late by a model that has not seen its service day, shape (n,)."""
    found = np.empty(len(flights))
    folds = GroupKFold(_FOLDS).split(flights, groups=flights["service_day_at"].to_numpy())
    for others, held_out in folds:
        found[held_out] = scores(fit(flights.iloc[others], features), flights.iloc[held_out])
    return found


def auc(flights: pd.DataFrame, score: NDArray[np.float64]) -> float:
    """Area under the ROC curve over the flights whose arrival is known, 0.5 to 1 for a useful score."""
    known = flights["late"].notna().to_numpy(np.bool_)
    return float(roc_auc_score(flights["late"][known].to_numpy(np.bool_), score[known]))
