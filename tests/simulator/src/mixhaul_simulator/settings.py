"""Everything that a run is told at the start."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from mixhaul_simulator.state import Interval

HistoryFilter = Literal["start", "creation"]
TokenStyle = Literal["time", "opaque"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The one login that the simulator knows. The values hold what careless encoding breaks."""

    client_id: str = "mixhaul.simulator"
    client_secret: str = "segredo+do%2Fsimulador=="
    username: str = "integracao@expressolitoral.example"
    password: str = 'Senh@ "longa" & 100% ção+1'


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A whole run. Counts of drivers, vehicles and event types are for each organisation."""

    seed: int = 1
    organisations: int = 2
    drivers: int = 50
    vehicles: int = 40
    event_types: int = 60
    events_per_minute: float = 600.0
    history_days: float = 3.0
    events_per_vehicle_day: float = 100.0
    start_ms: int | None = None
    resumed: bool = False
    stops: tuple[Interval, ...] = ()
    requests_per_minute: int = 20
    pause_seconds: float = 30.0
    enforce: bool = True
    retry_after: bool = True
    rotate: bool = True
    expires_in: int = 3600
    gzip: bool = False
    history_filter: HistoryFilter = "start"
    token_style: TokenStyle = "time"
    endless: bool = False
    cycle: int = 0
    account: Account = field(default_factory=Account)
