"""A PostgreSQL on the node's own address, beside the cluster, as a fleet's own database is; pods reach it.

    python -m cluster.chart.beside FOLDER

prints its URL, and ends with its standard input. The server listens on loopback; what comes to the node's address is
passed on to it.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from urllib.parse import urlsplit

from cluster.nodeconfig import NODE_IP
from mixhaul_store.embedded import EmbeddedPostgres


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        # Whoever is cut off looks for another connection.
        return
    finally:
        writer.close()


async def _forward(port: int) -> None:
    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_pass_on(reader, back), _pass_on(there, writer))

    async with await asyncio.start_server(accepted, NODE_IP, port):
        await asyncio.to_thread(sys.stdin.read)


def main() -> None:
    with EmbeddedPostgres(Path(sys.argv[1]) / "beside", durable=False) as url:
        port = urlsplit(url).port
        assert port is not None
        print(url.replace("127.0.0.1", NODE_IP), flush=True)
        asyncio.run(_forward(port))


if __name__ == "__main__":
    main()
