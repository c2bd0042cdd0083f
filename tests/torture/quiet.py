"""A quiet point: everything is killed, the books are checked as they stand, the haul catches up, and what is stored is
compared with the truth."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol

from faults.compare import compare, compare_support
from torture import audit
from torture.result import Result
from torture.world import World


class Run(Protocol):
    """Runs a command of the ingestor for so many seconds at most, and ends it once `until` is true."""

    def __call__(
        self, arguments: list[str], seconds: float, until: Callable[[], bool] | None = None, /
    ) -> int | None: ...


def check(world: World, result: Result, *, run: Run, thorough: bool) -> None:
    """Nothing of ours runs when this is called, but for what `run` runs (arguments, seconds; its code).

    `thorough`: all rows are also made anew from the stored answers, and must come to the same.
    """
    world.calm()
    control, database = world.bed.simulator.control, world.bed.url
    result.problems += audit.unbooked(control, database)[:20]
    manifest = ["--manifest", str(world.manifest)]
    patience = 60 + 20 * world.profile.lease
    _until_good(["sync", *manifest], run=run, seconds=patience, result=result)
    caught_up = ["stream", *manifest, "--no-live", "--until-caught-up"]
    _until_good(caught_up, run=run, seconds=patience, result=result)
    if world.open_gaps():
        result.signals["gaps filled"] += world.open_gaps()
        run(["stream", *manifest, "--no-live"], 3 * patience, lambda: not world.open_gaps())
        if world.open_gaps():
            result.problems.append("gaps stay open in peace")
    _until_good(caught_up, run=run, seconds=patience, result=result)
    _compare(world, result)
    if thorough:
        _until_good(["reprocess", "--anew"], run=run, seconds=patience, result=result)
        since = f"{datetime.now(UTC) - timedelta(days=10 if world.profile.cliff else 2):%Y-%m-%d}"
        _until_good(["verify", "--from", since, *manifest], run=run, seconds=3 * patience, result=result)
        _compare(world, result)
    result.problems += [*audit.misjudged(database)[:20], *audit.stale_writes(database)]
    seen = len(world.violations)
    world.look_at_records()
    for violation in world.violations[seen:]:
        if violation["kind"] == "token-expired" and world.profile.cliff:
            continue  # nobody can know before asking
        result.violations[violation["kind"]] += 1
        result.problems.append(f"a call outside of the rules: {violation}")
    result.calls = world.totals
    result.quiet_points += 1
    result.epochs = int(world.sql("SELECT coalesce(max(epoch), 0) FROM leader_epochs")[0][0])


def _compare(world: World, result: Result) -> None:
    control, database = world.bed.simulator.control, world.bed.url
    events, support = compare(control, database), compare_support(control, database)
    for name in ("offered", "stored", "missing", "extra", "doubled", "differing", "quarantined", "unquarantined"):
        # The last comparison holds all of those before; what was wrong is added up.
        result.compared[name] = max(result.compared[name], getattr(events, name))
    result.compared["support rows"] = max(result.compared["support rows"], support.offered)
    result.compared["comparisons"] += events.offered
    if not events.equal:
        result.problems += ["events differ from the truth", *events.differences]
    if not support.equal:
        result.problems += [
            f"support data differ from the truth: {support.missing} missing, {support.extra} too many",
            *support.differences,
        ]


def _until_good(arguments: list[str], *, run: Run, seconds: float, result: Result) -> None:
    """In peace each command succeeds; the second try is for what the last kill left to be waited for."""
    for last in (False, False, True):
        began = time.monotonic()
        code = run(arguments, seconds)
        if code == 0:
            return
        if last:
            result.problems.append(
                f"`{arguments[0]}` does not come to a good end in peace: {code} after {time.monotonic() - began:.0f} s"
            )
