"""Functions that care for the partitions, for roles that do not own them."""

from __future__ import annotations

from mixhaul_store.migrations import plain_sql

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    plain_sql.run("0002_partitions.sql")
