"""A fleet that lives, an ingestor that hauls it with the writer's role, and a PostgreSQL to be troubled: one for all
tests of this folder, each of which leaves it well."""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest

from faults.bed import Bed, wait_for
from faults.compare import compare
from support.postgres import Server, reachable_folder, running_server
from support.postgres_proxy import Proxy, postgres_proxy

SHORT = {
    "MIXHAUL_LEASE_DURATION_SECONDS": "3",
    "MIXHAUL_LEASE_RENEW_DEADLINE_SECONDS": "2",
    "MIXHAUL_LEASE_RETRY_SECONDS": "0.2",
    "MIXHAUL_TRANSIT_SECONDS": "0.5",
    "MIXHAUL_BACKOFF_SECONDS": "0.05",
}
FLEET = (
    "--drivers", "10", "--vehicles", "8", "--organisations", "2", "--event-types", "20", "--history-days", "0.1",
    "--requests-per-minute", "600", "--pause-seconds", "1", "--events-per-minute", "600",
)  # fmt: skip
WRITER = "mixhaul_writer"


@dataclass
class World:
    """The parts, and what every trouble has in common."""

    server: Server
    url: str
    bed: Bed
    proxy: Proxy
    _seen: int = 0
    _counted: dict[str, float] = field(default_factory=dict)

    def admin(self) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection of somebody who may do anything."""
        return psycopg.connect(self.url, autocommit=True)

    def execute(self, *statements: str) -> None:
        with self.admin() as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def set(self, name: str, value: str | None) -> None:
        """A setting of the server, for sessions that are there already, too."""
        self.execute(
            f"ALTER SYSTEM SET {name} = '{value}'" if value else f"ALTER SYSTEM RESET {name}",
            "SELECT pg_reload_conf()",
        )

    def end_sessions(self) -> None:
        self.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{WRITER}'")

    def begin(self) -> None:
        """Pages flow; what was logged and counted before does not count."""
        before = self.pages()
        wait_for(lambda: self.pages() > before, what="a page before the trouble", seconds=60)
        self._seen = len(self.bed.log("a"))
        self._counted = self.errors()

    def pages(self) -> int:
        with self.admin() as connection:
            row = connection.execute("SELECT count(*) FROM raw_pages").fetchone()
        return int(row[0]) if row else 0

    def waits(self, query: str) -> bool:
        """Whether a session of the ingestor stands in a lock's queue with such a query."""
        with self.admin() as connection:
            found = connection.execute(
                "SELECT FROM pg_stat_activity WHERE usename = %s AND wait_event_type = 'Lock' AND query ILIKE %s",
                (WRITER, query),
            )
            return found.fetchone() is not None

    def errors(self) -> dict[str, float]:
        """How often the ingestor has met each kind of trouble."""
        port = re.findall(r'"port":\s*(\d+)', self.bed.log("a"))[0]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            text = answer.read().decode()
        found = re.findall(r'^mixhaul_db_errors_total\{kind="(\w+)"\} (\S+)', text, re.MULTILINE)
        return {kind: float(number) for kind, number in found}

    def said(self, sentence: str) -> bool:
        return sentence in self.bed.log("a")[self._seen :]

    def wait_until_said(self, sentence: str) -> None:
        wait_for(lambda: self.said(sentence), what=f"{sentence!r} in the log", seconds=60)

    def end(self, kind: str) -> None:
        """It has gone on by itself; it was counted; database and truth agree; the fleet lives on."""
        assert self.errors().get(kind, 0.0) > self._counted.get(kind, 0.0), "it is in the metrics"
        before = self.pages()
        wait_for(lambda: self.pages() > before, what="a page after the trouble", seconds=60)
        control = self.bed.simulator
        control.call("POST", "/control/generate", {"stop": True})
        wait_for(lambda: compare(control.control, self.url).equal, what="the same as the truth", seconds=60)
        report = compare(control.control, self.url)
        assert report.equal, report.differences
        given = {call.get("tokenGiven") for call in self.bed.records()["calls"]}
        with self.admin() as connection:
            tokens = connection.execute("SELECT last_successful_sincetoken FROM etl_control WHERE feed = 'events'")
            assert {token for (token,) in tokens} <= given, "the cursor is a token that MiX gave"
        assert self.bed.records()["violations"] == []
        assert self.bed.running[1].poll() is None, "the same process all the time"
        control.call("POST", "/control/generate", {"eventsPerMinute": 600})


@pytest.fixture(scope="module")
def shared_world() -> Iterator[World]:
    with (
        reachable_folder() as folder,
        running_server(settings={"deadlock_timeout": "1s"}) as server,
        postgres_proxy(int(psycopg.conninfo.conninfo_to_dict(server.url)["port"])) as proxy,
    ):
        server.execute(f"CREATE ROLE {WRITER} LOGIN PASSWORD 'w'")
        with server.database() as url:
            bed = Bed(folder)
            bed.use_database(url)
            bed.prepare()
            parts = psycopg.conninfo.conninfo_to_dict(url)
            writer = f"postgresql://{WRITER}:w@127.0.0.1:{proxy.port}/{parts['dbname']}"
            bed.environment |= SHORT | {"MIXHAUL_DATABASE_URL": writer}
            try:
                bed.start_simulator(*FLEET)
                bed.start_ingestor(name="a")
                yield World(server, url, bed, proxy)
            finally:
                bed.close()


@pytest.fixture
def world(shared_world: World) -> World:
    """With pages flowing."""
    shared_world.begin()
    return shared_world
