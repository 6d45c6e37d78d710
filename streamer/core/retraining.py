"""Retraining: a trouble that lasts, or a schedule, becomes one request, and then none for a while."""

from collections.abc import Iterable
from typing import Final

import msgspec

from streamer.core.eventtime import as_datetime
from streamer.core.identity import hash_of
from streamer.core.incident import AlertState, Incident
from streamer.core.settings import RetrainingSettings
from streamer.core.types import Cause, Retrain, RetrainingReason, RetrainingRequest, TimeRange
from streamer.core.words import when

# Rows of these are faults of the feed, not of the world: a model must not learn from them.
_QUALITY: Final = frozenset({Cause.MISSING, Cause.WILD, Cause.UNREADABLE, Cause.SILENCE})
# So many faulty stretches are remembered; older ones are joined into one.
_STRETCHES: Final = 200


class Serving(msgspec.Struct, frozen=True):
    """What answers now, and where the data lie it was trained on.

    Attributes
    ----------
    variant, model_version, baseline : str
        Names; the baseline's id.
    original : TimeRange or None
        Time span of the baseline's rows, where it knows.
    since_at : int
        Start of the endpoint's first window, milliseconds since the epoch.
    """

    variant: str
    model_version: str
    baseline: str
    original: TimeRange | None
    since_at: int


class RetrainingState(msgspec.Struct, kw_only=True):
    """A book as it stands in a snapshot.

    Attributes
    ----------
    drift : Incident or None
        The drift that is firing.
    open : dict of Cause to int
        Start of each data-quality incident that is firing.
    closed : list of (since, until)
        Stretches of those that are over, milliseconds.
    asked_at : int or None
        Watermark of the last request; of the first window before any.
    asked : bool
        Whether there was a request.
    """

    drift: Incident | None = None
    open: dict[Cause, int] = {}
    closed: list[tuple[int, int]] = []
    asked_at: int | None = None
    asked: bool = False


class RetrainingBook:
    """Decides when one endpoint's model is to be trained again.

    Parameters
    ----------
    endpoint : str
        Whose model.
    settings : RetrainingSettings
        How long a drift must last, the schedule, and the cool-down.
    """

    def __init__(self, endpoint: str, settings: RetrainingSettings) -> None:
        self._endpoint = endpoint
        self._settings = settings
        self.state = RetrainingState()

    def note(self, changed: Iterable[Incident]) -> None:
        """Take note of the newest revision of each incident that changed."""
        for incident in changed:
            self._note(incident)

    def advance(self, at: int, serving: Serving) -> list[Retrain]:
        """Ask if it is due.

        Parameters
        ----------
        at : int
            End of the windows that closed, milliseconds since the epoch; never less than before.
        serving : Serving
            What answers now.
        """
        state = self.state
        if state.asked_at is None:
            state.asked_at = serving.since_at
        if state.asked and at - state.asked_at < self._settings.cool_down * 1000:
            return []
        drift, after = state.drift, self._settings.after
        if drift is not None and after is not None and at - _ms(drift) >= after * 1000:
            features = tuple(dict.fromkeys(c.feature for c in drift.contributions if c.feature))
            words = f"{drift.title}, since {when(drift.since.timestamp())}"
            return [self._request(at, serving, RetrainingReason.INCIDENT, words, drift.id, features)]
        every = self._settings.every
        if every is not None and at - state.asked_at >= every * 1000:
            return [self._request(at, serving, RetrainingReason.SCHEDULE, f"{self._endpoint}: the schedule", "", ())]
        return []

    def _note(self, incident: Incident) -> None:
        state = self.state
        firing = incident.state is AlertState.FIRING
        if incident.cause is Cause.DRIFT:
            state.drift = incident if firing else None
        elif incident.cause in _QUALITY:
            if firing:
                state.open[incident.cause] = _ms(incident)
            elif state.open.pop(incident.cause, None) is not None and incident.until is not None:
                state.closed.append((_ms(incident), round(incident.until.timestamp() * 1000)))
                if len(state.closed) > _STRETCHES:
                    first, second = state.closed[0], state.closed[1]
                    state.closed[:2] = [(min(first[0], second[0]), max(first[1], second[1]))]

    def _request(
        self,
        at: int,
        serving: Serving,
        reason: RetrainingReason,
        words: str,
        incident: str,
        features: tuple[str, ...],
    ) -> Retrain:
        state = self.state
        new_at = serving.since_at
        if serving.original is not None:
            new_at = max(new_at, round(serving.original.until.timestamp() * 1000))
        left_out = sorted([*state.closed, *((since, at) for since in state.open.values())])
        requested = as_datetime(at)
        state.asked_at, state.asked = at, True
        return Retrain(
            RetrainingRequest(
                id=hash_of("retraining", self._endpoint, serving.variant, serving.model_version, reason, str(at)),
                endpoint=self._endpoint,
                variant=serving.variant,
                model_version=serving.model_version,
                baseline=serving.baseline,
                reason=reason,
                words=words,
                incident=incident,
                features=features,
                requested=requested,
                original=serving.original,
                new=TimeRange(as_datetime(min(new_at, at)), requested),
                leave_out=tuple(TimeRange(as_datetime(s), as_datetime(u)) for s, u in left_out if u > new_at),
            )
        )


def _ms(incident: Incident) -> int:
    return round(incident.since.timestamp() * 1000)
