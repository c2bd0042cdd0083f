"""The first schema."""

from __future__ import annotations

from mixhaul_store.migrations import plain_sql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    plain_sql.run("0001_first.sql")
