"""Adds up the results of many seeds, as lines and as a page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from torture.result import Result
from torture.schedule import POINTS


def line(result: Result) -> str:
    """One seed."""
    pace = result.killed / result.seconds if result.seconds else 0.0
    return (
        f"seed {result.seed} ({result.profile}): {result.killed} kills in {result.seconds:.0f} s ({pace:.1f}/s), "
        f"{result.quiet_points} quiet points, {result.compared['stored']} events, "
        f"{'good' if not result.problems else f'{len(result.problems)} PROBLEMS'}"
    )


def text(results: Sequence[Result]) -> str:
    """All of them, as Markdown."""
    kills, points, signals, disturbances, processes, violations, calls = (
        _sum(results, name)
        for name in ("kills", "points", "signals", "disturbances", "processes", "violations", "calls")
    )
    compared = _sum(results, "compared")
    seconds = sum(result.seconds for result in results)
    seeds = ", ".join(str(result.seed) for result in results)
    profiles = Counter(result.profile for result in results)
    commits = Counter(result.commit for result in results)
    rows = [
        f"kills: {sum(kills.values())} ({_listed(kills)})",
        f"at named points: {', '.join(f'{point} {points[point]}' for point in POINTS)}; at any moment "
        f"{points['at any moment']}",
        f"missing {compared['missing']}, doubled {compared['doubled']}, differing {compared['differing']}, never "
        f"offered {compared['extra']}, quarantined {compared['quarantined']} (and {compared['unquarantined']} not)",
        f"stale writes {sum('stale write' in one for each in results for one in each.problems)}, calls outside of the "
        f"rules {sum(violations.values())}, problems {sum(len(result.problems) for result in results)}",
        f"events: {compared['stored']} stored of {compared['offered']} offered; at {_total(results)} quiet points "
        f"{compared['comparisons']} comparisons of an event, all columns",
        f"changes of the leader: {sum(result.epochs for result in results)}; calls to MiX: {calls['calls']}",
        f"other signals: {_listed(signals)}",
        f"disturbances: {_listed(disturbances)}",
        f"processes: {_listed(processes)}",
        f"time: {seconds:.0f} s of runs, {_pace(results):.2f} kills a second and run",
        f"schedules: {_listed(profiles)}",
        f"seeds: {seeds}",
        f"commits: {_listed(commits)}",
    ]
    return "\n".join(f"- {row}" for row in rows)


def _sum(results: Sequence[Result], name: str) -> Counter[str]:
    total: Counter[str] = Counter()
    for result in results:
        total.update(getattr(result, name))
    return total


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items(), key=lambda pair: -pair[1]))


def _total(results: Sequence[Result]) -> int:
    return sum(result.quiet_points for result in results)


def _pace(results: Sequence[Result]) -> float:
    seconds = sum(result.seconds for result in results)
    return sum(result.killed for result in results) / seconds if seconds else 0.0
