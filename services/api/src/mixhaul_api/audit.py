"""Records who saw whose data.

Changes are recorded by their own transactions and can't be lost. Views are gathered here and written a few times a
second, all of them together: a process that is killed loses those of the last moments, at most half a second while the
database answers; one that is stopped loses none. While they can't be written they wait, and when too many wait nothing
about drivers is shown any more: what can't be recorded is not seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Final

import structlog

from mixhaul_api import metrics
from mixhaul_api import problems as known
from mixhaul_api.problems import Problem
from mixhaul_api.queries import audit as queries
from mixhaul_api.queries.audit import Entry
from mixhaul_runtime.clock import Clock
from mixhaul_store.database import Database
from mixhaul_store.errors import StoreError

log = structlog.get_logger("mixhaul_api.audit")

VIEWED: Final = "driver.viewed"
_MOST_WAITING: Final = 20_000
_WRITE_SECONDS: Final = 0.5
_AT_ONCE: Final = 1000
_LAST_TRIES: Final = 3


@dataclass(frozen=True, slots=True)
class View:
    """Whose data an answer shows to whom. Of views that are alike in all of it, one entry tells how many there were."""

    organisation_id: int
    actor: str
    action: str
    route: str
    drivers: frozenset[int]
    items: int | None = None
    searched: bool = False
    unchanged: bool = False


@dataclass(slots=True)
class _Seen:
    request_id: str
    at: datetime
    times: int = 0


@dataclass(slots=True)
class Audit:
    """What waits to be written. `keep` writes it, `finish` the rest of it at the end."""

    database: Database
    clock: Clock
    _waiting: dict[View, _Seen] = field(default_factory=dict)

    def admit(self) -> None:
        """Raise where no more views can be taken note of."""
        if len(self._waiting) >= _MOST_WAITING:
            raise Problem(known.UNAVAILABLE, "Views can't be recorded now, so nothing is shown.", headers=known.RETRY)

    def viewed(self, view: View, *, request_id: str) -> None:
        """Take note of a view."""
        seen = self._waiting.get(view)
        if seen is None:
            seen = self._waiting[view] = _Seen(request_id, self.clock.now())
        seen.times += 1

    async def keep(self) -> None:
        """Write until cancelled."""
        while True:
            await self.clock.sleep(_WRITE_SECONDS)
            try:
                await self.write()
            except Exception as error:  # noqa: BLE001  (the edge of a loop)
                metrics.AUDITED.labels("delayed").inc()
                log.warning("views can't be recorded yet", error=type(error).__name__, waiting=len(self._waiting))

    async def write(self) -> None:
        """Write all that waits. What could not be written goes on waiting."""
        while self._waiting:
            taken = dict(islice(self._waiting.items(), _AT_ONCE))
            for view in taken:
                del self._waiting[view]
            try:
                async with self.database.connection() as connection:
                    await queries.append(connection, [_entry(view, seen) for view, seen in taken.items()])
            except BaseException:
                self._put_back(taken)
                raise
            metrics.AUDITED.labels("written").inc(sum(seen.times for seen in taken.values()))

    async def finish(self) -> None:
        """Write the rest; what a database that is away does not take by now is lost, and the log says so."""
        for _ in range(_LAST_TRIES):
            try:
                return await self.write()
            except StoreError as error:
                log.warning("views can't be recorded yet", error=type(error).__name__, waiting=len(self._waiting))
        lost = sum(seen.times for seen in self._waiting.values())
        metrics.AUDITED.labels("lost").inc(lost)
        log.error("views were not recorded", lost=lost)
        return None

    def _put_back(self, taken: Mapping[View, _Seen]) -> None:
        for view, seen in taken.items():
            later = self._waiting.get(view)
            if later is not None:
                seen.times += later.times
            self._waiting[view] = seen


def _entry(view: View, seen: _Seen) -> Entry:
    details: dict[str, object] = {}
    if view.items is not None:
        details["items"] = view.items
    if view.searched:
        details["searched"] = True
    if view.unchanged:
        details["unchanged"] = True
    if seen.times > 1:
        details["times"] = seen.times
    return Entry(
        organisation_id=view.organisation_id,
        actor=view.actor,
        action=view.action,
        route=view.route,
        request_id=seen.request_id,
        subject_ids=tuple(sorted(view.drivers)),
        details=details or None,
        at=seen.at,
    )
