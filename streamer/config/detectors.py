"""Named detectors as an operator writes them: a kind, what it watches, and the kind's own parameters.

All parameters of all kinds are keys of one table, so that a typo, a wrong type and a range are told as
everywhere; which of them a kind takes, and their ranges, are in ``core/detectors/kinds.py``.
"""

from collections.abc import Iterator
from typing import Final, Literal

from pydantic import Field

from streamer.config.keys import closest
from streamer.config.parts import Table
from streamer.config.places import KeyPath
from streamer.config.problems import Problem, found_text
from streamer.core.detectors.kinds import KINDS, mistakes
from streamer.core.settings import DetectorSettings

# A finding's rule is its detector's name, so it must not be that of a rule or of the detection itself.
_TAKEN: Final = frozenset(
    {
        "missing", "wild", "volume", "unreadable", "silence", "evidence",
        "psi", "ks", "mean_shift", "unseen_share", "outside_share",
    }
)  # fmt: skip
_OWN: Final = frozenset({"kind", "feature", "watches", "name"})


class DetectorConfig(Table):
    """A named detector of an endpoint."""

    kind: Literal["adwin", "kswin", "page_hinkley", "hddm_a", "hddm_w", "half_space_trees"] = Field(
        description="Which detector; all but the last are river's"
    )
    feature: str | None = Field(
        default=None, min_length=1, max_length=256, description="What it watches; not for half_space_trees"
    )
    watches: Literal["mean", "missing", "values"] | None = Field(
        default=None,
        description="Mean of a pane, share of missing values, or 64 values of a pane; hddm: missing, others: mean",
    )
    name: str | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        description="What its findings are called; kind and feature when empty",
    )
    delta: float | None = Field(
        default=None, allow_inf_nan=False, description="adwin: significance (0.002); page_hinkley: tolerance (0.005)"
    )
    clock: int | None = Field(default=None, description="adwin: it looks every so many numbers (32)")
    max_buckets: int | None = Field(default=None, description="adwin: buckets of one size (5)")
    min_window_length: int | None = Field(default=None, description="adwin: least length of a subwindow (5)")
    grace_period: int | None = Field(default=None, description="adwin: numbers before it looks (10)")
    alpha: float | None = Field(
        default=None,
        allow_inf_nan=False,
        description="kswin: significance (0.005); page_hinkley: forgetting factor (0.9999)",
    )
    window_size: int | None = Field(
        default=None, description="kswin: numbers it remembers (100); half_space_trees: rows it learns (250)"
    )
    stat_size: int | None = Field(default=None, description="kswin: newest numbers that are compared (30)")
    min_instances: int | None = Field(default=None, description="page_hinkley: numbers before it may fire (30)")
    threshold: float | None = Field(default=None, allow_inf_nan=False, description="page_hinkley: lambda (50)")
    mode: str | None = Field(default=None, description="page_hinkley: up, down or both (both)")
    drift_confidence: float | None = Field(default=None, allow_inf_nan=False, description="hddm: confidence (0.001)")
    lambda_val: float | None = Field(
        default=None, allow_inf_nan=False, description="hddm_w: weight of the newest (0.05)"
    )
    two_sided_test: bool | None = Field(default=None, description="hddm: look for a fall, too (false)")
    n_trees: int | None = Field(default=None, description="half_space_trees: trees (25)")
    height: int | None = Field(default=None, description="half_space_trees: height of each (8)")
    calibration_rows: int | None = Field(
        default=None, description="half_space_trees: rows after those learned that say what is usual (5000)"
    )
    quantile: float | None = Field(
        default=None, allow_inf_nan=False, description="half_space_trees: share of them that is usual (0.995)"
    )
    least_rise: float | None = Field(
        default=None, allow_inf_nan=False, description="half_space_trees: least rise of the odd rows' share (0.05)"
    )
    seed: int | None = Field(default=None, description="kswin, half_space_trees: of what they draw by chance (1)")

    @property
    def parameters(self) -> dict[str, bool | int | float | str]:
        """Those written."""
        written = self.model_dump(include=self.model_fields_set - _OWN)
        return {name: value for name, value in written.items() if value is not None}

    @property
    def called(self) -> str:
        """Its name, or what stands for it."""
        return self.name or (f"{self.kind}:{self.feature}" if self.feature else self.kind)

    def settings(self) -> DetectorSettings:
        """As the core takes them."""
        return DetectorSettings(
            name=self.called,
            kind=self.kind,
            feature=self.feature or "",
            watches=self.watches or KINDS[self.kind].watches[0],
            parameters=dict(sorted(self.parameters.items())),
        )


def problems_of_detectors(detectors: tuple[DetectorConfig, ...], path: KeyPath) -> Iterator[Problem]:
    """Everything that is wrong with an endpoint's detectors whose values have the right types.

    Parameters
    ----------
    detectors : tuple of DetectorConfig
        In the order of the file.
    path : KeyPath
        The endpoint's.
    """
    seen: set[str] = set()
    for i, detector in enumerate(detectors):
        here: KeyPath = (*path, "detector", i)
        streamed = detector.kind != "half_space_trees"
        if streamed and detector.feature is None:
            yield Problem((*here, "feature"), f"missing; {detector.kind} watches one feature")
        for key in ("feature", "watches"):
            if not streamed and getattr(detector, key) is not None:
                yield Problem((*here, key), "half_space_trees watch whole rows; leave it out")
        for name, text in mistakes(detector.kind, detector.parameters).items():
            meant = closest(name, KINDS[detector.kind].parameters)
            hint = (
                f'; did you mean "{meant}"?'
                if meant is not None and name not in KINDS[detector.kind].parameters
                else ""
            )
            yield Problem((*here, name), f"{text}, found {found_text(detector.parameters[name])}{hint}")
        if detector.called in _TAKEN:
            yield Problem((*here, "name"), f'"{detector.called}" is the name of a rule')
        elif detector.called in seen:
            yield Problem((*here, "name"), f'another detector is called "{detector.called}" already; give it a name')
        seen.add(detector.called)
