"""What crosses a seam: records in, findings between, documents and actions out.

Documents are what sinks get and dashboards show; their JSON Schema is published from these types
(``documents.json_schema``). Nothing in them comes from a wall clock, but in those on operations, so
that a replay makes the same bytes, and nothing in them is a raw feature value, except that an extreme is given rounded
to two digits where it is the whole finding.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Literal, NamedTuple, NewType

import msgspec

from streamer.core.audit import DecisionDocument as DecisionDocument
from streamer.core.audit import Effect as Effect
from streamer.core.cause import Cause as Cause
from streamer.core.cause import Judge as Judge
from streamer.core.errors import Reason
from streamer.core.incident import Incident
from streamer.core.operations import OperationsDocument as OperationsDocument
from streamer.core.schema import Kind, Side

ShardId = NewType("ShardId", str)


class Key(NamedTuple):
    """Who answered: one model version behind one variant of one endpoint."""

    endpoint: str
    variant: str
    version: str


class Batch(NamedTuple):
    """Records of one poll of one shard, in the shard's order.

    Attributes
    ----------
    shard : ShardId
        Where they come from.
    payloads : sequence of bytes
        One record each.
    positions : sequence of str
        Place of each record in its shard: a sequence number, ``file:line`` …
    partition_keys : sequence of str, or None
        Partition key of each record, where the source has them.
    path : str
        S3 key or file path they were read from; may name endpoint and variant.
    """

    shard: ShardId
    payloads: Sequence[bytes]
    positions: Sequence[str]
    partition_keys: Sequence[str] | None = None
    path: str = ""


class State(StrEnum):
    """What can be said of a feature or an endpoint in one window."""

    OK = "ok"
    LEARNING = "learning"
    INSUFFICIENT = "insufficient data"
    SMALL = "significant but small"
    NOT_ENOUGH = "not enough evidence"
    BROKEN = "broken"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One rule's or detector's word on one window, for one feature or the whole endpoint.

    Attributes
    ----------
    key : Key
        Whose window it is.
    rule : str
        The rule's name in the configuration.
    cause : Cause
        Incident it belongs to.
    feature : str
        Empty for the endpoint as a whole.
    state : State
        ``BROKEN`` only when significant *and* practically large; ``SMALL`` significant alone;
        ``NOT_ENOUGH`` large alone.
    since_at, until_at : int
        The window, milliseconds since the epoch.
    live, expected : float
        The measured value, and the baseline's or the past weeks'.
    size : float
        How large in ``unit``.
    unit : str
        ``sd`` (baseline deviations), ``points`` (of share, 0 to 1), ``ratio`` (live over expected),
        ``rows``, ``windows``, or the distance's own name (``psi``, ``ks`` …).
    weight : float
        Evidence for ordering features, in deviations of its own noise; larger is more.
    rows : int
        Rows (or records) it rests on.
    words : str
        The finding in words, without the feature's name.
    judge : Judge
        Who found it.
    """

    key: Key
    rule: str
    cause: Cause
    feature: str = ""
    state: State
    since_at: int
    until_at: int
    live: float
    expected: float
    size: float
    unit: str
    weight: float
    rows: int
    words: str
    judge: Judge = Judge.RULES


class FeatureDocument(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="feature"):
    """One feature in one window. Shares are of ``rows``; quantiles and distances come from the cells.

    ``js`` and ``hellinger`` are 0 to 1, ``psi``, ``js`` and ``hellinger`` less what chance gives;
    ``wasserstein`` is in baseline deviations; ``chi_square`` is per degree of freedom, 1 by chance.

    ``id`` is deterministic and ``revision`` grows with the window's records: of two documents with
    one id the larger revision is the more complete. ``evidence`` of drift is a part of what raises the
    alarm, and ``resolution`` the smallest shift of the mean, in baseline deviations, that can be told
    from weather; ``None`` where drift is not looked for, or no shift can be told.

    ``cells`` are rows, ``baseline_shares`` of all the baseline's rows, in the same order: for numbers two
    cells below the baseline's range (far and near), those between the ``cuts``, two above (near and far),
    missing, mistyped; for categories one for each of the most frequent, which are not named, other,
    unseen, missing. A value on a cut is in the lower cell; of texts it is the length that is cut.
    """

    id: str
    revision: int
    endpoint: str
    variant: str
    model_version: str
    baseline: str
    window_start: datetime
    window_end: datetime
    feature: str
    side: Side
    feature_kind: Kind
    state: State
    rows: int
    missing_share: float | None = None
    mistyped_share: float | None = None
    unseen_share: float | None = None
    other_share: float | None = None
    below_share: float | None = None
    above_share: float | None = None
    wild_rows: int | None = None
    mean: float | None = None
    deviation: float | None = None
    quantiles: dict[str, float] | None = None
    distinct: int | None = None
    psi: float | None = None
    ks: float | None = None
    js: float | None = None
    wasserstein: float | None = None
    hellinger: float | None = None
    chi_square: float | None = None
    chi_square_degrees: int | None = None
    l_infinity_simple: float | None = None
    l_infinity_robust: float | None = None
    mean_shift: float | None = None
    evidence: float | None = None
    resolution: float | None = None
    cells: tuple[int, ...] = ()
    baseline_shares: tuple[float, ...] = ()
    cuts: tuple[float, ...] = ()
    rules: dict[str, State] = {}


