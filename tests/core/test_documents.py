import json
from pathlib import Path

import jsonschema
import msgspec
import numpy as np
import pytest

import streamer
from streamer.core.columns import Columns
from streamer.core.distances import Distances
from streamer.core.documents import encode, encode_notification, endpoint_document, feature_document, json_schema
from streamer.core.errors import Reason
from streamer.core.incident import AlertState, Contribution, Fingerprint, Incident, Severity
from streamer.core.layout import Layout
from streamer.core.profile import profile_of
from streamer.core.rounding import rounded
from streamer.core.schema import Side
from streamer.core.statistics import FeatureStatistics, statistics_of
from streamer.core.types import (
    Cause,
    DeadLetter,
    Document,
    FeatureDocument,
    Key,
    Notify,
    RetrainingReason,
    RetrainingRequest,
    State,
    TimeRange,
)
from streamer.core.windows import WindowCounts
from tests.strategies import START, baseline, category, number

KEY = Key("e", "v", "1")
BASELINE = baseline(number("x"), category("k"), number("score", Side.OUTPUT))


def statistics(rows: int) -> list[FeatureStatistics]:
    layout = Layout(BASELINE)
    values = np.random.default_rng(1).uniform(0, 10, (1, rows))
    record = np.arange(rows)
    inputs = Columns(values, None, np.zeros((1, rows), np.int32), record)
    outputs = Columns(values, None, np.empty((0, rows), np.int32), record)
    return statistics_of(layout, profile_of(layout, {Side.INPUT: inputs, Side.OUTPUT: outputs}))


def of_feature(i: int, *, shown: bool = True, rows: int = 200) -> FeatureDocument:
    counts = WindowCounts(START, records=rows, rows_in=rows)
    of = statistics(rows)[i]
    return feature_document(
        KEY,
        BASELINE,
        counts,
        START + 60_000,
        rows,
        of,
        State.OK,
        (),
        evidence=0.25,
        resolution=None,
        shown=shown,
    )


def incident() -> Incident:
    return Incident(
        id="i",
        revision=1,
        fingerprint=Fingerprint("f"),
        endpoint="e",
        cause=Cause.DRIFT,
        state=AlertState.FIRING,
        severity=Severity.WARNING,
        opened=of_feature(0).window_start,
        since=of_feature(0).window_start,
        changed=of_feature(0).window_end,
        title="t",
        text="t",
    )


def contribution(number: int) -> Contribution:
    return Contribution(
        feature=f"f{number}",
        variant="v",
        model_version="1",
        rule="psi",
        since=of_feature(0).window_start,
        live=1.0,
        expected=0.0,
        size=1.0,
        unit="psi",
        weight=1.0,
        rows=200,
        words="w",
    )


DOCUMENTS: list[Document] = [
    of_feature(0),
    of_feature(1),
    of_feature(2),
    of_feature(0, shown=False, rows=3),
    endpoint_document(
        KEY, BASELINE, WindowCounts(START, records=5), START + 60_000, 5, 1, State.INSUFFICIENT, complete=True
    ),
    endpoint_document(KEY, None, WindowCounts(START), START + 60_000, 0, 0, State.LEARNING, complete=False),
    incident(),
    DeadLetter(id="d", shard="s", position="1", reason=Reason.LATE, sha256="0" * 64, size_bytes=3),
]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: type(d).__name__)
def test_every_document_is_one_line_and_keeps_to_the_published_schema(document: Document) -> None:
    text = encode(document)
    assert b"\n" not in text
    jsonschema.Draft202012Validator(json_schema()).validate(json.loads(text))


def test_a_notification_keeps_to_the_published_schema() -> None:
    text = encode_notification(Notify("n", incident(), "firing"))
    jsonschema.Draft202012Validator(json_schema()).validate(json.loads(text))


