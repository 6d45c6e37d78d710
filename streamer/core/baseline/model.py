"""The baseline: what a model's features looked like when it was trained, as a file a person can read."""

import hashlib
import math
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from streamer.core.errors import BaselineError
from streamer.core.schema import Feature, Schema

FORMAT: Final = "streamer-baseline"
VERSION: Final = 1
# Shares of more rows are not exact in float64.
MOST_ROWS: Final = 2**53
# The smallest unit whose reciprocal is exact and finite: below it floats lose digits.
_LEAST_NORMAL: Final = 2.0**-1022
QUANTILES: Final = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


class Dispersion(msgspec.Struct, frozen=True, kw_only=True):
    """How much block sums of one score vary, against independent rows.

    Row ``i`` of each tuple belongs to blocks of ``2**i`` steps, up to a quarter of the baseline.

    Attributes
    ----------
    rows : tuple of float
        Mean number of rows in such a block.
    ratio : tuple of float
        Variance of the block sums over what independent rows would give; at least 1e-6.
    degrees : tuple of float
        Degrees of freedom of that variance: number of blocks, lowered by their kurtosis.

    References
    ----------
    design: ``detection.md`` 8.1; the kurtosis rule is 8.4, points 1 to 3.
    """

    rows: tuple[float, ...]
    ratio: tuple[float, ...]
    degrees: tuple[float, ...]

    def at(self, rows: float) -> tuple[float, float]:
        """Ratio and degrees of freedom for a block of so many rows.

        Between measured lengths the ratio is interpolated on the logarithm of the rows; beyond
        the longest it goes on at the measured growth per doubling (clipped to 1 to 2).

        Parameters
        ----------
        rows : float
            Rows in the block.

        Returns
        -------
        ratio, degrees : float
            Ratio is at least 1: fewer rows than independence would give are never claimed.
        """
        if not self.rows or rows <= self.rows[0]:
            first = self.ratio[0] if self.ratio else 1.0
            # Inside one step the shock is shared, so the excess shrinks with the rows.
            share = rows / self.rows[0] if self.rows and self.rows[0] > 0 else 1.0
            return max(1.0, 1.0 + (first - 1.0) * share), self.degrees[0] if self.degrees else math.inf
        if rows >= self.rows[-1]:
            return max(1.0, self.ratio[-1] * growth_of(self.ratio) ** math.log2(rows / self.rows[-1])), self.degrees[-1]
        i = next(i for i in range(1, len(self.rows)) if rows <= self.rows[i])
        low, high = math.log(self.rows[i - 1]), math.log(self.rows[i])
        share = (math.log(rows) - low) / (high - low) if high > low else 1.0
        ratio = self.ratio[i - 1] ** (1 - share) * self.ratio[i] ** share
        return max(1.0, ratio), min(self.degrees[i - 1], self.degrees[i])


def growth_of(ratio: Sequence[float]) -> float:
    """By how much ratios go on growing with each doubling beyond the longest block: 1 to 2."""
    return min(max(math.sqrt(ratio[-1] / ratio[-3]), 1.0), 2.0) if len(ratio) > 2 else 1.0


INDEPENDENT: Final = Dispersion(rows=(), ratio=(), degrees=())


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """What the baseline's time column says.

    Attributes
    ----------
    column : str
        The column that was read.
    start_at, end_at : int
        First and last event time, milliseconds since the epoch.
    step_seconds : int
        Length of one step: blocks are 1, 2, 4 … steps.
    steps : int
        Steps from start to end, empty ones included.
    time_zone : str
        Zone of ``hour_profile``.
    volume_start_at : int
        Start of the first step in ``volume``.
    volume : tuple of int
        Rows in each of the last steps, four weeks at most.
    """

    column: str
    start_at: int
    end_at: int
    step_seconds: int
    steps: int
    time_zone: str
    volume_start_at: int
    volume: tuple[int, ...]


class Share(msgspec.Struct, frozen=True):
    """How the share of one category varies with time.

    Attributes
    ----------
    dispersion : Dispersion
        Of whether a row has it, net of the hour of day.
    by_hour : tuple of float
        Its share by hour of day (24), shrunk to the whole's; empty where no hour differs.
    """

    dispersion: Dispersion
    by_hour: tuple[float, ...]


