"""See 0006_retention.sql."""

from __future__ import annotations

from mixhaul_store.migrations import plain_sql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    plain_sql.run("0006_retention.sql")
