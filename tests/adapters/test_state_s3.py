import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, NamedTuple

import aiohttp
import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)

from streamer.adapters.state_s3 import S3Objects, S3SnapshotStore
from streamer.core.errors import Absent, Denied, LeaseLost, Retryable, StateError, Throttled, Unavailable
from streamer.core.manifest import CHUNKS, POINTER, Loaded, digest_of
from tests.aws import bucket

# Before and long after all that the emulated bucket has written.
LONG_AGO = 1_000_000_000_000
MUCH_LATER = 4_000_000_000_000


def refusal(code: str, status: int, headers: Mapping[str, str] | None = None) -> ClientError:
    answer: Any = {
        "Error": {"Code": code},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": headers or {}},
    }
    return ClientError(answer, "operation")


def timeout() -> ReadTimeoutError:
    return ReadTimeoutError(endpoint_url="https://bucket")


class Fault(NamedTuple):
    """What befalls the next call of an operation on a key that begins so."""

    operation: str
    key: str
    befalls: Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]]


def fails(error: Exception) -> Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]]:
    async def befalls(call: Callable[[], Awaitable[Any]]) -> Any:
        raise error

    return befalls


async def is_lost(call: Callable[[], Awaitable[Any]]) -> Any:
    """It is done, and its answer never arrives."""
    await call()
    raise timeout()


async def is_repeated(call: Callable[[], Awaitable[Any]]) -> Any:
    """The client library tried twice: it was done the first time, and the second answer arrives."""
    await call()
    return await call()


def comes_after(first: Callable[[], Awaitable[Any]]) -> Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]]:
    async def befalls(call: Callable[[], Awaitable[Any]]) -> Any:
        await first()
        return await call()

    return befalls


class Body:
    def __init__(self, data: bytes) -> None:
        self.data = data

    async def __aenter__(self) -> "Body":
        return self

    async def __aexit__(self, *failure: object) -> None:
        pass

    async def read(self) -> bytes:
        return self.data


def reads(change: Callable[[bytes], bytes]) -> Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]]:
    """The bytes are others than those that are there."""

    async def befalls(call: Callable[[], Awaitable[Any]]) -> Any:
        answer = await call()
        return {**answer, "Body": Body(change(await answer["Body"].read()))}

    return befalls


class Scripted:
    """A client of the emulated S3 to which things happen, one after the other, as scripted."""

    def __init__(self, client: Any, name: str) -> None:
        self.client = client
        self.name = name
        self.faults: deque[Fault] = deque()
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.page = 1_000

    def script(self, *faults: Fault) -> None:
        self.faults.extend(faults)

    async def _call(self, operation: str, request: dict[str, Any]) -> Any:
        self.calls.append((operation, request))
        key = request.get("Key", request.get("Prefix", "")).removeprefix("state/")

        async def call() -> Any:
            return await getattr(self.client, operation)(**request)

        if self.faults and self.faults[0].operation == operation and key.startswith(self.faults[0].key):
            return await self.faults.popleft().befalls(call)
        return await call()

    async def put_object(self, **request: Any) -> Any:
        return await self._call("put_object", request)

    async def get_object(self, **request: Any) -> Any:
        return await self._call("get_object", request)

    async def list_objects_v2(self, **request: Any) -> Any:
        return await self._call("list_objects_v2", {**request, "MaxKeys": self.page})

    async def delete_objects(self, **request: Any) -> Any:
        return await self._call("delete_objects", request)

    def store(self, **options: Any) -> S3SnapshotStore:
        options = {"prefix": "state", "now": lambda: LONG_AGO, "code": "1.0", **options}
        return S3SnapshotStore(self, bucket=self.name, **options)

    async def keys(self) -> set[str]:
        page = await self.client.list_objects_v2(Bucket=self.name)
        return {entry["Key"].removeprefix("state/") for entry in page.get("Contents", ())}

    def puts(self, key: str) -> int:
        return len([None for operation, request in self.calls if operation == "put_object" and key in request["Key"]])


@pytest.fixture
async def s3() -> AsyncIterator[Scripted]:
    async with bucket() as (client, name):
        yield Scripted(client, name)


@pytest.fixture
async def store(s3: Scripted) -> S3SnapshotStore:
    """Has saved once."""
    made = s3.store()
    await made.acquire()
    await made.save({"x": b"1"})
    return made


async def loaded(s3: Scripted) -> Loaded | None:
    assert not s3.faults
    return await s3.store().load()


