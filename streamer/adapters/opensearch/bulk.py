"""Bulk: many documents in a few requests, each with an outcome of its own.

A request is bounded in bytes and documents. One that is too large or broken as a whole is halved
until who is to blame stands alone, so that it costs the others nothing.
"""

import asyncio
import re
from collections import Counter, deque
from collections.abc import Sequence, Set
from typing import Final, NamedTuple

import msgspec

from streamer.adapters.opensearch.client import Answer, Server, path_of, trouble_of
from streamer.core.errors import NeedsPerson, Retryable, Unavailable
from streamer.core.index.entry import Entry
from streamer.core.index.outcome import Line, Outcome, of_document, of_request

MOST_BYTES: Final = 4_194_304
MOST_DOCUMENTS: Final = 5_000
# A request that was too large makes the next ones smaller, but not smaller than this.
_LEAST_BYTES: Final = 131_072
# Made between two turns of the loop: a fraction of a millisecond's work.
SLICE: Final = 200
# So many refused at once, and none of their index taken: it is not about one of them.
_ALL: Final = 10
_FILTER: Final = "errors,items.*.status,items.*.error.type"

_TYPE: Final = re.compile(r"[a-z][a-z_]{0,79}")


class Refusal(NamedTuple):
    """A document that will never be taken.

    Attributes
    ----------
    entry : Entry
        It.
    error : str
        Why: the type of the server's error, or ``too large``.
    """

    entry: Entry
    error: str


class Result(NamedTuple):
    """What became of some documents; those of neither list are left.

    Attributes
    ----------
    settled : list of Entry
        Written, or superseded by a newer revision.
    refused : list of Refusal
        Never to be taken.
    trouble : Retryable or None
        Why some are left.
    """

    settled: list[Entry]
    refused: list[Refusal]
    trouble: Retryable | None


class _Error(msgspec.Struct):
    type: str = ""


class _Item(msgspec.Struct):
    status: int
    error: _Error | None = None


class _Action(msgspec.Struct):
    index: _Item


class _Items(msgspec.Struct):
    """An answer whose outcomes are only counted: where none failed, nothing more is asked of it."""

    errors: bool = True
    items: list[msgspec.Raw] = []


class _Chunk(NamedTuple):
    """Documents of one request, and the two lines of each."""

    entries: list[Entry]
    lines: list[bytes]

    def halves(self) -> tuple["_Chunk", "_Chunk"]:
        """The second half and the first: as a queue takes them at its head."""
        half = len(self.entries) // 2
        first = _Chunk(self.entries[:half], self.lines[: 2 * half])
        return _Chunk(self.entries[half:], self.lines[2 * half :]), first


_ITEMS: Final = msgspec.json.Decoder(_Items)
_ACTION: Final = msgspec.json.Decoder(_Action)


