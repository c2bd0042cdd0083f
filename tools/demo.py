"""`make demo`: a fleet's events flow from a simulated MiX through the ingestor into PostgreSQL and out of the API.

Starts embedded PostgreSQL, the simulator, sync, stream and API as separate processes, says in few lines what happens,
and prints three `curl` lines that work when pasted. Ctrl-C ends everything; run again, it goes on from its cursor.
`DEMO_SECONDS=60` ends by itself, compares every event with what the simulator offered, id by id and column by column,
and exits with 1 if they differ. A script of the repository, not part of the product.
"""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

import psycopg  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.live import Live  # noqa: E402
from rich.table import Table  # noqa: E402

from faults.compare import compare  # noqa: E402
from mixhaul_ingestor.status import duration  # noqa: E402
from mixhaul_store.embedded import EmbeddedPostgres  # noqa: E402

console = Console(highlight=False, soft_wrap=True)
BIN = Path(sys.executable).parent
# Shorter than MiX's own 20 calls a minute and 30 s, so that something happens while you watch.
PACE = ("--requests-per-minute", "60", "--pause-seconds", "3")
FLEET = (
    "--seed",
    "7",
    "--organisations",
    "2",
    "--drivers",
    "60",
    "--vehicles",
    "45",
    "--events-per-minute",
    "600",
    "--history-days",
    "1",
)


def say(text: str) -> None:
    console.print(text)


def data_folder() -> Path:
    """`.demo` in the checkout; below /var/tmp where root's PostgreSQL (run as nobody) can't reach the checkout."""
    if chosen := os.environ.get("DEMO_DIR"):
        return Path(chosen).resolve()
    if os.geteuid() == 0 and not _traversable(ROOT):
        return Path("/var/tmp") / f"mixhaul-demo-{hash_of(str(ROOT))}"  # noqa: S108  (owned by root, checked)
    return ROOT / ".demo"


def hash_of(text: str) -> int:
    """A stable number for a path."""
    value = 0
    for byte in text.encode():
        value = (value * 131 + byte) % 2**32
    return value


def _traversable(folder: Path) -> bool:
    return all(each.stat().st_mode & stat.S_IXOTH for each in (folder, *folder.parents))


@contextmanager
def process(
    name: str, command: list[str], *, folder: Path, environment: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """A program with its log in the folder; ended by SIGTERM, and by SIGKILL if that takes too long."""
    with (folder / f"{name}.log").open("ab") as log:
        # A session of its own: Ctrl-C reaches this script alone, which then ends them in order.
        child = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment, start_new_session=True)
    try:
        yield child
    finally:
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(timeout=12)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def get(url: str, *, token: str | None = None) -> Any:
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})  # noqa: S310
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  (loopback)
        return json.loads(answer.read())


def post(url: str, body: dict[str, Any]) -> None:
    request = urllib.request.Request(  # noqa: S310  (loopback)
        url, data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}, method="POST"
    )
    urllib.request.urlopen(request, timeout=10).close()  # noqa: S310