@pytest.mark.parametrize("key", [CHUNKS, "manifests/", POINTER])
@pytest.mark.parametrize(
    "error",
    [
        pytest.param(refusal("ConditionalRequestConflict", 409), id="conflict"),
        pytest.param(refusal("ServiceUnavailable", 503), id="unavailable"),
        pytest.param(refusal("InternalError", 500), id="internal error"),
        pytest.param(timeout(), id="timeout"),
    ],
)
async def test_a_write_that_fails_for_now_is_worth_another_try(
    s3: Scripted, store: S3SnapshotStore, key: str, error: Exception
) -> None:
    s3.script(Fault("put_object", key, fails(error)))
    with pytest.raises(Retryable):
        await store.save({"x": b"2"})
    assert await loaded(s3) == Loaded(1, {"x": b"1"})
    await store.save({"x": b"3"})
    assert await loaded(s3) == Loaded(2, {"x": b"3"})


@pytest.mark.parametrize("key", [CHUNKS, "manifests/"])
@pytest.mark.parametrize("happens", [is_lost, is_repeated])
async def test_a_chunk_or_manifest_that_is_there_already_is_no_trouble(
    s3: Scripted, store: S3SnapshotStore, key: str, happens: Callable[..., Awaitable[Any]]
) -> None:
    s3.script(Fault("put_object", key, happens))
    try:
        await store.save({"x": b"2"})
    except Retryable:
        await store.save({"x": b"2"})
    assert await loaded(s3) == Loaded(2, {"x": b"2"})


async def test_a_move_of_the_pointer_that_the_client_library_repeated_is_ours(
    s3: Scripted, store: S3SnapshotStore
) -> None:
    s3.script(Fault("put_object", POINTER, is_repeated))
    assert (await store.save({"x": b"2"})).number == 2
    assert await loaded(s3) == Loaded(2, {"x": b"2"})


async def test_a_move_of_the_pointer_whose_answer_was_lost_is_found_by_the_next_save(
    s3: Scripted, store: S3SnapshotStore
) -> None:
    s3.script(Fault("put_object", POINTER, is_lost))
    with pytest.raises(Retryable):
        await store.save({"x": b"2"})
    assert await loaded(s3) == Loaded(2, {"x": b"2"})
    assert (await store.save({"x": b"3"})).number == 3
    assert await loaded(s3) == Loaded(3, {"x": b"3"})


async def test_a_move_of_the_pointer_that_arrives_too_late_is_not_taken_for_another_process(
    s3: Scripted, store: S3SnapshotStore
) -> None:
    late: list[Callable[[], Awaitable[Any]]] = []

    async def is_underway(call: Callable[[], Awaitable[Any]]) -> Any:
        late.append(call)
        raise timeout()

    async def arrive() -> None:
        await late.pop()()

    s3.script(Fault("put_object", POINTER, is_underway))
    with pytest.raises(Retryable):
        await store.save({"x": b"2"})
    # It arrives after the store has looked for it, and before the store writes again.
    s3.script(Fault("put_object", POINTER, comes_after(arrive)))
    assert (await store.save({"x": b"3"})).number == 3
    assert await loaded(s3) == Loaded(3, {"x": b"3"})


async def test_a_move_of_the_pointer_that_was_cancelled_is_looked_for(s3: Scripted, store: S3SnapshotStore) -> None:
    is_there, never = asyncio.Event(), asyncio.Event()

    async def hangs(call: Callable[[], Awaitable[Any]]) -> Any:
        await call()
        is_there.set()
        await never.wait()

    s3.script(Fault("put_object", POINTER, hangs))
    async with asyncio.TaskGroup() as group:
        save = group.create_task(store.save({"x": b"2"}))
        await is_there.wait()
        save.cancel()
    assert (await store.save({"x": b"3"})).number == 3


async def test_who_is_overtaken_in_the_middle_of_a_save_moves_nothing(s3: Scripted, store: S3SnapshotStore) -> None:
    other = s3.store()
    s3.script(Fault("put_object", POINTER, comes_after(other.acquire)))
    with pytest.raises(LeaseLost, match=r"another process has taken s3://.*/state/"):
        await store.save({"x": b"2"})
    assert await loaded(s3) == Loaded(1, {"x": b"1"})


async def test_whose_pointer_was_deleted_has_lost_the_state(s3: Scripted, store: S3SnapshotStore) -> None:
    await s3.client.delete_object(Bucket=s3.name, Key="state/pointer")
    with pytest.raises(LeaseLost):
        await store.save({"x": b"2"})


