"""A leader with one organisation."""

from __future__ import annotations

import pytest
from support.store_haul import Haul, begin

from mixhaul_store.database import Database


@pytest.fixture
async def haul(database: Database) -> Haul:
    """Ready to deliver pages."""
    return await begin(database)