def wait_for(
    what: str, check: Callable[[], Any], *, child: subprocess.Popen[bytes], log: Path, seconds: float = 60
) -> Any:
    """Poll until `check` gives something; ends the demo with the log's last lines when the program died."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if child.poll() is not None:
            tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:])
            raise SystemExit(f"{what} ended with code {child.returncode}; the last lines of {log}:\n{tail}")
        try:
            if found := check():
                return found
        except OSError:
            pass
        time.sleep(0.1)
    raise SystemExit(f"{what} did not come up in {seconds:.0f} s; see {log}")


class Demo:
    """The running parts and what they say."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self.stack = stack
        self.environment = dict(os.environ)
        self.control = ""
        self.token = ""
        self.api = ""
        self.database = ""

    def start(self) -> None:
        """Everything, in order."""
        first = not (self.folder / "pg").exists()
        self.database = self.stack.enter_context(EmbeddedPostgres(self.folder / "pg"))
        say(f"[bold]PostgreSQL[/bold]  embedded, in {self.folder / 'pg'}" + ("" if first else " (from the last run)"))
        self._simulator()
        key_file = self.folder / "jwt.key"
        self.environment |= {
            "MIXHAUL_DATABASE_URL": self.database,
            "MIXHAUL_ENCRYPTION_KEYS_FILE": str(self._encryption_keys()),
            "MIXHAUL_JWT_KEY_FILE": str(key_file),
        }
        self._run("mixhaul-ingestor", "migrate")
        self._run("mixhaul-ingestor", "sync", "--manifest", str(self.folder / "source.yaml"))
        say("[bold]Sync[/bold]        drivers, vehicles, event types and sites are there")
        self._api(key_file)
        self._stream()

    def _encryption_keys(self) -> Path:
        file = self.folder / "encryption.keys"
        if not file.exists():
            self._run("mixhaul-ingestor", "make-key", str(file))
        return file

    def _simulator(self) -> None:
        ports, manifest = self.folder / "simulator.json", self.folder / "source.yaml"
        ports.unlink(missing_ok=True)
        command = [
            str(BIN / "mixhaul-simulator"),
            *FLEET,
            *PACE,
            "--state-file",
            str(self.folder / "fleet.json"),
            "--port",
            str(self._port()),
            "--control-port",
            "0",
            "--port-file",
            str(ports),
            "--write-manifest",
            str(manifest),
        ]
        child = self.stack.enter_context(
            process("simulator", command, folder=self.folder, environment=self.environment)
        )
        text = wait_for(
            "the simulator",
            lambda: ports.exists() and ports.read_text(encoding="utf-8").strip(),
            child=child,
            log=self.folder / "simulator.log",
        )
        said = json.loads(text)
        self.control = said["controlUrl"]
        say(f"[bold]Simulator[/bold]   stands in for MiX at {said['url']} (2 organisations, some 600 events a minute)")

    def _port(self) -> int:
        """The same port each time: the data of an organisation belongs to the address that it came from."""
        file = self.folder / "simulator-port"
        if not file.exists():
            file.write_text(str(free_port()), encoding="ascii")
        return int(file.read_text(encoding="ascii"))

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(BIN / program), *arguments], env=self.environment, capture_output=True, text=True, check=False
        )
        with (self.folder / "commands.log").open("a", encoding="utf-8") as log:
            log.write(done.stdout + done.stderr)
        if done.returncode:
            raise SystemExit(f"`{program} {arguments[0]}` ended with code {done.returncode}:\n{done.stderr}")

    def _api(self, key_file: Path) -> None:
        listed = get(f"{self.control}/control/truth/organisations")
        rows = listed["organisations"] if isinstance(listed, dict) else listed
        self.organisations = [str(row["GroupId"]) for row in rows]
        command = [str(BIN / "mixhaul-api"), "token", "--subject", "demo", "--role", "admin"]
        for organisation in self.organisations:
            command += ["--organisation", organisation]
        if not key_file.exists():
            command.append("--create-key")
        self.token = (
            subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True)
            .stdout.strip()
            .splitlines()[-1]
        )
        port = free_port()
        child = self.stack.enter_context(
            process(
                "api",
                [str(BIN / "mixhaul-api"), "serve"],
                folder=self.folder,
                environment=self.environment | {"MIXHAUL_API_PORT": str(port)},
            )
        )
        self.api = f"http://127.0.0.1:{port}"
        wait_for(
            "the API", lambda: get(f"{self.api}/api/status", token=self.token), child=child, log=self.folder / "api.log"
        )
        say(f"[bold]API[/bold]         answers at {self.api} (its page: {self.api}/docs)")

    def _stream(self) -> None:
        command = [str(BIN / "mixhaul-ingestor"), "stream", "--manifest", str(self.folder / "source.yaml"), "--no-live"]
        self.stack.enter_context(process("stream", command, folder=self.folder, environment=self.environment))
        say("[bold]Stream[/bold]      reads the event feed of each organisation")

    def _somebody(self) -> tuple[str, str]:
        """A driver with infractions: part of the name and the id. Waits a little for the first page."""
        found = None
        deadline = time.monotonic() + 20
        while found is None and time.monotonic() < deadline:
            time.sleep(0.3)
            with psycopg.connect(self.database) as connection:
                found = connection.execute(
                    "SELECT split_part(d.name, ' ', 1), d.external_id::text FROM telemetry_events e"
                    " JOIN event_types t ON (t.organisation_id, t.external_id)"
                    " = (e.organisation_id, e.event_type_external_id) AND t.is_infraction"
                    " JOIN drivers d ON (d.organisation_id, d.external_id) = (e.organisation_id, e.driver_external_id)"
                    " GROUP BY 1, 2 ORDER BY count(*) DESC, 2 LIMIT 1"
                ).fetchone()
        if found is None:
            raise SystemExit(f"no infraction came in 20 s: see {self.folder / 'stream.log'}")
        return str(found[0]), str(found[1])

    def say_curls(self) -> None:
        """Three lines that work when pasted into another terminal."""
        name, driver = self._somebody()
        say("\nA token for trying out, and three lines to paste into another terminal:\n")
        print(f"export TOKEN={self.token}")
        for path in (
            f"/api/drivers?search={quote(name)}&limit=3",
            f"/api/drivers/{driver}/infractions?limit=3",
            "/api/status",
        ):
            print(f"curl -s -H \"Authorization: Bearer $TOKEN\" '{self.api}{path}'")
        print(flush=True)

    def status(self) -> list[dict[str, Any]]:
        """What `mixhaul-ingestor status --json` says."""
        done = subprocess.run(
            [str(BIN / "mixhaul-ingestor"), "status", "--json"], env=self.environment, capture_output=True, check=False
        )
        rows: list[dict[str, Any]] = json.loads(done.stdout) if done.returncode == 0 else []
        with psycopg.connect(self.database) as connection:
            stored: dict[str, int] = dict(
                connection.execute(
                    "SELECT o.external_id::text, count(k.*) FROM organisations o"
                    " LEFT JOIN event_keys k ON k.organisation_id = o.id GROUP BY o.external_id"
                ).fetchall()
            )
        return [row | {"storedEvents": stored.get(row["organisationId"], 0)} for row in rows]

    def watch(self, *, until: float | None, stop: Callable[[], bool]) -> None:
        """The live view on a terminal, a line now and then elsewhere."""
        if not console.is_terminal:
            last = 0.0
            while not stop() and (until is None or time.monotonic() < until):
                if time.monotonic() - last > 10:
                    last = time.monotonic()
                    for row in self.status():
                        say(f"  {row['organisationName']}: {line_of(row)}")
                time.sleep(0.2)
            return
        with Live(table_of(self.status()), console=console, refresh_per_second=2) as live:
            while not stop() and (until is None or time.monotonic() < until):
                live.update(table_of(self.status()))
                time.sleep(1.0)

    def caught_up(self) -> bool:
        """Let the fleet stand still and wait until every feed has said that there is no more after that."""
        post(f"{self.control}/control/generate", {"stop": True})
        stopped = time.time()
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            rows = self.status()
            if rows and all(row["caughtUp"] and _epoch(row["lastPollTime"]) > stopped + 1 for row in rows):
                return True
            time.sleep(0.5)
        return False


