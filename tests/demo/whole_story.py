"""The demo's story without processes: one engine, the flights of February to July, one pipeline that answers."""

from functools import cache
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from streamer.app.incidents import Incidents
from streamer.config.load import load
from streamer.core.baseline.model import encode
from streamer.core.decisions import AddVersion
from streamer.core.engine import Engine
from streamer.core.incident import Incident
from streamer.core.types import Action, Retrain, RetrainingRequest
from streamer.demo.captures import captures, write_training_table
from streamer.demo.configuration import ENDPOINT, VARIANT, configuration_text
from streamer.demo.model import Model, scores
from streamer.demo.pipeline import VERSION, retrained
from streamer.demo.preparation import baseline_of
from tests.demo import january, model, to_july, year
from tests.strategies import batch

_WEEK_MS = 7 * 86_400_000
_BATCH = 500


class Story(NamedTuple):
    """What came out.

    Attributes
    ----------
    fired : list of Incident
        In the order in which they began, as they stand at the end.
    requests : list of RetrainingRequest
    took_over_at : int
        Milliseconds since the epoch; 0 where nobody asked.
    rows : int
        The second version was trained on.
    second : Model or None
    """

    fired: list[Incident]
    requests: list[RetrainingRequest]
    took_over_at: int
    rows: int
    second: Model | None


@cache
def story() -> Story:
    """Watch half a year; each week ends before a request is answered, so that every run is the same."""
    with TemporaryDirectory() as folder:
        return _story(Path(folder))


def _story(folder: Path) -> Story:
    table = folder / "train.csv"
    write_training_table(january(), table)
    baseline = baseline_of(table)
    (folder / "baseline.json").write_bytes(encode(baseline))
    asking = '\n[retraining.eventbridge]\nbus = "b"\nafter = "7 d"\ncool_down = "28 d"\n[aws]\nregion = "us-east-1"\n'
    (folder / "s.toml").write_text(configuration_text("baseline.json", "x.sqlite") + asking)
    engine = Engine(load(folder / "s.toml", {}).engine_settings(), {(ENDPOINT, ""): baseline})
    flights, serving = to_july(), model()
    requests: list[RetrainingRequest] = []
    incidents, took_over_at, rows = Incidents(), 0, 0
    first = int(flights["service_day_at"].iloc[0])
    position, keys = 0, [f"{ENDPOINT}/{VARIANT}"] * _BATCH
    for week_at in range(first, int(flights["scheduled_at"].iloc[-1]) + 1, _WEEK_MS):
        if requests and not took_over_at:
            serving, second, rows = retrained(year(), requests[0], folder / "train-2.csv")
            took_over_at = week_at
            decision = AddVersion(
                id="d",
                made_at=week_at,
                by="p",
                endpoint=ENDPOINT,
                version=VERSION,
                from_at=week_at,
                baseline="baseline-2.json",
                baseline_id=second.id,
            )
            _note(engine.decide_on(decision, second), incidents, requests)
        week = flights[(flights["scheduled_at"] >= week_at) & (flights["scheduled_at"] < week_at + _WEEK_MS)]
        lines = captures(week.assign(score=scores(serving, week)), serving.features)
        while several := list(islice(lines, _BATCH)):
            read = batch(*(payload for _, payload in several), first=position, keys=keys[: len(several)])
            _note(engine.ingest(read, several[-1][0]), incidents, requests)
            position += len(several)
    _note(engine.finish(), incidents, requests)
    assert engine.totals.accepted == engine.totals.records
    return Story(incidents.fired, requests, took_over_at, rows, serving if took_over_at else None)


def _note(actions: list[Action], incidents: Incidents, requests: list[RetrainingRequest]) -> None:
    incidents.take(actions)
    requests.extend(action.request for action in actions if isinstance(action, Retrain))