class Bulk:
    """Writes documents.

    Parameters
    ----------
    server : Server
        Where to.
    most_bytes, most_documents : int
        What one request may hold.
    """

    def __init__(self, server: Server, *, most_bytes: int = MOST_BYTES, most_documents: int = MOST_DOCUMENTS) -> None:
        self._server = server
        self._most_bytes, self._most_documents = most_bytes, most_documents
        # Serverless takes the index in the path only.
        self._by_index = server.config.serverless

    async def write(self, entries: Sequence[Entry], *, taken: Set[str] = frozenset()) -> Result:
        """Send these and judge each; the rest is left when the server asks for less or does not answer.

        Parameters
        ----------
        entries : sequence of Entry
            Those to write.
        taken : set of str
            Indices that have taken others of the same delivery before.

        Returns
        -------
        Result
            Also where there is trouble, so that what is settled is not sent again.
        """
        result = Result([], [], None)
        broken = 0
        waiting = await self._chunks(entries)
        while waiting:
            chunk = waiting.popleft()
            body = b"\n".join((*chunk.lines, b""))
            try:
                answer = await self._send(chunk, body)
            except Retryable as error:
                # About the server, not about these documents: the others would fare no better.
                result = result._replace(trouble=result.trouble or error)
                break
            if of_request(answer.status).outcome is not Outcome.SPLIT:
                trouble = await self._note(chunk, answer, result)
                result = result._replace(trouble=result.trouble or trouble)
                if trouble is not None and not isinstance(trouble, NeedsPerson):
                    break
                continue
            if answer.status == 413:
                self._most_bytes = max(_LEAST_BYTES, min(self._most_bytes, len(body) // 2))
            if len(chunk.entries) > 1:
                waiting.extendleft(chunk.halves())
            else:
                broken += answer.status != 413
                result.refused.append(Refusal(chunk.entries[0], "too large" if answer.status == 413 else "bad request"))
        return _judged(entries, result, taken, all_broken=broken == len(entries) > 1 and not taken)

    async def _chunks(self, entries: Sequence[Entry]) -> deque[_Chunk]:
        if self._by_index:
            entries = sorted(entries, key=lambda entry: entry.place)
        chunks: deque[_Chunk] = deque()
        last, size_bytes, place = _Chunk([], []), self._most_bytes, ""
        for first in range(0, len(entries), SLICE):
            await asyncio.sleep(0)
            for entry in entries[first : first + SLICE]:
                head = entry.head(with_index=not self._by_index)
                own_bytes = len(head) + len(entry.body) + 2
                size_bytes += own_bytes
                if (
                    size_bytes > self._most_bytes
                    or len(last.entries) == self._most_documents
                    or (self._by_index and place != entry.place)
                ):
                    last, size_bytes, place = _Chunk([], []), own_bytes, entry.place
                    chunks.append(last)
                last.entries.append(entry)
                last.lines.extend((head, entry.body))
        return chunks

    async def _send(self, chunk: _Chunk, body: bytes) -> Answer:
        """One request; its answer where each document, or the request's size or form, is spoken of."""
        where = (chunk.entries[0].place, "_bulk") if self._by_index else ("_bulk",)
        answer = await self._server.call("POST", path_of(*where, filter_path=_FILTER), body)
        if of_request(answer.status).outcome not in (Outcome.WRITTEN, Outcome.SPLIT):
            raise trouble_of(answer, "writing documents")
        return answer

    async def _note(self, chunk: _Chunk, answer: Answer, result: Result) -> Retryable | None:
        """Sort a request's documents by their outcomes; the first trouble with one."""
        entries = chunk.entries
        try:
            told = _ITEMS.decode(answer.body)
            if len(told.items) != len(entries):
                # Which of them are spoken of can't be told.
                text = f"OpenSearch, writing documents: {len(told.items)} outcomes for {len(entries)} documents"
                return Unavailable(text)
            if not told.errors:
                result.settled.extend(entries)
                return None
            items = [_ACTION.decode(item).index for item in told.items]
        except (msgspec.MsgspecError, UnicodeEncodeError):
            return Unavailable("OpenSearch, writing documents: an answer that can't be read")
        trouble: Retryable | None = None
        for i, (entry, about) in enumerate(zip(entries, items, strict=True)):
            if i % SLICE == 0:
                await asyncio.sleep(0)
            error = "" if about.error is None else _word(about.error.type)
            line = of_document(about.status, error)
            match line.outcome:
                case Outcome.WRITTEN | Outcome.SUPERSEDED:
                    result.settled.append(entry)
                case Outcome.REFUSE:
                    result.refused.append(Refusal(entry, error or f"status {about.status}"))
                case _ if trouble is None or isinstance(trouble, NeedsPerson):
                    # What heals by itself goes first: the rest waits for it.
                    trouble = _trouble(line, entry, about.status, error, answer.retry_after_seconds)
        return trouble


def _trouble(line: Line, entry: Entry, status: int, error: str, wait_seconds: float | None) -> Retryable:
    text = f"OpenSearch, {entry.place}: {line.words} ({error or 'no type'}, status {status})"
    return (line.error or Unavailable)(text, wait_seconds)


def _word(error_type: str) -> str:
    """A type of error; nothing that could be more than that."""
    return error_type if _TYPE.fullmatch(error_type) else "" if not error_type else "an error of no known form"


def _judged(entries: Sequence[Entry], result: Result, taken: Set[str], *, all_broken: bool) -> Result:
    """Nothing is refused where not one was taken: then it is the server or us, and not the documents."""
    if not result.refused:
        return result
    sent, refused = Counter(e.place for e in entries), Counter(r.entry.place for r in result.refused)
    whole = {place for place, count in refused.items() if all_broken or count == sent[place] >= _ALL} - taken
    if not whole:
        return result
    first = next(r for r in result.refused if r.entry.place in whole)
    trouble = NeedsPerson(f"OpenSearch refuses every document of {first.entry.place}: {first.error}")
    kept = [r for r in result.refused if r.entry.place not in whole]
    return Result(result.settled, kept, result.trouble or trouble)
