"""A whole simulator: two ports, one world, and a beat that lets the fleet live when nobody asks."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable
from random import Random

from mixhaul_simulator.clock import MovableClock, wall_ms
from mixhaul_simulator.commands import Commands
from mixhaul_simulator.control import Control
from mixhaul_simulator.endless import Endless
from mixhaul_simulator.errors import StartRefused
from mixhaul_simulator.eventmaker import EventMaker
from mixhaul_simulator.faults import Fault, Faults
from mixhaul_simulator.http import Server
from mixhaul_simulator.identity import Identity
from mixhaul_simulator.ids import Ids
from mixhaul_simulator.limits import Limits
from mixhaul_simulator.mix import Mix
from mixhaul_simulator.records import Records
from mixhaul_simulator.settings import Settings
from mixhaul_simulator.state import StateFile
from mixhaul_simulator.tokens import Tokens
from mixhaul_simulator.world import World

_BEAT_SECONDS = 0.25


class Simulator:
    """Everything wired together. `start` opens the ports, `stop` drops all connections at once."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: MovableClock,
        first_faults: tuple[Fault, ...] = (),
        state: StateFile | None = None,
    ) -> None:
        self.settings = settings
        self.records = Records()
        self.faults = Faults(seed=settings.seed)
        for fault in first_faults:
            self.faults.add(fault)
        now = clock.now_ms()
        self.world = World(
            settings,
            clock=clock,
            faults=self.faults,
            start_ms=now if settings.start_ms is None else settings.start_ms,
            state=state,
        )
        self.world.now_ms()
        self.limits = Limits(
            requests_per_minute=settings.requests_per_minute,
            pause_seconds=settings.pause_seconds,
            enforce=settings.enforce,
            records=self.records,
        )
        self.identity = Identity(
            settings.account,
            expires_in=settings.expires_in,
            rotate=settings.rotate,
            records=self.records,
            faults=self.faults,
        )
        endless = _endless(settings, self.world, now) if settings.endless else None
        mix = Mix(
            world=self.world,
            identity=self.identity,
            tokens=Tokens(style=settings.token_style, earlier_run_ms=now if settings.resumed else None),
            limits=self.limits,
            fault_list=self.faults,
            records=self.records,
            endless=endless,
        )
        turned = Commands(world=self.world, identity=self.identity, limits=self.limits, faults=self.faults)
        control = Control(world=self.world, records=self.records, faults=self.faults, turned=turned, endless=endless)
        self._mix_server = Server(mix.handle)
        self._control_server = Server(control.handle)
        self._beat: asyncio.Task[None] | None = None
        self._host = "127.0.0.1"

    @property
    def urls(self) -> dict[str, str]:
        url = f"http://{self._host}:{self._mix_server.port}"
        control = f"http://{self._host}:{self._control_server.port}"
        return {"url": url, "identityUrl": f"{url}/core", "controlUrl": control}

    async def start(self, *, host: str, port: int, control_port: int) -> None:
        self._host = host
        for server, wanted in ((self._mix_server, port), (self._control_server, control_port)):
            try:
                await server.start(host=host, port=wanted)
            except OSError as error:
                await self._mix_server.stop()
                raise StartRefused(
                    f"port {wanted} of {host} can't be opened ({error.strerror or error}): choose another, or 0"
                ) from error
        self._beat = asyncio.get_running_loop().create_task(self._live())

    async def stop(self) -> None:
        if self._beat is not None:
            self._beat.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._beat
        await self._mix_server.stop()
        await self._control_server.stop()

    async def _live(self) -> None:
        """Spread the work of a lively fleet; whatever asks does not depend on it."""
        while True:
            await asyncio.sleep(_BEAT_SECONDS)
            self.world.now_ms()


async def run(
    settings: Settings,
    *,
    host: str,
    port: int,
    control_port: int,
    first_faults: tuple[Fault, ...],
    state: StateFile | None = None,
    ready: Callable[[Simulator], None],
) -> None:
    """Run until SIGTERM or SIGINT, then end at once."""
    start = wall_ms() if settings.start_ms is None or settings.resumed else settings.start_ms
    simulator = Simulator(settings, clock=MovableClock(start), first_faults=first_faults, state=state)
    # Only now: while a large fleet is made, the signals' own effect is the quicker one.
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await simulator.start(host=host, port=port, control_port=control_port)
    try:
        ready(simulator)
        await stop.wait()
    finally:
        await simulator.stop()


def _endless(settings: Settings, world: World, now_ms: int) -> Endless:
    first = next(iter(world.organisations.values()))
    maker = EventMaker(
        random=Random(f"endless {settings.seed}"),
        ids=Ids(seed=settings.seed, organisation=2**21),
        support=first.support,
        ghosts=(first.group_id,),
    )
    return Endless(maker=maker, organisations=world.organisations, now_ms=now_ms, cycle=settings.cycle)
