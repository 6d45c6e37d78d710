"""Kinds: the named detectors there are, the parameters each takes, and the bounds of these.

Names and defaults of parameters are river's own, so that its documentation holds. Warning levels are
left out: nothing here warns. Nothing of river is imported by this.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

Value = bool | int | float | str


class Parameter(NamedTuple):
    """One parameter of a kind.

    Attributes
    ----------
    default : bool, int, float or str
        River's own; its type is the parameter's.
    low, high : float
        Bounds of numbers.
    open : bool
        Whether the bounds themselves are out of range.
    choices : tuple of str
        Of texts.
    """

    default: Value
    low: float = 0.0
    high: float = 0.0
    open: bool = False
    choices: tuple[str, ...] = ()

    def mistake(self, value: Value) -> str | None:
        """What was expected, where a value of the right type is out of range."""
        if self.choices:
            return None if value in self.choices else "expected " + " or ".join(f'"{c}"' for c in self.choices)
        if isinstance(value, bool | str):
            return None
        if self.open and not self.low < value < self.high:
            return f"expected more than {self.low:g} and less than {self.high:g}"
        return None if self.low <= value <= self.high else f"expected {self.low:g} to {self.high:g}"


class Kind(NamedTuple):
    """One kind of named detector.

    Attributes
    ----------
    watches : tuple of str
        What it may watch; the first when nothing else is said.
    parameters : dict of str to Parameter
        By name.
    """

    watches: tuple[str, ...]
    parameters: dict[str, Parameter]

    def complete(self, given: Mapping[str, Value]) -> dict[str, Value]:
        """Every parameter's value, those given over the defaults; whole numbers stand for numbers."""
        values = {name: given.get(name, parameter.default) for name, parameter in self.parameters.items()}
        return {
            name: float(value) if isinstance(self.parameters[name].default, float) else value
            for name, value in values.items()
        }


_MANY: Final = 1_000_000
_SEED: Final = Parameter(1, 0, 2**32 - 1)

KINDS: Final[dict[str, Kind]] = {
    "adwin": Kind(
        ("mean", "missing", "values"),
        {
            "delta": Parameter(0.002, 0.0, 1.0, open=True),
            "clock": Parameter(32, 1, _MANY),
            "max_buckets": Parameter(5, 1, 100),
            "min_window_length": Parameter(5, 1, _MANY),
            "grace_period": Parameter(10, 0, _MANY),
        },
    ),
    "kswin": Kind(
        ("mean", "missing", "values"),
        {
            "alpha": Parameter(0.005, 0.0, 1.0, open=True),
            "window_size": Parameter(100, 4, 10_000),
            "stat_size": Parameter(30, 2, 5_000),
            "seed": _SEED,
        },
    ),
    "page_hinkley": Kind(
        ("mean", "missing", "values"),
        {
            "min_instances": Parameter(30, 1, _MANY),
            "delta": Parameter(0.005, 0.0, 1_000.0),
            "threshold": Parameter(50.0, 0.0, 1e9, open=True),
            "alpha": Parameter(1 - 0.0001, 0.5, 1.0),
            "mode": Parameter("both", choices=("up", "down", "both")),
        },
    ),
    "hddm_a": Kind(
        ("missing", "mean", "values"),
        {
            "drift_confidence": Parameter(0.001, 0.0, 1.0, open=True),
            "two_sided_test": Parameter(False),
        },
    ),
    "hddm_w": Kind(
        ("missing", "mean", "values"),
        {
            "drift_confidence": Parameter(0.001, 0.0, 1.0, open=True),
            "lambda_val": Parameter(0.05, 0.0, 1.0, open=True),
            "two_sided_test": Parameter(False),
        },
    ),
    "half_space_trees": Kind(
        ("rows",),
        {
            "n_trees": Parameter(25, 1, 100),
            "height": Parameter(8, 1, 12),
            "window_size": Parameter(250, 10, 10_000),
            "seed": _SEED,
            "calibration_rows": Parameter(5_000, 1_000, 100_000),
            "quantile": Parameter(0.995, 0.5, 1.0, open=True),
            "least_rise": Parameter(0.05, 0.0, 1.0, open=True),
        },
    ),
}
# Those that take one number after the other.
STREAMED: Final = tuple(name for name, kind in KINDS.items() if kind.watches != ("rows",))
# These judge by bounds that know no variance, for numbers of 0 to 1: standardised ones are cut at one
# deviation on either side and mapped into it. Cut at four, a shift by half a deviation was never found.
BOUNDED: Final = frozenset({"hddm_a", "hddm_w"})


def bounded(value: float) -> float:
    """A standardised value as one of 0 to 1."""
    return (min(max(value, -1.0), 1.0) + 1) / 2


def mistakes(kind: str, parameters: Mapping[str, Value]) -> dict[str, str]:
    """What is wrong with parameters of a known kind, each of the right type, by name.

    Examples
    --------
    >>> mistakes("adwin", {"delta": 2.0, "mode": "up"})["delta"]
    'expected more than 0 and less than 1'
    """
    known = KINDS[kind].parameters
    found: dict[str, str] = {}
    for name, value in parameters.items():
        if name not in known:
            found[name] = f"no parameter of {kind}, which has {', '.join(known)}"
        elif (text := known[name].mistake(value)) is not None:
            found[name] = text
    if kind == "kswin" and not found:
        whole = KINDS[kind].complete(parameters)
        size, of = whole["stat_size"], whole["window_size"]
        if isinstance(size, int) and isinstance(of, int) and 2 * size > of:
            key = "stat_size" if "stat_size" in parameters else "window_size"
            found[key] = f"stat_size ({size}) may be half of window_size ({of}) at most"
    return found
