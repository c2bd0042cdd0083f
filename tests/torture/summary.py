"""Adds up the results of many seeds: lines for a terminal, and a page for docs/."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from torture.result import Result
from torture.schedule import POINTS

ANYWHERE = "at any moment"


def line(result: Result) -> str:
    """One seed."""
    pace = result.killed / result.seconds if result.seconds else 0.0
    return (
        f"seed {result.seed} ({result.profile}): {result.killed} kills in {result.seconds:.0f} s ({pace:.1f}/s), "
        f"{result.quiet_points} quiet points, {result.compared['stored']} events, "
        f"{'good' if not result.problems else f'{len(result.problems)} PROBLEMS'}"
    )


def text(results: Sequence[Result]) -> str:
    """All of them, as lines."""
    return "\n".join(f"- {name}: {value}" for name, value in _rows(results))


def page(results: Sequence[Result], *, command: str) -> str:
    """All of them, as a page in Markdown."""
    points = _sum(results, "points")
    lines = [
        "# The torture, in figures",
        "",
        "Made by `python -m torture --summarise`; what is checked is told in",
        "[the delivery guarantee](decisions/0020-delivery-guarantee.md).",
        "",
        "```",
        command,
        "```",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in _rows(results)),
        "",
        "| killed at | times |",
        "|---|---|",
        *(f"| `{point}` | {points[point]} |" for point in POINTS),
        f"| {ANYWHERE} | {points[ANYWHERE]} |",
        "",
    ]
    return "\n".join(lines)


def _rows(results: Sequence[Result]) -> Iterable[tuple[str, str]]:
    kills, compared, violations = (_sum(results, name) for name in ("kills", "compared", "violations"))
    points = _sum(results, "points")
    problems = [one for result in results for one in result.problems]
    stale = sum(one.startswith("stale write") for one in problems)
    unbooked = sum(one.endswith("in no gap") for one in problems)
    named = sum(points[point] for point in POINTS)
    yield "kills", f"{sum(kills.values())} ({_listed(kills)})"
    yield "of processes at named points", f"{named}; {ANYWHERE} {points[ANYWHERE]}"
    yield (
        "events",
        f"{compared['stored']} stored of {compared['offered']} offered; missing {compared['missing']}, doubled "
        f"{compared['doubled']}, differing {compared['differing']}, never offered {compared['extra']}, quarantined "
        f"{compared['quarantined']} (and {compared['unquarantined']} not)",
    )
    yield "missing and in no book", f"{unbooked}"
    yield "stale writes", f"{stale}"
    yield "calls outside of MiX's rules", f"{sum(violations.values())} of {_sum(results, 'calls')['calls']}"
    yield "other problems", f"{len(problems) - stale - unbooked}"
    quiet = sum(result.quiet_points for result in results)
    yield "comparisons", f"{compared['comparisons']} of an event, all columns, at {quiet} quiet points"
    yield "changes of the leader", f"{sum(result.epochs for result in results)}"
    yield "also", _listed(_sum(results, "signals"))
    yield "disturbances", _listed(_sum(results, "disturbances"))
    yield "processes", _listed(_sum(results, "processes"))
    yield "schedules", _listed(Counter(result.profile for result in results))
    yield "seeds", _spans(sorted(result.seed for result in results))
    yield "commits", _listed(Counter(result.commit for result in results))
    yield "time", _time(results)


def _time(results: Sequence[Result]) -> str:
    if not results:
        return "none"
    begins = [datetime.fromisoformat(result.began) for result in results]
    ends = [begin + timedelta(seconds=result.seconds) for begin, result in zip(begins, results, strict=True)]
    whole = (max(ends) - min(begins)).total_seconds()
    own = sum(result.seconds for result in results)
    killed = sum(result.killed for result in results)
    return f"{whole:.0f} s from {min(begins):%Y-%m-%d %H:%M} UTC on, several seeds at a time: {own:.0f} s of runs" + (
        f", {killed / own:.2f} kills a second and run" if own else ""
    )


def _spans(seeds: Sequence[int]) -> str:
    """Runs of numbers, shortly."""
    spans: list[list[int]] = []
    for seed in seeds:
        if spans and spans[-1][1] == seed - 1:
            spans[-1][1] = seed
        else:
            spans.append([seed, seed])
    return ", ".join(f"{first}" if first == last else f"{first} to {last}" for first, last in spans)


def _sum(results: Sequence[Result], name: str) -> Counter[str]:
    total: Counter[str] = Counter()
    for result in results:
        total.update(getattr(result, name))
    return total


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items(), key=lambda pair: -pair[1]))
