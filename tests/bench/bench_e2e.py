"""From the simulator over HTTP into PostgreSQL, through the real programs, at the pace that MiX allows.

    make bench-e2e
    make bench-e2e BENCH_ARGS='--seconds 600'
    make bench-e2e BENCH_ARGS='--organisations 1'

Two processes and a server of their own: the simulator gives full pages for ever, `mixhaul-ingestor stream` reads them
all, and /proc says what each of them took. In the end everything stored is counted against everything served, and that
decides the exit code; no time does.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

import psycopg

from bench import machine
from bench.pages import PAGE
from faults.bed import Bed, wait_for
from mixhaul_store.embedded import EmbeddedPostgres

SAMPLE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Sample:
    """Where everything stood at a moment: events stored, CPU seconds of each process."""

    at: float
    events: int
    ingestor: float
    postgres: float
    simulator: float


class Run:
    """The three processes while they work."""

    def __init__(self, bed: Bed, *, postmaster: int, ingestor: Popen[bytes]) -> None:
        self._bed = bed
        self._postmaster = postmaster
        self._ingestor = ingestor

    def sample(self) -> Sample:
        """Look at everything now."""
        return Sample(
            at=time.monotonic(),
            events=self.one("SELECT coalesce(sum(records), 0) FROM raw_pages"),
            ingestor=machine.cpu_seconds(self._ingestor.pid),
            postgres=machine.server_cpu_seconds(self._postmaster),
            simulator=machine.cpu_seconds(self._bed.simulator.process.pid),
        )

    def one(self, query: str) -> int:
        """The one number that a query gives."""
        with psycopg.connect(self._bed.url, application_name="bench") as connection:
            row = connection.execute(query.encode()).fetchone()
        return int(row[0]) if row else 0

    def _begun(self) -> bool:
        if self._ingestor.poll() is not None:
            raise RuntimeError(f"the ingestor ended:\n{self.log()}")
        return self.one("SELECT count(*) FROM raw_pages") > 0

    def log(self) -> str:
        """What the ingestor wrote."""
        return (self._bed.folder / "commands.log").read_text(encoding="utf-8", errors="replace")

    def follow(self, *, seconds: float) -> list[Sample]:
        """From the first stored page on, a sample every few seconds, shown as they come."""
        wait_for(self._begun, what="the first page", seconds=60)
        samples = [self.sample()]
        end = samples[0].at + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(SAMPLE_SECONDS, left))
            samples.append(self.sample())
            print(f"{samples[-1].at - samples[0].at:5.0f} s: {between(samples[-2], samples[-1])}", flush=True)
        return samples


def between(a: Sample, b: Sample) -> str:
    """What went on between two samples."""
    seconds = b.at - a.at
    return (
        f"{(b.events - a.events) / seconds:,.0f} events/s, cores: ingestor {(b.ingestor - a.ingestor) / seconds:.2f}, "
        f"PostgreSQL {(b.postgres - a.postgres) / seconds:.2f}, simulator {(b.simulator - a.simulator) / seconds:.2f}"
    )


def table(first: Sample, last: Sample, *, options: argparse.Namespace, peak_mb: float) -> str:
    """The result as Markdown."""
    seconds, events = last.at - first.at, last.events
    offered = options.organisations * options.requests_per_minute * PAGE / 60
    own, simulator = last.ingestor - first.ingestor, last.simulator - first.simulator
    return "\n".join(
        (
            "| organisations | seconds | offered, events/s | stored, events/s | ingestor, cores | us an event"
            " | ingestor, peak MB | PostgreSQL, cores | simulator, cores |",
            "|---|---|---|---|---|---|---|---|---|",
            f"| {options.organisations} | {seconds:.0f} | {offered:,.0f} | {events / seconds:,.0f}"
            f" | {own / seconds:.2f} | {own / events * 1e6:.1f} | {peak_mb:.0f}"
            f" | {(last.postgres - first.postgres) / seconds:.2f} | {simulator / seconds:.2f} |",
        )
    )


def check(run: Run, bed: Bed) -> list[str]:
    """What is wrong with the books: everything served is stored once, and no rule was broken."""
    keys, rows = run.one("SELECT count(*) FROM event_keys"), run.one("SELECT count(*) FROM telemetry_events")
    pages = run.one("SELECT count(*) FROM raw_pages")
    served = bed.simulator.call("GET", "/control/truth/endless")["organisations"]
    cursors = run.one("SELECT count(*) FROM etl_control WHERE last_successful_sincetoken IS NOT NULL")
    distinct = sum(int(one["distinctPages"]) for one in served.values())
    print(f"pages served {distinct:,}, stored {pages:,}; events: keys {keys:,}, rows {rows:,}; feeds {cursors}")
    violations = bed.records()["violations"]
    print(f"pages that failed and were asked for again: {run.log().count('page failed')}")
    return [
        *(["keys and rows differ"] if keys != rows else []),
        *(["events are missing"] if keys != run.one("SELECT coalesce(sum(records), 0) FROM raw_pages") else []),
        # A page that was under way when the end came is asked for again by the next run.
        *(["pages are missing"] if not distinct - len(served) <= pages <= distinct else []),
        *(f"outside of the rules: {json.dumps(one)}" for one in violations[:5]),
    ]


def measure(bed: Bed, *, postmaster: int, options: argparse.Namespace) -> bool:
    """All of it; whether the books are right."""
    bed.prepare()
    bed.start_simulator(
        "--endless",
        f"--organisations={options.organisations}",
        f"--requests-per-minute={options.requests_per_minute}",
        *(["--gzip"] if options.gzip else []),
    )
    ingestor = bed.start("stream", "--manifest", str(bed.simulator.manifest), "--no-live")
    run = Run(bed, postmaster=postmaster, ingestor=ingestor)
    samples = run.follow(seconds=options.seconds)
    peak = machine.peak_memory_mb(ingestor.pid)
    load = machine.load()
    ingestor.send_signal(signal.SIGTERM)
    if ingestor.wait(timeout=30):
        raise RuntimeError(f"the ingestor ended with {ingestor.returncode}:\n{run.log()}")
    print(f"\n{machine.describe()}; while it ran {load}\n")
    print(table(samples[0], samples[-1], options=options, peak_mb=peak))
    print()
    wrong = check(run, bed)
    print(*wrong, sep="\n")
    return not wrong


def main() -> None:
    """Read the options and run; the data are thrown away afterwards."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--organisations", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long, from the first stored page on")
    parser.add_argument("--requests-per-minute", type=int, default=20, help="of each organisation; MiX allows 20")
    parser.add_argument("--gzip", action="store_true", help="answers are compressed, which costs the simulator a lot")
    parser.add_argument("--folder", type=Path, default=Path("/var", "tmp"), help="where there is room: 40 MB a second")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of PostgreSQL")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="mixhaul-bench-", dir=options.folder) as scratch:
        folder = Path(scratch)
        folder.chmod(0o755)
        bed = Bed(folder)
        bed.postgres = EmbeddedPostgres(folder / "pg", settings=dict(one.split("=", 1) for one in options.set))
        try:
            bed.use_database(bed.postgres.start())
            postmaster = bed.postgres.pid
            if postmaster is None:
                raise RuntimeError("the server is somebody else's")
            good = measure(bed, postmaster=postmaster, options=options)
        finally:
            bed.close()
    raise SystemExit(0 if good else 1)


if __name__ == "__main__":
    main()