@pytest.mark.parametrize("most_bytes", [10_000, 2_000, 900, 1])
def test_a_notification_lists_the_heaviest_that_fit_and_says_how_many_it_leaves_out(most_bytes: int) -> None:
    about = msgspec.structs.replace(incident(), contributions=tuple(map(contribution, range(100))))
    text = encode_notification(Notify("n", about, "firing"), most_bytes)
    told = json.loads(text)
    listed = [c["feature"] for c in told["incident"]["contributions"]]
    assert listed == [f"f{i}" for i in range(100 - told["contributions_left_out"])]
    assert len(text) <= most_bytes or listed == []
    jsonschema.Draft202012Validator(json_schema()).validate(told)


def test_a_notification_that_fits_is_the_same_as_without_a_bound() -> None:
    notify = Notify("n", msgspec.structs.replace(incident(), contributions=(contribution(1),)), "firing")
    assert encode_notification(notify, 10_000) == encode_notification(notify)


def test_a_retraining_request_keeps_to_the_published_schema() -> None:
    at = of_feature(0).window_end
    request = RetrainingRequest(
        id="r",
        endpoint="e",
        variant="v",
        model_version="1",
        baseline="b",
        reason=RetrainingReason.SCHEDULE,
        words="w",
        requested=at,
        new=TimeRange(at, at),
        leave_out=(TimeRange(at, at),),
    )
    jsonschema.Draft202012Validator(json_schema()).validate(json.loads(encode(request)))


def test_the_schema_refuses_what_is_no_document() -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(json_schema()).validate({"kind": "feature"})


def test_the_schema_in_the_package_is_that_of_the_types() -> None:
    packaged = Path(streamer.__file__).parent / "documents.schema.json"
    assert json.loads(packaged.read_text()) == json_schema()


def test_numbers_and_categories_have_what_is_theirs() -> None:
    x, k = of_feature(0), of_feature(1)
    assert (x.unseen_share, x.below_share, k.below_share, k.unseen_share) == (None, 0.0, None, 0.0)
    assert x.quantiles is not None
    assert list(x.quantiles) == ["p01", "p05", "p25", "p50", "p75", "p95", "p99"]
    assert (k.mean, k.quantiles, k.ks, k.wasserstein) == (None, None, None, None)
    assert k.psi is not None


def test_every_distance_is_told_of_every_feature_that_has_it() -> None:
    x, k = of_feature(0), of_feature(1)
    shown = set(Distances._fields) - {"deviance"}
    assert {name for name in shown if getattr(x, name) is not None} == shown
    assert {name for name in shown if getattr(k, name) is not None} == shown - {"ks", "wasserstein"}


def test_of_too_few_rows_only_their_number_is_shown() -> None:
    few = of_feature(0, shown=False, rows=3)
    told = {name for name in few.__struct_fields__ if getattr(few, name) not in (None, (), {})}
    assert told <= {
        "id", "revision", "endpoint", "variant", "model_version", "baseline", "window_start", "window_end",
        "feature", "side", "feature_kind", "state", "rows",
    }  # fmt: skip


def test_ids_tell_apart_all_that_differs() -> None:
    assert len({d.id for d in DOCUMENTS[:3]} | {DOCUMENTS[4].id, DOCUMENTS[5].id}) == 5


def test_the_cells_are_all_rows() -> None:
    assert sum(of_feature(0).cells) == 200


@pytest.mark.parametrize(
    ("value", "shown"), [(0.1 + 0.2, 0.3), (1e300 / 3, 3.33333333e299), (float("inf"), float("inf")), (0.0, 0.0)]
)
def test_the_last_bits_of_a_number_are_not_shown(value: float, shown: float) -> None:
    assert rounded(value) == shown


def test_the_baselines_shares_stand_beside_the_cells_and_the_cuts_between_those_with_a_value() -> None:
    x, k = of_feature(0), of_feature(1)
    f = BASELINE.features[0]
    assert len(x.baseline_shares) == len(x.cells) == len(x.cuts) + 1 + 6
    assert x.cuts == tuple(map(rounded, f.edges))
    assert x.baseline_shares[2:-4] == tuple(rounded(count / f.rows, 3) for count in f.counts)
    assert (len(k.baseline_shares), k.cuts) == (len(k.cells), ())
    assert sum(k.baseline_shares) == pytest.approx(1.0, abs=0.01)
