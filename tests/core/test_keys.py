"""Several versions of one endpoint: what is said of one is not said of another, and a restart changes nothing."""

from collections.abc import Sequence

import msgspec

from streamer.core.documents import encode
from streamer.core.engine import Engine
from streamer.core.incident import AlertState, Incident
from streamer.core.settings import EngineSettings
from streamer.core.types import Action, Cause, EndpointDocument, FeatureDocument, Index, Notify
from tests.core.test_endpoint import ONE, SETTINGS, record
from tests.strategies import NOW, baseline, batch

WATCHED = msgspec.structs.replace(SETTINGS, endpoints=(msgspec.structs.replace(ONE, false_alarm_seconds=2_592_000),))
BASELINES = {("one", ""): baseline()}


def usual(second: int, version: str, low: int = 0) -> bytes:
    """A row of a version as the baseline has them, or with ``x`` in its upper part."""
    x = low + (second * 7) % (10 - low)
    data = f"{x}.5,{second % 10}.5,{'abc'[second % 3]}"
    return record(second, f"{version}-{second}", data=data, output=f"{second % 10}.5", modelVersion=version)


def run(records: Sequence[bytes], settings: EngineSettings = WATCHED, stop_every: int | None = None) -> list[Action]:
    engine, actions = Engine(settings, BASELINES), []
    for first in range(0, len(records), 100):
        part = records[first : first + 100]
        actions += engine.ingest(batch(*part, first=first, keys=["one/x"] * len(part)), NOW)
        if stop_every and first % stop_every == 0:
            engine = Engine.restore(settings, BASELINES, engine.snapshot())
    return actions + engine.finish()


def documents(actions: list[Action]) -> dict[str, bytes]:
    return {a.document.id: encode(a.document) for a in actions if isinstance(a, Index)}


def incidents(actions: list[Action]) -> list[Incident]:
    return [a.incident for a in actions if isinstance(a, Notify)]


def test_a_restart_with_several_versions_changes_nothing() -> None:
    both = [usual(s, v, 3 if v == "2" and s > 900 else 0) for s in range(1_800) for v in ("1", "2")]
    straight, stopped = run(both), run(both, stop_every=200)
    assert incidents(straight)
    assert documents(straight) == documents(stopped)


def test_what_one_version_lacks_is_not_laid_on_the_other() -> None:
    def row(second: int, version: str) -> bytes:
        data = f",{second % 10}.5,a" if version == "1" and second > 600 else f"{second % 10}.5,{second % 10}.5,a"
        return record(second, f"{version}-{second}", data=data, output="1.5", modelVersion=version)

    actions = run([row(s, v) for s in range(1_200) for v in ("1", "2")], SETTINGS)
    of_second = [
        a.document
        for a in actions
        if isinstance(a, Index)
        and isinstance(a.document, EndpointDocument | FeatureDocument)
        and a.document.model_version == "2"
    ]
    assert {str(d.state) for d in of_second} <= {"ok", "insufficient data"}
    assert all(not d.rules for d in of_second)


def test_a_version_that_pauses_in_the_middle_of_a_drift_is_not_acquitted_by_another() -> None:
    drifting = [usual(s, "2", 5) for s in range(1_200, 1_800)]
    steady = [usual(s, "1") for s in range(5_400)]
    before = [usual(s, "2") for s in range(1_200)]
    several = sorted([*steady, *before, *drifting], key=lambda raw: raw[raw.index(b'"inferenceTime"') :][:45])
    told = [(i.cause, i.state) for i in incidents(run(several)) if i.cause is Cause.DRIFT]
    # It is over when the version sleeps, as it gave way to the other.
    assert told[0] == (Cause.DRIFT, AlertState.FIRING)
    assert len(told) <= 2


def test_an_incident_that_comes_back_is_another_one() -> None:
    gaps = [(600, 900), (3_000, 3_300)]

    def row(second: int) -> bytes:
        gone = any(first <= second < end for first, end in gaps)
        return record(second, str(second), data=f"{'' if gone else second % 10},{second % 10}.5,a", output="1.5")

    found = incidents(run([row(s) for s in range(5_400)], SETTINGS))
    assert [i.state for i in found] == [AlertState.FIRING, AlertState.RESOLVED] * 2
    assert found[0].id == found[1].id != found[2].id
