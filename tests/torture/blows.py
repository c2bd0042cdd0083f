"""Carries out the disturbances of a schedule, and ends those that last."""

from __future__ import annotations

import signal
from collections.abc import Callable
from random import Random

from torture.proxy import TortureProxy
from torture.result import Result
from torture.schedule import Blow, faults
from torture.world import World


class Blows:
    """Strikes a world. What lasts is ended by `tick`, by the clock of its caller."""

    def __init__(self, world: World, result: Result) -> None:
        self._world = world
        self._result = result
        self._ends: list[tuple[float, Callable[[], object]]] = []
        self._ahead = 0.0

    def begin(self, dice: Random) -> None:
        """The fleet lives, and MiX has faults."""
        self._ends.clear()
        self._world.control("POST", "/control/clock", {"freeze": False})
        self._world.control("POST", "/control/generate", {"eventsPerMinute": self._world.profile.events_per_minute})
        self._faults(dice)

    def tick(self, now: float) -> None:
        """End what has lasted long enough."""
        for entry in [one for one in self._ends if one[0] <= now]:
            self._ends.remove(entry)
            entry[1]()

    def strike(self, blow: Blow, *, now: float) -> None:
        """One disturbance."""
        self._result.disturbances[blow.kind] += 1
        place, _, what = blow.kind.partition(": ")
        match place:
            case "database" | "MiX":
                proxy = self._world.to_database if place == "database" else self._world.to_mix
                self._network(proxy, what, until=now + blow.lasts, dice=blow.dice)
            case "commit":
                self._world.to_database.cut_commit(what)  # type: ignore[arg-type]
            case _:
                self._other(blow, now=now)

    def _network(self, proxy: TortureProxy, what: str, *, until: float, dice: Random) -> None:
        match what:
            case "reset":
                proxy.reset()
                return
            case "half-open":
                proxy.half_open()
                return
            case "hang":
                proxy.hang()
            case "refuse":
                proxy.refuse()
            case _:
                proxy.passing(delay=dice.uniform(0.01, 0.15))
        self._ends.append((until, proxy.passing))

    def _other(self, blow: Blow, *, now: float) -> None:
        world, kills, dice = self._world, self._result.kills, blow.dice
        match blow.kind:
            case "PostgreSQL killed":
                world.kill_postgres(signal.SIGKILL)
                kills["PostgreSQL"] += 1
            case "PostgreSQL stopped at once":
                world.kill_postgres(signal.SIGQUIT)
            case "PostgreSQL backend killed":
                kills["PostgreSQL backend"] += world.kill_backend()
            case "session terminated":
                world.terminate_session()
            case "clock forward":
                # A day in all at most: what is skipped is filled with events.
                seconds = min(dice.choice((30, 300, 3600, 4 * 3600)), 86400 - self._ahead)
                self._ahead += seconds
                world.control("POST", "/control/clock", {"advanceSeconds": seconds})
            case "clock back":
                world.control("POST", "/control/clock", {"advanceSeconds": -dice.uniform(0.5, 4)})
            case "password changed":
                world.change_password()
            case "tokens revoked":
                world.control("POST", "/control/credentials", {"revokeAccessTokens": True})
            case "refresh tokens revoked":
                world.control("POST", "/control/credentials", {"revokeRefreshTokens": True})
            case "faults changed":
                world.control("DELETE", "/control/faults")
                self._faults(dice)
            case _:
                self._fleet(blow, now=now)

    def _fleet(self, blow: Blow, *, now: float) -> None:
        world, dice = self._world, blow.dice
        organisation = dice.choice(world.organisations())
        match blow.kind:
            case "burst":
                body = {
                    "count": dice.randint(20, 300),
                    "burst": dice.random() < 0.5,
                    "daysLate": dice.choice((0, 3, 20)),
                }
                world.control("POST", "/control/events", {"organisation": organisation, **body})
            case "event changed":
                truth = world.control("GET", f"/control/truth/events?organisation={organisation}&limit=300")["events"]
                for row in dice.sample(truth, min(5, len(truth))):
                    change = {"organisation": organisation, "EventId": row["EventId"], "Value": dice.uniform(0, 200)}
                    world.control("POST", "/control/events", change)
            case "event amended":
                truth = world.control("GET", f"/control/truth/events?organisation={organisation}&limit=300")["events"]
                for row in dice.sample(truth, min(3, len(truth))):
                    change = {"organisation": organisation, "eventId": row["EventId"]}
                    change["type"] = dice.choice(("QuarantinedEvent", "ReassignedEvent"))
                    world.control("POST", "/control/amendments", change)
            case "organisation forbidden":
                one = {"organisation": organisation}
                world.control("POST", "/control/organisations", one | {"forbidden": True})
                self._ends.append(
                    (
                        now + blow.lasts,
                        lambda: world.control("POST", "/control/organisations", one | {"forbidden": False}),
                    )
                )

    def _faults(self, dice: Random) -> None:
        for kind, rate in faults(dice):
            self._world.control("POST", "/control/faults", {"kind": kind, "rate": rate})
