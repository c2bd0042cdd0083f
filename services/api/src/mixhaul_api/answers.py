"""Answers that are kept in memory while nothing has changed: bounded by their bytes, the least used go first.

An answer is kept without its `freshness`, which is written anew each time it is given. Nothing here knows whether an
answer is still right: `etags` does, and the caller compares.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from mixhaul_api.directory import Scope
from mixhaul_api.freshness import described
from mixhaul_api.representation import JSON, Representation
from mixhaul_api.watermarks import Known

_OVERHEAD: Final = 1000
_LARGEST_SHARE: Final = 8


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer, and what it takes to give it again.

    `whole` is all that its caller might see then, `scope` the part of it that was asked, `views` whose data it shows,
    and `fresh` the organisations of its freshness in their order.
    """

    tag: str
    whole: Scope
    scope: Scope
    content_type: str
    body: bytes
    headers: Mapping[str, str]
    views: Mapping[int, frozenset[int]]
    searched: bool
    fresh: tuple[int, ...] | None = None
    items: int | None = None

    @property
    def size(self) -> int:
        return len(self.body) + _OVERHEAD + 64 * sum(map(len, self.views.values()))

    def text(self, known: Known) -> bytes:
        """The body to send."""
        if self.fresh is None:
            return self.body
        freshness = [described(known.progress[one], self.scope) for one in self.fresh if one in known.progress]
        return self.body[:-1] + b',"freshness":' + orjson.dumps(freshness) + b"}"


def kept(
    answer: Mapping[str, Any] | Representation,
    *,
    tag: str,
    whole: Scope,
    scope: Scope,
    views: Mapping[int, frozenset[int]],
    searched: bool = False,
) -> Kept | None:
    """How to keep an answer; None where that can't be done: a stream."""
    if isinstance(answer, Representation):
        if not isinstance(answer.body, bytes):
            return None
        return Kept(tag, whole, scope, answer.content_type, answer.body, dict(answer.headers), views, searched)
    fresh = None
    rest = dict(answer)
    if isinstance(answer.get("freshness"), list):
        by_public_id = {one.public_id: one.id for one in scope.organisations}
        fresh = tuple(by_public_id[one["organisationId"]] for one in rest.pop("freshness"))
    items = rest.get("items")
    count = len(items) if isinstance(items, list) else None
    return Kept(tag, whole, scope, JSON, orjson.dumps(rest), {}, views, searched, fresh, count)


@dataclass(slots=True)
class Answers:
    """What is kept, by question."""

    most_bytes: int
    size: int = 0
    _kept: OrderedDict[bytes, Kept] = field(default_factory=OrderedDict)

    def find(self, question: bytes) -> Kept | None:
        found = self._kept.get(question)
        if found is not None:
            self._kept.move_to_end(question)
        return found

    def keep(self, question: bytes, answer: Kept) -> None:
        """Keep it, unless it is so large that it would push out all others."""
        self.forget(question)
        if answer.size * _LARGEST_SHARE > self.most_bytes:
            return
        self._kept[question] = answer
        self.size += answer.size
        while self.size > self.most_bytes:
            self.size -= self._kept.popitem(last=False)[1].size

    def forget(self, question: bytes) -> None:
        gone = self._kept.pop(question, None)
        if gone is not None:
            self.size -= gone.size