class FeatureBaseline(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, dict=True):
    """One feature as it was in training.

    Attributes
    ----------
    feature : Feature
        Name, side, kind, known values.
    rows, missing, mistyped : int
        Rows read; those without a value; those whose value is not of the kind.
    mean, deviation, minimum, maximum : float or None
        Numbers only (texts: of their length in characters). Population deviation.
    quantiles : tuple of float
        At ``QUANTILES``; empty for categories.
    distinct : int
        Distinct values, approximate above 10,000.
    edges : tuple of float
        Numbers: inner cuts between cells, ascending; a value on a cut is in the lower cell.
    counts : tuple of int
        Numbers: rows in each of ``len(edges) + 1`` cells. Categories: rows of each of the first
        ``len(counts)`` of ``feature.values``.
    other : int
        Categories: rows of known values beyond the first ``len(counts)``.
    unit, center : float
        Numbers: the grid of the exact sums; ``unit`` is a power of two, ``center`` a multiple of it.
    dispersion : dict of str to Dispersion
        Keys ``value`` (winsorised cell score), ``rank`` (normal score of the cell's rank), ``spread`` and
        ``rank spread`` (their squares), ``missing``, ``cells`` (mean over all cells: the inflation of a
        chi-square); ``value by day``, ``rank by day`` (over whole local days, hours not taken out, where the
        hour explains most of it); empty without a time column.
    hour_profile : tuple of float
        Mean by hour of day (24, in the timeline's zone) less the mean, in deviations, shrunk; or empty.
    scores_by_hour : dict of str to tuple of float
        The same of the scores ``value``, ``rank``, ``spread`` and ``rank spread``, in their own
        deviations: far values, which the scores cut, make the whole deviation larger.
    shares : dict of str to Share
        Categories that vary with time otherwise than all do in the mean.
    missing_by_hour : tuple of float
        Share of rows without a usable value by hour of day (24), shrunk to the whole's; or empty.
    beyond : tuple of int
        Of traffic that was refitted, rows that have no cell here. Numbers: far below the range, below,
        above, far above. Categories: those never seen before. Empty: none.
    """

    feature: Feature
    rows: int
    missing: int = 0
    mistyped: int = 0
    mean: float | None = None
    deviation: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    quantiles: tuple[float, ...] = ()
    distinct: int = 0
    edges: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()
    other: int = 0
    unit: float = 1.0
    center: float = 0.0
    dispersion: dict[str, Dispersion] = {}
    hour_profile: tuple[float, ...] = ()
    scores_by_hour: dict[str, tuple[float, ...]] = {}
    shares: dict[str, Share] = {}
    missing_by_hour: tuple[float, ...] = ()
    beyond: tuple[int, ...] = ()

    @property
    def missing_share(self) -> float:
        """Share of rows without a value."""
        return self.missing / self.rows if self.rows else 0.0

    @property
    def singletons(self) -> float:
        """About how many categories were seen once; of those counted together, as if they fell off geometrically."""
        rare = len(self.feature.values) - len(self.counts)
        together = rare * rare / max(self.other, rare) if self.other else 0.0
        return self.counts.count(1) + together if self.feature.values else 0.0

    def profile_over(self, hours: Sequence[int]) -> float:
        """Mean of the hour-of-day profile over some hours, in deviations; 0 without a profile."""
        if not self.hour_profile or not hours:
            return 0.0
        return sum(self.hour_profile[hour] for hour in hours) / len(hours)

    def score_by_hour(self, score: str) -> tuple[float, ...]:
        """Mean of a score by hour of day (24), in its own deviations; empty where no hour differs."""
        # Baselines of earlier builds have but that of the value, in the deviations of all values.
        return self.scores_by_hour.get(score, self.hour_profile if score == "value" else ())

    def missing_over(self, hours: Sequence[int]) -> float | None:
        """Share of rows without a usable value at some hours; ``None`` where it is not known by hour."""
        if not self.missing_by_hour or not hours:
            return None
        return sum(self.missing_by_hour[hour] for hour in hours) / len(hours)

    def dispersion_of(self, score: str) -> Dispersion:
        """Dispersion of one score; that of independent rows where the baseline had no time."""
        if score not in self.dispersion:
            # Baselines of earlier builds have none of ranks.
            score = {"rank": "value", "rank spread": "spread"}.get(score, score)
        return self.dispersion.get(score, INDEPENDENT)


