from collections.abc import Mapping

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.core.errors import StateError
from streamer.core.manifest import (
    FORMAT,
    KEPT,
    Damaged,
    Generation,
    Manifest,
    Pointer,
    Reading,
    Recovered,
    changed,
    decode_manifest,
    decode_pointer,
    digest_of,
    encode_manifest,
    encode_pointer,
    found_pointer,
    garbage,
    is_whole,
    manifest_of,
    rebuilt,
    recover,
)

snapshots = st.dictionaries(st.text(max_size=8), st.binary(max_size=8), max_size=5)
counts = st.integers(0, 2**62)


def manifest(chunks: Mapping[str, bytes], number: int = 1, epoch: int = 1) -> Manifest:
    return manifest_of(chunks, number=number, epoch=epoch, code="1.0")


def generation(number: int, epoch: int = 1) -> Generation:
    return encode_manifest(manifest({"x": b"%d" % number}, number, epoch))[0]


def pointer(*numbers: int) -> Pointer:
    generations = tuple(generation(number) for number in numbers)
    return Pointer(code="1.0", owner="me", epoch=1, number=max(numbers, default=0), generations=generations)


def sealed(fields: object) -> bytes:
    line = msgspec.json.encode(fields)
    return line + b"\n" + digest_of(line).encode() + b"\n"


def saved(objects: dict[str, bytes], chunks: Mapping[str, bytes], number: int) -> Generation:
    made = manifest(chunks, number)
    named, data = encode_manifest(made)
    objects[named.key] = data
    objects.update({entry.key: chunks[entry.name] for entry in made.chunks})
    return named


def read(objects: Mapping[str, bytes], reading: Reading) -> Recovered | None:
    try:
        wanted = next(reading, None)
        while wanted is not None:
            wanted = reading.send({key: objects.get(key, "is missing") for key in wanted})
    except StopIteration as end:
        found: Recovered = end.value
        return found
    return None


@given(chunks=snapshots)
def test_equal_chunks_give_equal_manifests_in_whatever_order_they_come(chunks: dict[str, bytes]) -> None:
    turned = dict(reversed(chunks.items()))
    assert encode_manifest(manifest(chunks)) == encode_manifest(manifest(turned))


@given(chunks=snapshots, data=st.data())
def test_a_manifest_is_the_same_whether_unchanged_chunks_are_hashed_again_or_not(
    chunks: dict[str, bytes], data: st.DataObject
) -> None:
    same = data.draw(st.sets(st.sampled_from(sorted(chunks)))) if chunks else set()
    due = {name: chunks[name] for name in chunks if name not in same}
    found = manifest_of(due, number=2, epoch=1, code="1.0", before=manifest(chunks), unchanged=same)
    assert found == manifest(chunks, 2)


def test_a_chunk_can_not_be_unchanged_where_it_never_was() -> None:
    with pytest.raises(StateError, match="chunk 'y' is said to be unchanged"):
        manifest_of({}, number=2, epoch=1, code="1.0", before=manifest({"x": b"1"}), unchanged=["x", "y"])


@given(chunks=snapshots, number=counts, epoch=counts)
def test_a_manifest_comes_back_as_it_was(chunks: dict[str, bytes], number: int, epoch: int) -> None:
    made = manifest(chunks, number, epoch)
    assert decode_manifest(*encode_manifest(made)) == made


@given(chunks=snapshots, number=counts, epoch=counts)
def test_a_generation_is_known_by_its_key(chunks: dict[str, bytes], number: int, epoch: int) -> None:
    named, _ = encode_manifest(manifest(chunks, number, epoch))
    assert rebuilt([named.key]).generations == (named,)


@given(data=st.data())
def test_a_changed_byte_in_a_manifest_is_found(data: st.DataObject) -> None:
    named, whole = encode_manifest(manifest({"x": b"1"}))
    i = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(Damaged, match="checksum"):
        decode_manifest(named, whole[:i] + bytes([whole[i] ^ 1]) + whole[i + 1 :])


def test_a_manifest_under_another_number_is_not_taken_for_it() -> None:
    _, data = encode_manifest(manifest({"x": b"1"}, number=1))
    with pytest.raises(Damaged, match="another snapshot's"):
        decode_manifest(Generation(epoch=1, number=2, digest=digest_of(data)), data)


