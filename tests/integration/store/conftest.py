"""A leader with one organisation."""

from __future__ import annotations

import pytest

from mixhaul_store.database import Database
from support.store_haul import Haul, begin


@pytest.fixture
async def haul(database: Database) -> Haul:
    """Ready to deliver pages."""
    return await begin(database)
