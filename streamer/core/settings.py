"""What the core is told: every limit, span and threshold it works by.

Durations are in seconds here; the operator writes ``"5 min"`` and ``config.py`` converts.
"""

from typing import Final

import msgspec

# Of the false alarms that are borne; detectors have the rest.
_RULES_PART: Final = 0.1


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds on hostile payloads; beyond one, the record is refused with a reason.

    Attributes
    ----------
    record_bytes : int
        One record as it stands in the stream.
    payload_bytes : int
        One side's ``data`` after BASE64 is undone.
    rows : int
        Rows in one record.
    depth : int
        Nesting of one JSON payload.
    features : int
        Columns in one row.
    text_characters : int
        A name (endpoint, variant, version, feature) longer than 256 is refused; a value longer
        than this is cut before it is measured.
    future_seconds : int
        Event times further ahead of ``now`` are refused (one clock in 2030 must not close every pane).
    """

    record_bytes: int = 1_048_576
    payload_bytes: int = 6_291_456
    rows: int = 10_000
    depth: int = 64
    features: int = 2_000
    text_characters: int = 65_536
    future_seconds: int = 300


class Spans(msgspec.Struct, frozen=True, kw_only=True):
    """Spans of event time for one endpoint, in seconds.

    Attributes
    ----------
    pane : int
        Length of a pane; divides ``window`` and is aligned to ``offset``.
    window : int
        Length of a window.
    offset : int
        Windows start at whole multiples of ``window`` past this offset from the epoch (UTC).
    lateness : int
        A late record this long after its pane's end still revises the window's document.
    """

    pane: int = 10
    window: int = 300
    offset: int = 0
    lateness: int = 60


class Tolerance(msgspec.Struct, frozen=True, kw_only=True):
    """Drift that is too small to be worth an alert, however sure it is.

    Attributes
    ----------
    deviations : float
        Shift of a mean, or change of spread, in baseline deviations.
    points : float
        Change of the share of rows without a value, or of one category (0.01 = 1 point); of values the
        baseline never had two fifths of it.
    """

    deviations: float = 0.1
    points: float = 0.02


DEFAULT_TOLERANCE: Final = Tolerance()


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """Rules on closed windows; ``None`` or ``False`` switches one off.

    Attributes
    ----------
    missing, wild, volume, unreadable, silence : bool
        The default rules.
    missing_points : float
        Least rise of a missing share that is worth an alert (0.05 = 5 points of share).
    wild_rows : int
        Least number of values far outside the baseline's range.
    volume_change : float
        Least relative change of traffic that is worth an alert (0.1 = 10 %).
    volume_deviations : float
        Deviations of the past weeks' own scatter that count as significant.
    unreadable_share : float
        Share of records that can't be read which is worth an alert.
    silence_windows : int
        Windows without a record, where records were expected, before silence is an alert.
    psi, ks, js, wasserstein, hellinger, chi_square, l_infinity_simple, l_infinity_robust : float or None
        Thresholds on distances for those who want them; off by default.
    mean_shift, unseen_share, outside_share : float or None
        Thresholds for those who want them; off by default.
    minimum_rows : int
        Fewer rows than this in a window are "insufficient data".
    significant_deviations : float
        Normal deviations beyond its own noise from which a difference is significant; one test in
        3.5 million is that far off by chance at 5.
    baseline_is_traffic : bool
        The baseline's rows are all of the endpoint's traffic, so its volume by hour is the past
        weeks' before there are any; else the traffic rule waits for two weeks.
    """

    missing: bool = True
    wild: bool = True
    volume: bool = True
    unreadable: bool = True
    silence: bool = True
    missing_points: float = 0.05
    wild_rows: int = 5
    volume_change: float = 0.1
    volume_deviations: float = 5.0
    unreadable_share: float = 0.05
    silence_windows: int = 3
    psi: float | None = None
    ks: float | None = None
    js: float | None = None
    wasserstein: float | None = None
    hellinger: float | None = None
    chi_square: float | None = None
    l_infinity_simple: float | None = None
    l_infinity_robust: float | None = None
    mean_shift: float | None = None
    unseen_share: float | None = None
    outside_share: float | None = None
    minimum_rows: int = 100
    significant_deviations: float = 5.0
    baseline_is_traffic: bool = False


class AlertSpans(msgspec.Struct, frozen=True, kw_only=True):
    """The three durations that stop flapping, in seconds of watermark time.

    Attributes
    ----------
    hold : int
        A condition must last this long before a pending alert fires.
    keep_firing : int
        A firing alert resolves when its condition has been away this long.
    repeat : int
        A firing alert is notified again after this long; 0 never.
    """

    hold: int = 0
    keep_firing: int = 900
    repeat: int = 86_400


class RetrainingSettings(msgspec.Struct, frozen=True, kw_only=True):
    """When a model is to be trained again, in seconds of watermark time.

    Attributes
    ----------
    after : int or None
        A drift that fires this long asks for it; ``None``: never.
    every : int or None
        Without any trouble, this often; ``None``: no schedule.
    cool_down : int
        After a request there is none for this long.
    """

    after: int | None = None
    every: int | None = None
    cool_down: int = 604_800


class VersionSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A model version that is served from a time on.

    Attributes
    ----------
    id : str
        The version's name; it is stamped on every document.
    from_at : int
        Milliseconds since the epoch.
    """

    id: str
    from_at: int


class DetectorSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A named detector an operator chose; ``detectors/kinds.py`` says which there are and what they take.

    Attributes
    ----------
    name : str
        What its findings are called; no two of one endpoint have the same.
    kind : str
        A name in ``kinds.KINDS``.
    feature : str
        What it watches; empty for one that watches whole records.
    watches : str
        ``mean`` of a pane's usable values, ``missing`` share of its rows, ``values`` of its sample,
        or ``rows`` of it.
    parameters : dict of str to number, bool or str
        Those written; the others have their defaults.
    """

    name: str
    kind: str
    feature: str = ""
    watches: str
    parameters: dict[str, bool | int | float | str] = {}


class EndpointSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How one endpoint is watched.

    Attributes
    ----------
    name : str
        The endpoint's name as SageMaker knows it.
    spans, rules, alerts, retraining
        See those types.
    burn_in_rows : int
        Rows from which a baseline is learned where none was given.
    false_alarm_seconds : int or None
        To a false alarm, in the mean, of all detectors and rules together; ``None``: drift is not looked for.
    tolerance : Tolerance
        Of drift that is too small.
    json_path : str
        Dotted path to the rows inside a JSON payload; empty finds ``instances``,
        ``predictions``, ``rows``, a list or one object by itself.
    time_zone : str
        Where the endpoint's users live: hours of day and days of week are told in it.
    versions : tuple of VersionSettings
        Model versions by the time they took over, ascending; a version a record names itself wins.
    detectors : tuple of DetectorSettings
        Named detectors, in the order they were written.
    """

    name: str
    spans: Spans = Spans()
    rules: Rules = Rules()
    alerts: AlertSpans = AlertSpans()
    retraining: RetrainingSettings = RetrainingSettings()
    burn_in_rows: int = 2_000
    false_alarm_seconds: int | None = None
    tolerance: Tolerance = DEFAULT_TOLERANCE
    json_path: str = ""
    time_zone: str = "UTC"
    versions: tuple[VersionSettings, ...] = ()
    detectors: tuple[DetectorSettings, ...] = ()

    @property
    def false_alarms_apart(self) -> tuple[float, float] | None:
        """Seconds to a false alarm of all detectors, and to one of all rules: a small part of what is borne."""
        seconds = self.false_alarm_seconds
        return None if seconds is None else (seconds / (1 - _RULES_PART), seconds / _RULES_PART)

    @property
    def lasting(self) -> AlertSpans:
        """The alerts' durations, long enough for the windows.

        A window without trouble is no end of it: two are waited for at least.
        """
        return msgspec.structs.replace(self.alerts, keep_firing=max(self.alerts.keep_firing, 2 * self.spans.window))


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How records are read and which endpoints are watched.

    Attributes
    ----------
    limits : Limits
        Bounds on hostile payloads.
    out_of_orderness_seconds : int
        A shard's watermark is its greatest event time less this.
    idle_seconds : int
        A shard empty at the tip this long stops holding the others back.
    learn_unknown : bool
        Whether endpoints that are not configured are learned from their own traffic; else ignored.
    max_endpoints, max_tracks : int
        Endpoints, and variants and versions of one, watched at most; more are ignored and counted.
    endpoint, variant : str
        Names for records that carry none.
    endpoints : tuple of EndpointSettings
        The configured ones.
    unknown : EndpointSettings
        How the others are watched; its name is not used.
    """

    limits: Limits = Limits()
    out_of_orderness_seconds: int = 5
    idle_seconds: int = 30
    learn_unknown: bool = True
    max_endpoints: int = 1_000
    max_tracks: int = 64
    endpoint: str = ""
    variant: str = ""
    endpoints: tuple[EndpointSettings, ...] = ()
    unknown: EndpointSettings = EndpointSettings(name="")