def test_a_manifest_that_is_not_there_is_damage_with_its_reason() -> None:
    with pytest.raises(Damaged, match="its manifest is missing"):
        decode_manifest(generation(1), "is missing")


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"name": "x", "digest": "../../etc/passwd", "size": 1}, id="a path"),
        pytest.param({"name": "x", "digest": "0" * 64 + "\n", "size": 1}, id="a line end"),
        pytest.param({"name": "x", "digest": "0" * 64, "size": -1}, id="a size below nothing"),
        pytest.param({"name": 7, "digest": "0" * 64, "size": 1}, id="a name that is no text"),
    ],
)
def test_a_manifest_with_an_impossible_chunk_is_damaged(fields: dict[str, object]) -> None:
    body = {"kind": "streamer/manifest", "format": 1, "code": "1", "number": 1, "epoch": 1, "chunks": [fields]}
    data = msgspec.json.encode(body)
    with pytest.raises(Damaged, match="foreign"):
        decode_manifest(Generation(epoch=1, number=1, digest=digest_of(data)), data)


def test_a_manifest_of_a_newer_format_is_refused_in_words() -> None:
    data = msgspec.json.encode({"kind": "streamer/manifest", "format": FORMAT + 1, "code": "9.9"})
    with pytest.raises(StateError, match=r"newer version, 9\.9"):
        decode_manifest(Generation(epoch=1, number=1, digest=digest_of(data)), data)


@given(numbers=st.lists(st.integers(0, 2**40), max_size=4))
def test_a_pointer_comes_back_as_it_was(numbers: list[int]) -> None:
    assert decode_pointer(encode_pointer(pointer(*numbers))) == pointer(*numbers)


@given(data=st.data())
def test_a_changed_byte_in_a_pointer_is_found(data: st.DataObject) -> None:
    whole = encode_pointer(pointer(2, 1))
    i = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(Damaged):
        decode_pointer(whole[:i] + bytes([whole[i] ^ data.draw(st.integers(1, 255))]) + whole[i + 1 :])


@given(length=st.integers(0, len(encode_pointer(pointer(2, 1))) - 1))
def test_a_pointer_cut_short_is_found(length: int) -> None:
    with pytest.raises(Damaged):
        decode_pointer(encode_pointer(pointer(2, 1))[:length])


def test_a_pointer_of_a_newer_format_is_refused_in_words() -> None:
    with pytest.raises(StateError, match=r"newer version, 9\.9: the pointer has format 2, this version reads up to 1"):
        decode_pointer(sealed({"kind": "streamer/pointer", "format": 2, "code": "9.9", "shape": "unknown"}))


def test_a_pointer_of_another_program_is_damaged() -> None:
    with pytest.raises(Damaged, match="foreign"):
        decode_pointer(sealed({"kind": "other/pointer", "format": 1}))


def test_two_processes_that_take_one_state_write_different_pointers() -> None:
    assert encode_pointer(pointer(1).taken("a", "1.0")) != encode_pointer(pointer(1).taken("b", "1.0"))


def test_the_epoch_grows_with_each_owner() -> None:
    assert pointer(1).taken("a", "1.0").taken("b", "1.0").epoch == 3


def test_the_last_three_snapshots_are_kept() -> None:
    before = pointer(4, 3, 2)
    after = before.moved(generation(5), before.generations)
    assert [kept.number for kept in after.generations] == [5, 4, 3]
    assert len(after.generations) == KEPT


def test_a_snapshot_found_damaged_leaves_with_the_next_save() -> None:
    before = pointer(4, 3, 2)
    after = before.moved(generation(5), before.generations[1:])
    assert [kept.number for kept in after.generations] == [5, 3, 2]


def test_a_chunk_that_stayed_the_same_is_not_due() -> None:
    before = manifest({"x": b"1", "y": b"2"})
    due = changed(manifest({"x": b"1", "y": b"3"}, 2), before)
    assert [entry.name for entry in due.values()] == ["y"]


def test_chunks_of_equal_bytes_are_due_once() -> None:
    assert len(changed(manifest({"x": b"1", "y": b"1"}), None)) == 1


def test_every_chunk_is_due_where_nothing_was_saved() -> None:
    assert len(changed(manifest({"x": b"1", "y": b"2"}), None)) == 2


