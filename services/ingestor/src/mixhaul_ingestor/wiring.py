"""Puts the parts together: which budget, which login and which client belong to a source."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from mixhaul_ingestor.settings import IngestorSettings
from mixhaul_mix.client import MixClient
from mixhaul_source.manifest import Source
from mixhaul_store.budgets import FeedPause, PermitBudget
from mixhaul_store.database import Database
from mixhaul_store.elections import Epoch
from mixhaul_store.encryption import Cipher
from mixhaul_store.organisations import Organisation
from mixhaul_store.tokens import PostgresTokenStore, credential_revision


@dataclass(frozen=True, slots=True)
class Wiring:
    """What every part of one process shares. `holder` names the process in the database."""

    database: Database
    cipher: Cipher
    holder: str
    settings: IngestorSettings

    def client(self, source: Source) -> MixClient:
        """A client with the source's login."""
        login = source.credentials
        client_secret, password = login.client_secret.get_secret_value(), login.password.get_secret_value()
        return MixClient(
            api_url=source.api_url,
            identity_url=source.identity_url,
            client_id=login.client_id,
            client_secret=client_secret,
            username=login.username,
            password=password,
            tokens=self.tokens(source),
            identity_budget=self.login_budget(source),
            ca_file=source.ca_file,
        )

    def tokens(self, source: Source) -> PostgresTokenStore:
        """The source's login, shared by all processes."""
        login = source.credentials
        client_secret, password = login.client_secret.get_secret_value(), login.password.get_secret_value()
        return PostgresTokenStore(
            self.database,
            identity_url=source.identity_url,
            client_id=login.client_id,
            username=login.username,
            revision=credential_revision(self.cipher.secret, login.client_id, client_secret, login.username, password),
            cipher=self.cipher,
            holder=self.holder,
            source=source.key,
        )

    def login_budget(self, source: Source) -> PermitBudget:
        """The budget of identity and organisation-group calls: one a login."""
        login = source.credentials
        names = "\n".join((source.identity_url, login.client_id, login.username))
        key = f"credential:{hashlib.sha256(names.encode()).hexdigest()}"
        return self._budget(source, key=key, priority="sync")

    def sync_budget(self, source: Source, organisation: Organisation) -> PermitBudget:
        """The budget of an organisation for support data."""
        return self._budget(source, key=f"organisation:{organisation.id}", priority="sync")

    def history_budget(self, source: Source, organisation: Organisation, *, priority: str) -> PermitBudget:
        """The budget of an organisation for its history: `amendments`, `reconciliation` or `backfill`."""
        return self._budget(source, key=f"organisation:{organisation.id}", priority=priority)

    def feed_budget(self, source: Source, organisation: Organisation, *, feed: str, epoch: Epoch) -> PermitBudget:
        """The budget of an organisation for its feed, with the feed's pause, for the leader only."""
        pause = FeedPause(
            organisation_id=organisation.id,
            feed=feed,
            pause_seconds=float(source.spec.rate_limit.pause_seconds),
            epoch=epoch,
        )
        return self._budget(source, key=f"organisation:{organisation.id}", priority="feed", feed=pause)

    def _budget(self, source: Source, *, key: str, priority: str, feed: FeedPause | None = None) -> PermitBudget:
        return PermitBudget(
            self.database,
            key=key,
            requests_per_minute=source.spec.rate_limit.requests_per_minute,
            priority=priority,
            holder=self.holder,
            feed=feed,
            transit_seconds=self.settings.transit_seconds,
        )
