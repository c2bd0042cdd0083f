"""A bed for fault tests: PostgreSQL, simulator and ingestors as real processes, started, killed and started again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from mixhaul_store.embedded import EmbeddedPostgres

HERE = Path(__file__).parent


@dataclass
class Simulator:
    """The simulator's process and its control port."""

    process: subprocess.Popen[bytes]
    url: str
    control: str
    manifest: Path

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """A request to the control port; the answer as JSON."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310  (loopback)
            f"{self.control}{path}", data=data, method=method, headers={"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            text = answer.read()
        return json.loads(text) if text else None


@dataclass
class Bed:
    """Everything below one folder. Close it with `close`, also after a failure."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    simulator: Simulator = field(init=False)
    postgres: EmbeddedPostgres | None = None
    url: str = field(init=False)
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)
    files: list[IO[bytes]] = field(default_factory=list)

    def use_database(self, url: str) -> None:
        """A database that somebody else started and ends."""
        self.url = url

    def prepare(self) -> None:
        """Keys and schema."""
        for arguments in (("make-key", str(self.folder / "keys")), ("migrate",)):
            if self.run(*arguments).returncode:
                raise RuntimeError(f"`{arguments[0]}` failed: see {self.folder}/commands.log")

    def start_postgres(self) -> None:
        """Start it, or start it again after a kill."""
        self.postgres = EmbeddedPostgres(self.folder / "pg")
        self.url = self.postgres.start()

    def kill_postgres(self) -> None:
        """SIGKILL to the postmaster; its children go with it."""
        pid = self.postgres.pid if self.postgres else None
        if pid is None:
            raise RuntimeError("there is no PostgreSQL of this bed")
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not Path(f"/proc/{pid}").exists() or _is_zombie(pid), what="the end of the postmaster")

    def start_simulator(self, *options: str) -> None:
        """Start it with these options; it writes its manifest into the folder."""
        port_file, manifest = self.folder / "simulator.json", self.folder / "source.yaml"
        port_file.unlink(missing_ok=True)
        process = subprocess.Popen(
            [
                program("mixhaul-simulator"),
                *options,
                "--port",
                "0",
                "--control-port",
                "0",
                "--port-file",
                str(port_file),
                "--write-manifest",
                str(manifest),
            ],
            stdout=self._log("simulator"),
            stderr=subprocess.STDOUT,
        )
        self.running.append(process)
        wait_for(lambda: port_file.exists() and port_file.read_text(encoding="utf-8").strip(), what="the simulator")
        ports = json.loads(port_file.read_text(encoding="utf-8"))
        self.simulator = Simulator(process=process, url=ports["url"], control=ports["controlUrl"], manifest=manifest)

    def _log(self, name: str) -> IO[bytes]:
        file = (self.folder / f"{name}.log").open("ab")
        self.files.append(file)
        return file

    def env(self, extra: dict[str, str] | None = None) -> dict[str, str]:
        """The environment of the programs."""
        return {
            **os.environ,
            "MIXHAUL_DATABASE_URL": self.url,
            "MIXHAUL_ENCRYPTION_KEYS_FILE": str(self.folder / "keys"),
            "MIXHAUL_LOG_LEVEL": "info",
            **self.environment,
            **(extra or {}),
        }

    def command(self, *arguments: str) -> list[str]:
        """A command line of `mixhaul-ingestor`."""
        return [program("mixhaul-ingestor"), *arguments]

    def run(self, *arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[bytes]:
        """A command of `mixhaul-ingestor`, to its end."""
        with (self.folder / "commands.log").open("ab") as log:
            return subprocess.run(
                self.command(*arguments),
                env=self.env(),
                stdout=subprocess.PIPE,
                stderr=log,
                timeout=timeout,
                check=False,
            )

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """A command of `mixhaul-ingestor` beside everything else."""
        log = self._log("commands")
        process = subprocess.Popen(self.command(*arguments), env=self.env(), stdout=log, stderr=log)
        self.running.append(process)
        return process

    def start_ingestor(
        self, *arguments: str, name: str = "a", extra: dict[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """`stream` as a process, with the points of `victim.py`."""
        process = subprocess.Popen(
            [
                sys.executable,
                str(HERE / "victim.py"),
                "stream",
                "--manifest",
                str(self.simulator.manifest),
                "--no-live",
                *arguments,
            ],
            env=self.env({"MIXHAUL_HOLDER": name, **(extra or {})}),
            stdout=self._log(f"ingestor-{name}"),
            stderr=subprocess.STDOUT,
        )
        self.running.append(process)
        return process

    def records(self) -> Any:
        """What the simulator saw."""
        return self.simulator.call("GET", "/control/records")

    def log(self, name: str) -> str:
        """What an ingestor wrote."""
        return (self.folder / f"ingestor-{name}.log").read_text(encoding="utf-8", errors="replace")

    def catch_up(self, *, seconds: float = 60) -> int:
        """`stream --until-caught-up`, after the fleet was stopped; its exit code."""
        self.simulator.call("POST", "/control/generate", {"stop": True})
        return self.run(
            "stream", "--manifest", str(self.simulator.manifest), "--no-live", "--until-caught-up", timeout=seconds
        ).returncode

    def close(self) -> None:
        """End everything that this bed started."""
        for process in self.running:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait(timeout=20)
        for file in self.files:
            file.close()
        if self.postgres is not None:
            self.postgres.stop()


def program(name: str) -> str:
    """A console script of this environment."""
    return str(Path(sys.executable).parent / name)


def wait_for(condition: Callable[[], Any], *, what: str, seconds: float = 30) -> Any:
    """Poll until the condition is truthy; a failure names what was waited for."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds:.0f} s for {what}")
        time.sleep(0.02)


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True
