"""The write path of a page (split, identify, decode, transaction with every constraint, durable commit) beside raw
binary COPY of the same rows, made beforehand, into the same two tables: in turns, round by round, in one run.

    make bench-ingest
    make bench-ingest BENCH_ARGS='--rows 20000000 --rounds 30'

It prints; it asserts no time. One writer each, one page at a time.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import psycopg
import uvloop

from bench import machine
from bench.pages import PAGE, Pages, joined
from bench.seed import seed
from bench.sides import Copyable, Product, RawCopy
from mixhaul_ingestor.garbage import collect_seldom
from mixhaul_mix.events import split
from mixhaul_store.database import Database
from mixhaul_store.elections import LeaderRow
from mixhaul_store.embedded import EmbeddedPostgres
from mixhaul_store.schema import migrate

NEW, STORED, MIXED = "new", "stored", "half stored"
CASES = (NEW, STORED, MIXED)
PRODUCT, COPY = "mixhaul", "COPY"


@dataclass
class Measured:
    """One side of one case: a time for each round, CPU over all of them."""

    seconds: list[float] = field(default_factory=list)
    own: float = 0.0
    server: float = 0.0

    def rate(self, events: int) -> float:
        """Median of events a second."""
        return events / median(self.seconds)


class Meter:
    """Times a stretch of work, its CPU here and in the server."""

    def __init__(self, postmaster: int) -> None:
        self._postmaster = postmaster

    def begin(self) -> Callable[[Measured], None]:
        """Start the clocks; the function that is returned stops them."""
        gc.collect()
        server = machine.server_cpu_seconds(self._postmaster)
        own, began = time.process_time(), time.perf_counter()

        def end(into: Measured) -> None:
            into.seconds.append(time.perf_counter() - began)
            into.own += time.process_time() - own
            into.server += machine.server_cpu_seconds(self._postmaster) - server

        return end


def bodies_of(case: str, pages: Pages, stored: list[bytes], count: int) -> list[bytes]:
    """What the feed delivers in this case; `stored` are pages that are there already."""
    if case == NEW:
        return [pages.fresh() for _ in range(count)]
    if case == STORED:
        return stored[-count:]
    half = PAGE // 2
    return [
        joined([bytes(one) for one in (*split(old)[:half], *split(pages.fresh())[half:])]) for old in stored[-count:]
    ]


async def write_path(product: Product, bodies: Sequence[bytes], *, meter: Meter, into: Measured, new: int) -> None:
    """Write pages as the product does; `new` of their events are expected to be new, the others unchanged."""
    end = meter.begin()
    done = [await product.write(body, observed_at=datetime.now(UTC)) for body in bodies]
    end(into)
    found = sum(one.inserted for one in done), sum(one.unchanged for one in done)
    if found != (new, len(bodies) * PAGE - new):
        raise RuntimeError(f"the write path did something else than was to be measured: {done}")


def raw_copy(copy: RawCopy, pages: Sequence[Copyable], *, meter: Meter, into: Measured) -> None:
    """Write ready rows."""
    end = meter.begin()
    for page in pages:
        copy.write(page)
    end(into)


async def measure(
    database: Database, copy: RawCopy, product: Product, *, meter: Meter, options: argparse.Namespace
) -> dict[str, dict[str, Measured]]:
    """Every case once a round, both sides of it one after the other, first the one and then the other."""
    results = {case: {PRODUCT: Measured(), COPY: Measured()} for case in CASES}
    pages, stored = Pages(rising=options.rising), list[bytes]()
    for number in range(-1, options.rounds):
        for case in CASES:
            bodies = bodies_of(case, pages, stored, options.pages)
            copyable = copy.prepare([pages.fresh() for _ in bodies], observed_at=datetime.now(UTC))
            results_of = results[case] if number >= 0 else {PRODUCT: Measured(), COPY: Measured()}

            new = {NEW: PAGE, STORED: 0, MIXED: PAGE // 2}[case] * len(bodies)
            if number % 2:
                raw_copy(copy, copyable, meter=meter, into=results_of[COPY])
            await write_path(product, bodies, meter=meter, into=results_of[PRODUCT], new=new)
            if not number % 2:
                raw_copy(copy, copyable, meter=meter, into=results_of[COPY])
            if case == NEW:
                stored = bodies
    return results


def table(results: dict[str, dict[str, Measured]], *, events: int, rounds: int) -> str:
    """The results as Markdown."""
    lines = [
        "| pages | events/s | of COPY: median (least - most) | own CPU, us an event | PostgreSQL's CPU, us an event |",
        "|---|---|---|---|---|",
    ]
    total = events * rounds
    for case, sides in results.items():
        ours, theirs = sides[PRODUCT], sides[COPY]
        ratios = sorted(b / a for a, b in zip(ours.seconds, theirs.seconds, strict=True))
        lines.append(
            f"| {case} | {ours.rate(events):,.0f} | {median(ratios):.2f} ({ratios[0]:.2f} - {ratios[-1]:.2f})"
            f" | {ours.own / total * 1e6:.1f} | {ours.server / total * 1e6:.1f} |"
        )
    alone = Measured(
        seconds=[one for sides in results.values() for one in sides[COPY].seconds],
        own=sum(sides[COPY].own for sides in results.values()) / len(results),
        server=sum(sides[COPY].server for sides in results.values()) / len(results),
    )
    lines.append(
        f"| raw COPY of ready rows | {alone.rate(events):,.0f} | 1"
        f" | {alone.own / total * 1e6:.1f} | {alone.server / total * 1e6:.1f} |"
    )
    stored = median(a / b for a, b in zip(results[NEW][PRODUCT].seconds, results[STORED][PRODUCT].seconds, strict=True))
    lines += ["", f"Stored pages go through at {stored:.2f} times the rate of new ones."]
    return "\n".join(lines)


async def run(url: str, *, postmaster: int, options: argparse.Namespace) -> None:
    """Seed, measure and print."""
    async with Database(url, application_name="mixhaul:bench", max_size=2) as database:
        epoch = await LeaderRow(database, holder="bench", duration_seconds=3600).acquire(force=True)
        if epoch is None:
            raise RuntimeError("the epoch could not be taken")
        product = await Product.begin(database, epoch, external_id=1)
        await Product.begin(database, epoch, external_id=2)
        if options.rows and not await _rows(database):
            began = time.perf_counter()
            await asyncio.to_thread(seed, url, rows=options.rows)
            print(f"{options.rows:,} rows made in {time.perf_counter() - began:.0f} s", flush=True)
        rows = await _rows(database)
        copy = RawCopy(url, organisation_id=2)
        try:
            meter = Meter(postmaster)
            results = await measure(database, copy, product, meter=meter, options=options)
        finally:
            copy.close()
    with psycopg.connect(url) as connection:
        version = connection.info.parameter_status("server_version")
    print(
        f"\n{options.rounds} rounds of {options.pages} pages of {PAGE} events, about {rows:,} rows at the start,"
        f" ids {'rising' if options.rising else 'spread over 64 bits'}, PostgreSQL {version}"
    )
    print(f"{machine.describe()}\n")
    print(table(results, events=options.pages * PAGE, rounds=options.rounds))
    print(f"Peak memory of this process, pages and ready rows included: {machine.peak_memory_mb(os.getpid()):.0f} MB")


async def _rows(database: Database) -> int:
    """As ANALYZE last saw it; 0 where it never ran."""
    async with database.connection() as connection:
        cursor = await connection.execute(
            "SELECT greatest(0, reltuples)::bigint FROM pg_class WHERE relname = 'event_keys'"
        )
        row = await cursor.fetchone()
    return int(row[0]) if row else 0


def main() -> None:
    """Read the options, start a server, measure, and throw all of it away unless it is to be kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=0, help="rows that each table holds before")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--pages", type=int, default=8, help="pages a round, case and side")
    parser.add_argument("--rising", action="store_true", help="ids that rise instead of ids all over 64 bits")
    parser.add_argument("--data", type=Path, help="folder for the server; it is kept, with its rows, for the next run")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of PostgreSQL")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mixhaul-bench-", dir="/var/tmp") as scratch:
        Path(scratch).chmod(0o755)
        settings = dict(one.split("=", 1) for one in options.set)
        server = EmbeddedPostgres(options.data or Path(scratch) / "data", settings=settings)
        with server as url:
            if server.pid is None:
                raise SystemExit(f"another process runs a server on {server.data_dir}: nothing measured")
            migrate(url)
            collect_seldom()
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(run(url, postmaster=server.pid, options=options))


if __name__ == "__main__":
    main()
