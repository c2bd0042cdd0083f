"""The shared login: one request at a time, and never a refresh token twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
from cryptography.fernet import Fernet

from mixhaul_store.database import Database
from mixhaul_store.encryption import Cipher
from mixhaul_store.tokens import PostgresTokenStore, StoredLogin, credential_revision

OLD, NEW = Fernet.generate_key(), Fernet.generate_key()
KEYS = Cipher([NEW, OLD])
REVISION = credential_revision(KEYS.secret, "client", "secret", "user", "word")
CHANGED = credential_revision(KEYS.secret, "client", "secret", "user", "other word")

Make = Callable[..., PostgresTokenStore]


@pytest.fixture
def make(database: Database) -> Make:
    def store(
        holder: str = "a", *, revision: str = REVISION, cipher: Cipher = KEYS, margin: float = 60
    ) -> PostgresTokenStore:
        return PostgresTokenStore(
            database,
            identity_url="https://identity.example/core",
            client_id="client",
            username="user",
            revision=revision,
            cipher=cipher,
            holder=holder,
            margin_seconds=margin,
        )

    return store


async def log_in(store: PostgresTokenStore, name: str = "1", *, expires_in: float = 3600) -> StoredLogin:
    login = await store.load()
    grant = "password" if login.refresh_token is None else "refresh_token"
    assert await store.begin(generation=login.generation, grant=grant, deadline_seconds=30)
    assert await store.complete(
        generation=login.generation,
        access_token=f"access-{name}",
        refresh_token=f"refresh-{name}",
        expires_in_seconds=expires_in,
    )
    return await store.load()


async def until_over(store: PostgresTokenStore) -> StoredLogin:
    """Load until no intent is under way any more."""
    while (login := await store.load()).intent_pending_seconds is not None:
        await asyncio.sleep(0.01)
    return login


@pytest.fixture
async def other_process(database_url: str) -> AsyncIterator[Database]:
    async with Database(database_url, application_name="mixhaul:other") as opened:
        yield opened


async def test_a_login_is_shared(make: Make) -> None:
    empty = await make("a").load()
    assert (empty.access_token, empty.refresh_token, empty.intent_pending_seconds, empty.refused_error) == (None,) * 4
    await log_in(make("a"))
    seen = await make("b").load()
    assert (seen.generation, seen.access_token, seen.refresh_token) == (empty.generation + 1, "access-1", "refresh-1")


@pytest.mark.parametrize("grant", ["refresh_token", "password"])
async def test_of_many_processes_one_asks(make: Make, other_process: Database, grant: str) -> None:
    await log_in(make(), expires_in=0)
    stores = [make(f"holder-{number}") for number in range(6)]
    for store in stores[::2]:
        store._db = other_process
    logins = await asyncio.gather(*(store.load() for store in stores))
    begun = await asyncio.gather(
        *(
            store.begin(generation=login.generation, grant=grant, deadline_seconds=30)
            for store, login in zip(stores, logins, strict=True)
        )
    )
    assert sum(begun) == 1
    pending = (await stores[0].load()).intent_pending_seconds
    assert pending is not None
    assert 0 < pending <= 30


async def test_what_rotated_replaces_what_was(make: Make) -> None:
    await log_in(make(), "1", expires_in=0)
    login = await log_in(make("b"), "2")
    assert (login.access_token, login.refresh_token) == ("access-2", "refresh-2")
    stale = login.generation - 1
    assert not await make().begin(generation=stale, grant="password", deadline_seconds=30)
    await make().invalidate(generation=stale)
    assert await make().load() == login


@pytest.mark.parametrize("died", ["refresh_token", "password"])
async def test_a_death_between_intent_and_outcome(make: Make, died: str) -> None:
    before = await log_in(make("a"), expires_in=0)
    assert await make("a").begin(generation=before.generation, grant=died, deadline_seconds=0.2)
    waiting = await make("b").load()
    assert waiting.intent_pending_seconds is not None
    assert not await make("b").begin(generation=before.generation, grant="password", deadline_seconds=30)
    login = await until_over(make("b"))
    # A refresh token that may be spent is never used again; a password can't be spent.
    assert login.refresh_token == (None if died == "refresh_token" else "refresh-1")
    begin = make("b").begin
    assert await begin(generation=login.generation, grant="refresh_token", deadline_seconds=0.1) == (died == "password")
    await until_over(make("b"))
    assert await begin(generation=login.generation, grant="password", deadline_seconds=30)
    assert (await make("b").load()).refresh_token is None


async def test_an_answer_that_comes_after_somebody_else_went_on_is_dropped(make: Make) -> None:
    before = await log_in(make("a"), expires_in=0)
    assert await make("a").begin(generation=before.generation, grant="refresh_token", deadline_seconds=0.05)
    login = await until_over(make("b"))
    assert await make("b").begin(generation=login.generation, grant="password", deadline_seconds=30)
    late = {"access_token": "late", "refresh_token": "late", "expires_in_seconds": 3600}
    assert not await make("a").complete(generation=before.generation, **late)
    await make("a").fail(generation=before.generation, grant="refresh_token", error="invalid_grant", refused=True)
    assert (await make("b").load()).intent_pending_seconds is not None
    assert await make("b").complete(
        generation=login.generation, access_token="b", refresh_token=None, expires_in_seconds=3600
    )
    assert not await make("a").complete(generation=before.generation, **late)
    now = await make("a").load()
    assert (now.access_token, now.refresh_token) == ("b", None)


async def test_an_answer_after_its_deadline_counts_if_nobody_went_on(make: Make) -> None:
    before = await log_in(make("a"), expires_in=0)
    assert await make("a").begin(generation=before.generation, grant="refresh_token", deadline_seconds=0.05)
    await until_over(make("a"))
    assert await make("a").complete(
        generation=before.generation, access_token="x", refresh_token="y", expires_in_seconds=3600
    )
    assert (await make("b").load()).refresh_token == "y"


async def test_refused_credentials_are_left_alone_for_an_hour(make: Make, database: Database) -> None:
    login = await make().load()
    assert await make().begin(generation=login.generation, grant="password", deadline_seconds=30)
    await make().fail(generation=login.generation, grant="password", error="invalid_grant", refused=True)
    refused = await make("b").load()
    assert (refused.refused_error, refused.intent_pending_seconds) == ("invalid_grant", None)
    assert not await make("b").begin(generation=refused.generation, grant="password", deadline_seconds=30)
    async with database.connection() as connection:
        await connection.execute("UPDATE api_credentials SET refused_until = refused_until - interval '59 minutes'")
        assert (await make().load()).refused_error == "invalid_grant"
        await connection.execute("UPDATE api_credentials SET refused_until = refused_until - interval '1 minute'")
    assert (await make().load()).refused_error is None
    assert (await log_in(make())).access_token == "access-1"


async def test_a_changed_secret_drops_tokens_and_may_log_in_at_once(make: Make) -> None:
    login = await log_in(make())
    await make().invalidate(generation=login.generation)
    assert await make().begin(generation=login.generation, grant="refresh_token", deadline_seconds=30)
    await make().fail(generation=login.generation, grant="refresh_token", error="invalid_grant", refused=True)
    assert await make().begin(generation=login.generation, grant="password", deadline_seconds=30)
    await make().fail(generation=login.generation, grant="password", error="invalid_grant", refused=True)
    changed = await make("b", revision=CHANGED).load()
    assert (changed.access_token, changed.refresh_token, changed.refused_error) == (None, None, None)
    assert (await log_in(make("b", revision=CHANGED))).access_token == "access-1"


async def test_a_process_with_the_refused_secret_neither_tries_nor_disturbs(make: Make) -> None:
    login = await make().load()
    assert await make().begin(generation=login.generation, grant="password", deadline_seconds=30)
    await make().fail(generation=login.generation, grant="password", error="invalid_grant", refused=True)
    good = await log_in(make("b", revision=CHANGED))
    for _ in range(2):
        old = await make("a").load()
        assert (old.refused_error, old.access_token, old.refresh_token) == ("invalid_grant", None, None)
        assert not await make("a").begin(generation=old.generation, grant="password", deadline_seconds=30)
        assert await make("b", revision=CHANGED).load() == good


async def test_a_changed_secret_ends_the_intent_of_the_old_one(make: Make) -> None:
    login = await make("a").load()
    assert await make("a").begin(generation=login.generation, grant="password", deadline_seconds=30)
    assert (await make("b", revision=CHANGED).load()).intent_pending_seconds is None
    assert not await make("a").complete(
        generation=login.generation, access_token="x", refresh_token="y", expires_in_seconds=3600
    )


async def test_a_plain_error_lifts_the_intent_and_changes_nothing_else(make: Make) -> None:
    before = await log_in(make(), expires_in=0)
    assert await make().begin(generation=before.generation, grant="refresh_token", deadline_seconds=30)
    await make().fail(generation=before.generation, grant="refresh_token", error="503", refused=False)
    assert await make("b").load() == before


async def test_a_refused_refresh_token_is_dropped(make: Make) -> None:
    before = await log_in(make(), expires_in=0)
    assert await make().begin(generation=before.generation, grant="refresh_token", deadline_seconds=30)
    await make().fail(generation=before.generation, grant="refresh_token", error="invalid_grant", refused=True)
    login = await make().load()
    assert (login.refresh_token, login.refused_error, login.intent_pending_seconds) == (None, None, None)


async def test_expiry_is_the_database_s_less_a_margin(make: Make) -> None:
    await log_in(make(), expires_in=100)
    assert (await make(margin=60).load()).access_token == "access-1"
    assert (await make(margin=101).load()).access_token is None
    assert (await make(margin=101).load()).refresh_token == "refresh-1"


async def test_invalidate_keeps_the_refresh_token(make: Make) -> None:
    login = await log_in(make())
    await make("b").invalidate(generation=login.generation)
    seen = await make().load()
    assert (seen.access_token, seen.refresh_token, seen.generation) == (None, "refresh-1", login.generation)


async def test_tokens_are_encrypted_and_keys_rotate(make: Make, database: Database) -> None:
    await log_in(make(cipher=Cipher([OLD])))
    async with database.connection() as connection:
        row = await (await connection.execute("SELECT c::text, access_token FROM api_credentials c")).fetchone()
    assert row is not None
    assert "access-1" not in row[0]
    assert b"access-1" not in row[1]
    assert (await make(cipher=Cipher([NEW, OLD])).load()).access_token == "access-1"
    lost = await make(cipher=Cipher([NEW])).load()
    assert (lost.access_token, lost.refresh_token) == (None, None)
    assert (await log_in(make(cipher=Cipher([NEW])), "2")).access_token == "access-2"
    assert "access" not in repr(await make().load())


@pytest.mark.parametrize("value", ["client", "secret", "user", "word"])
def test_the_revision_changes_with_each_value(value: str) -> None:
    values = ["client", "secret", "user", "word"]
    changed = [f"{one}x" if one == value else one for one in values]
    assert credential_revision(b"k", *changed) != credential_revision(b"k", *values)
    assert credential_revision(b"k", *values) == credential_revision(b"k", *values)
    assert credential_revision(b"k", "client", "secretu", "ser", "word") != credential_revision(b"k", *values)


async def test_first_contact_of_many_makes_one_row(make: Make, database: Database) -> None:
    logins = await asyncio.gather(*(make(f"h{number}").load() for number in range(4)))
    assert len({login.generation for login in logins}) == 1
    async with database.connection() as connection:
        row = await (await connection.execute("SELECT count(*) FROM api_credentials")).fetchone()
    assert row == (1,)
