"""Alembic's environment and the revisions, each one plain SQL file of `sql/`."""
