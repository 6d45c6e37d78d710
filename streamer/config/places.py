"""Places: on which line of a TOML text each key stands, which ``tomllib`` does not tell.

A small reader that follows headers, dotted keys, inline tables and lists. It runs only on text
``tomllib`` has accepted, so it need not refuse anything.
"""

import re
import tomllib
from bisect import bisect_right
from typing import Final

KeyPath = tuple[str | int, ...]

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE: Final = re.compile(r"[ \t]*")
# A text: three quotes with anything between, or one quote on one line.
_TEXT: Final = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}' r"|'''(?:[^']|'(?!''))*'{3,5}" r'|"(?:[^"\\\n]|\\.)*"' r"|'[^'\n]*'", re.DOTALL
)
_SCALAR: Final = re.compile(r"[^,\]}#\n]*")


def path_text(path: KeyPath) -> str:
    """A key path as people write it.

    Examples
    --------
    >>> path_text(("endpoint", 0, "window"))
    'endpoint[0].window'
    """
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


class Places:
    """Lines of the keys of one TOML text.

    Parameters
    ----------
    text : str
        Valid TOML.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._line_starts = [0, *(m.end() for m in re.finditer("\n", text))]
        self._lines: dict[KeyPath, int] = {}
        self._lengths: dict[KeyPath, int] = {}
        self._read()

    def line_of(self, path: KeyPath) -> int | None:
        """Line of a key, or of the nearest table around it; ``None`` if the text has neither."""
        for length in range(len(path), 0, -1):
            line = self._lines.get(path[:length])
            if line is not None:
                return line
        return None

    def _read(self) -> None:
        at, table = 0, KeyPath()
        while (at := self._skip(_BLANK, at)) < len(self._text):
            if self._text.startswith("[", at):
                table, at = self._header(at)
            else:
                at = self._pair(at, table)

    def _header(self, at: int) -> tuple[KeyPath, int]:
        many = self._text.startswith("[[", at)
        start = at
        keys, at = self._keys(at + 1 + many)
        path = KeyPath()
        for key in keys[:-1]:
            path = self._inside((*path, key), start)
        path = (*path, keys[-1])
        if many:
            index = self._lengths.get(path, 0)
            self._lengths[path] = index + 1
            self._note(path, start)
            path = (*path, index)
        else:
            path = self._inside(path, start)
        self._note(path, start)
        return path, at + 1 + many

    def _inside(self, path: KeyPath, at: int) -> KeyPath:
        """The table a header's key leads into: of a list of tables, the last one."""
        self._note(path, at)
        length = self._lengths.get(path)
        return path if length is None else (*path, length - 1)

    def _note(self, path: KeyPath, at: int) -> None:
        self._lines.setdefault(path, bisect_right(self._line_starts, at))

    def _pair(self, at: int, table: KeyPath) -> int:
        start = at
        keys, at = self._keys(at)
        for length in range(1, len(keys) + 1):
            self._note((*table, *keys[:length]), start)
        return self._value(self._skip(_SPACE, at + 1), (*table, *keys))

    def _keys(self, at: int) -> tuple[list[str], int]:
        keys: list[str] = []
        while True:
            at = self._skip(_SPACE, at)
            bare = _BARE.match(self._text, at)
            end = bare.end() if bare else self._skip(_TEXT, at)
            keys.append(self._text[at:end] if bare else _unquoted(self._text[at:end]))
            at = self._skip(_SPACE, end)
            if not self._text.startswith(".", at):
                return keys, at
            at += 1

    def _value(self, at: int, path: KeyPath) -> int:
        first = self._text[at : at + 1]
        if first == "[":
            return self._list(at + 1, path)
        if first == "{":
            return self._inline(at + 1, path)
        return self._skip(_TEXT if first in "\"'" else _SCALAR, at)

    def _list(self, at: int, path: KeyPath) -> int:
        index = 0
        while not self._text.startswith("]", at := self._skip(_BLANK, at)):
            self._note((*path, index), at)
            at = self._skip(_BLANK, self._value(at, (*path, index)))
            at += self._text.startswith(",", at)
            index += 1
        return at + 1

    def _inline(self, at: int, path: KeyPath) -> int:
        while not self._text.startswith("}", at := self._skip(_BLANK, at)):
            at = self._skip(_BLANK, self._pair(at, path))
            at += self._text.startswith(",", at)
        return at + 1

    def _skip(self, pattern: re.Pattern[str], at: int) -> int:
        found = pattern.match(self._text, at)
        return found.end() if found else at


def _unquoted(text: str) -> str:
    key = tomllib.loads(f"key = {text}")["key"]
    return str(key)
