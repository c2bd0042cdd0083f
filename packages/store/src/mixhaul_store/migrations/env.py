"""What alembic runs: on the connection that `schema.migrate` gives, which holds the lock already."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"], transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
