"""``streamer validate``: the configuration as it holds, its baselines, and what to mind."""

from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from streamer.commands.printing import printing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamer.config.model import Config, EndpointConfig
    from streamer.core.baseline.model import Baseline
    from streamer.core.detectors.rehearsal import Rehearsal


class Word(NamedTuple):
    """What is to be said of one endpoint's baseline.

    Attributes
    ----------
    text : str
        What it is.
    warnings : list of str
        What makes alarms likelier, or less sure.
    detectors : dict of str to str
        What is known of its named detectors' false alarms, by name.
    """

    text: str
    warnings: list[str]
    detectors: dict[str, str]


def validate(
    path: Annotated[Path, typer.Argument(help="The configuration.")] = Path("streamer.toml"),
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    deny_warnings: Annotated[bool, typer.Option("--deny-warnings", help="Exit 78 if there are warnings.")] = False,
) -> None:
    """Check a configuration and its baselines; print what holds, defaults and environment included."""
    import json
    import os

    from streamer.app.baselines import baselines_of
    from streamer.config.effective import effective
    from streamer.config.load import load
    from streamer.core.errors import ConfigError

    try:
        config = load(path, os.environ)
        words = words_of(config, baselines_of(config))
    except ConfigError as error:
        if not as_json:
            raise
        with printing():
            typer.echo(json.dumps({"valid": False, "problems": str(error).splitlines()}, indent=2))
        raise typer.Exit(78) from error
    warnings = [f"{who}: {text}" for who, word in words.items() for text in word.warnings]
    if as_json:
        found = {
            "valid": True,
            "endpoints": {
                who: {"baseline": word.text, "warnings": word.warnings, "detectors": word.detectors}
                for who, word in words.items()
            },
            "warnings": warnings,
            "configuration": config.model_dump(mode="json", by_alias=True),
        }
        said = json.dumps(found, indent=2, ensure_ascii=False)
    else:
        lines = [f"# {who}: {word.text}" for who, word in words.items()]
        lines += [f"# {who}: {name}: {said}" for who, word in words.items() for name, said in word.detectors.items()]
        lines += [f"# warning: {text}" for text in warnings]
        count = f"{len(config.endpoints)} endpoint{'s' * (len(config.endpoints) != 1)}"
        lines.append(f"# {path} is valid: {count}, {len(warnings)} warning{'s' * (len(warnings) != 1)}")
        said = effective(config) + "\n" + "\n".join(lines)
    with printing():
        typer.echo(said)
    if warnings and deny_warnings:
        raise typer.Exit(78)


def words_of(config: "Config", baselines: "Mapping[tuple[str, str], Baseline]") -> dict[str, Word]:
    """What is to be said of every endpoint, and of every version with a baseline of its own."""
    words: dict[str, Word] = {}
    for endpoint in config.endpoints:
        given = baselines.get((endpoint.name, ""))
        word = _word(endpoint, given)
        detectors = _detectors(endpoint, given)
        words[endpoint.name] = Word(word.text, word.warnings + _span_warnings(endpoint), detectors)
        for version in endpoint.versions:
            own = baselines.get((endpoint.name, version.id))
            if own is not None:
                word = _word(endpoint, own)._replace(detectors=_detectors(endpoint, own))
                words[f"{endpoint.name}, version {version.id}"] = word
    return words


def _detectors(endpoint: "EndpointConfig", baseline: "Baseline | None") -> dict[str, str]:
    """How often each named detector fires where nothing changes, tried on the baseline: 1 to 5 s each."""
    if not endpoint.detectors:
        return {}
    from streamer.core.detectors.rehearsal import rehearse
    from streamer.core.detectors.roster import misfit
    from streamer.core.layout import Layout
    from streamer.core.settings import RetrainingSettings

    said: dict[str, str] = {}
    settings = endpoint.endpoint_settings(RetrainingSettings())
    layout = Layout(baseline) if baseline is not None else None
    for detector in settings.detectors:
        if layout is None:
            said[detector.name] = "its false alarms are not known before a baseline is learned"
            continue
        found = rehearse(settings, detector, layout)
        said[detector.name] = f"watches nothing here: {misfit(detector, layout)}" if found is None else _alarms(found)
    return said


