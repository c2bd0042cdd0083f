"""The admin server over real sockets: good requests, rubbish, slow clients, too many clients."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from mixhaul_runtime import admin, metrics
from mixhaul_runtime.admin import AdminServer, PortTaken


class Health:
    """What the two checks answer."""

    ready: str | None = None
    live: str | None = None


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
async def server(health: Health) -> AsyncIterator[AdminServer]:
    async with AdminServer(0, ready=lambda: health.ready, live=lambda: health.live) as running:
        yield running


async def ask(server: AdminServer, request: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer; (0, {}, b"") where the connection was just closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        writer.write(request)
        await writer.drain()
        answer = await asyncio.wait_for(reader.read(), 10)
    except ConnectionError:
        return 0, {}, b""
    finally:
        writer.close()
    if not answer:
        return 0, {}, b""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("ascii").split("\r\n")
    return int(first.split(" ")[1]), dict(line.lower().split(": ", 1) for line in lines), body


async def get(server: AdminServer, path: str, *, accept: str = "*/*") -> tuple[int, dict[str, str], bytes]:
    return await ask(server, f"GET {path} HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\n\r\n".encode())


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/readyz?verbose=1"])
async def test_healthy(path: str, server: AdminServer) -> None:
    status, headers, body = await get(server, path)
    assert (status, body, headers["content-length"], headers["connection"]) == (200, b"ok\n", "3", "close")


async def test_what_is_wrong_is_the_body_of_a_503_for_its_own_check_only(server: AdminServer, health: Health) -> None:
    health.ready = "the schema is too old: é"
    assert (await get(server, "/readyz"))[::2] == (503, "the schema is too old: é\n".encode())
    assert (await get(server, "/livez"))[0] == 200


async def test_a_check_that_fails_itself_is_a_503_and_says_so() -> None:
    def broken() -> str | None:
        raise KeyError("x")

    async with AdminServer(0, ready=broken, live=lambda: None) as server:
        assert (await get(server, "/readyz"))[::2] == (503, b"the check itself failed: KeyError\n")
        assert (await get(server, "/livez"))[0] == 200


async def test_metrics_can_be_parsed_and_say_what_they_are(server: AdminServer) -> None:
    metrics.set_build_info("test")
    status, headers, body = await get(server, "/metrics")
    families = {family.name: family for family in text_string_to_metric_families(body.decode())}
    sample = families["mixhaul_build_info"].samples[0]
    assert (status, headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert sample.labels == {"component": "test", "version": metrics.package_version()}
    assert sample.value == 1
    assert not [name for name in families if name.endswith("_created")]


async def test_metrics_in_the_format_that_the_scraper_asks_for(server: AdminServer) -> None:
    _, headers, body = await get(server, "/metrics", accept="application/openmetrics-text;version=1.0.0")
    assert headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert body.endswith(b"# EOF\n")


async def test_head_has_the_headers_only(server: AdminServer) -> None:
    status, headers, body = await ask(server, b"HEAD /livez HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (status, headers["content-length"], body) == (200, "3", b"")


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET /other HTTP/1.1\r\n\r\n", 404),
        (b"GET / HTTP/1.0\r\n\r\n", 404),
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 405),
        (b"rubbish\r\n\r\n", 400),
        (b"GET http://x/metrics HTTP/1.1\r\n\r\n", 400),
        (b"GET /livez HTTP/2.0\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"\r\n\r\n", 400),
        (b"GET /livez\x00 HTTP/1.1\r\n\r\n", 404),
        (b"GET /livez HTTP/1.1\r\nX: " + b"a" * 40_000 + b"\r\n\r\n", 431),
        (b"A" * 40_000, 431),
    ],
    ids=lambda value: repr(value[:24]) if isinstance(value, bytes) else str(value),
)
async def test_rubbish_is_answered_and_the_server_goes_on(
    request_bytes: bytes, status: int, server: AdminServer
) -> None:
    answered, _, _ = await ask(server, request_bytes)
    # Where more was sent than is read, closing resets the connection and may take the answer with it.
    assert answered == status or (status == 431 and answered == 0)
    assert (await get(server, "/livez"))[0] == 200


async def test_a_slow_client_is_cut_off_and_nobody_waits_for_it(
    server: AdminServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin, "_SECONDS_TO_ASK", 0.1)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b"GET /livez HT")
    assert (await get(server, "/livez"))[0] == 200
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await asyncio.wait_for(reader.readexactly(1), 10)
    writer.close()


async def test_more_clients_than_places_are_turned_away_until_one_is_free(
    server: AdminServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin, "_MOST_CONNECTIONS", 2)
    idle = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(2)]
    while len(server._connections) < 2:
        await asyncio.sleep(0.01)
    assert (await get(server, "/livez"))[0] == 0
    for _, writer in idle:
        writer.close()
    while server._connections:
        await asyncio.sleep(0.01)
    assert (await get(server, "/livez"))[0] == 200


async def test_it_closes_although_a_client_holds_its_connection() -> None:
    async with AdminServer(0, ready=lambda: None, live=lambda: None) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        while not server._connections:
            await asyncio.sleep(0.01)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await asyncio.wait_for(reader.readexactly(1), 10)
    writer.close()


async def test_a_taken_port_is_one_sentence(server: AdminServer) -> None:
    other = AdminServer(server.port, ready=lambda: None, live=lambda: None)
    with pytest.raises(PortTaken) as caught:
        await other.__aenter__()
    assert str(caught.value) == (
        f"the admin port {server.port} on 127.0.0.1 can't be opened (Address already in use): "
        "set MIXHAUL_ADMIN_PORT to a free port, or to 0 for any"
    )