class Baseline(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """All features of one model version as they were in training.

    Attributes
    ----------
    rows : int
        Rows read.
    features : tuple of FeatureBaseline
        Inputs in payload order, then outputs.
    timeline : Timeline or None
        ``None``: no time column, so records are taken as independent.
    learned : bool
        Built from the endpoint's own first traffic, not from training data.
    """

    format: str = FORMAT
    version: int = VERSION
    rows: int
    timeline: Timeline | None = None
    learned: bool = False
    features: tuple[FeatureBaseline, ...]

    @cached_property
    def schema(self) -> Schema:
        """Names, sides, kinds, known values."""
        return Schema(tuple(f.feature for f in self.features))

    @cached_property
    def id(self) -> str:
        """16 hex digits of the content's SHA-256: two baselines with one id are equal."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()[:16]

    @property
    def zone(self) -> ZoneInfo:
        """Where its hours of day are told; UTC where it has no time."""
        return ZoneInfo(self.timeline.time_zone if self.timeline is not None else "UTC")

    @property
    def assumes_independence(self) -> bool:
        """Whether nothing is known of how records of one hour hang together."""
        return self.timeline is None


def encode(baseline: Baseline) -> bytes:
    """Text of ``baseline.json``: indented, lists of numbers on one line each, newline at the end."""
    text = msgspec.json.format(msgspec.json.encode(baseline), indent=1).decode()
    lines: list[str] = []
    run: list[str] | None = None
    for line in text.split("\n"):
        bare = line.strip()
        if run is None and bare.endswith("[") and not bare.startswith(("[", '"features"')):
            run = [line]
        elif run is not None:
            run.append(bare)
            if bare in ("]", "],"):
                lines.append(run[0] + " ".join(run[1:-1]) + bare)
                run = None
        else:
            lines.append(line)
    return ("\n".join(lines) + "\n").encode()


def decode(data: bytes) -> Baseline:
    """Read ``baseline.json``.

    Raises
    ------
    BaselineError
        Not JSON, not ours, another version, or fields that contradict each other.
    """
    try:
        head = msgspec.json.decode(data, type=_Head)
    except msgspec.MsgspecError as error:
        raise BaselineError(f"not a baseline file: {error}") from error
    except (RecursionError, UnicodeDecodeError) as error:
        raise BaselineError("not a baseline file: not UTF-8 JSON of bounded depth") from error
    if head.format != FORMAT:
        raise BaselineError(f"not a baseline file: format is {head.format[:40]!r}, expected {FORMAT!r}")
    if head.version != VERSION:
        raise BaselineError(f"baseline version {head.version} is not known here, expected {VERSION}")
    try:
        baseline = msgspec.json.decode(data, type=Baseline)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise BaselineError(f"not a baseline file: {error}") from error
    check(baseline)
    return baseline


class _Head(msgspec.Struct):
    format: str = ""
    version: int = 0


def check(baseline: Baseline) -> None:
    """Refuse a baseline whose fields contradict each other.

    Raises
    ------
    BaselineError
        Names the first feature that is wrong and how.
    """
    names = [(f.feature.side, f.feature.name) for f in baseline.features]
    if not names:
        raise BaselineError("the baseline has no features")
    if len(set(names)) != len(names):
        raise BaselineError("two features of one side have the same name")
    for f in baseline.features:
        wrong = _wrong_number(f) if f.feature.kind.is_number else _wrong_category(f)
        wrong = wrong or _wrong_counts(f) or _wrong_dispersion(f) or _wrong_hours(f)
        if wrong:
            raise BaselineError(f"feature {f.feature.name!r}: {wrong}")
    t = baseline.timeline
    if t is not None and (t.step_seconds < 1 or t.steps < 1 or t.end_at < t.start_at or min(t.volume, default=0) < 0):
        raise BaselineError("timeline: needs step_seconds and steps of at least 1, start <= end, no negative volume")


def _wrong_number(f: FeatureBaseline) -> str:
    if len(f.counts) != len(f.edges) + 1:
        return f"{len(f.edges)} edges need {len(f.edges) + 1} counts"
    if any(b <= a for a, b in pairwise(f.edges)):
        return "edges must ascend"
    if f.minimum is None or f.maximum is None or f.minimum > f.maximum:
        return "needs minimum <= maximum"
    if f.mean is None or f.deviation is None or f.deviation < 0:
        return "needs a mean and a deviation of at least 0"
    if f.edges and not f.minimum <= f.edges[0] <= f.edges[-1] <= f.maximum:
        return "edges outside minimum to maximum"
    # A subnormal unit has no finite inverse, and then no value a place on the grid.
    if not (f.unit >= _LEAST_NORMAL and math.frexp(f.unit)[0] == 0.5):
        return "unit must be a power of two"
    if f.quantiles and (len(f.quantiles) != len(QUANTILES) or any(b < a for a, b in pairwise(f.quantiles))):
        return f"needs {len(QUANTILES)} quantiles that do not descend"
    return ""


def _wrong_category(f: FeatureBaseline) -> str:
    if len(f.counts) > len(f.feature.values):
        return "more counts than values"
    return "a value stands twice" if len(set(f.feature.values)) != len(f.feature.values) else ""


def _wrong_hours(f: FeatureBaseline) -> str:
    shares = [f.missing_by_hour, *(share.by_hour for share in f.shares.values())]
    if any(len(of) not in (0, 24) for of in (f.hour_profile, *shares, *f.scores_by_hour.values())):
        return "what is told by hour of day needs 24 hours"
    return "" if all(0 <= at <= 1 for of in shares for at in of) else "shares by hour must be from 0 to 1"


def _wrong_counts(f: FeatureBaseline) -> str:
    if min((f.rows, f.missing, f.mistyped, f.other, *f.counts, *f.beyond)) < 0:
        return "counts must not be negative"
    if f.rows > MOST_ROWS:
        return f"more than {MOST_ROWS} rows"
    if len(f.beyond) not in (0, 4 if f.feature.kind.is_number else 1):
        return "rows without a cell are of four kinds for numbers, of one for categories"
    counted = sum(f.counts) + sum(f.beyond) + f.other + f.missing + f.mistyped
    return "" if counted == f.rows else f"cells, missing and mistyped hold {counted} of {f.rows} rows"


def _wrong_dispersion(f: FeatureBaseline) -> str:
    for score, d in (*f.dispersion.items(), *((name, share.dispersion) for name, share in f.shares.items())):
        if not len(d.rows) == len(d.ratio) == len(d.degrees):
            return f"dispersion of {score!r} has uneven lengths"
        if min((*d.rows, *d.ratio, *d.degrees), default=1.0) <= 0:
            return f"dispersion of {score!r} must be positive"
    return ""
