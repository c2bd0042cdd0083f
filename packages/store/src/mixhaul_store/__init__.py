"""Mixhaul in PostgreSQL: migrations, the page transaction, cursors, permits, tokens, queries."""
