"""The network between an ingestor and its simulator or PostgreSQL: everything that the cluster tests' proxy does, and
connections that are cut in the middle of a COMMIT."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Literal

from cluster.ingestor.faultproxy import FaultProxy, _abort, _Link

Cut = Literal["answer lost", "not sent", "no answer"]


class TortureProxy(FaultProxy):
    """`cut_commit` strikes once: the next COMMIT that comes by. `cuts` counts those that were struck."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(host, port)
        self._cut: Cut | None = None
        self.cuts = 0

    def towards(self, host: str, port: int) -> None:
        """Where new connections go."""
        self._target = (host, port)

    def cut_commit(self, how: Cut | None) -> None:
        """`answer lost`: the server commits, and the connection is reset. `not sent`: it is reset before. `no answer`:
        the server commits, and nothing comes back, not even an end. None: no more."""
        self._cut = how

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, link: _Link) -> None:
        while chunk := await source.read(65536):
            await self._passing.wait()
            if self._delay:
                await asyncio.sleep(self._delay)
            if link.dead:
                continue
            if self._cut is not None and sink is link.server and b"COMMIT" in chunk:
                how, self._cut = self._cut, None
                self.cuts += 1
                if how == "not sent":
                    _abort(link)
                    return
                link.dead = True
                sink.write(chunk)
                await sink.drain()
                if how == "answer lost":
                    await asyncio.sleep(0.05)
                    _abort(link)
                    return
                continue
            sink.write(chunk)
            await sink.drain()
        if link.dead:
            # Nobody hears of the end either.
            await asyncio.Event().wait()
        await self._passing.wait()
        with contextlib.suppress(OSError):
            sink.write_eof()
