"""For each test a namespace with the chart's rights, a fresh database, and a simulator with events."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import psycopg
import pytest

from cluster.controlplane import ControlPlane
from cluster.ingestor.bed import FAST, SHORT, SMALL, TRAIL, Bed, make_bed
from cluster.ingestor.faultproxy import FaultProxy
from faults.bed import Bed as Haul
from support.postgres import reachable_folder


@pytest.fixture
def haul(database_url: str) -> Iterator[Haul]:
    """Database, keys and simulator."""
    with reachable_folder() as folder:
        found = Haul(folder)
        found.environment |= SHORT
        found.use_database(database_url)
        try:
            found.prepare()
            found.start_simulator(*SMALL, *FAST)
            with psycopg.connect(database_url) as connection:
                connection.execute(TRAIL)
            yield found
        finally:
            found.close()


@pytest.fixture
def bed(plane: ControlPlane, namespace: str, mixsources: None, haul: Haul) -> Bed:
    """With the Secret `mix`, and neither source nor ingestor."""
    found = make_bed(plane, namespace, haul)
    found.make_secret()
    return found


@pytest.fixture
def proxy(plane: ControlPlane) -> Iterator[FaultProxy]:
    """Between one ingestor and the API server."""
    address = urlsplit(plane.access.url)
    with FaultProxy(str(address.hostname), int(address.port or 0)) as found:
        yield found
