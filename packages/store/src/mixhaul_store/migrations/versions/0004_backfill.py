"""See 0004_backfill.sql."""

from __future__ import annotations

from mixhaul_store.migrations import plain_sql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    plain_sql.run("0004_backfill.sql")
