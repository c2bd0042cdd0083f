"""Whether this process can answer, as its probes and its requests see it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class State:
    """Changed by the watch and by the shutdown, read by everything else.

    Ready means that the schema was there: a database that goes away later does not take all pods out of service,
    because their 503 says more than that of an ingress without one.
    """

    waiting_for: str | None = "the database was not asked for its schema yet"
    stopping: bool = False

    def unready(self) -> str | None:
        """The sentence for `/readyz`; None when requests can be answered."""
        return "the API is stopping" if self.stopping else self.waiting_for
