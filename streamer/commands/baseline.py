"""``streamer baseline``: build one from training data, and show what is in one."""

from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamer.commands.printing import printing
from streamer.printable import printable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from streamer.core.baseline.build import BuildOptions
    from streamer.core.baseline.model import Baseline, Dispersion, FeatureBaseline, Timeline
    from streamer.core.schema import Kind

app = typer.Typer(help="Build a baseline from training data, or show one.", no_args_is_help=True)

_DAY_SECONDS = 86_400
_TOP_LABELS = 3
_LABEL_CHARACTERS = 24
_PIPE_COLUMNS = 160


@app.command()
def build(
    ctx: typer.Context,
    train: Annotated[Path, typer.Argument(metavar="TRAIN", help="Table: .csv or .jsonl, each also .gz, or .parquet.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder baseline.json is written to.")],
    time: Annotated[
        str,
        typer.Option(
            metavar="COLUMN", help='Column of event times, or "DATE,TIME": how hours and days vary is learned from it.'
        ),
    ] = "",
    time_zone: Annotated[
        str, typer.Option(metavar="ZONE", help="Zone of the hours of day, and of times that name none.")
    ] = "UTC",
    output: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Column the model gives, such as its score; repeatable.")
    ] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=KIND", help="Kind of a column: numeric, integer, category, boolean or text; repeatable."
        ),
    ] = None,
    leave_out: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Column that is no feature; repeatable.")
    ] = None,
    missing: Annotated[
        list[float] | None,
        typer.Option(
            metavar="VALUE", help="Number that stands for a missing one in this table, such as -200; repeatable."
        ),
    ] = None,
    step: Annotated[
        str | None, typer.Option(metavar="SPAN", help='Length of the steps of time, such as "10 min"; else chosen.')
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no summary.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object.")] = False,
) -> None:
    """Build a baseline from a model's training data.

    The table has a row for each training example, and a header or keys with the names of the
    features in the order requests have them.
    """
    import json

    from streamer.adapters.tables import separator_of, table_chunks
    from streamer.app.baselines import BASELINE_FILE
    from streamer.app.whole import write_whole
    from streamer.core.baseline.build import BuildOptions
    from streamer.core.baseline.build import build as build_baseline
    from streamer.core.baseline.different import Different
    from streamer.core.baseline.model import encode
    from streamer.core.errors import SinkError
    from streamer.progress import progress

    quiet = quiet or bool(ctx.find_root().params.get("quiet"))
    options = BuildOptions(
        outputs=tuple(output or ()),
        kinds=_kinds(kind or []),
        time_column=time,
        leave_out=tuple(leave_out or ()),
        time_zone=time_zone,
        missing=tuple(missing or ()),
        step_seconds=None if step is None else _seconds(step),
    )
    zone, separator, different = _zone(time_zone), separator_of(train), Different()
    _check_names(train, options)
    # Read twice: once to see what the columns hold, once to count.
    total = 2 * train.stat().st_size if train.is_file() else None
    with progress("baseline", total, quiet=quiet) as shown:
        baseline = build_baseline(lambda: different.noted(table_chunks(train, time, shown.advance, zone=zone)), options)
    file = out / BASELINE_FILE
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"can't make {out}: {error.strerror}") from error
    write_whole(file, encode(baseline))
    hints = _hints(separator, different.ids(baseline))
    with printing():
        if as_json:
            told = {"path": str(file), **_summary(baseline), "hints": hints}
            typer.echo(json.dumps(told, indent=2, ensure_ascii=False))
        elif not quiet:
            typer.echo("\n".join([f"wrote {file}", *_lines(baseline), *(f"note: {hint}" for hint in hints)]))


