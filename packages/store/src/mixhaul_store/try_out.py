"""One PostgreSQL for trying Mixhaul out in a cluster: the embedded server, which others may reach over the network.

    python3 -m mixhaul_store.try_out --data-dir /data --password-file FILE

It makes the database `mixhaul`, owned by `mixhaul_owner`, whose password is the file's at each start, and the schema:
a pod without a volume begins anew each time. The chart's `postgresql.tryOut` runs it. It is no database to keep data
in: no replica, no backup, no TLS.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import psycopg
import structlog
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from mixhaul_runtime import logs
from mixhaul_store.embedded import DATABASE, USER, EmbeddedPostgres
from mixhaul_store.errors import EmbeddedServerFailed, StoreError
from mixhaul_store.schema import migrate

OWNER: Final = "mixhaul_owner"
PORT: Final = 5432

log = structlog.get_logger("mixhaul_store.try_out")

# The superuser from here only, the owner from anywhere.
_ACCESS: Final = f"""\
host all {USER} 127.0.0.1/32 scram-sha-256
host {DATABASE} {OWNER} all scram-sha-256
"""
_LOOK_SECONDS: Final = 1.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Until SIGTERM; 1 with a sentence where the server can't run."""
    parser = argparse.ArgumentParser(prog="mixhaul_store.try_out", description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, required=True, help="folder for the data")
    parser.add_argument("--password-file", type=Path, required=True, help=f"file with the password of {OWNER}")
    parser.add_argument("--host", default="*", help="address to listen on; everywhere by default")
    parser.add_argument("--port", type=int, default=PORT, help=f"port to listen on; {PORT} by default")
    options = parser.parse_args(arguments)
    logs.configure(format="json", level="info", component="try-out-postgresql")
    try:
        password = options.password_file.read_text(encoding="utf-8").strip()
        logs.register_secret(password)
        _serve(options.data_dir, password, host=options.host, port=options.port)
    except (StoreError, psycopg.Error, OSError) as error:
        sys.stderr.write(f"mixhaul_store.try_out: {logs.redact(str(error))}\n")
        return 1
    return 0


def _serve(data_dir: Path, password: str, *, host: str, port: int) -> None:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    data_dir.mkdir(parents=True, exist_ok=True)
    access = data_dir / "pg_hba.conf"
    access.write_text(_ACCESS, encoding="ascii")
    access.chmod(0o644)
    # Shared memory in files: a container's /dev/shm is small.
    settings = {
        "listen_addresses": host,
        "hba_file": os.path.abspath(access),  # noqa: PTH100  (a link stays a link)
        "dynamic_shared_memory_type": "mmap",
    }
    server = EmbeddedPostgres(data_dir / "postgresql", settings=settings, port=port)
    with server as url:
        if conninfo_to_dict(url)["port"] != str(port):
            raise EmbeddedServerFailed(f"the port {port} is taken", log=server.log_file)
        _make_owner(url, password)
        _make_schema(make_conninfo(url, user=OWNER, password=password))
        log.info("PostgreSQL for trying out is up", port=port)
        while not stop.wait(_LOOK_SECONDS):
            if server.pid is None:
                raise EmbeddedServerFailed("it ended by itself", log=server.log_file)
    log.info("ended")


def _make_owner(url: str, password: str) -> None:
    with psycopg.connect(url, autocommit=True, connect_timeout=10) as connection:
        owner, database = sql.Identifier(OWNER), sql.Identifier(DATABASE)
        if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (OWNER,)).fetchone() is None:
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(owner))
        # Encrypted here, so that no statement holds it.
        secret = connection.pgconn.encrypt_password(password.encode(), OWNER.encode(), b"scram-sha-256").decode()
        connection.execute(sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(owner, sql.Literal(secret)))
        connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(database, owner))


def _make_schema(url: str) -> None:
    """A newer one, say after a rollback, is no reason to keep the database from others: they say so themselves."""
    try:
        migrate(url)
    except StoreError as error:
        log.warning("the schema can't be made", error=str(error))


if __name__ == "__main__":
    sys.exit(main())
