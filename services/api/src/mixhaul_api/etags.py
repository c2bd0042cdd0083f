"""Entity tags: which answer this is, from the watermarks and the question, without asking the database.

Weak ones, because `freshness` differs between answers that otherwise say the same, and so do compressed bodies.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Final

import orjson

from mixhaul_api.auth.callers import Caller
from mixhaul_api.freshness import Progress
from mixhaul_api.watermarks import Known
from mixhaul_runtime.metrics import package_version

# Every offset of a time zone is a multiple of it, so that a day begins with one everywhere.
_QUARTER: Final = timedelta(minutes=15)


def question(operation: str, path: str, query: str, accept: str, caller: Caller) -> bytes:
    """What was asked, and what its caller may see: answers to the same question are the same."""
    rights = (
        sorted(caller.organisations),
        sorted(caller.permissions),
        None if caller.sites is None else sorted(map(str, caller.sites)),
    )
    return _digest([package_version(), operation, path, query, accept, rights])


def etag(question: bytes, known: Known, *, moment: datetime | None) -> str:
    """The tag of the answer. With `moment` it changes with the feeds' progress and every quarter of an hour too."""
    parts: list[object] = [question.hex(), known.since, known.marks]
    if moment is not None:
        parts.append(int(moment.timestamp() // _QUARTER.total_seconds()))
        parts += [_progress(known.progress[one]) for one, _ in known.marks if one in known.progress]
    return f'W/"{_digest(parts).hex()}"'


def matches(header: str | None, tag: str) -> bool:
    """Whether `If-None-Match` names this tag; `*` names none, which is always a safe answer."""
    if not header:
        return False
    bare = tag.removeprefix("W/")
    return any(one.strip().removeprefix("W/") == bare for one in header.split(","))


def _progress(one: Progress) -> list[object]:
    return [one.organisation_id, one.token, one.has_more, one.caught_up_at, one.gaps, one.gap_count, one.synced_at]


def _digest(parts: object) -> bytes:
    return hashlib.blake2b(orjson.dumps(parts), digest_size=16, person=b"mixhaul-answer").digest()