async def test_an_unknown_outcome_and_another_owner_is_a_lost_state(s3: Scripted, store: S3SnapshotStore) -> None:
    s3.script(Fault("put_object", POINTER, is_lost))
    with pytest.raises(Retryable):
        await store.save({"x": b"2"})
    await s3.store().acquire()
    with pytest.raises(LeaseLost):
        await store.save({"x": b"3"})


async def test_a_newer_version_that_took_the_state_is_another_process(s3: Scripted, store: S3SnapshotStore) -> None:
    line = b'{"kind":"streamer/pointer","format":2,"code":"9.9"}'
    body = line + b"\n" + digest_of(line).encode() + b"\n"
    await s3.client.put_object(Bucket=s3.name, Key="state/pointer", Body=body)
    with pytest.raises(LeaseLost):
        await store.save({"x": b"2"})


@pytest.mark.parametrize("has_saved", [False, True])
async def test_of_two_that_take_the_state_in_the_same_moment_one_is_told(s3: Scripted, has_saved: bool) -> None:
    if has_saved:
        first = s3.store()
        await first.acquire()
        await first.save({"x": b"1"})
    one, other = s3.store(), s3.store()
    s3.script(Fault("put_object", POINTER, comes_after(one.acquire)))
    with pytest.raises(Retryable, match="in the same moment"):
        await other.acquire()
    await one.save({"x": b"2"})


@pytest.mark.parametrize("happens", [is_lost, is_repeated])
async def test_taking_the_state_again_after_a_lost_answer_is_once(
    s3: Scripted, happens: Callable[..., Awaitable[Any]]
) -> None:
    store = s3.store()
    s3.script(Fault("put_object", POINTER, happens))
    try:
        epoch = await store.acquire()
    except Retryable:
        epoch = await store.acquire()
    assert epoch == 1
    await store.save({"x": b"1"})


async def test_looking_whose_the_state_is_does_not_disturb_a_save(s3: Scripted, store: S3SnapshotStore) -> None:
    s3.script(Fault("put_object", POINTER, comes_after(store.verify)))
    assert (await store.save({"x": b"2"})).number == 2
    assert (await store.save({"x": b"3"})).number == 3


async def test_a_look_that_fails_is_worth_another(s3: Scripted, store: S3SnapshotStore) -> None:
    s3.script(Fault("get_object", POINTER, fails(timeout())))
    with pytest.raises(Unavailable):
        await store.verify()
    await store.verify()


async def test_who_lost_the_state_may_take_it_again(s3: Scripted, store: S3SnapshotStore) -> None:
    await s3.store().acquire()
    with pytest.raises(LeaseLost):
        await store.save({"x": b"2"})
    assert await store.acquire() == 3
    assert (await store.save({"x": b"3"})).number == 2


async def test_a_body_cut_short_on_its_way_is_worth_another_try(s3: Scripted, store: S3SnapshotStore) -> None:
    s3.script(Fault("get_object", CHUNKS, reads(lambda data: data[:-1])))
    with pytest.raises(Retryable, match="got 0 bytes of 1"):
        await s3.store().load()
    assert await loaded(s3) == Loaded(1, {"x": b"1"})


async def test_a_connection_that_breaks_in_a_body_is_worth_another_try(s3: Scripted, store: S3SnapshotStore) -> None:
    class Broken(Body):
        async def read(self) -> bytes:
            raise aiohttp.ClientPayloadError("connection lost")

    async def breaks(call: Callable[[], Awaitable[Any]]) -> Any:
        return {"Body": Broken(b"")}

    s3.script(Fault("get_object", CHUNKS, breaks))
    with pytest.raises(Retryable, match="ClientPayloadError"):
        await s3.store().load()


async def test_one_bad_answer_costs_no_generation(s3: Scripted, store: S3SnapshotStore) -> None:
    s3.script(Fault("get_object", CHUNKS, reads(lambda data: b"2")))
    assert await s3.store().load() == Loaded(1, {"x": b"1"})
    assert not s3.faults


async def test_a_network_that_fails_during_a_load_costs_no_generation(s3: Scripted, store: S3SnapshotStore) -> None:
    await store.save({"x": b"2"})
    s3.script(Fault("get_object", CHUNKS, fails(timeout())))
    with pytest.raises(Retryable):
        await s3.store().load()
    assert await loaded(s3) == Loaded(2, {"x": b"2"})


@pytest.mark.parametrize("left", [b"", b"2 ", b"3"])
async def test_what_lies_damaged_in_a_chunks_place_is_replaced(
    s3: Scripted, store: S3SnapshotStore, left: bytes
) -> None:
    await s3.client.put_object(Bucket=s3.name, Key=f"state/{CHUNKS}{digest_of(b'2')}", Body=left)
    await store.save({"x": b"2"})
    assert await loaded(s3) == Loaded(2, {"x": b"2"})


