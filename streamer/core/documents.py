"""Documents: what goes to the index, made from what a window holds; their bytes and their schema."""

from collections.abc import Iterable
from typing import Final

import msgspec

from streamer.core.baseline.model import QUANTILES, Baseline
from streamer.core.eventtime import as_datetime
from streamer.core.identity import hash_of
from streamer.core.incident import Incident
from streamer.core.operations import OperationsDocument
from streamer.core.rounding import rounded
from streamer.core.statistics import FeatureStatistics
from streamer.core.types import (
    DeadLetter,
    DecisionDocument,
    Document,
    EndpointDocument,
    FeatureDocument,
    Finding,
    Key,
    Notify,
    RetrainingRequest,
    State,
    Why,
)
from streamer.core.windows import WindowCounts

QUANTILE_NAMES: Final = tuple(f"p{round(q * 100):02d}" for q in QUANTILES)


class Notification(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="kind", tag="notification"):
    """One telling of one incident, as it goes to people and to ``alerts.jsonl``.

    ``contributions_left_out`` is how many of the lightest contributions it does not list, where a
    service bounds the size of a message.
    """

    id: str
    why: Why
    incident: Incident
    contributions_left_out: int = 0


def feature_document(
    key: Key,
    baseline: Baseline,
    counts: WindowCounts,
    end_at: int,
    revision: int,
    statistics: FeatureStatistics,
    state: State,
    findings: Iterable[Finding],
    *,
    evidence: float | None,
    resolution: float | None,
    shown: bool,
) -> FeatureDocument:
    """Document of one feature in one window.

    Parameters
    ----------
    key, baseline, counts, end_at
        Whose window it is.
    revision : int
        How complete it is.
    statistics : FeatureStatistics
        All rows, late ones included.
    state : State
        What the rules said when the window closed.
    findings : iterable of Finding
        The rules' words on this feature in this window.
    evidence, resolution : float or None
        Of drift, when the window closed; of its baseline.
    shown : bool
        Whether there are enough rows to show more than their number: fewer would tell of single ones.
    """
    s = statistics
    of_number, of_category = shown and s.cells.is_number, shown and not s.cells.is_number
    numbers, distances = (s.numbers, s.distances) if shown else (None, None)
    base = s.cells.baseline
    shift = None
    if numbers is not None and base.mean is not None and base.deviation:
        shift = rounded((numbers.mean - base.mean) / base.deviation)
    return FeatureDocument(
        id=hash_of("feature", *key, baseline.id, s.side, s.name, str(counts.start_at)),
        revision=revision,
        endpoint=key.endpoint,
        variant=key.variant,
        model_version=key.version,
        baseline=baseline.id,
        window_start=as_datetime(counts.start_at),
        window_end=as_datetime(end_at),
        feature=s.name,
        side=s.side,
        feature_kind=base.feature.kind,
        state=state,
        rows=s.rows,
        missing_share=rounded(s.share(s.missing)) if shown else None,
        mistyped_share=rounded(s.share(s.mistyped)) if of_number else None,
        unseen_share=rounded(s.share(s.unseen)) if of_category else None,
        other_share=rounded(s.share(s.other)) if of_category else None,
        below_share=rounded(s.share(s.below)) if of_number else None,
        above_share=rounded(s.share(s.above)) if of_number else None,
        wild_rows=s.wild if of_number else None,
        mean=None if numbers is None else rounded(numbers.mean),
        deviation=None if numbers is None else rounded(numbers.deviation),
        quantiles=None
        if numbers is None
        else {name: rounded(value) for name, value in zip(QUANTILE_NAMES, numbers.quantiles, strict=True)},
        distinct=None if numbers is None else numbers.distinct,
        psi=None if distances is None else rounded(distances.psi),
        ks=None if distances is None else _or_none(distances.ks),
        js=None if distances is None else rounded(distances.js),
        wasserstein=None if distances is None else _or_none(distances.wasserstein),
        hellinger=None if distances is None else rounded(distances.hellinger),
        chi_square=None if distances is None else _or_none(distances.chi_square),
        chi_square_degrees=None if distances is None else distances.chi_square_degrees,
        l_infinity_simple=None if distances is None else rounded(distances.l_infinity_simple),
        l_infinity_robust=None if distances is None else rounded(distances.l_infinity_robust),
        mean_shift=shift,
        evidence=evidence if shown else None,
        resolution=rounded(resolution) if shown and resolution is not None else None,
        cells=tuple(s.counts.tolist()) if shown else (),
        baseline_shares=s.cells.shares if shown else (),
        cuts=s.cells.cuts if shown else (),
        rules={f.rule: f.state for f in findings},
    )


