"""Cursors: where a list goes on, as an opaque text that survives new data arriving.

A cursor holds the sort key of the last row, so rows that come or go elsewhere never shift a page. It is bound to the
list and its filters by a digest, and checked for damage; it is no secret and no permission: each query still asks
for the organisations of its token. It does not guarantee a snapshot: a row whose key changes may be met twice or not.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from typing import Final

import orjson

from mixhaul_api.ids import HIGHEST, LOWEST
from mixhaul_api.problems import INVALID_CURSOR, FieldError, Problem

LONGEST: Final = 2048
_CHECK_BYTES: Final = 8
_VERSION: Final = 1

Value = str | int


def encode(values: Sequence[Value], *, of: str) -> str:
    """The cursor behind the row with these sort keys. `of` is `fingerprint` of the list."""
    payload = orjson.dumps([_VERSION, of, *values])
    return base64.urlsafe_b64encode(_check(payload) + payload).decode("ascii").rstrip("=")


def decode(text: str, *, of: str, types: Sequence[type[Value]]) -> tuple[Value, ...]:
    """The sort keys in a cursor that `encode` made for the same list; a `Problem` for anything else."""
    payload = _payload(text)
    try:
        version, made_for, *values = orjson.loads(payload)
    except (orjson.JSONDecodeError, ValueError, TypeError) as error:
        raise _refused("is not one that this API gave") from error
    if version != _VERSION:
        raise _refused("is of another version of this API: begin again without it")
    if made_for != of:
        raise _refused("belongs to a list with other filters: begin again without it")
    if len(values) != len(types) or not all(map(_fits, values, types)):
        raise _refused("is not one that this API gave")
    return tuple(values)


def fingerprint(operation: str, filters: Mapping[str, object]) -> str:
    """A short digest of the list and the filters that a cursor belongs to."""
    canonical = orjson.dumps([operation, filters], default=str, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(canonical, digest_size=9, person=b"mixhaul-filters"[:16]).hexdigest()


def _payload(text: str) -> bytes:
    if len(text) > LONGEST or not text.isascii():
        raise _refused("is not one that this API gave")
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise _refused("is not one that this API gave") from error
    check, payload = raw[:_CHECK_BYTES], raw[_CHECK_BYTES:]
    if not payload or check != _check(payload):
        raise _refused("is damaged: use nextCursor of the answer as it is")
    return payload


def _check(payload: bytes) -> bytes:
    return hashlib.blake2b(payload, digest_size=_CHECK_BYTES, person=b"mixhaul-cursor").digest()


def _fits(value: object, wanted: type[Value]) -> bool:
    if type(value) is not wanted:
        return False
    if isinstance(value, int):
        return LOWEST <= value <= HIGHEST
    return "\0" not in str(value)


def _refused(message: str) -> Problem:
    return Problem(
        INVALID_CURSOR,
        f"The cursor {message}.",
        errors=[FieldError(location="query", name="cursor", message=message)],
    )