def _alarms(found: "Rehearsal") -> str:
    rate = f"about {found.monthly:.2g} false alarms a month ({found.alarms} windows with one"
    if not found.alarms:
        rate = f"fewer than {found.at_most:.2g} false alarms a month (none"
    how = "hours vary as the baseline's do" if found.clustered else "records are taken as independent"
    return f"{rate} in {found.panes:,} panes of {found.rows:.3g} rows drawn from the baseline; {how})"


def _span_warnings(endpoint: "EndpointConfig") -> list[str]:
    from streamer.config.durations import duration_text

    kept, least = endpoint.alerts.keep_firing, 2 * endpoint.window
    # A default that nobody wrote is stretched in silence.
    if kept >= least or "keep_firing" not in endpoint.alerts.model_fields_set:
        return []
    text = f"alerts.keep_firing ({duration_text(kept)}) is shorter than two windows, so it is taken as two"
    return [f"{text} ({duration_text(least)})"]


def _word(endpoint: "EndpointConfig", baseline: "Baseline | None") -> Word:
    # Traffic is learned hour by hour: longer panes can't be.
    is_refitted = endpoint.false_alarms is not None and endpoint.pane <= 3_600
    likelier = "alarms are likelier" + (" until three days of traffic are in" if is_refitted else "")
    if baseline is None:
        waits = "where rows of an hour hang together, there will be more of them"
        if is_refitted:
            waits = "evidence is looked for once three days of traffic are in, and refitted weekly until 28 are"
        warnings = ["baseline_is_traffic is set, but there is no baseline"] if endpoint.baseline_is_traffic else []
        if endpoint.false_alarms is not None:
            warnings.append(
                "false_alarms is set, but a baseline learned from the first rows knows no weather: " + waits
            )
        return Word(f"learned from the first {endpoint.burn_in_rows:,} rows", warnings, {})
    text = f"baseline {baseline.id}, {baseline.rows:,} rows, {len(baseline.features)} features"
    timeline = baseline.timeline
    if timeline is None:
        warnings = [f"no time column, so records are taken as independent: {likelier}"]
        if endpoint.baseline_is_traffic:
            warnings.append("baseline_is_traffic is set, but without a time column the traffic is unknown")
        return Word(f"{text}, records are taken as independent", warnings, {})
    from streamer.core.baseline.dispersion import LEAST_STEPS
    from streamer.core.baseline.weather import ENOUGH_DAYS
    from streamer.core.eventtime import as_text

    days = (timeline.end_at - timeline.start_at) / 86_400_000
    text += f", {as_text(timeline.start_at)} to {as_text(timeline.end_at)} ({days:.1f} days)"
    warnings = []
    if timeline.steps < LEAST_STEPS:
        warnings.append(f"its time column spans too little, so records are taken as independent: {likelier}")
    elif days < ENOUGH_DAYS:
        refitted = "; evidence is refitted weekly, while it is silent, until 28 are in" if is_refitted else ""
        warnings.append(f"fewer than 28 days: how weekdays and weeks differ is hardly known{refitted}")
    if endpoint.false_alarms is not None:
        text += _resolution(baseline)
    return Word(text, warnings, {})


def _resolution(baseline: "Baseline") -> str:
    """The finest and the coarsest of what detection can tell from weather."""
    from streamer.core.detectors.alternatives import resolution_of
    from streamer.core.layout import Layout

    layout = Layout(baseline)
    named = zip(resolution_of(layout).tolist(), (f.feature.name for f in baseline.features), strict=True)
    told = sorted((size, name) for size, name in named if isfinite(size))
    if not told:
        return ""
    (least, finest), (most, coarsest) = told[0], told[-1]
    return f", tells a lasting shift from weather from {least:.2g} sd ({finest}) to {most:.2g} sd ({coarsest}) on"
