"""Runs a file of SQL as it is: many statements, no parameters, `%` and `:` mean nothing."""

from __future__ import annotations

from importlib import resources

from alembic import op


def read(name: str) -> str:
    """The text of a file of `sql/`."""
    return resources.files(__package__).joinpath("sql", name).read_text(encoding="utf-8")


def run(name: str) -> None:
    """Within the transaction of the revision."""
    connection = op.get_bind().connection.driver_connection
    assert connection is not None  # noqa: S101  (a live connection has one)
    connection.execute(read(name))
