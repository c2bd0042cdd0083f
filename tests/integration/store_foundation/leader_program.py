"""A leader to be stopped: takes the epoch, begins a page's transaction, says where it is, and goes on when told.

argv: URL HOLDER WHERE, with WHERE = locked | copying. Prints one word a line: `epoch N`, `there`, then how it ended.
"""

from __future__ import annotations

import asyncio
import sys

from mixhaul_store.database import Database
from mixhaul_store.elections import LeaderRow, application_name, assert_epoch

ROW = "(1, %d, '2026-11-05 12:00Z', now(), 1)"


def say(text: str) -> None:
    print(text, flush=True)


async def main(url: str, holder: str, where: str) -> None:
    async with Database(url, application_name=application_name(holder)) as database:
        epoch = await LeaderRow(database, holder=holder, duration_seconds=0.5).acquire()
        assert epoch is not None
        say(f"epoch {epoch.epoch}")
        try:
            async with database.transaction() as connection:
                await assert_epoch(connection, epoch)
                await connection.execute("INSERT INTO event_keys VALUES (1, 1, now(), now(), 1)")
                if where == "copying":
                    async with connection.cursor().copy("COPY event_keys FROM STDIN") as copy:
                        await copy.write("1\t2\t2026-11-05\t2026-11-05\t2\n")
                        await _told()
                        await copy.write("1\t3\t2026-11-05\t2026-11-05\t3\n")
                else:
                    await _told()
        except Exception as error:  # noqa: BLE001  (the test reads which)
            say(type(error).__name__)
        else:
            say("committed")
        try:
            async with database.transaction() as connection:
                await assert_epoch(connection, epoch)
        except Exception as error:  # noqa: BLE001
            say(type(error).__name__)


async def _told() -> None:
    say("there")
    await asyncio.to_thread(sys.stdin.readline)


asyncio.run(main(*sys.argv[1:]))