@pytest.mark.parametrize(("now", "puts"), [(LONG_AGO, 1), (MUCH_LATER, 2)])
async def test_a_leftover_is_used_while_it_is_young_and_made_young_when_it_is_old(
    s3: Scripted, now: int, puts: int
) -> None:
    await s3.client.put_object(Bucket=s3.name, Key=f"state/{CHUNKS}{digest_of(b'1')}", Body=b"1")
    store = s3.store(now=lambda: now)
    await store.acquire()
    await store.save({"x": b"1"})
    assert s3.puts(CHUNKS) == puts


async def test_what_nobody_needs_stays_for_an_hour(s3: Scripted) -> None:
    now = itertools.count(LONG_AGO, 3_600_000)
    store = s3.store(now=lambda: next(now))
    await store.acquire()
    for i in range(6):
        await store.save({"x": b"%d" % i})
    assert len(await s3.keys()) == 6 + 6 + 1
    late = s3.store(now=lambda: MUCH_LATER)
    await late.acquire()
    await late.load()
    await late.save({"x": b"6"})
    assert len(await s3.keys()) == 3 + 3 + 1


async def test_garbage_is_looked_for_every_quarter_of_an_hour(s3: Scripted) -> None:
    now = MUCH_LATER
    store = s3.store(now=lambda: now)
    await store.acquire()
    listed = []
    for i in range(5):
        await store.save({"x": b"%d" % i})
        listed.append(len([None for operation, _ in s3.calls if operation == "list_objects_v2"]))
        now += 300_000
    # Chunks and manifests at the first save, then at the fourth; before them, once, for a pointer.
    assert [count - listed[0] for count in listed] == [0, 0, 0, 2, 2]


@pytest.mark.parametrize(
    ("operation", "error", "said"),
    [
        ("list_objects_v2", refusal("SlowDown", 503), "can't list"),
        ("list_objects_v2", refusal("AccessDenied", 403), "can't list"),
        ("delete_objects", refusal("AccessDenied", 403), "can't delete"),
        ("delete_objects", timeout(), "can't delete"),
    ],
)
async def test_garbage_that_can_not_be_deleted_is_told_and_the_snapshot_is_saved(
    s3: Scripted, store: S3SnapshotStore, operation: str, error: Exception, said: str
) -> None:
    for i in range(2, 6):
        await store.save({"x": b"%d" % i})
    late = s3.store(now=lambda: MUCH_LATER)
    await late.acquire()
    s3.script(Fault(operation, "", fails(error)))
    done = await late.save({"x": b"6"})
    assert said in done.uncollected
    assert await loaded(s3) == Loaded(6, {"x": b"6"})


async def test_objects_that_stay_when_they_should_be_deleted_are_counted(s3: Scripted, store: S3SnapshotStore) -> None:
    async def denies(call: Callable[[], Awaitable[Any]]) -> Any:
        return {"Errors": [{"Key": "x", "Code": "AccessDenied"}, {"Key": "y", "Code": "InternalError"}]}

    for i in range(2, 6):
        await store.save({"x": b"%d" % i})
    late = s3.store(now=lambda: MUCH_LATER)
    await late.acquire()
    s3.script(Fault("delete_objects", "", denies))
    assert "can't delete 2 objects" in (await late.save({"x": b"6"})).uncollected


async def test_who_loses_the_state_before_it_clears_up_deletes_nothing(s3: Scripted, store: S3SnapshotStore) -> None:
    for i in range(2, 6):
        await store.save({"x": b"%d" % i})
    late = s3.store(now=lambda: MUCH_LATER)
    await late.acquire()
    s3.script(Fault("list_objects_v2", CHUNKS, comes_after(s3.store().acquire)))
    await late.save({"x": b"6"})
    assert len(await s3.keys()) == 6 + 6 + 1


async def test_more_than_a_page_of_objects_is_listed(s3: Scripted) -> None:
    for i in range(7):
        await s3.client.put_object(Bucket=s3.name, Key=f"state/{CHUNKS}{digest_of(b'%d' % i)}", Body=b"%d" % i)
    s3.page = 2
    store = s3.store(now=lambda: MUCH_LATER)
    await store.acquire()
    await store.save({"x": b"here"})
    assert len(await s3.keys()) == 1 + 1 + 1


