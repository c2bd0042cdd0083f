"""What a browser and a proxy see: CORS, rates, codings, forms, a stream that ends, and reads from a replica."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest
from zstandard import ZstdDecompressor

from support import api_data
from support.api_data import DRIVER, ORGANISATION_A, SPEEDING, Fleet
from support.api_server import ApiProcess, running, token
from support.postgres import Server

PAGE = "https://fleet.example"
MOST = 300


@pytest.fixture(scope="module")
def fleet(postgres_server: Server) -> Iterator[Fleet]:
    with api_data.planted(postgres_server) as found:
        yield found


@pytest.fixture(scope="module")
def api(fleet: Fleet, key_file: Any) -> Iterator[ApiProcess]:
    settings = {"api_cors_origins": f"{PAGE}, http://localhost:5173", "api_requests_per_minute": str(MOST)}
    with running(database_url=fleet.url, jwt_key_file=str(key_file), **settings) as process:
        yield process


def bearer(key_file: Any, **claims: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {token(key_file, str(ORGANISATION_A), **claims)}"}


@pytest.mark.parametrize("path", ["/api/drivers", f"/api/event-types/{SPEEDING}", f"/api/drivers/{DRIVER}/erasure"])
def test_a_page_of_a_listed_origin_may_ask_and_read_what_it_needs(api: ApiProcess, path: str) -> None:
    asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
    answer = httpx.options(api.url + path, headers=asked | {"Origin": PAGE})
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert "Authorization" in answer.headers["access-control-allow-headers"]
    assert "Origin" in answer.headers["vary"]
    refused = httpx.options(api.url + path, headers=asked | {"Origin": "https://evil.example"})
    assert refused.status_code == 405
    assert "access-control-allow-origin" not in refused.headers


def test_also_a_problem_can_be_read_by_a_page_of_a_listed_origin(api: ApiProcess) -> None:
    for origin, allowed in ((PAGE, PAGE), ("https://evil.example", None), (None, None)):
        answer = httpx.get(f"{api.url}/api/drivers", headers={} if origin is None else {"Origin": origin})
        assert answer.status_code == 401
        assert answer.headers.get("access-control-allow-origin") == allowed
        if allowed:
            assert "ETag" in answer.headers["access-control-expose-headers"]


def test_without_configuration_there_is_no_word_about_origins(fleet: Fleet, key_file: Any) -> None:
    with running(database_url=fleet.url, jwt_key_file=str(key_file)) as plain:
        answer = httpx.get(f"{plain.url}/api/drivers", headers=bearer(key_file) | {"Origin": PAGE})
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert "ratelimit" not in answer.headers
        assert httpx.options(f"{plain.url}/api/drivers", headers={"Origin": PAGE}).status_code == 405


def test_one_request_too_many_is_a_429_that_says_when_to_come_back(api: ApiProcess, key_file: Any) -> None:
    mine = bearer(key_file, subject="eager")
    with httpx.Client(base_url=api.url, headers=mine) as http:
        first = http.get("/api/status")
        assert first.headers["ratelimit-policy"] == f'"caller";q={MOST};w=60'
        assert first.headers["ratelimit"].startswith(f'"caller";r={MOST - 1};')
        for _ in range(4 * MOST):
            answer = http.get("/api/status")
            if answer.status_code == 429:
                break
    assert answer.json()["type"] == "urn:mixhaul:problem:too-many-requests"
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.headers["ratelimit"].startswith('"caller";r=0;')
    assert httpx.get(f"{api.url}/api/status", headers=bearer(key_file, subject="patient")).status_code == 200


@pytest.mark.parametrize("coding", ["zstd", "gzip", "identity"])
def test_a_list_comes_in_the_coding_that_was_asked_for(api: ApiProcess, key_file: Any, coding: str) -> None:
    headers = bearer(key_file, subject="coder") | {"Accept-Encoding": coding}
    plain = httpx.get(f"{api.url}/api/drivers", headers=headers | {"Accept-Encoding": "identity"}).json()
    with httpx.stream("GET", f"{api.url}/api/drivers", headers=headers) as answer:
        raw = b"".join(answer.iter_raw())
    assert answer.headers.get("content-encoding", "identity") == coding
    assert "Accept-Encoding" in answer.headers["vary"]
    if coding == "gzip":
        raw = gzip.decompress(raw)
    if coding == "zstd":
        raw = ZstdDecompressor().decompressobj().decompress(raw)
    assert httpx.Response(200, content=raw).json()["items"] == plain["items"]


def test_what_is_small_or_a_304_is_not_compressed(api: ApiProcess, key_file: Any) -> None:
    headers = bearer(key_file, subject="coder")
    one = httpx.get(f"{api.url}/api/drivers/{DRIVER}", headers=headers)
    assert "content-encoding" not in one.headers
    again = httpx.get(f"{api.url}/api/drivers", headers=headers)
    tagged = headers | {"If-None-Match": again.headers["etag"]}
    unchanged = httpx.get(f"{api.url}/api/drivers", headers=tagged)
    assert (unchanged.status_code, "content-encoding" in unchanged.headers) == (304, False)
    assert {"etag", "vary", "cache-control", "x-request-id"} <= set(unchanged.headers)


def test_head_is_get_without_a_body(api: ApiProcess, key_file: Any) -> None:
    headers = bearer(key_file, subject="header")
    answer = httpx.head(f"{api.url}/api/drivers", headers=headers)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["etag"] == httpx.get(f"{api.url}/api/drivers", headers=headers).headers["etag"]


def test_a_stop_under_load_cuts_no_request_and_loses_no_view(postgres_server: Server, key_file: Any) -> None:
    """Eight clients ask until their connection is refused: whatever was begun is answered, and is in the log."""
    answered: list[str] = []
    cut: list[str] = []
    with api_data.planted(postgres_server) as fleet:
        with running(database_url=fleet.url, jwt_key_file=str(key_file)) as api:

            def load(name: str) -> None:
                headers = bearer(key_file, subject=name)
                number = 0
                while True:
                    number += 1
                    try:
                        # A connection each, so that none is closed while it is idle and just being used again.
                        answer = httpx.get(f"{api.url}/api/drivers/{DRIVER}", headers=headers, timeout=20)
                    except httpx.ConnectError:
                        return
                    except httpx.TransportError as error:
                        cut.append(repr(error))
                        return
                    answered.append(f"{name}-{answer.status_code}")

            threads = [threading.Thread(target=load, args=(f"client-{number}",)) for number in range(8)]
            for thread in threads:
                thread.start()
            while len(answered) < 40:
                time.sleep(0.01)
            api.process.terminate()
            for thread in threads:
                thread.join(30)
            assert api.process.wait(20) == 0
        # What the kernel had accepted and no program had seen yet is the listener's, not a request that was begun.
        assert [one for one in cut if "RemoteProtocolError" in one] == []
        assert {one.rpartition("-")[2] for one in answered} == {"200"}
        seen = fleet.execute(
            "SELECT actor, sum(coalesce((details->>'times')::int, 1)) FROM audit_log GROUP BY 1 ORDER BY 1"
        )
        expected: dict[str, int] = {}
        for one in answered:
            name = one.rpartition("-")[0]
            expected[name] = expected.get(name, 0) + 1
        assert dict(seen) == expected


def test_with_a_replica_reads_are_its_own_and_changes_go_to_the_primary_and_are_seen_at_once(
    postgres_server: Server, key_file: Any
) -> None:
    """The replica is a database that nothing is copied to but by the test: so it is behind for as long as it likes."""
    with api_data.planted(postgres_server) as primary, api_data.planted(postgres_server) as replica:
        replica.execute("UPDATE drivers SET name = 'from the replica' WHERE external_id = %s", DRIVER)
        replica.execute("UPDATE etl_control SET caught_up_at = '2026-11-24T09:00:00Z', token_received_at = NULL")
        settings = {"database_url": primary.url, "read_database_url": replica.url, "jwt_key_file": str(key_file)}
        with running(**settings) as api, httpx.Client(base_url=api.url) as http:
            http.headers.update(bearer(key_file, role="admin", subject="maria"))
            infractions = f"/api/drivers/{DRIVER}/infractions?limit=1"
            assert http.get(f"/api/drivers/{DRIVER}").json()["name"] == "from the replica"
            before = http.get(infractions)
            assert before.json()["freshness"][0]["asOf"] == "2026-11-24T09:00:00.000Z"
            assert before.json()["items"]
            http.patch(f"/api/event-types/{SPEEDING}", json={"isInfraction": False}).raise_for_status()
            changed = http.get(infractions, headers={"If-None-Match": before.headers.get("etag", "")})
            assert (changed.status_code, changed.json()["items"]) == (200, []), "the caller's own change"
            assert changed.json()["freshness"][0]["asOf"] != before.json()["freshness"][0]["asOf"], "not the primary's"
            assert http.get(f"/api/drivers/{DRIVER}").json()["name"] != "from the replica"
            # The replica catches up, and is read again.
            with psycopg.connect(replica.url) as connection:
                connection.execute("UPDATE event_types SET is_infraction = false WHERE external_id = %s", (SPEEDING,))
                connection.execute("UPDATE organisations SET watermark = watermark + 1")
            deadline = time.monotonic() + 20
            while http.get(f"/api/drivers/{DRIVER}").json()["name"] != "from the replica":
                assert time.monotonic() < deadline
                time.sleep(0.05)
            assert http.get(infractions).json()["items"] == []
        classified = "SELECT is_infraction FROM event_types WHERE external_id = %s AND organisation_id = 1"
        assert primary.execute(classified, SPEEDING) == [(False,)]
        assert {row[0] for row in primary.execute("SELECT action FROM audit_log")} == {
            "driver.viewed",
            "event-type.classified",
        }
        assert replica.execute("SELECT count(*) FROM audit_log") == [(0,)]