def _epoch(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()


def line_of(row: dict[str, Any]) -> str:
    lag = "-" if row["lagSeconds"] is None else duration(row["lagSeconds"])
    state = "caught up" if row["caughtUp"] else "reading"
    return (
        f"{row['storedEvents']} events stored, {state}, lag {lag}, {row['permitsInUse']} calls in the last minute"
        + (f", last error: {row['lastError']}" if row["lastError"] else "")
    )


def table_of(rows: list[dict[str, Any]]) -> Table:
    table = Table(title="Ctrl-C ends everything", title_justify="left", expand=True)
    for heading in ("Organisation", "Events stored", "State", "Lag", "Calls/min", "Last error"):
        table.add_column(heading)
    for row in rows:
        table.add_row(
            row["organisationName"] or row["organisationId"],
            str(row["storedEvents"]),
            "[green]caught up[/green]" if row["caughtUp"] else "[cyan]reading[/cyan]",
            "-" if row["lagSeconds"] is None else duration(row["lagSeconds"]),
            str(row["permitsInUse"]),
            row["lastError"] or "",
        )
    return table


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> int:
    seconds = os.environ.get("DEMO_SECONDS")
    stopping: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: stopping.append(number))
    signal.signal(signal.SIGTERM, lambda number, _: stopping.append(number))
    folder = data_folder()
    folder.mkdir(parents=True, exist_ok=True, mode=0o755)
    with ExitStack() as stack:
        demo = Demo(folder, stack)
        began = time.monotonic()
        demo.start()
        demo.say_curls()
        demo.watch(until=began + float(seconds) if seconds else None, stop=lambda: bool(stopping))
        if seconds is None or stopping:
            say("Ending. Run `make demo` again: it goes on from its cursor.")
            return 0
        say("The fleet stands still now; waiting until everything that it offered has been read.")
        if not demo.caught_up():
            say("[red]The feeds did not catch up in two minutes: see the logs in the data folder.[/red]")
            return 1
        report = compare(demo.control, demo.database)
    verdict = "[green]equal[/green]" if report.equal else "[red]NOT equal[/red]"
    say(
        f"\nEvents offered by the simulator: {report.offered}; stored: {report.stored}. Compared id by id, column by "
        f"column: {report.missing} missing, {report.doubled} doubled, {report.differing} differing: {verdict}."
    )
    for sentence in report.differences:
        say(f"  {sentence}")
    return 0 if report.equal else 1


if __name__ == "__main__":
    sys.exit(main())