@given(
    kept=st.lists(snapshots, max_size=3), gone=st.lists(snapshots, max_size=3), foreign=st.lists(st.text(), max_size=3)
)
def test_garbage_is_all_that_no_kept_snapshot_needs_and_nothing_foreign(
    kept: list[dict[str, bytes]], gone: list[dict[str, bytes]], foreign: list[str]
) -> None:
    needed: dict[str, bytes] = {}
    generations = [saved(needed, chunks, 10 + i) for i, chunks in enumerate(kept)]
    there = dict(needed)
    for i, chunks in enumerate(gone):
        saved(there, chunks, i)
    manifests = [manifest(chunks, 10 + i) for i, chunks in enumerate(kept)]
    assert set(garbage([*there, *foreign], generations, manifests)) == set(there) - set(needed)


@pytest.mark.parametrize("key", ["pointer", "lock", "chunks/", "chunks/notes.txt", "manifests/old.json", "chunks/../x"])
def test_what_a_store_does_not_know_is_no_garbage(key: str) -> None:
    assert garbage([key], [], []) == []


def test_a_lost_pointer_is_rebuilt_with_the_latest_owner_first() -> None:
    made = [generation(7, epoch=1), generation(6, epoch=2), generation(5, epoch=1)]
    found = rebuilt([*(one.key for one in made), "manifests/notes.txt"])
    assert [(one.epoch, one.number) for one in found.generations] == [(2, 6), (1, 7), (1, 5)]
    assert (found.epoch, found.number) == (2, 7)


def test_a_whole_pointer_needs_no_listing() -> None:
    def unwanted() -> list[str]:
        raise AssertionError("listed")

    assert found_pointer(encode_pointer(pointer(1)), unwanted) == (pointer(1), "")


def test_no_pointer_and_no_manifest_is_a_new_state() -> None:
    assert found_pointer(None, lambda: []) == (Pointer(), "")


def test_manifests_without_a_pointer_are_an_old_state() -> None:
    found, trouble = found_pointer(None, lambda: [generation(3).key])
    assert (found.generations, trouble) == ((generation(3),), "the pointer is missing")


def test_a_damaged_pointer_without_manifests_is_not_a_new_state() -> None:
    with pytest.raises(StateError, match="the pointer is damaged"):
        found_pointer(b"rubbish", lambda: [])


def test_a_key_stands_for_its_bytes_only() -> None:
    (entry,) = manifest({"x": b"1"}).chunks
    named, data = encode_manifest(manifest({"x": b"1"}))
    assert is_whole(entry.key, b"1")
    assert is_whole(named.key, data)
    assert not is_whole(entry.key, b"2")


def test_the_newest_snapshot_is_recovered_when_it_is_whole() -> None:
    objects: dict[str, bytes] = {}
    old, new = saved(objects, {"x": b"1"}, 1), saved(objects, {"x": b"2", "": b""}, 2)
    found = read(objects, recover(Pointer(generations=(new, old)), ""))
    assert found is not None
    assert found.loaded.chunks == {"x": b"2", "": b""}
    assert found.loaded.fell_back == ()
    assert found.generations == (new, old)


def test_recovery_falls_back_past_every_broken_snapshot_and_says_why() -> None:
    objects: dict[str, bytes] = {}
    old, middle, new = (saved(objects, {"flight": b"%d" % i}, i) for i in (1, 2, 3))
    del objects[new.key]
    (entry,) = manifest({"flight": b"2"}).chunks
    objects[entry.key] = b"two"
    found = read(objects, recover(Pointer(generations=(new, middle, old)), "the pointer is missing"))
    assert found is not None
    assert found.loaded.number == 1
    assert found.loaded.fell_back == (
        "the pointer is missing",
        "snapshot 3: its manifest is missing",
        "snapshot 2: chunk 'flight' has 3 bytes, expected 1",
    )
    assert found.generations == (old,)


def test_recovery_of_nothing_is_none() -> None:
    assert read({}, recover(Pointer(), "")) is None


def test_recovery_with_nothing_whole_left_is_an_error_that_tells_all() -> None:
    with pytest.raises(StateError, match=r"no snapshot is whole: snapshot 2: .*; snapshot 1: its manifest is missing"):
        read({}, recover(pointer(2, 1), ""))
