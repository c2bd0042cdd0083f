"""See 0007_search.sql."""

from __future__ import annotations

from mixhaul_store.migrations import plain_sql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    plain_sql.run("0007_search.sql")
