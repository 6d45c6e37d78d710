"""Sink: documents, notifications and dead letters to OpenSearch, one of each id."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import structlog

from streamer.adapters.opensearch.bulk import MOST_BYTES, SLICE, Bulk, Result
from streamer.adapters.opensearch.client import Server
from streamer.adapters.opensearch.setup import check_templates
from streamer.core.errors import NeedsPerson, Refused, Retryable, SinkError
from streamer.core.eventtime import as_datetime
from streamer.core.index.entry import Entry, Shelf
from streamer.core.index.families import Family, is_kept, oldest_kept
from streamer.core.types import Action
from streamer.ports import Clock

_TOO_OLD: Final = "older than the retention"
# Differences that are told at once.
_TOLD: Final = 5
_log = structlog.get_logger()

_Key = tuple[str, str]


class OpenSearchSink:
    """Writes what is delivered to the dated indices of ``core/index/families``.

    A document's ``_id`` is its id and its version its revision, so that a repetition changes
    nothing and an older revision never wins. What was settled of a delivery that failed is not sent
    again with the next one, so a repetition sends the rest only.

    A document the server will never take is kept as a ``RefusedDocument`` beside the dead letters. One
    whose index the retention has deleted, or will with its next run, is refused before it is sent: a
    late write would bring the whole index back.

    Parameters
    ----------
    server : Server
        Belongs to this sink, which closes it.
    shelf : Shelf
        Prefix and partition of the indices.
    clock : Clock
        Tells what is older than the retention.
    retention_days : int or None
        ``None`` keeps everything.
    most_bytes : int
        What one request may hold.
    """

    name = "opensearch"

    def __init__(
        self,
        server: Server,
        shelf: Shelf,
        clock: Clock,
        *,
        retention_days: int | None = None,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._server, self._shelf, self._clock = server, shelf, clock
        self._retention_days = retention_days
        self._bulk = Bulk(server, most_bytes=most_bytes)
        self._checked = False
        # Of the delivery that failed last: revisions that are settled, and why others are refused.
        self._settled: dict[_Key, int] = {}
        self._refused: dict[_Key, tuple[int, str]] = {}

    async def open(self) -> None:
        """Look whether the templates are there; where the server does not answer, that is made up for later.

        Raises
        ------
        SinkError
            They are not, or have another shape: the text has the command that puts them there.
        """
        try:
            await self._check()
        except NeedsPerson as error:
            raise SinkError(str(error)) from error
        except Retryable as error:
            _log.warning("the index does not answer; its templates are looked at later", reason=str(error))

    async def deliver(self, actions: Sequence[Action]) -> None:
        """Write these, all or raise.

        Raises
        ------
        Retryable
            Some are not written yet: deliver all again.
        Refused
            Those in ``ids`` will never be written; all others are.
        """
        if not actions:
            return
        if not self._checked:
            await self._check()
        entries = await self._entries(actions)
        self._forget_others(entries)
        old = self._too_old(entries.values())
        left = list(entries.values())
        if old or self._settled or self._refused:
            left = [e for key, e in entries.items() if e.place not in old and not self._is_known(key)]
        result = await self._bulk.write(left, taken={place for place, _ in self._settled})
        if result.trouble is not None or result.refused or self._refused:
            self._remember(result)
            await self._tell_of(entries, result.trouble)
        refused = {e.id: _TOO_OLD for e in entries.values() if e.place in old} if old else {}
        refused |= {key[1]: why for key, (_, why) in self._refused.items()}
        self._settled.clear()
        self._refused.clear()
        if refused:
            reasons = sorted({f"{why} ({list(refused.values()).count(why)})" for why in set(refused.values())})
            raise Refused(f"{len(refused)} of {len(entries)} refused: {', '.join(reasons)}", list(refused))

    async def commit(self) -> None:
        """Nothing: what is written is final."""

    async def close(self) -> None:
        """Let go of the connections."""
        await self._server.close()

    async def _check(self) -> None:
        wrong = await check_templates(self._server, self._shelf.prefix)
        if wrong:
            more = [f"and {len(wrong) - _TOLD} more"] if len(wrong) > _TOLD else []
            told = "\n".join([*wrong[:_TOLD], *more])
            raise NeedsPerson(f'the index lacks templates of this program; run "streamer index install":\n{told}')
        self._checked = True

    async def _entries(self, actions: Sequence[Action]) -> dict[_Key, Entry]:
        """The newest of each id."""
        newest: dict[_Key, Entry] = {}
        for i, action in enumerate(actions):
            if i % SLICE == 0:
                await asyncio.sleep(0)
            entry = self._shelf.entry_of(action)
            if entry is None:
                continue
            key = (entry.place, entry.id)
            known = newest.get(key)
            if known is None or known.revision <= entry.revision:
                newest[key] = entry
        return newest

    def _too_old(self, entries: Iterable[Entry]) -> set[str]:
        """Indices that the retention does not keep."""
        if self._retention_days is None:
            return set()
        now, prefix = as_datetime(self._clock.now()), self._shelf.prefix
        oldest: dict[Family, datetime] = {f: oldest_kept(f, now, self._retention_days) for f in Family}
        places = {entry.place: entry.family for entry in entries}
        return {place for place, family in places.items() if not is_kept(place, prefix, family, oldest[family])}

    def _is_known(self, key: _Key) -> bool:
        return key in self._settled or key in self._refused

    def _forget_others(self, keys: dict[_Key, Entry]) -> None:
        """What is remembered is of one delivery, and of the revisions in it."""
        if not self._settled and not self._refused:
            return
        now = {key: entry.revision for key, entry in keys.items()}
        self._settled = {key: revision for key, revision in self._settled.items() if now.get(key) == revision}
        self._refused = {key: about for key, about in self._refused.items() if now.get(key) == about[0]}

    def _remember(self, result: Result) -> None:
        for entry in result.settled:
            self._settled[entry.place, entry.id] = entry.revision
        for entry, why in result.refused:
            self._refused[entry.place, entry.id] = (entry.revision, why)

    async def _tell_of(self, keys: dict[_Key, Entry], trouble: Retryable | None) -> None:
        """Keep a letter of each refused document; then the trouble, if there is one, is raised."""
        told = ((key, self._shelf.refusal_of(keys[key], why)) for key, (_, why) in self._refused.items())
        letters = [letter for _, letter in told if letter is not None]
        old = self._too_old(letters)
        letters = [letter for letter in letters if letter.place not in old]
        if letters:
            result = await self._bulk.write(letters)
            trouble = trouble or result.trouble
            for entry, why in result.refused:
                _log.error("a refused document is told of here only", index=entry.place, id=entry.id, reason=why)
        if trouble is not None:
            raise trouble
