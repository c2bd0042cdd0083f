"""Hauls MiX data into PostgreSQL: stream, sync, migrate, status."""
