"""Baselines the configuration names, read from their files."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from streamer.config.model import Config
from streamer.config.places import KeyPath
from streamer.core.baseline.model import Baseline, decode
from streamer.core.detectors.roster import misfit
from streamer.core.errors import BaselineError, ConfigError
from streamer.core.layout import Layout

BASELINE_FILE: Final = "baseline.json"
# 2,000 features with everything in them take about 20 MB.
_LARGEST_BASELINE_BYTES: Final = 256 * 1_048_576


def baselines_of(config: Config) -> dict[tuple[str, str], Baseline]:
    """Baselines the configuration names, by endpoint and version; ``""`` holds for every other version.

    Raises
    ------
    ConfigError
        The text has a line for every one that can't be read: file, line and key of the configuration, then why.
    """
    wanted: list[tuple[str, str, str | None, KeyPath]] = []
    for i, endpoint in enumerate(config.endpoints):
        wanted.append((endpoint.name, "", endpoint.baseline, ("endpoint", i, "baseline")))
        for j, version in enumerate(endpoint.versions):
            wanted.append((endpoint.name, version.id, version.baseline, ("endpoint", i, "version", j, "baseline")))
    read: dict[Path, Baseline] = {}
    found: dict[tuple[str, str], Baseline] = {}
    problems: list[str] = []
    for name, of, text, key in wanted:
        if text is None:
            continue
        path = config.path_of(text)
        try:
            if path not in read:
                read[path] = read_baseline(path)
        except BaselineError as error:
            problems.append(f"{config.place_of(key)}: {error}")
        else:
            found[name, of] = read[path]
    problems += [f"{config.place_of(key)}: {text}" for key, text in unfit_detectors(config, found)]
    if problems:
        raise ConfigError("\n".join(problems))
    return found


def unfit_detectors(config: Config, baselines: Mapping[tuple[str, str], Baseline]) -> Iterator[tuple[KeyPath, str]]:
    """Detectors that fit none of the baselines their endpoint was given, by key, and why.

    Where an endpoint has none, what is learned is not known yet; a version's own may lack a feature
    that others have.
    """
    for i, endpoint in enumerate(config.endpoints):
        if not endpoint.detectors or (endpoint.name, "") not in baselines:
            continue
        layouts = [Layout(baseline) for (name, _), baseline in baselines.items() if name == endpoint.name]
        for j, detector in enumerate(endpoint.detectors):
            whys = [misfit(detector.settings(), layout) for layout in layouts]
            if None not in whys:
                yield ("endpoint", i, "detector", j, "feature"), str(whys[0])


def read_baseline(path: Path) -> Baseline:
    """A baseline from its file, or from the folder it was built into.

    Raises
    ------
    BaselineError
        The text begins with the path.
    """
    file = path / BASELINE_FILE if path.is_dir() else path
    try:
        with file.open("rb") as opened:
            data = opened.read(_LARGEST_BASELINE_BYTES + 1)
    except FileNotFoundError as error:
        text = 'there is no baseline; "streamer baseline build" makes one'
        raise BaselineError(f"{file}: {text}") from error
    except (OSError, ValueError) as error:
        raise BaselineError(f"{file}: can't be read: {getattr(error, 'strerror', None) or error}") from error
    if len(data) > _LARGEST_BASELINE_BYTES:
        raise BaselineError(f"{file}: larger than {_LARGEST_BASELINE_BYTES // 1_048_576} MiB, so it is no baseline")
    try:
        return decode(data)
    except BaselineError as error:
        raise BaselineError(f"{file}: {error}") from error
