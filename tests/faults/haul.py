"""Kill the haul at every named point, with every fault of MiX switched on, then compare the database with the truth.

    python tests/faults/haul.py --kills 200 --seed 1

Prints the hits of each point and what the comparison found; exits with 1 if anything is lost, doubled or different, if
a point was never hit, or if the simulator recorded a call outside of MiX's rules. `make test` runs a small form.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from faults.bed import Bed
from faults.compare import Report, compare, compare_support

POINTS = (
    "permit_taken",
    "request_sent",
    "answer_read",
    "keys_copied",
    "rows_copied",
    "before_commit",
    "after_commit",
    "token_intent",
    "token_received",
)
# A point that a process happens not to meet is aimed at again, so that none stays without a hit.
TRIES = 3
ANYWHERE, POSTGRES = "at any moment", "PostgreSQL"

# Every fault of the contract that a haul can meet, each now and then: at 2-4 % each, about half of all answers are bad.
FAULTS: tuple[tuple[str, float], ...] = (
    ("status-500", 0.03), ("status-502", 0.02), ("status-503", 0.02), ("html-200", 0.03), ("redirect-login", 0.02),
    ("reset-before", 0.02), ("reset-mid-body", 0.03), ("truncated-body", 0.03), ("truncated-json", 0.02),
    ("gzip-corrupt", 0.02), ("missing-has-more", 0.02), ("garbage-has-more", 0.02), ("missing-token", 0.02),
    ("empty-page-more", 0.03), ("oversize-page", 0.05), ("short-page", 0.05), ("duplicate-page-events", 0.1),
    ("redeliver", 0.1), ("unknown-fields", 0.1), ("numbers-as-text", 0.1), ("dates-odd", 0.1), ("bom", 0.05),
    ("status-206", 0.03), ("unauthorised-once", 0.03), ("slow-headers", 0.02), ("slow-body", 0.02),
    ("bad-record", 0.01), ("dates-wild", 0.01),
    ("token-answer-lost", 0.05), ("expires-short", 0.3), ("enum-unknown", 0.05), ("enum-number", 0.05),
    ("null-fields", 0.05), ("negative-ids", 0.05),
)  # fmt: skip


@dataclass
class Outcome:
    """What a run did: hits by point, the comparison, and the rules that were broken."""

    seed: int
    hits: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    report: Report = field(default_factory=Report)
    support: Report = field(default_factory=Report)
    violations: list[object] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def kills(self) -> int:
        return sum(self.hits.values()) + sum(self.missed.values())

    @property
    def good(self) -> bool:
        return (
            self.report.equal
            and self.support.equal
            and self.report.stored > 0
            and self.support.stored > 0
            and not self.violations
            and not self.never_hit
        )

    @property
    def never_hit(self) -> list[str]:
        return [point for point in (*POINTS, ANYWHERE, POSTGRES) if not self.hits[point]]

    def sentences(self) -> list[str]:
        """The summary for a person."""
        report = self.report
        return [
            f"seed {self.seed}: {self.kills} kills in {self.seconds:.0f} s",
            "hits: " + ", ".join(f"{point} {self.hits[point]}" for point in (*POINTS, ANYWHERE, POSTGRES)),
            f"events offered {report.offered}, stored {report.stored}, missing {report.missing}, doubled "
            f"{report.doubled}, differing {report.differing}, never offered {report.extra}, "
            f"quarantined {report.quarantined}",
            f"missed aims: {sum(self.missed.values())}; calls outside of the rules: {len(self.violations)}",
            f"drivers, vehicles, event types: offered {self.support.offered}, stored {self.support.stored}, missing "
            f"{self.support.missing}, differing {self.support.differing}",
            *(f"  {sentence}" for sentence in (*report.differences, *self.support.differences)),
            *(f"  {violation}" for violation in self.violations[:10]),
            *(f"  never hit: {point}" for point in self.never_hit),
        ]


def plan(kills: int, *, dice: random.Random) -> list[str]:
    """Which point each kill aims at: each at least once, six in ten at named points, in random order."""
    targets = [*POINTS, ANYWHERE, POSTGRES]
    while len(targets) < kills:
        targets.append(dice.choice(POINTS) if dice.random() < 0.6 else dice.choice((ANYWHERE, ANYWHERE, POSTGRES)))
    targets = targets[: max(kills, len(POINTS) + 2)]
    dice.shuffle(targets)
    return targets


def haul(*, kills: int, seed: int, folder: Path, events_per_minute: int = 3000, verbose: bool = False) -> Outcome:
    """The whole run in a folder."""
    dice = random.Random(seed)
    outcome = Outcome(seed=seed)
    began = time.monotonic()
    bed = Bed(folder)
    bed.environment |= {
        "MIXHAUL_LEASE_DURATION_SECONDS": "1.5",
        "MIXHAUL_LEASE_RENEW_DEADLINE_SECONDS": "1",
        "MIXHAUL_LEASE_RETRY_SECONDS": "0.2",
        "MIXHAUL_TRANSIT_SECONDS": "0.5",
        "MIXHAUL_BACKOFF_SECONDS": "0.05",
    }
    try:
        bed.start_postgres()
        bed.start_simulator(
            "--seed", str(seed), "--organisations", "4", "--drivers", "20", "--vehicles", "12",
            "--events-per-minute", str(events_per_minute), "--history-days", "1",
            "--requests-per-minute", "900", "--pause-seconds", "1",
        )  # fmt: skip
        bed.prepare()
        for kind, rate in FAULTS:
            bed.simulator.call("POST", "/control/faults", {"kind": kind, "rate": rate})
        for number, target in enumerate(plan(kills, dice=dice)):
            for _ in range(TRIES):
                if _one(bed, target, number=number, dice=dice, outcome=outcome, verbose=verbose):
                    break
        _come_to_rest(bed)
        outcome.report = compare(bed.simulator.control, bed.url)
        outcome.support = compare_support(bed.simulator.control, bed.url)
        outcome.violations = list(bed.records()["violations"])
    finally:
        bed.close()
        outcome.seconds = time.monotonic() - began
    return outcome


def _one(bed: Bed, target: str, *, number: int, dice: random.Random, outcome: Outcome, verbose: bool) -> bool:
    """One kill; whether it was at its point. One that isn't met within some seconds is killed anyhow, and missed."""
    hits = outcome.hits[target]
    began = time.monotonic()
    log = bed.folder / "victims.log"
    if target in ("token_intent", "token_received"):
        bed.simulator.call("POST", "/control/faults", {"kind": "unauthorised-once", "count": 1, "route": "feed"})
    extra = {"VICTIM_LOG": str(log)}
    if target in POINTS:
        extra |= {"VICTIM_POINT": target, "VICTIM_HIT": str(dice.choice((1, 1, 2, 3)) if "token" not in target else 1)}
    victim = bed.start_ingestor(name=f"v{number}", extra=extra)
    syncing = None
    if number % 5 == 2:
        syncing = bed.start("sync", "--manifest", str(bed.simulator.manifest))
    if target == POSTGRES:
        time.sleep(dice.uniform(1.0, 2.5))
        bed.kill_postgres()
        bed.start_postgres()
        outcome.hits[POSTGRES] += 1
        time.sleep(dice.uniform(0.2, 1.0))
    elif target == ANYWHERE:
        time.sleep(dice.uniform(0.5, 2.5))
        outcome.hits[ANYWHERE] += 1
    else:
        try:
            victim.wait(timeout=6)
        except subprocess.TimeoutExpired:
            outcome.missed[target] += 1
        else:
            outcome.hits[target if victim.returncode == -signal.SIGKILL else "ended by itself"] += 1
    victim.kill()
    victim.wait()
    if verbose:
        print(f"{number} {target}: {time.monotonic() - began:.1f} s, hits {outcome.hits[target]}", flush=True)
    if syncing is not None:
        syncing.wait(timeout=120)
    return outcome.hits[target] > hits


def _come_to_rest(bed: Bed) -> None:
    """No more faults and no more new events: everything that the feed offers is read."""
    bed.simulator.call("DELETE", "/control/faults")
    if bed.run("sync", "--manifest", str(bed.simulator.manifest), timeout=120).returncode:
        raise RuntimeError(f"the sync failed: see {bed.folder}/commands.log")
    for _ in range(2):
        code = bed.catch_up(seconds=120)
        if code:
            raise RuntimeError(f"the stream did not catch up (code {code}): see {bed.folder}/commands.log")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="keep the folder with the logs")
    parser.add_argument("--verbose", action="store_true", help="a line for each kill")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="mixhaul-haul-", dir="/var/tmp"))
    folder.chmod(0o755)
    outcome = haul(kills=arguments.kills, seed=arguments.seed, folder=folder, verbose=arguments.verbose)
    print("\n".join(outcome.sentences()))
    if arguments.keep or not outcome.good:
        print(f"logs: {folder}")
    else:
        shutil.rmtree(folder)
    return 0 if outcome.good else 1


if __name__ == "__main__":
    sys.exit(main())
