"""Whatever is sent: a 4xx problem document that says what to do, never a 5xx."""

from __future__ import annotations

import json
import socket
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest

from support.api_data import DRIVER, ORGANISATION_A, ORGANISATION_B, SPEEDING
from support.api_server import ApiProcess, token

INFRACTIONS = f"/api/drivers/{DRIVER}/infractions"
TYPE = f"/api/event-types/{SPEEDING}"
BEYOND = 2**63


@pytest.mark.parametrize(
    ("path", "status", "word"),
    [
        ("/api/drivers?serach=a", 400, "serach"),
        ("/api/drivers?SEARCH=a", 400, "SEARCH"),
        ("/api/status?limit=1", 400, "there are none"),
        ("/api/drivers?search=a&search=b", 400, "twice"),
        ("/api/drivers?search=", 400, "characters"),
        ("/api/drivers?search=%00", 400, "NUL"),
        ("/api/drivers?search=%ff", 400, "UTF-8"),
        ("/api/drivers?search=" + "a" * 101, 400, "characters"),
        ("/api/drivers?limit=0", 400, "200"),
        ("/api/drivers?limit=-1", 400, "200"),
        ("/api/drivers?limit=201", 400, "200"),
        ("/api/drivers?limit=1e2", 400, "200"),
        ("/api/drivers?limit=10.0", 400, "200"),
        ("/api/drivers?limit=%D9%A1", 400, "200"),
        ("/api/drivers?limit=99999999999999999999999999", 400, "200"),
        ("/api/drivers?limit=", 400, "200"),
        ("/api/drivers?cursor=", 400, "cursor"),
        ("/api/drivers?cursor=!!!", 400, "cursor"),
        ("/api/drivers?cursor=AAAAAAAAAAAAAAAAAAAA", 400, "cursor"),
        ("/api/drivers?cursor=%C3%A4", 400, "cursor"),
        ("/api/drivers?cursor=" + "A" * 3000, 400, "cursor"),
        ("/api/drivers?organisationId=abc", 400, "organisationId"),
        (f"/api/drivers?organisationId={ORGANISATION_B}", 404, str(ORGANISATION_B)),
        (f"/api/drivers?organisationId={BEYOND}", 404, str(BEYOND)),
        ("/api/drivers/abc", 400, "driverId"),
        ("/api/drivers/1.0", 400, "driverId"),
        ("/api/drivers/0x10", 400, "driverId"),
        ("/api/drivers/%31", 400, "driverId"),
        ("/api/drivers/%00", 400, "driverId"),
        ("/api/drivers/..%2f", 400, "driverId"),
        (f"/api/drivers/{BEYOND}", 400, "64-bit"),
        (f"/api/drivers/{-BEYOND - 1}", 400, "64-bit"),
        (f"/api/drivers/{-BEYOND}", 404, str(-BEYOND)),
        ("/api/drivers/1?driverId=2", 400, "path"),
        ("/api/drivers/1/", 404, "route"),
        ("/api/drivers//infractions", 404, "route"),
        (f"{INFRACTIONS}?from=yesterday", 400, "from"),
        (f"{INFRACTIONS}?from=2026-02-30", 400, "calendar"),
        (f"{INFRACTIONS}?from=2026-11-24T08:00:00", 400, "offset"),
        (f"{INFRACTIONS}?from=2026-11-24T25:00:00Z", 400, "calendar"),
        (f"{INFRACTIONS}?from=0001-01-01T00:00:00%2B14:00", 400, "calendar"),
        (f"{INFRACTIONS}?from=0001-01-01&timeZone=Asia/Tokyo", 400, "calendar"),
        (f"{INFRACTIONS}?to=9999-12-31", 400, "calendar"),
        (f"{INFRACTIONS}?from=2026-11-24&to=2026-11-23", 400, "after"),
        (f"{INFRACTIONS}?from=2026-11-24T00:00:00Z&to=2026-11-24T00:00:00Z", 400, "after"),
        (f"{INFRACTIONS}?timeZone=Mars/Olympus", 400, "timeZone"),
        (f"{INFRACTIONS}?timeZone=../../etc/passwd", 400, "timeZone"),
        (f"{INFRACTIONS}?timeZone=America", 400, "timeZone"),
        (f"{INFRACTIONS}?type=speeding", 400, "type"),
        (f"{INFRACTIONS}?type={BEYOND}", 400, "64-bit"),
        (f"{INFRACTIONS}?" + "&".join(["type=1"] * 51), 400, "type"),
        (f"{INFRACTIONS}?" + "&".join(["type=1"] * 101), 400, "100"),
        ("/api/event-types?isInfraction=yes", 400, "true or false"),
        ("/api/event-types?isInfraction=1", 400, "true or false"),
        ("/api/event-types?family=%00", 400, "NUL"),
        ("/api/drivers?search=" + "a" * 5000, 414, "4096"),
        ("/api/nothing", 404, "route"),
        ("/", 404, "route"),
        ("/docs/../../etc/passwd", 404, "route"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_wrong_request_is_told_what_is_wrong(client: Any, path: str, status: int, word: str, contract: Any) -> None:
    answer = client(ORGANISATION_A, checked=False).get(path)
    assert_problem(answer, status)
    assert word in json.dumps(answer.json(), ensure_ascii=False)
    if urlsplit(path).path.startswith(("/api/drivers", "/api/status", "/api/event-types")) and "route" not in word:
        contract.check(answer)


def test_every_wrong_parameter_is_named_at_once(client: Any) -> None:
    answer = client(ORGANISATION_A).get("/api/drivers/x/infractions?limit=0&what=1&type=y")
    found = {(one["location"], one["name"]) for one in answer.json()["errors"]}
    assert found == {("path", "driverId"), ("query", "limit"), ("query", "what"), ("query", "type")}


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"", "application/json", 400),
        (b"{", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"[" * 60000, "application/json", 400),
        (b"null", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'"x"', "application/json", 400),
        (b"{}", "application/json", 400),
        (b'{"isInfraction": null}', "application/json", 400),
        (b'{"isInfraction": 1}', "application/json", 400),
        (b'{"isInfraction": "true"}', "application/json", 400),
        (b'{"isInfraction": true, "extra": 1}', "application/json", 400),
        (b'{"isInfraction": true, "family": ""}', "application/json", 400),
        (b'{"isInfraction": true, "family": " x"}', "application/json", 400),
        (b'{"isInfraction": true, "family": 7}', "application/json", 400),
        (b'{"isInfraction": true, "family": "a\\u0000b"}', "application/json", 400),
        (b'{"isInfraction": true, "family": "\\ud800"}', "application/json", 400),
        (json.dumps({"isInfraction": True, "family": "x" * 101}).encode(), "application/json", 400),
        (b'{"isInfraction": true}', "text/plain", 415),
        (b'{"isInfraction": true}', "application/x-www-form-urlencoded", 415),
        (b'{"isInfraction": true, "family": "' + b"x" * 70000 + b'"}', "application/json", 413),
    ],
    ids=lambda value: str(value)[:50],
)
def test_a_wrong_body_changes_nothing(client: Any, fleet: Any, body: bytes, content_type: str, status: int) -> None:
    admin = client(ORGANISATION_A, role="admin")
    before = fleet.execute("SELECT * FROM event_types ORDER BY 1, 2")
    assert_problem(admin.patch(TYPE, content=body, headers={"Content-Type": content_type}), status)
    assert fleet.execute("SELECT * FROM event_types ORDER BY 1, 2") == before


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "FROB"])
def test_a_method_that_a_route_does_not_have_is_refused_with_those_that_it_has(client: Any, method: str) -> None:
    answer = client(ORGANISATION_A, checked=False).request(method, "/api/drivers")
    assert_problem(answer, 405)
    assert answer.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("key", ["driver", "parameters", "route"])
