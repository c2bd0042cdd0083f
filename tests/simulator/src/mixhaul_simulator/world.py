"""Everything that exists: the clock, the organisations, and the switches that the control port turns."""

from __future__ import annotations

from random import Random
from typing import Final

from mixhaul_simulator import otherfeeds, support, vocabulary
from mixhaul_simulator.clock import MovableClock
from mixhaul_simulator.errors import BadRequest
from mixhaul_simulator.eventmaker import EventMaker
from mixhaul_simulator.faults import Faults
from mixhaul_simulator.feedlog import FeedLog
from mixhaul_simulator.ids import Ids, mixed
from mixhaul_simulator.organisation import Organisation, Pace, live_pace, quiet_pace
from mixhaul_simulator.settings import Settings
from mixhaul_simulator.state import StateFile
from mixhaul_simulator.times import DAY

_GROUP_BASE: Final = 1 << 56


class World:
    """The organisations by id. `advance` is called before anything is answered, so nothing lags behind the clock."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: MovableClock,
        faults: Faults,
        start_ms: int,
        state: StateFile | None = None,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.faults = faults
        self.start_ms = start_ms
        self._state = state
        self.organisations: dict[int, Organisation] = {}
        self.events_per_minute = settings.events_per_minute
        self._by_group: dict[int, Organisation] = {}
        self._by_entity: dict[int, Organisation] = {}
        self._others: dict[tuple[int, str], otherfeeds.OtherFeed] = {}
        for number in range(settings.organisations):
            self._found(number, name=None, history_ms=int(settings.history_days * DAY), start_ms=start_ms)

    # Time

    def now_ms(self) -> int:
        """The clock's time, with everything made that is due by then."""
        now = self.clock.now_ms()
        self.advance(now)
        return now

    def advance(self, now_ms: int) -> None:
        if not self.settings.endless:
            for organisation in self.organisations.values():
                organisation.advance(now_ms)

    def move_clock(self, to_ms: int) -> None:
        """Put the clock. What a jump forward skips is filled as a quiet fleet would fill it."""
        before = self.now_ms()
        self.clock.set(to_ms)
        if to_ms > before:
            for organisation in self.organisations.values():
                organisation.jump(to_ms)
        self.advance(to_ms)

    # Organisations

    def add(self, *, name: str | None) -> Organisation:
        """One more, without a past."""
        return self._found(len(self.organisations), name=name, history_ms=0, start_ms=self.now_ms())

    def organisation(self, group_id: int) -> Organisation:
        """For the control port: by id, or a sentence."""
        try:
            return self.organisations[group_id]
        except KeyError:
            known = ", ".join(str(known) for known in self.organisations)
            raise BadRequest(f"there is no organisation {group_id}; there are: {known}") from None

    def owner_of_group(self, group_id: int) -> Organisation | None:
        """The organisation of a group: itself, or the one whose tree holds it."""
        return self._by_group.get(group_id)

    def owner_of_entity(self, entity_id: int) -> Organisation | None:
        """The organisation of a group, vehicle or driver."""
        return self._by_group.get(entity_id) or self._by_entity.get(entity_id)

    def other_log(self, organisation: Organisation, kind: str) -> FeedLog:
        """The log of another feed, made when it is first asked for."""
        feed = self._others.get((organisation.group_id, kind))
        if feed is None:
            ids = Ids(seed=self.settings.seed, organisation=2**20 + len(self._others))
            feed = otherfeeds.OtherFeed(
                kind=kind,
                seed=f"{self.settings.seed} {organisation.group_id}",
                ids=ids,
                maker_of=lambda random: EventMaker(
                    random=random, ids=ids, support=organisation.support, ghosts=(ids.take(),)
                ),
                since_ms=otherfeeds.oldest(self.start_ms, int(self.settings.history_days * DAY)),
            )
            self._others[organisation.group_id, kind] = feed
        feed.advance(self.clock.now_ms())
        return feed.log

    # Pace

    def set_events_per_minute(self, rate: float) -> None:
        """Another pace for the whole fleet from now on."""
        now = self.now_ms()
        self.events_per_minute = rate
        for organisation in self.organisations.values():
            organisation.until_ms = None
            organisation.live(pace=self._pace(rate), now_ms=now)
        if self._state is not None and rate == 0:
            self._state.stopped(now)
        elif self._state is not None:
            self._state.went_on(now)

    def stop_at(self, until_ms: int) -> None:
        """No event is made after this time."""
        now = self.now_ms()
        for organisation in self.organisations.values():
            organisation.until_ms = max(until_ms, now)
        if self._state is not None:
            self._state.stopped(max(until_ms, now))

    def _pace(self, rate: float) -> Pace:
        settings = self.settings
        quiet = quiet_pace(vehicles=settings.vehicles, events_per_vehicle_day=settings.events_per_vehicle_day)
        return Pace(quiet, live_pace(rate, organisations=settings.organisations))

    def _found(self, number: int, *, name: str | None, history_ms: int, start_ms: int) -> Organisation:
        settings = self.settings
        ids = Ids(seed=settings.seed, organisation=number + 1)
        group_id = mixed(settings.seed, _GROUP_BASE + number)
        if number % 2 == (group_id > 0):
            group_id = -group_id  # the first one positive, the next negative, and so on
        if name is None:
            name = vocabulary.COMPANIES[number % len(vocabulary.COMPANIES)]
            name = name if number < len(vocabulary.COMPANIES) else f"{name} {number + 1}"
        lists = support.build(
            random=Random(f"support {settings.seed} {number}"),
            ids=ids,
            root_id=group_id,
            name=name,
            size=support.Size(settings.drivers, settings.vehicles, settings.event_types),
            start_ms=start_ms,
        )
        organisation = Organisation(
            group_id=group_id,
            name=name,
            seed=f"events {settings.seed} {number}",
            ids=ids,
            support=lists,
            faults=self.faults,
            pace=self._pace(self.events_per_minute),
            history_ms=0 if settings.endless else history_ms,
            start_ms=start_ms,
            stops=settings.stops,
        )
        self.organisations[group_id] = organisation
        self._by_group.update((site.id, organisation) for site in lists.sites())
        self._by_entity.update((row.id, organisation) for row in (*lists.vehicles, *lists.drivers))
        return organisation
