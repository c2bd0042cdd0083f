"""Which MixSources there are to haul: a fixed set standalone, one that changes in a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mixhaul_source.manifest import Source
from mixhaul_source.model import Retention, Sync


@dataclass(frozen=True, slots=True)
class Wanted:
    """The sources that can be hauled, and those that wait, with what they wait for; both by key."""

    sources: Mapping[str, Source] = field(default_factory=dict)
    waiting: Mapping[str, Exception] = field(default_factory=dict)


class SourceSet(Protocol):
    """Tells what is wanted, now and whenever that changes."""

    async def after(self, seen: Wanted | None) -> Wanted:
        """What is wanted, as soon as it is known and is not `seen`."""


class FixedSources:
    """Those of a manifest."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._wanted = Wanted(sources={source.key: source for source in sources})

    async def after(self, seen: Wanted | None) -> Wanted:
        """At once the first time, never again."""
        if seen is not None:
            await asyncio.Event().wait()
        return self._wanted


def streams_alike(one: Source, other: Source) -> bool:
    """Whether the feeds may go on undisturbed: what differs, if anything, is no concern of theirs."""
    return _stream_part(one) == _stream_part(other)


def _stream_part(source: Source) -> tuple[object, ...]:
    spec = source.spec.model_copy(update={"sync": Sync(), "retention": Retention(), "deletion_policy": "Retain"})
    return source.key, source.uid, spec, source.credentials, source.ca_file