class EndpointDocument(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="endpoint"):
    """One endpoint, variant and version in one window: volume and health.

    ``skipped_windows`` counts empty windows before this one that got no document of their own.
    ``expected_rows`` is what the past weeks had for the variant, all its versions together, and
    ``volume_ratio`` what they have now over it. ``invalid`` counts the endpoint's, whatever variant.
    ``evidence`` is that of all features; where keys share a budget, 1 times their number raises the alarm.
    ``budget_used`` is the part of what raises the alarm that the evidence of all the endpoint's keys had
    reached when the window closed: at 1 it is raised.
    """

    id: str
    revision: int
    endpoint: str
    variant: str
    model_version: str
    baseline: str
    window_start: datetime
    window_end: datetime
    state: State
    complete: bool
    records: int
    rows: int
    invalid: int
    partial: int
    late: int
    duplicates: int
    expected_rows: float | None = None
    volume_ratio: float | None = None
    evidence: float | None = None
    budget_used: float | None = None
    features_broken: tuple[str, ...] = ()
    skipped_windows: int = 0
    assumes_independence: bool = False
    rules: dict[str, State] = {}


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="dead_letter"):
    """A record, or one side of it, set aside; never with its payload.

    ``id`` is the hash of place and reason; the record can be read again from the stream by
    ``shard`` and ``position`` while the stream keeps it, and known again by ``sha256``. ``noted`` is
    the newest event time of its shard up to it, as it may have none of its own; ``None`` before any.
    """

    id: str
    shard: str
    position: str
    reason: Reason
    sha256: str
    size_bytes: int
    side: Side | None = None
    endpoint: str = ""
    noted: datetime | None = None


class TimeRange(msgspec.Struct, frozen=True):
    """Half-open stretch of event time."""

    since: datetime
    until: datetime


class RetrainingReason(StrEnum):
    """Why a retraining is asked for."""

    INCIDENT = "incident"
    SCHEDULE = "schedule"


class RetrainingRequest(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", tag="retraining"):
    """A request that one endpoint's model be trained again; told once, with a deterministic id.

    Attributes
    ----------
    id : str
        Hash of endpoint, model version, reason and ``requested``.
    variant, model_version, baseline : str
        What serves now, and the id of its baseline.
    reason, words : RetrainingReason, str
        Why, for a pipeline and for a person.
    incident : str
        Id of the incident that asks; empty for a schedule.
    features : tuple of str
        Features with a part in it, heaviest first.
    requested : datetime
        Watermark time.
    original, new : TimeRange or None
        Where the data lie that the model was trained on (where its baseline knows), and those since.
    leave_out : tuple of TimeRange
        Stretches with an incident of data quality: not to be learned from.
    """

    id: str
    endpoint: str
    variant: str
    model_version: str
    baseline: str
    reason: RetrainingReason
    words: str
    incident: str = ""
    features: tuple[str, ...] = ()
    requested: datetime
    original: TimeRange | None = None
    new: TimeRange | None = None
    leave_out: tuple[TimeRange, ...] = ()


# Of these an index holds the newest revision; a dead letter has none.
Kept = FeatureDocument | EndpointDocument | Incident | DecisionDocument | OperationsDocument
Document = Kept | DeadLetter


class Index(NamedTuple):
    """Action: write this document to the index; an equal or newer revision there wins."""

    document: Kept


Why = Literal["firing", "changed", "repeat", "resolved"]


class Notify(NamedTuple):
    """Action: tell people; ``id`` is deterministic, so that telling twice can be noticed."""

    id: str
    incident: Incident
    why: Why


class Reject(NamedTuple):
    """Action: keep this dead letter."""

    letter: DeadLetter


class Retrain(NamedTuple):
    """Action: ask for a retraining; the request's ``id`` is deterministic."""

    request: RetrainingRequest


Action = Index | Notify | Reject | Retrain
