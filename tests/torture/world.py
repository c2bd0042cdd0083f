"""The surroundings of a torture run: PostgreSQL, the simulator, the network towards both, and the Secret."""

from __future__ import annotations

import json
import os
import re
import signal
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg

from faults.bed import Bed
from mixhaul_store.embedded import EmbeddedPostgres
from torture import audit
from torture.proxy import TortureProxy
from torture.schedule import Profile

EIGHT_DAYS = timedelta(days=8, hours=2)


@dataclass
class World:
    """Everything but the ingestors. `close` ends it, also after a failure."""

    folder: Path
    seed: int
    profile: Profile
    bed: Bed = field(init=False)
    postgres: EmbeddedPostgres = field(init=False)
    to_mix: TortureProxy = field(init=False)
    to_database: TortureProxy = field(init=False)
    manifest: Path = field(init=False)
    violations: list[Any] = field(default_factory=list)
    totals: Counter[str] = field(default_factory=Counter)
    passwords: int = 0
    _seen: int = 0

    def open(self) -> None:
        """Start all of it, and make the schema."""
        self.bed = Bed(self.folder)
        self.bed.environment |= self.profile.environment
        self.postgres = EmbeddedPostgres(
            self.folder / "pg",
            durable=self.seed % 4 == 0,
            settings={"shared_buffers": "48MB", "max_connections": "150"},
        )
        self.bed.postgres = self.postgres
        self.bed.url = self.postgres.start()
        of = self.profile
        outage = ["--start", f"{datetime.now(UTC) - EIGHT_DAYS:%Y-%m-%dT%H:%M:%SZ}", "--events-per-vehicle-day", "15"]
        self.bed.start_simulator(
            *(outage if of.cliff else []),
            "--seed", str(self.seed), "--organisations", str(of.organisations), "--drivers", "20", "--vehicles", "12",
            "--event-types", "30", "--events-per-minute", "0",
            "--history-days", str(of.history_days), "--requests-per-minute", str(of.requests_per_minute),
            "--pause-seconds", str(of.pause), "--history-filter", "creation" if self.seed % 2 else "start",
        )  # fmt: skip
        self.bed.prepare()
        audit.install(self.bed.url)
        mix = urlsplit(self.bed.simulator.url)
        assert mix.hostname is not None
        assert mix.port is not None
        self.to_mix = TortureProxy(mix.hostname, mix.port)
        self.to_mix.__enter__()
        self.to_database = TortureProxy("127.0.0.1", self._database_port)
        self.to_database.__enter__()
        # Named as it is known to everybody, also where the network in between is the proxy.
        self.manifest = self.folder / "proxied.yaml"
        text = self.bed.simulator.manifest.read_text(encoding="utf-8")
        text = text.replace(self.bed.simulator.url, f"http://127.0.0.1:{self.to_mix.port}")
        if of.cliff:
            text = text.replace("  stream:\n", "  stream:\n    startFrom: Now\n")
        self.manifest.write_text(text, encoding="utf-8")

    @property
    def _database_port(self) -> int:
        port = urlsplit(self.bed.url).port
        assert port is not None
        return port

    def control(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """A request to the simulator's control port."""
        return self.bed.simulator.call(method, path, body)

    def environment(self, *, name: str, network: bool) -> dict[str, str]:
        """What a program of the ingestor gets. `network`: its database is behind the proxy."""
        environment = self.bed.env({"MIXHAUL_HOLDER": name})
        if network:
            port = f":{self._database_port}/"
            environment["MIXHAUL_DATABASE_URL"] = self.bed.url.replace(port, f":{self.to_database.port}/")
        return environment

    # -- PostgreSQL

    def kill_postgres(self, number: signal.Signals) -> None:
        """SIGKILL, or SIGQUIT as `pg_ctl stop -m immediate` sends it, and start again."""
        pid = self.postgres.pid
        if pid is not None:
            os.kill(pid, number)
        self.start_postgres()

    def start_postgres(self) -> None:
        """Make sure that it runs."""
        self.bed.url = self.postgres.start()
        self.to_database.towards("127.0.0.1", self._database_port)

    def kill_backend(self) -> bool:
        """SIGKILL to a session of an ingestor: PostgreSQL ends all others and recovers. Whether there was one."""
        pids = self._sessions()
        if not pids:
            return False
        os.kill(pids[0], signal.SIGKILL)
        return True

    def terminate_session(self) -> bool:
        """`pg_terminate_backend` of one. Whether there was one."""
        pids = self._sessions()
        if pids:
            self._sql("SELECT pg_terminate_backend(%s)", (pids[0],))
        return bool(pids)

    def _sessions(self) -> list[int]:
        """Of ingestors, those inside of a transaction first."""
        return [
            row[0]
            for row in self._sql(
                "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'mixhaul:%%'"
                " ORDER BY (state LIKE '%%transaction%%' OR state = 'active') DESC, random() LIMIT 1",
                (),
            )
        ]

    def _sql(self, query: str, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        try:
            with psycopg.connect(self.bed.url, autocommit=True, connect_timeout=5) as connection:
                return connection.execute(query.encode(), values).fetchall()
        except psycopg.Error:
            return []  # it is just recovering

    def sql(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of a query, for the checks."""
        with psycopg.connect(self.bed.url, autocommit=True, options="-c TimeZone=UTC") as connection:
            return connection.execute(query.encode()).fetchall()

    # -- the Secret

    def change_password(self) -> None:
        """At MiX and in the manifest, as an administrator does it."""
        self.passwords += 1
        password = f'Nova "senha" %{self.passwords} ção+'
        self.control("POST", "/control/credentials", {"password": password, "revokeRefreshTokens": True})
        text = self.manifest.read_text(encoding="utf-8")
        changed = re.sub(r"(?m)^  password: .*$", lambda _: f"  password: {json.dumps(password)}", text)
        draft = self.manifest.with_suffix(".part")
        draft.write_text(changed, encoding="utf-8")
        draft.replace(self.manifest)

    # -- the outage

    def outage(self) -> None:
        """MiX's clock jumps to today: what was not read is out of the feed's reach."""
        self.control("POST", "/control/generate", {"eventsPerMinute": self.profile.events_per_minute})
        for organisation in self.organisations():
            late = {"organisation": organisation, "count": 20, "daysLate": 20}
            self.control("POST", "/control/events", late)
        self.control("POST", "/control/clock", {"set": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"})

    def open_gaps(self) -> int:
        """How many are not filled."""
        return int(self.sql("SELECT count(*) FROM gaps WHERE state = 'open'")[0][0])

    # -- the rules

    def look_at_records(self) -> None:
        """Take over what the simulator saw since the last look."""
        view = self.control("GET", f"/control/records?since={self._seen}")
        self._seen = view["next"]
        self.violations += view["violations"]
        self.totals = Counter(view["totals"])

    def calm(self) -> None:
        """The network and MiX are well, and the fleet stands still."""
        for proxy in (self.to_mix, self.to_database):
            proxy.cut_commit(None)
            proxy.passing()
            proxy.reset()
        self.control("DELETE", "/control/faults")
        self.control("POST", "/control/generate", {"stop": True})
        # Also no row that appears on a list between a sync and the look at the truth.
        self.control("POST", "/control/clock", {"freeze": True})
        for organisation in self.organisations():
            self.control("POST", "/control/organisations", {"organisation": organisation, "forbidden": False})
        self.start_postgres()

    def organisations(self) -> list[str]:
        """Ids of all."""
        return [str(row["GroupId"]) for row in self.control("GET", "/control/truth/organisations")["organisations"]]

    def close(self) -> None:
        """End everything."""
        for name in ("to_mix", "to_database"):
            if hasattr(self, name):
                getattr(self, name).__exit__(None, None, None)
        self.bed.close()