def test_a_cursor_of_another_list_is_refused(client: Any, key: str) -> None:
    caller = client(ORGANISATION_A)
    cursor = caller.get(INFRACTIONS, params={"limit": 1}).json()["nextCursor"]
    foreign = {
        "driver": ("/api/drivers/7000000000000000002/infractions", {}),
        "parameters": (INFRACTIONS, {"from": "2026-01-01"}),
        "route": ("/api/drivers", {}),
    }[key]
    answer = caller.get(foreign[0], params={"cursor": cursor} | foreign[1])
    assert_problem(answer, 400)
    assert answer.json()["type"] == "urn:mixhaul:problem:invalid-cursor"


def test_a_cursor_with_any_character_changed_is_refused(client: Any) -> None:
    caller = client(ORGANISATION_A)
    cursor = caller.get("/api/drivers", params={"limit": 1}).json()["nextCursor"]
    for place in range(0, len(cursor), 5):
        changed = cursor[:place] + ("B" if cursor[place] == "A" else "A") + cursor[place + 1 :]
        assert_problem(caller.get("/api/drivers", params={"cursor": changed}), 400)


def test_a_cursor_of_another_caller_shows_only_ones_own(client: Any) -> None:
    other = client(ORGANISATION_B).get("/api/drivers", params={"limit": 1}).json()["nextCursor"]
    found = client(ORGANISATION_A).get("/api/drivers", params={"cursor": other, "limit": 200}).json()["items"]
    assert {one["organisationId"] for one in found} <= {str(ORGANISATION_A)}


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"rubbish\r\n\r\n", 400),
        (b"GET /api/drivers HTTP/3.0\r\n\r\n", 400),
        (b"GET /api/dr\xff\xfeivers HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET http://[::1 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /api/drivers HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 20000 + b"\r\n\r\n", 431),
        (b"PATCH /api/event-types/1 HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", 400),
        (b"PATCH /api/event-types/1 HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", 400),
        (b"GET /api/drivers HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\xfe.a.b\r\n\r\n", 401),
        (b"GET /api/drivers HTTP/1.1\r\nHost: x\r\nX-Request-ID: \xff\r\n\r\n", 401),
        (b"PATCH /api/event-types/1 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: tea\r\n\r\n{}", 417),
    ],
    ids=lambda value: str(value)[:50],
)
def test_rubbish_instead_of_http_is_a_problem_too(api: ApiProcess, raw: bytes, status: int) -> None:
    where = urlsplit(api.url)
    with socket.create_connection((where.hostname, where.port), timeout=10) as connection:
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    assert int(head.split()[1]) == status
    assert b"content-type: application/problem+json" in head.lower()
    assert json.loads(body)["status"] == status


