import struct

import msgspec
import numpy as np
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamer.core.blob import MAGIC, pack, unpack
from streamer.core.errors import StateError

Arrays = dict[str, NDArray[np.generic]]

arrays = st.dictionaries(
    st.text(max_size=5),
    st.tuples(
        st.sampled_from(["<i8", "<u8", "<f8", "<i4", "|u1"]),
        st.sampled_from([(), (0,), (3,), (2, 3), (0, 5), (1, 1, 7)]),
    ).map(lambda how: (np.arange(np.prod(how[1], dtype=np.int64)) * 7).astype(how[0]).reshape(how[1])),
    max_size=4,
)
bodies = st.dictionaries(
    st.text(max_size=5), st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1), st.text(max_size=5))
)


class Body(msgspec.Struct):
    n: int = 0


def sealed(header: bytes, rest: bytes = b"", *, version: int = 1) -> bytes:
    """A blob whose checksum is right, whatever it says."""
    head = struct.pack("<4sHHI", MAGIC, version, 0, len(header)) + header
    whole = head + b"\0" * (-len(head) % 8) + rest
    return whole + xxhash.xxh3_128_digest(whole)


@given(bodies, arrays)
def test_what_is_packed_comes_back(body: dict[str, object], given_arrays: Arrays) -> None:
    data = pack("k/1", body, given_arrays)
    found, back = unpack("k/1", dict[str, object], data)
    assert found == body
    assert list(back) == list(given_arrays)
    for name, array in given_arrays.items():
        assert back[name].dtype == array.dtype
        assert back[name].shape == array.shape
        assert np.array_equal(back[name], array)


@given(bodies, arrays)
def test_equal_input_gives_equal_bytes(body: dict[str, object], given_arrays: Arrays) -> None:
    copies = {name: array.copy() for name, array in given_arrays.items()}
    assert pack("k/1", body, given_arrays) == pack("k/1", dict(body), copies)


def test_arrays_come_back_as_copies_that_may_be_changed() -> None:
    _, back = unpack("k/1", Body, pack("k/1", Body(), {"a": np.zeros(3)}))
    back["a"][0] = 1.0
    assert back["a"].tolist() == [1.0, 0.0, 0.0]


def test_an_array_that_is_not_contiguous_is_packed_by_its_values() -> None:
    turned = np.arange(6, dtype=np.int64).reshape(2, 3).T
    _, back = unpack("k/1", Body, pack("k/1", Body(), {"a": turned}))
    assert np.array_equal(back["a"], turned)


@given(st.data())
def test_any_flipped_byte_is_refused(data: st.DataObject) -> None:
    blob = bytearray(pack("k/1", Body(5), {"a": np.arange(4)}))
    blob[data.draw(st.integers(0, len(blob) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(StateError):
        unpack("k/1", Body, bytes(blob))


def test_a_blob_cut_anywhere_is_refused() -> None:
    blob = pack("k/1", Body(5), {"a": np.arange(4)})
    for length in range(len(blob)):
        with pytest.raises(StateError):
            unpack("k/1", Body, blob[:length])


@given(st.binary(max_size=80))
def test_foreign_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(StateError):
        unpack("k/1", Body, MAGIC + data)


HEADER = b'{"kind":"k/1","arrays":%s,"body":%s}'


@pytest.mark.parametrize(
    ("blob", "words"),
    [
        (sealed(HEADER % (b"[]", b"{}"), version=2), "version 2"),
        (sealed(b"no json"), "fields"),
        (sealed(b"\xff"), "fields"),
        (sealed(HEADER % (b"[]", b'{"n":"x"}')), "fields"),
        (sealed(HEADER % (b"[]", b"[" * 5_000 + b"]" * 5_000)), "fields"),
        (sealed(HEADER.replace(b"k/1", b"k/2") % (b"[]", b"{}")), "'k/2'"),
        (sealed(HEADER % (b'[{"name":"a","dtype":"|O8","shape":[1]}]', b"{}"), b"\0" * 8), "dtype"),
        (sealed(HEADER % (b'[{"name":"a","dtype":"<i8","shape":[9]}]', b"{}"), b"\0" * 8), "lacks bytes"),
        (sealed(HEADER % (b'[{"name":"a","dtype":"<i8","shape":[-1]}]', b"{}"), b"\0" * 8), "lacks bytes"),
        (sealed(HEADER % (b'[{"name":"a","dtype":"<i8","shape":[-1,-1]}]', b"{}"), b"\0" * 8), "lacks bytes"),
        (sealed(HEADER % (b'[{"name":"a","dtype":"<i8","shape":[4294967296,4294967296]}]', b"{}")), "lacks bytes"),
    ],
)
def test_a_blob_that_lies_about_itself_is_refused_in_words(blob: bytes, words: str) -> None:
    with pytest.raises(StateError, match=words):
        unpack("k/1", Body, blob)


@pytest.mark.parametrize("array", [np.zeros(2, ">i8"), np.zeros(2, object), np.zeros(2, np.bool_)])
def test_a_dtype_that_is_not_portable_is_refused(array: NDArray[np.generic]) -> None:
    with pytest.raises(StateError, match="dtype"):
        pack("k/1", Body(), {"a": array})
