"""What each column means."""

from __future__ import annotations

from mixhaul_store.migrations import plain_sql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    plain_sql.run("0003_comments.sql")
