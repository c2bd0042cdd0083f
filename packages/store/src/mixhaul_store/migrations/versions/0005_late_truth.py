"""See 0005_late_truth.sql."""

from __future__ import annotations

from mixhaul_store.migrations import plain_sql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    plain_sql.run("0005_late_truth.sql")
