"""Reading the configuration: file, then environment, checked whole; every problem at once."""

import copy
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from streamer.config.checks import problems_of
from streamer.config.environment import apply, overrides_in
from streamer.config.keys import field_at
from streamer.config.model import Config
from streamer.config.places import KeyPath, Places, path_text
from streamer.config.problems import Problem, as_written, problems_in
from streamer.core.errors import ConfigError

# 1,000 endpoints with everything set take about 1 MB.
_LARGEST_BYTES = 16 * 1_048_576


def load(path: Path, environment: Mapping[str, str]) -> Config:
    """Read and check a configuration.

    Parameters
    ----------
    path : Path
        The TOML file.
    environment : mapping of str to str
        Variables; those that begin with ``STREAMER_`` override the file.

    Returns
    -------
    Config
        With defaults merged into its endpoints; paths in it are relative to the file's folder.

    Raises
    ------
    ConfigError
        The text has a line for every problem: file, line, key, what was expected, what was found.
    """
    config, origin = _parsed(_text_of(path), environment, str(path))
    return config.placed(path.parent, origin.where)


def parse(text: str, environment: Mapping[str, str], name: str = "configuration") -> Config:
    """Check a configuration's text; ``load`` without the file.

    Parameters
    ----------
    text : str
        TOML.
    environment : mapping of str to str
        Variables.
    name : str
        What errors call the text.

    Raises
    ------
    ConfigError
        As ``load``.
    """
    return _parsed(text, environment, name)[0]


class _Origin(NamedTuple):
    """What tells where a key stands: the file's name, its lines, and variables by key."""

    name: str
    places: Places
    variables: Mapping[KeyPath, str]

    def where(self, path: KeyPath) -> str:
        """File, line and key; or its variable and key."""
        variable = self._variable(path)
        line = self.places.line_of(path)
        return f"{variable or (self.name if line is None else f'{self.name}:{line}')}: {path_text(path)}"

    def order(self, path: KeyPath) -> int:
        """Variables come first, then lines."""
        return -1 if self._variable(path) else self.places.line_of(path) or 0

    def _variable(self, path: KeyPath) -> str | None:
        several = (self.variables.get(path[:length]) for length in range(len(path), 0, -1))
        return next((variable for variable in several if variable is not None), None)


def _parsed(text: str, environment: Mapping[str, str], name: str) -> tuple[Config, _Origin]:
    document, places = _document(text, name)
    overrides = overrides_in(environment, Config)
    apply(overrides, document)
    config, problems = _checked(document)
    origin = _Origin(name, places, overrides.variables)
    problems.sort(key=lambda problem: origin.order(problem.path))
    texts = [f"{origin.where(problem.path)}: {problem.text}" for problem in problems] + overrides.problems
    if config is None or texts:
        raise ConfigError("\n".join(texts))
    return config.merged(), origin


def _text_of(path: Path) -> str:
    if path.is_dir():
        raise ConfigError(f"{path}: expected a TOML file, found a folder")
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_BYTES + 1)
    except FileNotFoundError as error:
        raise ConfigError(f'{path}: no such file; "streamer init {path}" writes a first configuration') from error
    except OSError as error:
        raise ConfigError(f"{path}: can't be read: {error.strerror}") from error
    if len(data) > _LARGEST_BYTES:
        raise ConfigError(f"{path}: larger than {_LARGEST_BYTES // 1_048_576} MiB, so it is no configuration")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: expected a TOML file, found bytes that are not UTF-8 text") from error


def _document(text: str, name: str) -> tuple[dict[str, object], Places]:
    try:
        return tomllib.loads(text), Places(text.replace("\r\n", "\n"))
    except tomllib.TOMLDecodeError as error:
        found = re.fullmatch(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", str(error), re.DOTALL)
        line = found[2] if found and found[2] else str(text.rstrip("\n").count("\n") + 1)
        column = f", column {found[3]}" if found and found[3] else ""
        words = found[1] if found else str(error)
        raise ConfigError(f"{name}:{line}: not TOML: {words[:1].lower()}{words[1:]}{column}") from error
    except RecursionError as error:
        raise ConfigError(f"{name}: not a configuration: nested too deeply") from error


def _checked(document: dict[str, object]) -> tuple[Config | None, list[Problem]]:
    """The configuration, if it can be read, and everything that is wrong with it."""
    try:
        config = Config.model_validate(document)
    except ValidationError as error:
        problems = problems_in(error, Config, document)
    else:
        return config, [as_written(problem, document) for problem in problems_of(config)]
    # What is right is looked at as well, so that a second start does not find a second mistake.
    paths = {problem.path for problem in problems}
    try:
        config = Config.model_validate(_without(document, paths))
    except ValidationError:
        return None, problems
    return None, problems + [as_written(problem, document) for problem in problems_of(config, paths)]


def _without(document: dict[str, object], paths: set[KeyPath]) -> dict[str, object]:
    """A copy without the values at some paths; what can't be left out gets a stand-in."""
    pruned = copy.deepcopy(document)
    for path in paths:
        required = (field := field_at(Config, path)) is not None and field.is_required()
        if required and path[0] == "endpoint" and len(path) == 3:
            _put(pruned, path, f"unreadable.{path[1]}")
        elif required or isinstance(path[-1], int):
            # An entry of a list: the others would move up, so the list goes.
            _put(pruned, path[: _last_list(path)], None)
        else:
            _put(pruned, path, None)
    return pruned


def _last_list(path: KeyPath) -> int:
    return max(i for i, part in enumerate(path) if isinstance(part, int))


def _put(document: dict[str, object], path: KeyPath, value: str | None) -> None:
    inside: object = document
    for part in path[:-1]:
        if isinstance(inside, dict):
            inside = inside.get(part)
        elif isinstance(inside, list) and isinstance(part, int) and part < len(inside):
            inside = inside[part]
    if isinstance(inside, dict):
        inside.pop(path[-1], None)
        if value is not None:
            inside[path[-1]] = value
