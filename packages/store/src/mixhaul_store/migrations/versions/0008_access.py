"""See 0008_access.sql."""

from __future__ import annotations

from mixhaul_store.migrations import plain_sql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    plain_sql.run("0008_access.sql")