@app.command()
def show(
    path: Annotated[Path, typer.Argument(metavar="DIR|FILE", help="Folder of a baseline, or baseline.json itself.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show what a baseline holds, and how much its own hours and days vary."""
    import json
    import os

    from rich.console import Console
    from rich.table import Table

    from streamer.app.baselines import read_baseline

    baseline = read_baseline(path)
    if as_json:
        told = zip(baseline.features, _resolutions(baseline), strict=True)
        features = [_described(baseline, f, resolution) for f, resolution in told]
        with printing():
            typer.echo(json.dumps({**_summary(baseline), "features": features}, indent=2, ensure_ascii=False))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("feature", overflow="fold")
    for name in ("side", "kind"):
        table.add_column(name)
    table.add_column("missing", justify="right")
    table.add_column("mean (sd), or most frequent", overflow="fold")
    table.add_column("5 %, 50 %, 95 %", overflow="fold")
    table.add_column("distinct", justify="right")
    table.add_column("resolution", justify="right")
    varies = baseline.timeline is not None and any(f.dispersion for f in baseline.features)
    if varies:
        table.add_column("varies")
    for f, resolution in zip(baseline.features, _resolutions(baseline), strict=True):
        row = [printable(f.feature.name), f.feature.side.value, f.feature.kind.value, f"{f.missing_share:.1%}"]
        row += [_middle(f), _range(f), f"{f.distinct:,}", "" if resolution is None else f"{resolution:.2g} sd"]
        table.add_row(*row, *([_varies(baseline, f)] if varies else []))
    # A pipe has no width of its own, and wrapped cells are no use to what reads it.
    on = Console()
    console = on if on.is_terminal or "COLUMNS" in os.environ else Console(width=_PIPE_COLUMNS)
    with printing():
        console.print("\n".join(_lines(baseline)), markup=False, highlight=False)
        console.print()
        console.print(table, markup=False)
        console.print()
        console.print(_WORDS_ON_RESOLUTION, markup=False, highlight=False)
        if varies:
            console.print(_WORDS_ON_VARIATION, markup=False, highlight=False)


_WORDS_ON_RESOLUTION = (
    "resolution: the smallest lasting shift of the mean, in deviations, that detection can tell from this baseline's "
    "own error and weather."
)
_WORDS_ON_VARIATION = (
    "varies: how many times as much the mean of a step, of a day and of the longest block measured varies as "
    "that of independent rows; 1 is independent."
)


def _check_names(train: Path, options: "BuildOptions") -> None:
    """Refuse a mistyped name before a long table is read, where the names stand at its beginning."""
    from contextlib import closing

    from streamer.adapters.tables import table_chunks
    from streamer.core.baseline.columns import columns_of

    if not train.name.lower().removesuffix(".gz").endswith((".jsonl", ".ndjson")):
        with closing(table_chunks(train, "", lambda _: None)) as chunks:
            columns_of(list(next(chunks).columns), options)


def _zone(name: str) -> "tzinfo":
    from datetime import UTC

    from streamer.core.baseline.timeline import zone_of

    return UTC if name == "UTC" else zone_of(name)


_SEPARATORS = {";": "semicolons", "\t": "tabs"}


def _hints(separator: str, ids: "Sequence[str]") -> list[str]:
    """What was taken for granted while the table was read, and what may have been meant otherwise."""
    hints = [f"the cells are separated by {_SEPARATORS[separator]}"] if separator in _SEPARATORS else []
    hints += [
        f"{printable(name)} is different in every row: if it is an id and no feature, leave it out with --leave-out"
        for name in ids
    ]
    return hints


def _kinds(texts: "Sequence[str]") -> "dict[str, Kind]":
    from streamer.core.schema import Kind

    kinds: dict[str, Kind] = {}
    for text in texts:
        name, equals, kind = text.rpartition("=")
        if not equals or kind not in set(Kind):
            expected = ", ".join(Kind)
            raise typer.BadParameter(f"{text!r}: expected NAME=KIND with one of {expected}", param_hint="--kind")
        kinds[name] = Kind(kind)
    return kinds


def _seconds(text: str) -> int:
    from streamer.config.durations import parse_duration

    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--step") from error
    if not seconds:
        raise typer.BadParameter("expected at least 1 second", param_hint="--step")
    return seconds


def _summary(baseline: "Baseline") -> dict[str, object]:
    """What machines are told of a baseline as a whole."""
    import msgspec

    timeline = baseline.timeline
    return {
        "id": baseline.id,
        "rows": baseline.rows,
        "learned": baseline.learned,
        "features": [
            {"name": f.feature.name, "side": f.feature.side.value, "kind": f.feature.kind.value}
            for f in baseline.features
        ],
        "timeline": None if timeline is None else {**msgspec.to_builtins(timeline), "days": _days(baseline)},
        "warnings": _warnings(baseline),
    }


def _lines(baseline: "Baseline") -> list[str]:
    """What a person is told of a baseline as a whole."""
    from collections import Counter

    from streamer.config.durations import duration_text
    from streamer.core.eventtime import as_text

    kinds = Counter(f.feature.kind.value for f in baseline.features)
    outputs = sum(f.feature.side.value == "output" for f in baseline.features)
    listed = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    lines = [
        f"baseline {baseline.id}: {baseline.rows:,} rows, {len(baseline.features)} features ({listed}), "
        f"{outputs} of them output{'s' * (outputs != 1)}"
    ]
    timeline = baseline.timeline
    if timeline is not None:
        lines.append(
            f"time: {as_text(timeline.start_at)} to {as_text(timeline.end_at)} ({_days(baseline):.1f} days), "
            f"{timeline.steps:,} steps of {duration_text(timeline.step_seconds)}, hours of day in {timeline.time_zone}"
        )
    return lines + [f"note: {text}" for text in _warnings(baseline)]


def _days(baseline: "Baseline") -> float:
    timeline = baseline.timeline
    return 0.0 if timeline is None else round((timeline.end_at - timeline.start_at) / 1000 / _DAY_SECONDS, 3)


def _warnings(baseline: "Baseline") -> list[str]:
    from streamer.core.baseline.weather import ENOUGH_DAYS

    timeline, days = baseline.timeline, _days(baseline)
    if timeline is None:
        return ["no time column: records are taken as independent, which makes alarms likelier"]
    if not any(f.dispersion for f in baseline.features):
        return [f"{_few(timeline)}: records are taken as independent, which makes alarms likelier"]
    if days < ENOUGH_DAYS:
        return [f"{days:.1f} days of time, fewer than {ENOUGH_DAYS}: how weekdays and weeks differ is hardly known"]
    return []


def _few(timeline: "Timeline") -> str:
    """How few steps there are to learn from."""
    used, steps = sum(rows > 0 for rows in timeline.volume), timeline.steps
    if len(timeline.volume) == steps and used < steps:
        return f"only {used:,} of the {steps:,} steps of time have rows"
    if used < len(timeline.volume):
        return f"only {used:,} of the last {len(timeline.volume):,} steps of time have rows"
    return f"the time column spans {steps:,} step{'s' * (steps != 1)} only"


def _resolutions(baseline: "Baseline") -> list[float | None]:
    """Of each feature, in its deviations; ``None`` for categories and where nothing varies."""
    from streamer.core.detectors.alternatives import resolution_of
    from streamer.core.layout import Layout

    found = resolution_of(Layout(baseline))
    return [float(f"{value:.3g}") if isfinite(value) else None for value in found.tolist()]


def _described(baseline: "Baseline", f: "FeatureBaseline", resolution: float | None) -> dict[str, object]:
    """What machines are told of one feature: the baseline's own fields, how much it varies, what can be told."""
    import msgspec

    fields: dict[str, object] = msgspec.to_builtins(f)
    step, day, longest = _ratios(baseline, f.dispersion_of("value"))
    return {**fields, "varies": {"step": step, "day": day, "longest": longest}, "resolution": resolution}


def _ratios(baseline: "Baseline", dispersion: "Dispersion") -> tuple[float | None, float | None, float | None]:
    """Ratio at one step, one day and the longest block; ``None`` where it was not measured."""
    timeline = baseline.timeline
    if timeline is None or not dispersion.rows:
        return None, None, None
    longest = 2 ** (len(dispersion.rows) - 1) * timeline.step_seconds
    day = None
    if timeline.step_seconds <= _DAY_SECONDS <= longest:
        day = dispersion.at(dispersion.rows[-1] * _DAY_SECONDS / longest)[0]
    return max(dispersion.ratio[0], 1.0), day, max(dispersion.ratio[-1], 1.0)


def _varies(baseline: "Baseline", f: "FeatureBaseline") -> str:
    return ", ".join("-" if ratio is None else f"{ratio:.3g}" for ratio in _ratios(baseline, f.dispersion_of("value")))


def _middle(f: "FeatureBaseline") -> str:
    if f.mean is not None and f.deviation is not None:
        return f"{f.mean:.4g} ({f.deviation:.3g})"
    top = zip(f.feature.values[:_TOP_LABELS], f.counts, strict=False)
    return ", ".join(f"{printable(label)[:_LABEL_CHARACTERS]} {rows / f.rows:.0%}" for label, rows in top)


def _range(f: "FeatureBaseline") -> str:
    return ", ".join(f"{f.quantiles[i]:.4g}" for i in (1, 3, 5)) if f.quantiles else ""