async def test_many_objects_are_deleted_some_at_once(s3: Scripted) -> None:
    async def is_not_done(call: Callable[[], Awaitable[Any]]) -> Any:
        return {}

    s3.script(*[Fault("delete_objects", "", is_not_done)] * 3)
    await S3Objects(s3, s3.name, "state").delete([str(i) for i in range(500)])
    assert [len(request["Delete"]["Objects"]) for _, request in s3.calls] == [200, 200, 100]


@pytest.mark.parametrize("prefix", ["", "/", "a", "a/b/", "/a/b"])
async def test_any_prefix_will_do_and_nothing_is_written_beside_it(s3: Scripted, prefix: str) -> None:
    store = s3.store(prefix=prefix)
    await store.acquire()
    await store.save({"x": b"1"})
    assert await s3.store(prefix=prefix).load() == Loaded(1, {"x": b"1"})
    beginning = prefix.strip("/")
    assert all(key.startswith(f"{beginning}/" if beginning else "") and "//" not in key for key in await s3.keys())


async def test_two_prefixes_are_two_states(s3: Scripted, store: S3SnapshotStore) -> None:
    assert await s3.store(prefix="state2").load() is None


async def test_encryption_is_asked_for_with_every_object(s3: Scripted) -> None:
    store = s3.store(encryption="aws:kms", kms_key="alias/state")
    await store.acquire()
    await store.save({"x": b"1"})
    asked = {
        (request.get("ServerSideEncryption"), request.get("SSEKMSKeyId"))
        for operation, request in s3.calls
        if operation == "put_object"
    }
    assert asked == {("aws:kms", "alias/state")}


@pytest.mark.parametrize(
    ("error", "raised"),
    [
        (refusal("AccessDenied", 403), Denied),
        (refusal("NoSuchBucket", 404), Absent),
        (refusal("InvalidAccessKeyId", 403), Denied),
        (refusal("SignatureDoesNotMatch", 403), Denied),
        (refusal("PermanentRedirect", 301), Absent),
        (refusal("InvalidObjectState", 403), StateError),
        (refusal("ExpiredToken", 400), Denied),
        (refusal("RequestTimeTooSkewed", 403), Denied),
        (refusal("RequestTimeout", 400), Unavailable),
        (refusal("SlowDown", 503), Throttled),
        (refusal("TooManyRequests", 429), Throttled),
        (refusal("InternalError", 500), Unavailable),
        (refusal("unheard of", 599), Unavailable),
        (timeout(), Unavailable),
        (ConnectTimeoutError(endpoint_url="https://bucket"), Unavailable),
        (EndpointConnectionError(endpoint_url="https://bucket"), Unavailable),
        (CredentialRetrievalError(provider="container-role", error_msg="no answer"), Denied),
        (aiohttp.ServerDisconnectedError(), Unavailable),
        (ConnectionResetError(), Unavailable),
        (TimeoutError(), Unavailable),
        (NoCredentialsError(), Denied),
        (ParamValidationError(report="a bucket can't be called so"), StateError),
    ],
)
@pytest.mark.parametrize("operation", ["get_object", "put_object"])
async def test_every_foreign_error_becomes_one_of_ours(
    s3: Scripted, store: S3SnapshotStore, operation: str, error: Exception, raised: type[Exception]
) -> None:
    s3.script(Fault(operation, POINTER, fails(error)))
    with pytest.raises(raised, match=f"s3://{s3.name}/state/pointer") as caught:
        await s3.store().acquire()
    assert type(caught.value) is raised


async def test_the_wait_that_s3_asks_for_is_handed_on(s3: Scripted, store: S3SnapshotStore) -> None:
    s3.script(Fault("put_object", POINTER, fails(refusal("SlowDown", 503, {"retry-after": "7"}))))
    with pytest.raises(Retryable) as caught:
        await store.save({"x": b"2"})
    assert caught.value.retry_after_seconds == 7


async def test_of_several_failures_the_one_that_trying_again_does_not_heal_is_told(
    s3: Scripted, store: S3SnapshotStore
) -> None:
    s3.script(
        Fault("put_object", CHUNKS, fails(refusal("SlowDown", 503))),
        Fault("put_object", CHUNKS, fails(refusal("InvalidRequest", 400))),
    )
    with pytest.raises(StateError, match="InvalidRequest"):
        await store.save({"x": b"2", "y": b"3"})


async def test_no_such_bucket_is_told_by_name() -> None:
    async with bucket() as (client, _):
        store = S3SnapshotStore(client, bucket="not-there", now=lambda: LONG_AGO, code="1.0")
        with pytest.raises(Absent, match="can't read s3://not-there/pointer: NoSuchBucket"):
            await store.acquire()
