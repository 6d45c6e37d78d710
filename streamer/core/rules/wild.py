"""Wild values: far outside the baseline's range, as a broken sensor or a wrong unit gives."""

from streamer.core.evidence import shares_z
from streamer.core.layout import FAR_RANGES
from streamer.core.rules.view import FeatureView
from streamer.core.types import Cause, Finding, State


def wild(view: FeatureView) -> Finding | None:
    """Judge values more than ``FAR_RANGES`` baseline ranges outside; ``None``: there is none."""
    s, baseline = view.statistics, view.statistics.cells.baseline
    if not s.wild or s.numbers is None:
        return None
    low, high = baseline.minimum or 0.0, baseline.maximum or 0.0
    extreme = s.numbers.maximum if s.numbers.maximum - high >= low - s.numbers.minimum else s.numbers.minimum
    # The baseline has none by definition: few of very many rows may still be its own law's tail.
    z = shares_z(s.wild, max(s.rows, 1), 0.0, max(baseline.rows, 1))
    enough = s.wild >= view.rules.wild_rows and z >= view.rules.significant_deviations
    state = State.BROKEN if enough else State.NOT_ENOUGH
    values = "value" if s.wild == 1 else "values"
    return view.finding(
        "wild",
        Cause.WILD,
        state,
        live=float(s.wild),
        expected=0.0,
        size=float(s.wild),
        unit="rows",
        weight=z,
        words=(
            f"{s.wild:,} {values} of {s.rows:,} rows more than {FAR_RANGES:g} baseline ranges outside about "
            f"{_two_digits(low)} to {_two_digits(high)}, the furthest about {_two_digits(extreme)}"
        ),
    )


def _two_digits(value: float) -> str:
    """A value rounded to two digits: its size without itself."""
    rounded = float(f"{value:.1e}")
    return f"{rounded:,.0f}" if 100 <= abs(rounded) < 1e9 else f"{rounded:.2g}"
