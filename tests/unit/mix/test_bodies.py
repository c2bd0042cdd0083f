"""Content decoding: whole, bounded, and never more in memory than the bound."""

from __future__ import annotations

import gzip
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mixhaul_mix.bodies import BodyBroken, BodyReader, BodyTooLarge


def read(encoding: str, *chunks: bytes, limit: int = 1000) -> bytes:
    reader = BodyReader(encoding, limit=limit)
    for chunk in chunks:
        reader.feed(chunk)
    return reader.whole()


@pytest.mark.parametrize("encoding", ["", "identity"])
def test_a_plain_body_stays_as_it_is(encoding: str) -> None:
    assert read(encoding, b"\xef\xbb\xbf[", b"]") == b"\xef\xbb\xbf[]"


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=3), st.integers(1, 50))
def test_gzip_in_any_pieces_and_members(members: list[bytes], size: int) -> None:
    packed = b"".join(gzip.compress(member) for member in members)
    assert read("gzip", *(packed[at : at + size] for at in range(0, len(packed), size))) == b"".join(members)


@given(st.data())
def test_gzip_that_ends_early_is_noticed(data: st.DataObject) -> None:
    packed = gzip.compress(b"[1,2,3]" * 20)
    cut = data.draw(st.integers(1, len(packed) - 1))
    with pytest.raises(BodyBroken):
        read("gzip", packed[:cut])


def test_gzip_with_a_flipped_bit_is_noticed() -> None:
    packed = bytearray(gzip.compress(b"[1,2,3]" * 20))
    packed[-6] ^= 1  # the checksum
    with pytest.raises(BodyBroken):
        read("gzip", bytes(packed))


def test_garbage_after_gzip_is_noticed() -> None:
    with pytest.raises(BodyBroken):
        read("gzip", gzip.compress(b"[]") + b"garbage")


def test_an_empty_body_needs_no_gzip() -> None:
    assert read("gzip") == b""


@pytest.mark.parametrize("encoding", ["br", "zstd", "deflate", "gzip, gzip"])
def test_an_encoding_that_was_not_asked_for_is_refused(encoding: str) -> None:
    with pytest.raises(BodyBroken):
        read(encoding, b"x")


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_the_bound_is_exact(encoding: str) -> None:
    fits, too_much = b"x" * 1000, b"x" * 1001
    pack = gzip.compress if encoding else bytes
    assert read(encoding, pack(fits)) == fits
    with pytest.raises(BodyTooLarge):
        read(encoding, pack(too_much))


def test_a_bomb_is_stopped_before_it_fills_memory() -> None:
    bomb = gzip.compress(bytes(48 * 1024 * 1024), compresslevel=9)
    tracemalloc.start()
    with pytest.raises(BodyTooLarge):
        read("gzip", bomb, limit=1024 * 1024)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * 1024 * 1024
