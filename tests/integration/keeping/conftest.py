"""A database of its own for each test: months are dropped here."""

from __future__ import annotations

import pytest

from mixhaul_store.database import Database
from support.store_haul import Haul, begin


@pytest.fixture
async def haul(database: Database) -> Haul:
    """Ready to deliver pages."""
    return await begin(database)
