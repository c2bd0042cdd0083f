"""Kill, stop and disturb the haul in every way at once, by seed, and compare it with the truth.

    python -m torture --kills 1000 --seed 1 --jobs 2     seeds 1, 2, 3..., some hundred kills each, until 1000
    python -m torture --minutes 3                        two fixed seeds and a fresh one, as CI does
    python -m torture --replay 17                        the schedule of one seed again

A seed that fails prints how to replay it, and its folder stays. Results are written below `--out`, one file a seed; a
run with the same folder goes on where the last one ended.
"""

from __future__ import annotations

import argparse
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

from torture import summary
from torture.chunk import Chunk
from torture.result import Result, read

LONGEST_SECONDS = 3600.0
CI_SEEDS = (1, 5)
MOST_FAILED = 3


def one(seed: int, *, kills: int, seconds: float, out: Path, verbose: bool) -> int:
    """One seed in this process; its exit code."""
    folder = Path(tempfile.mkdtemp(prefix=f"mixhaul-torture-{seed}-", dir="/var/tmp"))
    folder.chmod(0o755)
    # So that everything is ended on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    chunk = Chunk(seed=seed, kills=kills, seconds=seconds, folder=folder, verbose=verbose)
    try:
        result = chunk.run()
    except Exception as error:  # noqa: BLE001  (the edge of the program)
        traceback.print_exc()
        result = chunk.result
        result.problems.append(f"the run itself failed: {type(error).__name__}: {error}")
    result.write(out / f"{seed}.json")
    print(summary.line(result), flush=True)
    if result.problems:
        for problem in result.problems[:40]:
            print(f"  {problem}")
        print(f"  its folder: {folder}")
        print(f"  again: make torture TORTURE='--replay {seed} --kills {kills}'", flush=True)
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    return 0


def many(arguments: argparse.Namespace, *, out: Path) -> int:
    """Seeds one after the other, some at a time, until there are enough kills, or too many seeds that failed."""
    done = {int(file.stem): read(file) for file in out.glob("*.json")}
    running: dict[int, subprocess.Popen[bytes]] = {}
    seed = arguments.seed
    while True:
        killed = sum(result.killed for result in done.values() if not result.problems)
        failed = [number for number, result in done.items() if result.problems]
        wanted = killed + len(running) * arguments.chunk < arguments.kills and len(failed) < MOST_FAILED
        if wanted and len(running) < arguments.jobs:
            if seed not in done:
                running[seed] = _start(seed, arguments, out=out)
            seed += 1
            continue
        if not running:
            return _end(out, failed)
        for number in [one for one, process in running.items() if process.poll() is not None]:
            del running[number]
            done[number] = read(out / f"{number}.json")
        time.sleep(0.2)


def some_time(arguments: argparse.Namespace, in_all: float, *, out: Path) -> int:
    """Two fixed seeds and a fresh one, in equal parts of the time."""
    seeds = [*CI_SEEDS, 1000 + secrets.randbelow(10**6) * 20]
    print(f"seeds: {', '.join(map(str, seeds))}", flush=True)
    arguments.seconds = max(10.0, in_all / len(seeds) - 15)
    arguments.chunk = 10**6
    failed = [seed for seed in seeds if _start(seed, arguments, out=out).wait()]
    return _end(out, failed)


def _start(seed: int, arguments: argparse.Namespace, *, out: Path) -> subprocess.Popen[bytes]:
    options = ["--replay", str(seed), "--kills", str(arguments.chunk), "--seconds", str(arguments.seconds)]
    return subprocess.Popen([sys.executable, "-m", "torture", *options, "--out", str(out)])


def _end(out: Path, failed: list[int]) -> int:
    results = _results(out)
    print(summary.text(results))
    if failed:
        print(f"failed seeds: {', '.join(map(str, failed))}")
    return 1 if failed or not results else 0


def _results(out: Path) -> list[Result]:
    return [read(file) for file in sorted(out.glob("*.json"), key=lambda file: int(file.stem))]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--chunk", type=int, default=300, help="kills of each seed")
    parser.add_argument("--jobs", type=int, default=1, help="seeds at the same time")
    parser.add_argument("--minutes", type=float, help="so long in all: two fixed seeds and a fresh one")
    parser.add_argument("--seconds-in-all", type=float, help="the same in seconds")
    parser.add_argument("--replay", type=int, metavar="SEED", help="only this seed")
    parser.add_argument("--seconds", type=float, default=LONGEST_SECONDS, help="at most so long a seed")
    parser.add_argument("--out", type=Path, help="where results are written")
    parser.add_argument("--summarise", action="store_true", help="print a page about what is in --out, and run nothing")
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    out = arguments.out or Path(tempfile.mkdtemp(prefix="mixhaul-torture-results-", dir="/var/tmp"))
    out.mkdir(parents=True, exist_ok=True)
    if arguments.summarise:
        command = f"make torture TORTURE='--kills {arguments.kills}'\nmake torture TORTURE='--replay SEED --kills 300'"
        print(summary.page(_results(out), command=command), end="")
        return 0
    if arguments.replay is not None:
        return one(
            arguments.replay, kills=arguments.kills, seconds=arguments.seconds, out=out, verbose=arguments.verbose
        )
    in_all = arguments.seconds_in_all or (arguments.minutes or 0) * 60
    if in_all:
        return some_time(arguments, in_all, out=out)
    return many(arguments, out=out)


if __name__ == "__main__":
    sys.exit(main())
