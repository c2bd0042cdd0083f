"""A bed with an API beside the ingestors, and a Prometheus that scrapes them all."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from alerts import prometheus
from alerts.prometheus import Prometheus
from faults.bed import Bed, wait_for
from rules.files import RULES
from support import api_server
from support.api_server import ApiProcess
from support.postgres import reachable_folder

SHORT = {
    "MIXHAUL_LEASE_DURATION_SECONDS": "1.5",
    "MIXHAUL_LEASE_RENEW_DEADLINE_SECONDS": "1",
    "MIXHAUL_LEASE_RETRY_SECONDS": "0.2",
    "MIXHAUL_TRANSIT_SECONDS": "0.5",
    "MIXHAUL_BACKOFF_SECONDS": "0.05",
}
FLEET = ("--organisations", "2", "--drivers", "10", "--vehicles", "8", "--history-days", "0.1")
PACE = ("--events-per-minute", "600", "--requests-per-minute", "600", "--pause-seconds", "1")
# A minute of the rules in two seconds.
FACTOR = 30.0


@dataclass
class Site:
    """What runs. Everything that is started is scraped from then on."""

    bed: Bed
    stack: ExitStack
    targets: dict[str, str] = field(default_factory=dict)
    prometheus: Prometheus | None = None
    key: Path | None = None

    def watch(self, *, factor: float = FACTOR, thresholds: Mapping[str, float] | None = None) -> Prometheus:
        """Start Prometheus; call it once."""
        texts = [path.read_text(encoding="utf-8") for path in RULES]
        groups = "".join(text[text.index("groups:") + len("groups:\n") :] for text in texts)
        rules = prometheus.hastened(prometheus.with_thresholds(f"groups:\n{groups}", thresholds or {}), factor=factor)
        self.prometheus = self.stack.enter_context(prometheus.running(self.bed.folder, rules=rules))
        self.prometheus.scrape(self.targets)
        return self.prometheus

    def add(self, name: str, address: str) -> None:
        self.targets[name] = address
        if self.prometheus is not None:
            self.prometheus.scrape(self.targets)

    def ingestor(self, name: str = "a", *, extra: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        """An ingestor that streams."""
        process = self.bed.start_ingestor(name=name, extra=extra)
        port = wait_for(lambda: re.search(r'"port":\s*(\d+)', self.bed.log(name)), what="the admin port", seconds=60)
        self.add(name, f"127.0.0.1:{port[1]}")
        return process

    def api(self, **settings: Any) -> ApiProcess:
        """An API process with a static key."""
        key = api_server.secret_key(self.bed.folder)
        found = self.stack.enter_context(
            api_server.running(database_url=self.bed.url, jwt_key_file=str(key), **settings)
        )
        self.key = key
        self.add("api", found.admin_url.removeprefix("http://"))
        return found

    def simulator(self, *options: str) -> Callable[[str, str, dict[str, object]], object]:
        """The simulated MiX with a small fleet; its control port."""
        self.bed.start_simulator(*FLEET, *PACE, *options)
        return self.bed.simulator.call


@pytest.fixture
def site() -> Iterator[Site]:
    """PostgreSQL of its own, so that it can be killed."""
    with reachable_folder() as folder, ExitStack() as stack:
        bed = Bed(folder)
        bed.environment |= SHORT
        stack.callback(bed.close)
        bed.start_postgres()
        bed.prepare()
        yield Site(bed, stack)
