"""What outlives a killed service, and what came out of it in the end."""

import asyncio
import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple
from uuid import uuid4

from streamer.adapters.kinesis import positions
from streamer.adapters.state_directory import DirectorySnapshotStore
from streamer.core.baseline.model import encode
from streamer.core.freezing import STREAM
from streamer.core.manifest import Loaded
from streamer.core.snapshot import thaw_stream
from streamer.service.keeper import SOURCE
from tests.sim.processes import REGION, Cloud, Emulator, client
from tests.sim.traffic import SHARDS
from tests.strategies import baseline

_CONFIGURATION: Final = """
source.out_of_orderness = "5 s"
# Time goes on by records alone, so that all runs end with the same windows closed.
source.idle = "1 d"

[source.kinesis]
stream = "{stream}"
start = "trim_horizon"
endpoint_url = "{kinesis}"

[aws]
region = "{region}"

[defaults]
window = "1 min"
lateness = "1 min"
burn_in_rows = 100
rules.minimum_rows = 20
rules.psi = 0.5
alerts.hold = "1 min"
alerts.keep_firing = "3 min"
alerts.repeat = "4 min"

[[endpoint]]
name = "known"
baseline = "baseline.json"
false_alarms = "1 per month"

[[endpoint]]
name = "learned"
false_alarms = "1 per month"

[alerts.sns]
topic_arn = "{topic}"
endpoint_url = "{cloud}"

[alerts.eventbridge]
bus = "{bus}"
endpoint_url = "{cloud}"

[retraining.eventbridge]
bus = "{bus}"
endpoint_url = "{cloud}"
after = "5 min"
cool_down = "15 min"

[index]
sqlite = "index.sqlite"

[state]
directory = "state"
interval = "1 s"

[service]
drain = "{drain}"

[http]
port = 0
"""


class Outcome(NamedTuple):
    """What came of a run, by what tells it apart.

    Attributes
    ----------
    documents, notifications, letters : dict of str to str
        Bodies in the index; letters by where the record stands among those put, and without what
        differs from stream to stream.
    messages, events : Counter of str
        What arrived in the queues behind SNS and EventBridge, and how often.
    totals : str
        Every record read, by heading.
    """

    documents: dict[str, str]
    notifications: dict[str, str]
    letters: dict[str, str]
    messages: Counter[str]
    events: Counter[str]
    totals: str

    def differences(self, other: "Outcome") -> list[str]:
        """In words, where another outcome is not the same; repeated messages are."""
        found: list[str] = []
        for name in ("documents", "notifications", "letters", "messages", "events"):
            mine, its = getattr(self, name), getattr(other, name)
            missing, extra = sorted(mine.keys() - its.keys()), sorted(its.keys() - mine.keys())
            if missing:
                found.append(f"{len(missing)} {name} missing, the first: {missing[0][:2_000]}")
            if extra:
                found.append(f"{len(extra)} {name} that should not be, the first: {extra[0][:2_000]}")
            if isinstance(mine, Counter):
                continue
            changed = [key for key in sorted(mine.keys() & its.keys()) if mine[key] != its[key]]
            if changed:
                first = changed[0]
                found.append(f"{len(changed)} {name} changed, the first:\n  {mine[first]}\n  {its[first]}")
        if self.totals != other.totals:
            found.append(f"totals changed:\n  {self.totals}\n  {other.totals}")
        return found

    @property
    def repeated(self) -> int:
        """Messages and events that arrived again."""
        return sum(c.total() - len(c) for c in (self.messages, self.events))


