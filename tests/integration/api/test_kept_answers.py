"""Answers that need no query: right to the second whatever is written meanwhile, and at once for who writes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from support import api_data
from support.api_data import DRIVER, NOW, ORGANISATION_A, ORGANISATION_B, SPEEDING
from support.api_server import ApiProcess, Contract, running, token
from support.postgres import Server

INFRACTIONS = f"/api/drivers/{DRIVER}/infractions?limit=1"
BEHIND_SECONDS = 1.0
MOVE = "UPDATE organisations SET watermark = watermark + 1 WHERE external_id = %s"


@pytest.fixture(scope="module")
def url(postgres_server: Server) -> Iterator[str]:
    with postgres_server.database() as url:
        with psycopg.connect(url) as connection:
            api_data.plant(connection)
        yield url


@pytest.fixture(scope="module")
def api(url: str, key_file: Any) -> Iterator[ApiProcess]:
    with running(database_url=url, jwt_key_file=str(key_file)) as process:
        yield process


@pytest.fixture
def get(api: ApiProcess, key_file: Any, contract: Contract) -> Iterator[Callable[..., httpx.Response]]:
    """Asks as a role; each answer is held to the document."""
    with httpx.Client(base_url=api.url) as http:

        def ask(path: str, role: str = "admin", *, tag: str | None = None, **claims: Any) -> httpx.Response:
            bearer = token(key_file, str(ORGANISATION_A), role=role, **claims)
            headers = {"Authorization": f"Bearer {bearer}"} | ({} if tag is None else {"If-None-Match": tag})
            answer = http.get(path, headers=headers)
            contract.check(answer)
            return answer

        yield ask


def origins(api: ApiProcess) -> dict[str, float]:
    """How many answers came from where."""
    text = httpx.get(f"{api.admin_url}/metrics").text
    return {
        sample.labels["origin"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "mixhaul_api_answers_total"
    }


def until(answers: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not answers():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def change(url: str, statement: str, *values: Any, organisation: int = ORGANISATION_A) -> None:
    """Commit as our writers do: the watermark moves in the same transaction."""
    with psycopg.connect(url) as connection:
        connection.execute(statement.encode(), values)
        connection.execute(MOVE, (organisation,))


def test_what_has_not_changed_is_answered_without_a_query_and_a_304_has_no_body(
    api: ApiProcess, get: Callable[..., httpx.Response]
) -> None:
    first = get(INFRACTIONS)
    before = origins(api)
    second = get(INFRACTIONS)
    unchanged = get(INFRACTIONS, tag=first.headers["etag"])
    assert first.headers["etag"] == second.headers["etag"] == unchanged.headers["etag"]
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert first.headers["cache-control"] == unchanged.headers["cache-control"] == "private, no-cache"
    assert {**first.json(), "freshness": None} == {**second.json(), "freshness": None}
    assert list(first.json()["freshness"][0]) == list(second.json()["freshness"][0])
    after = origins(api)
    assert {name: after[name] - before[name] for name in after} == {"kept": 1, "unchanged": 1, "made": 0}


def test_a_304_needs_no_kept_answer(url: str, key_file: Any, get: Callable[..., httpx.Response]) -> None:
    """The tag is made of the watermarks and the question, so another process knows it too."""
    tag = get(INFRACTIONS).headers["etag"]
    headers = {"Authorization": f"Bearer {token(key_file, str(ORGANISATION_A), role='admin')}", "If-None-Match": tag}
    with running(database_url=url, jwt_key_file=str(key_file), api_cache_megabytes="0") as other:
        until(lambda: httpx.get(f"{other.url}{INFRACTIONS}", headers=headers).status_code == 304)
        stale = headers | {"If-None-Match": 'W/"of another time", "and another"'}
        assert httpx.get(f"{other.url}{INFRACTIONS}", headers=stale).status_code == 200
        several = headers | {"If-None-Match": f'W/"of another time", {tag}'}
        assert httpx.get(f"{other.url}{INFRACTIONS}", headers=several).status_code == 304


@pytest.mark.parametrize(
    ("role", "claims"),
    [("reader", {}), ("admin", {"sites": [7]}), ("admin", {"sites": []})],
    ids=["role", "other site", "no site"],
)
def test_other_rights_are_another_answer_and_another_tag(
    get: Callable[..., httpx.Response], role: str, claims: dict[str, Any]
) -> None:
    path = f"/api/drivers/{DRIVER}"
    mine = get(path)
    theirs = get(path, role, tag=mine.headers["etag"], **claims)
    assert theirs.status_code == (404 if claims else 200)
    assert "personal" in mine.text
    assert "personal" not in theirs.text


def test_another_organisations_commits_leave_an_answer_kept(
    api: ApiProcess, url: str, get: Callable[..., httpx.Response]
) -> None:
    tag = get(INFRACTIONS).headers["etag"]
    change(url, "SELECT 1", organisation=ORGANISATION_B)
    change(url, "SELECT 1", organisation=ORGANISATION_B)
    assert get(INFRACTIONS).headers["etag"] == tag
    change(url, "SELECT 1")
    until(lambda: get(INFRACTIONS).headers["etag"] != tag)


def test_the_feeds_progress_reaches_a_kept_answer(
    api: ApiProcess, url: str, get: Callable[..., httpx.Response]
) -> None:
    """A poll that brought nothing moves no watermark: the rows are the same, and they are newer than they were."""
    first = get(INFRACTIONS)
    with psycopg.connect(url) as connection:
        connection.execute("UPDATE etl_control SET caught_up_at = '2026-11-24T18:00:00Z' WHERE feed = 'events'")
    until(lambda: get(INFRACTIONS).json()["freshness"][0]["asOf"] == "2026-11-24T18:00:00.000Z")
    last = get(INFRACTIONS)
    assert last.headers["etag"] == first.headers["etag"]
    assert first.json()["freshness"][0]["asOf"] != "2026-11-24T18:00:00.000Z"


def test_nothing_is_a_second_behind_while_others_write(
    api: ApiProcess, url: str, get: Callable[..., httpx.Response]
) -> None:
    """Each write carries its number; each read must show at least what was committed a second before it was sent."""
    committed: list[tuple[float, int]] = []
    stop = threading.Event()

    def write() -> None:
        number = 0
        with psycopg.connect(url, autocommit=True) as connection:
            while not stop.is_set():
                number += 1
                with connection.transaction():
                    connection.execute("UPDATE vehicles SET fleet_number = %s", (str(number),))
                    connection.execute(MOVE, (ORGANISATION_A,))
                committed.append((time.monotonic(), number))
                time.sleep(0.05)

    writers = [threading.Thread(target=write)]
    before = origins(api)
    for thread in writers:
        thread.start()
    reads = 0
    try:
        ends = time.monotonic() + 2.5
        while time.monotonic() < ends:
            sent = time.monotonic()
            due = max((number for at, number in list(committed) if at <= sent - BEHIND_SECONDS), default=0)
            for _ in range(3):
                answer = get(INFRACTIONS)
                shown = answer.json()["items"][0]["vehicle"]["fleetNumber"]
                assert int(shown) >= due, f"{shown} was shown when {due} had been there for a second"
                reads += 1
    finally:
        stop.set()
        for thread in writers:
            thread.join()
    assert committed
    assert origins(api)["kept"] > before["kept"], "no read was answered from memory, so this proved nothing"


def test_what_went_unheard_is_known_within_a_second(
    url: str, key_file: Any, get: Callable[..., httpx.Response]
) -> None:
    """Without the notification, only the look several times a second is left."""
    with psycopg.connect(url) as connection:
        connection.execute("ALTER TABLE organisations DISABLE TRIGGER tell_watermark")
    try:
        for number in range(2):
            get(INFRACTIONS)
            change(url, "UPDATE vehicles SET fleet_number = %s", f"unheard {number}")
            time.sleep(BEHIND_SECONDS)
            assert get(INFRACTIONS).json()["items"][0]["vehicle"]["fleetNumber"] == f"unheard {number}"
    finally:
        with psycopg.connect(url) as connection:
            connection.execute("ALTER TABLE organisations ENABLE TRIGGER tell_watermark")


def test_a_process_that_can_not_look_any_more_answers_nothing_from_memory(
    url: str, key_file: Any, postgres_server: Server
) -> None:
    headers = {"Authorization": f"Bearer {token(key_file, str(ORGANISATION_A))}"}
    with running(database_url=url, jwt_key_file=str(key_file)) as api:
        until(lambda: "etag" in httpx.get(f"{api.url}{INFRACTIONS}", headers=headers).headers)
        with psycopg.connect(url, autocommit=True) as holder:
            # A watch that hangs: its next look waits for this lock, and so do not the requests.
            holder.execute("BEGIN")
            holder.execute("LOCK TABLE sync_runs IN ACCESS EXCLUSIVE MODE")
            time.sleep(BEHIND_SECONDS + 0.6)
            before = origins(api)
            answer = httpx.get(f"{api.url}/api/drivers/{DRIVER}", headers=headers)
            assert answer.status_code == 200
            assert "etag" not in answer.headers
            assert origins(api)["kept"] == before["kept"]
            holder.execute("ROLLBACK")
        until(lambda: "etag" in httpx.get(f"{api.url}/api/drivers/{DRIVER}", headers=headers).headers)


def test_a_change_through_the_same_process_is_seen_at_once(
    api: ApiProcess, key_file: Any, get: Callable[..., httpx.Response]
) -> None:
    """Also by a 304: the tag from before the change is no longer right in the very next request."""
    headers = {"Authorization": f"Bearer {token(key_file, str(ORGANISATION_A), role='admin')}"}
    with httpx.Client(base_url=api.url, headers=headers) as admin:
        for is_infraction in (False, True) * 10:
            tag = get(INFRACTIONS).headers["etag"]
            admin.patch(f"/api/event-types/{SPEEDING}", json={"isInfraction": is_infraction}).raise_for_status()
            answer = get(INFRACTIONS, tag=tag)
            assert answer.status_code == 200
            assert bool(answer.json()["items"]) is is_infraction


def test_a_server_that_was_set_back_gives_other_tags(url: str, key_file: Any) -> None:
    """The same watermarks after a restore are not the same rows."""
    from datetime import timedelta

    from mixhaul_api.etags import etag
    from mixhaul_api.watermarks import Known

    one = Known(((1, 5),), NOW, {})
    other = Known(((1, 5),), NOW + timedelta(seconds=1), {})
    assert etag(b"question", one, moment=None) != etag(b"question", other, moment=None)