@pytest.mark.parametrize(
    ("sent", "kept"), [("abc-1._X", True), ("a b", False), ("x" * 129, False), ("", False), (None, False)]
)
def test_a_request_id_goes_in_and_out(client: Any, sent: str | None, kept: bool) -> None:
    headers = {} if sent is None else {"X-Request-ID": sent}
    caller = client(ORGANISATION_A)
    for path in ("/api/status", "/api/drivers/x"):
        answer = caller.get(path, headers=headers)
        assert (answer.headers["x-request-id"] == sent) is kept
        assert len(answer.headers["x-request-id"]) >= 8
        if path != "/api/status":
            assert answer.json()["requestId"] == answer.headers["x-request-id"]


def test_no_answer_of_this_file_was_a_defect(api: ApiProcess, key_file: Any) -> None:
    httpx.get(
        f"{api.url}/api/drivers?search={quote('x')}",
        headers={"Authorization": f"Bearer {token(key_file, str(ORGANISATION_A))}"},
    ).raise_for_status()
    assert [line for line in api.lines if '"level": "error"' in line or "Traceback" in line] == []
    assert all(line["status"] < 500 for line in api.logged("request"))


def assert_problem(answer: httpx.Response, status: int) -> None:
    """It is a problem document of that status."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert set(document) - {"errors"} == {"type", "title", "status", "detail", "instance", "requestId"}
    assert document["status"] == status
    assert document["instance"] == answer.request.url.raw_path.decode().partition("?")[0]
    assert document["detail"]
