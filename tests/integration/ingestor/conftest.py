"""A bed with a fresh database for each test: real simulator, real ingestors, short lease, pause and back-off."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from faults.bed import Bed
from support.postgres import reachable_folder

SHORT = {
    "MIXHAUL_LEASE_DURATION_SECONDS": "1.5",
    "MIXHAUL_LEASE_RENEW_DEADLINE_SECONDS": "1",
    "MIXHAUL_LEASE_RETRY_SECONDS": "0.2",
    "MIXHAUL_TRANSIT_SECONDS": "0.5",
    "MIXHAUL_BACKOFF_SECONDS": "0.05",
}


@pytest.fixture
def bed(database_url: str) -> Iterator[Bed]:
    """PostgreSQL with the schema; the test starts the simulator with the options that it needs."""
    with reachable_folder() as folder:
        bed = Bed(folder)
        bed.environment |= SHORT
        bed.use_database(database_url)
        try:
            bed.prepare()
            yield bed
        finally:
            bed.close()