def _or_none(value: float | None) -> float | None:
    return None if value is None else rounded(value)


def endpoint_document(
    key: Key,
    baseline: Baseline | None,
    counts: WindowCounts,
    end_at: int,
    revision: int,
    invalid: int,
    state: State,
    *,
    complete: bool,
) -> EndpointDocument:
    """Document of one endpoint, variant and version in one window."""
    rows = max(counts.rows_in, counts.rows_out) + max(counts.late_rows_in, counts.late_rows_out)
    expected = counts.expected_rows
    broken = {f.feature for f in counts.findings if f.feature and f.state is State.BROKEN}
    return EndpointDocument(
        id=hash_of("endpoint", *key, baseline.id if baseline is not None else "", str(counts.start_at)),
        revision=revision,
        endpoint=key.endpoint,
        variant=key.variant,
        model_version=key.version,
        baseline=baseline.id if baseline is not None else "",
        window_start=as_datetime(counts.start_at),
        window_end=as_datetime(end_at),
        state=state,
        complete=complete,
        records=counts.records,
        rows=rows,
        invalid=invalid,
        partial=counts.partial,
        late=counts.late_records,
        duplicates=counts.duplicates,
        expected_rows=None if expected is None else rounded(expected),
        volume_ratio=None if not expected else rounded(counts.variant_rows / expected),
        evidence=rounded(sum(counts.evidence)) if counts.evidence else None,
        budget_used=counts.budget_used,
        features_broken=tuple(sorted(broken)),
        skipped_windows=counts.skipped,
        assumes_independence=baseline is not None and baseline.assumes_independence,
        rules={f.rule: f.state for f in counts.findings if not f.feature},
    )


def encode(document: Document | RetrainingRequest) -> bytes:
    """One line of JSON, without a newline."""
    return msgspec.json.encode(document)


def encode_notification(notify: Notify, most_bytes: int | None = None) -> bytes:
    """One telling of an incident as one line of JSON, without a newline.

    Parameters
    ----------
    notify : Notify
        The telling.
    most_bytes : int, optional
        Where a service bounds it: only as many of the heaviest contributions are listed as fit, and
        how many are left out is said. Longer all the same when not even none of them fits.
    """
    every = notify.incident.contributions
    listed = len(every)
    while True:
        incident = notify.incident
        if listed < len(every):
            incident = msgspec.structs.replace(incident, contributions=every[:listed])
        told = Notification(id=notify.id, why=notify.why, incident=incident, contributions_left_out=len(every) - listed)
        line = msgspec.json.encode(told)
        if most_bytes is None or len(line) <= most_bytes or not listed:
            return line
        # They are of like size, so that this is near at once and done in a few rounds.
        listed = min(listed - 1, listed * most_bytes // len(line))


def json_schema() -> dict[str, object]:
    """JSON Schema (2020-12) of everything that is written: documents, notifications, requests, dead letters."""
    windows = FeatureDocument | EndpointDocument
    kinds = windows | Incident | DecisionDocument | OperationsDocument | DeadLetter | Notification | RetrainingRequest
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "streamer documents"}
    # Through JSON and back, so that it is equal to what a reader of the file has.
    plain: dict[str, object] = msgspec.json.decode(msgspec.json.encode({**schema, **msgspec.json.schema(kinds)}))
    return plain
