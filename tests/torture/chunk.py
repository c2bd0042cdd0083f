"""The torture of one seed: ingestors live and die as the schedule says, and at quiet points all is compared."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM, SIGUSR1

from torture import quiet, summary
from torture.blows import Blows
from torture.nursery import Child, Nursery
from torture.result import Result
from torture.schedule import WORKS, Fate, blow, fate, profile
from torture.world import World

TESTS = Path(__file__).parent.parent
ENDS_WITHIN_SECONDS = 30.0
DEFECT = 1


@dataclass(eq=False)
class Victim:
    """A process and what is to become of it."""

    child: Child
    fate: Fate
    command: str
    born: float
    mark: Path
    stopped_at: float | None = None
    went_on_at: float | None = None
    terminated_at: float | None = None
    killed: bool = False


@dataclass
class Chunk:
    """One seed's run in a folder."""

    seed: int
    kills: int
    seconds: float
    folder: Path
    verbose: bool = False
    result: Result = field(init=False)
    _number: int = 0
    _works_at: float = 0.0

    def run(self) -> Result:
        """All of it. What is found is in the result's `problems`."""
        of = profile(self.seed)
        began = time.monotonic()
        self.result = Result(
            seed=self.seed, profile=of.name, commit=_commit(), began=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        )
        self._profile = of
        self._world = World(folder=self.folder, seed=self.seed, profile=of)
        self._nursery = Nursery(path=str(TESTS))
        self._blows = Blows(self._world, self.result)
        self._streams: list[Victim] = []
        self._works: list[Victim] = []
        self._struck = 0
        try:
            self._world.open()
            (self.folder / "logs").mkdir()
            if of.cliff:
                self._in_peace(
                    ["stream", "--manifest", str(self._world.manifest), "--no-live", "--until-caught-up"], 120
                )
                self._world.outage()
                self.result.disturbances["outage of eight days"] += 1
            deadline = began + self.seconds
            while not self.result.problems and self.result.killed < self.kills and time.monotonic() < deadline:
                self._until_quiet_point(deadline)
                self._end_all()
                noisy = time.monotonic() - began
                is_last = self.result.killed >= self.kills or time.monotonic() >= deadline
                quiet.check(self._world, self.result, run=self._in_peace, thorough=is_last)
                if self.verbose:
                    print(
                        f"quiet from {noisy:.1f} to {time.monotonic() - began:.1f} s: {summary.text([self.result])}",
                        flush=True,
                    )
        finally:
            self._nursery.close()
            self._world.close()
            self.result.seconds = round(time.monotonic() - began, 1)
        return self.result

    # -- between two quiet points

    def _until_quiet_point(self, deadline: float) -> None:
        of = self._profile
        enough = min(self.kills, self.result.killed + of.kills_between_quiet_points)
        self._blows.begin(Random(f"{self.seed} faults {self.result.quiet_points}"))
        next_blow = blow(self.seed, self._struck, of=of)
        strikes_at = time.monotonic() + next_blow.after
        while self.result.killed < enough and time.monotonic() < deadline and not self.result.problems:
            now = time.monotonic()
            self._give_birth_to_all()
            for victim in [*self._streams, *self._works]:
                self._live(victim, now=now)
            self._blows.tick(now)
            if now >= strikes_at:
                self._blows.strike(next_blow, now=now)
                self._struck += 1
                next_blow = blow(self.seed, self._struck, of=of)
                strikes_at = time.monotonic() + next_blow.after
            time.sleep(0.01)

    def _give_birth_to_all(self) -> None:
        """So many streams want to lead at any time, beside one or two other commands."""
        for victims in (self._streams, self._works):
            for victim in [one for one in victims if one.child.status is not None]:
                victims.remove(victim)
                self._buried(victim)
        while len(self._streams) < self._profile.streams:
            self._streams.append(self._born("stream", "--manifest", "{manifest}", "--no-live"))
        if not self._works and time.monotonic() >= self._works_at:
            dice = Random(f"{self.seed} work {self._number}")
            self._works.append(self._born(*dice.choice(WORKS)))
            self._works_at = time.monotonic() + dice.uniform(0.5, 3) * self._profile.lease

    def _born(self, command: str, *options: str) -> Victim:
        number, self._number = self._number, self._number + 1
        its = fate(self.seed, number, of=self._profile, works=command != "stream")
        if its.needs_login:
            self._world.control("POST", "/control/faults", {"kind": "unauthorised-once", "count": 1})
        mark = self.folder / "logs" / f"{number}.point"
        environment = self._world.environment(name=f"v{number}", network=its.network)
        if its.point is not None:
            action = "kill" if its.action == "kill at point" else "stop"
            environment |= {
                "VICTIM_POINT": its.point,
                "VICTIM_HIT": str(its.hit),
                "VICTIM_ACTION": action,
                "VICTIM_LOG": str(mark),
            }
        filled_in = {"manifest": self._world.manifest, "yesterday": f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}"}
        arguments = [command, *(option.format(**filled_in) for option in options)]
        start = self._nursery.execute if its.executed else self._nursery.fork
        child = start(arguments, env=environment, log=self.folder / "logs" / f"{number}.log")
        self.result.processes[f"{command}, {'executed' if its.executed else 'forked'}"] += 1
        return Victim(child=child, fate=its, command=command, born=time.monotonic(), mark=mark)

    def _live(self, victim: Victim, *, now: float) -> None:
        """Whatever is due."""
        its, age = victim.fate, now - victim.born
        if victim.terminated_at is not None:
            if now - victim.terminated_at > ENDS_WITHIN_SECONDS:
                self.result.problems.append(f"SIGTERM did not end {victim.child.log}")
            return
        if victim.stopped_at is not None and victim.went_on_at is None:
            if now - victim.stopped_at >= its.still:
                self._after_standing_still(victim, now=now)
            return
        if its.action == "stop at point" and victim.stopped_at is None and victim.mark.exists():
            victim.stopped_at = now
            self.result.signals["SIGSTOP at a point"] += 1
            return
        if victim.went_on_at is not None:
            if now - victim.went_on_at >= its.after:
                self._kill(victim)
        elif its.action == "term" and age >= its.after:
            victim.terminated_at = now
            victim.child.send(SIGTERM)
            self.result.signals["SIGTERM"] += 1
        elif its.action == "stop" and age >= its.after:
            victim.stopped_at = now
            victim.child.send(SIGSTOP)
            self.result.signals["SIGSTOP"] += 1
        elif age >= (its.after if its.action == "kill" else self._profile.patience):
            self._kill(victim)

    def _after_standing_still(self, victim: Victim, *, now: float) -> None:
        if victim.fate.goes_on:
            victim.went_on_at = now
            victim.child.send(SIGCONT)
            self.result.signals["SIGCONT"] += 1
        else:
            self._kill(victim)

    def _kill(self, victim: Victim) -> None:
        victim.killed = True
        victim.child.send(SIGKILL)

    def _buried(self, victim: Victim) -> None:
        """Count how it ended; what ends by itself with a defect is a problem."""
        status = victim.child.status
        if status == -SIGKILL:
            at_point = victim.mark.exists() and victim.fate.action == "kill at point"
            self.result.kills[victim.command] += 1
            self.result.points[str(victim.fate.point) if at_point else "at any moment"] += 1
        elif status == DEFECT:
            self.result.problems.append(f"a defect: see {victim.child.log}")
        else:
            self.result.signals[f"ended by itself: {status}"] += 1
        if status != DEFECT:
            victim.child.log.unlink(missing_ok=True)
        victim.mark.unlink(missing_ok=True)

    def _end_all(self) -> None:
        for victims in (self._streams, self._works):
            for victim in victims:
                victim.child.send(SIGKILL)
            for victim in victims:
                if victim.child.wait(20) is None:
                    raise RuntimeError(f"SIGKILL did not end {victim.child.pid}")
                self._buried(victim)
            victims.clear()

    def _in_peace(self, arguments: list[str], seconds: float, until: Callable[[], bool] | None = None) -> int | None:
        """A command without a fate; it is asked to end once `until` is true."""
        environment = self._world.environment(name="peace", network=False) | PATIENT
        child = self._nursery.fork(arguments, env=environment, log=self.folder / "peace.log")
        if until is not None:
            deadline = time.monotonic() + seconds
            while child.status is None and time.monotonic() < deadline and not until():
                child.wait(0.2)
            child.send(SIGTERM)
            seconds = ENDS_WITHIN_SECONDS
        code = child.wait(seconds)
        if code is None:
            # Where its tasks stand, into its log.
            child.send(SIGUSR1)
            child.wait(2)
            child.send(SIGKILL)
            child.wait(20)
        return code


# In peace nobody waits for this process to die, and on a busy machine a short lease is easily lost.
PATIENT = {
    "MIXHAUL_LEASE_DURATION_SECONDS": "15",
    "MIXHAUL_LEASE_RENEW_DEADLINE_SECONDS": "10",
    "MIXHAUL_LEASE_RETRY_SECONDS": "0.2",
}


def _commit() -> str:
    found = subprocess.run(
        ["git", "-C", str(TESTS), "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    return found.stdout.strip()