class Place:
    """All that outlives a service: its folder, its stream, its topic and bus, and the queues behind them.

    Parameters
    ----------
    folder : Path
        Empty; the configuration is written into it.
    emulator, cloud
        Where stream, topic, bus and queues are made.
    drain : str
        Time to drain.

    Attributes
    ----------
    troubles : list of str
        What was seen to be wrong.
    records : int
        Records read, as the last snapshot looked at has it.
    """

    def __init__(self, folder: Path, emulator: Emulator, cloud: Cloud, *, drain: str = "25 s") -> None:
        self.folder = folder
        self.emulator = emulator
        self.stream = f"captures-{uuid4()}"
        self.config = folder / "streamer.toml"
        self.troubles: list[str] = []
        self.records = 0
        self._positions: dict[str, tuple[int, int]] = {}
        self._number = 0
        emulator.client.create_stream(StreamName=self.stream, ShardCount=SHARDS)
        sns, self._sqs, events = (client(service, cloud.url) for service in ("sns", "sqs", "events"))
        self.messages, messages_arn = self._queue()
        topic = sns.create_topic(Name=f"alerts-{uuid4()}")["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=messages_arn, Attributes={"RawMessageDelivery": "true"})
        self.events, events_arn = self._queue()
        bus = f"alerts-{uuid4()}"
        events.create_event_bus(Name=bus)
        events.put_rule(Name=bus, EventBusName=bus, EventPattern=json.dumps({"source": ["streamer"]}))
        events.put_targets(Rule=bus, EventBusName=bus, Targets=[{"Id": "queue", "Arn": events_arn}])
        (folder / "baseline.json").write_bytes(encode(baseline()))
        self.config.write_text(
            _CONFIGURATION.format(
                stream=self.stream,
                kinesis=emulator.url,
                region=REGION,
                topic=topic,
                bus=bus,
                cloud=cloud.url,
                drain=drain,
            )
        )

    def _queue(self) -> tuple[str, str]:
        url = self._sqs.create_queue(QueueName=f"queue-{uuid4()}")["QueueUrl"]
        arn = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        return url, arn

    def received(self, queue: str) -> list[str]:
        """Bodies of all that is in a queue; they are gone from it."""
        bodies: list[str] = []
        while found := self._sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
            bodies += [one["Body"] for one in found]
            entries = [{"Id": str(i), "ReceiptHandle": one["ReceiptHandle"]} for i, one in enumerate(found)]
            self._sqs.delete_message_batch(QueueUrl=queue, Entries=entries)
        return bodies

    def snapshot(self) -> Loaded | None:
        """The last snapshot, while no service runs; that it never goes back is looked at on the way."""

        async def load() -> Loaded | None:
            store = DirectorySnapshotStore(self.folder / "state", code="")
            try:
                return await store.load()
            finally:
                await store.close()

        loaded = asyncio.run(load())
        if loaded is None:
            if self._number:
                self.troubles.append(f"snapshot {self._number} is gone")
            return None
        self.troubles += loaded.fell_back
        if loaded.number < self._number:
            self.troubles.append(f"snapshot {loaded.number} came after {self._number}")
        self._number = loaded.number
        self.records = thaw_stream(loaded.chunks[STREAM]).totals.records
        for shard in positions.decode(loaded.chunks[SOURCE], self.stream).shards:
            if shard.position is not None:
                at = (int(shard.position.sequence), shard.position.taken)
                if at < self._positions.get(shard.id, at):
                    self.troubles.append(f"the position of {shard.id} went back")
                self._positions[shard.id] = at
        return loaded

    def outcome(self) -> Outcome:
        """What came out, while no service runs."""
        loaded = self.snapshot()
        with closing(sqlite3.connect(self.folder / "index.sqlite")) as index:
            # What the service tells of itself is of the moment, and no part of what must come out again.
            decided = "documents WHERE kind != 'operations'"
            documents, notifications, letters = (
                dict(index.execute(f"SELECT id, body FROM {table}").fetchall())
                for table in (decided, "notifications", "dead_letters")
            )
        return Outcome(
            documents,
            notifications,
            dict(map(_letter, letters.values())),
            Counter(self.received(self.messages)),
            Counter(map(_event, self.received(self.events))),
            repr(thaw_stream(loaded.chunks[STREAM]).totals) if loaded is not None else "no snapshot",
        )

    def close(self) -> None:
        """Delete the stream: its records are kept in memory."""
        self.emulator.client.delete_stream(StreamName=self.stream)


def _letter(body: str) -> tuple[str, str]:
    """A letter by its place in the stream: a sequence number begins with when the stream was made."""
    found: dict[str, Any] = json.loads(body)
    del found["id"]
    found["position"] = found["position"][17:]
    return f"{found['position']} {found['reason']} {found.get('side')}", json.dumps(found)


def _event(body: str) -> str:
    """An event without the id that EventBridge gave it."""
    found = json.loads(body)
    return json.dumps({key: found[key] for key in ("detail-type", "source", "time", "detail")})


@contextmanager
def placed(emulator: Emulator, cloud: Cloud, *, drain: str = "25 s") -> Iterator[Place]:
    """A place that is gone afterwards."""
    with TemporaryDirectory(prefix="streamer-kill-") as made:
        place = Place(Path(made), emulator, cloud, drain=drain)
        try:
            yield place
        finally:
            place.close()
