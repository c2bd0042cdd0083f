"""One call over real sockets: a whole answer, or an error that says what is known."""

from __future__ import annotations

import asyncio
import gzip
import logging
import socket
import time
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from mixhaul_mix.errors import (
    AnswerCutShort,
    ConnectionFailed,
    MixError,
    PageInvalid,
    Timeout,
    UntrustedCertificate,
    UnusableCAFile,
    UnusableEndpoint,
)
from mixhaul_mix.transport import Answer, Request, Timeouts, Transport, base_url
from mixhaul_runtime import checkpoints
from support.certificates import Authority
from support.http_script import ScriptedServer, Step, answer, hang, message, raw, reset

BODY = b'[{"a":1}]'
SHORT = Timeouts(connect=1.0, write=1.0, pool=1.0)


def request(server: ScriptedServer, *, endpoint: str = "drivers", path: str = "/x") -> Request:
    return Request(endpoint, "GET", f"{server.url}{path}", {"Authorization": "Bearer t0ken"})


async def call(*steps: Step, deadline: float = 5.0, max_body_bytes: int = 10_000) -> Answer:
    async with ScriptedServer(*steps) as server, Transport(timeouts=SHORT, max_body_bytes=max_body_bytes) as transport:
        return await transport.call(request(server), deadline_seconds=deadline)


async def failure(*steps: Step, deadline: float = 5.0, max_body_bytes: int = 10_000) -> MixError:
    with pytest.raises(MixError) as caught:
        await call(*steps, deadline=deadline, max_body_bytes=max_body_bytes)
    error = caught.value
    assert error.__cause__ is None
    assert error.__context__ is None
    return error


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(answer(200, BODY), id="plain"),
        pytest.param(answer(200, BODY, gzipped=True), id="gzip"),
        pytest.param(raw(CHUNKED, pieces=(b"3\r\n[{", b'"\r\n6\r\na":1}]\r\n0\r\n\r\n')), id="chunks in pieces"),
        pytest.param(raw(b"HTTP/1.0 200 OK\r\n\r\n" + BODY), id="as long as the connection lasts"),
        pytest.param(raw(message(200, BODY), pause_before=0.1, then="close"), id="late"),
        pytest.param(
            raw(message(200, gzip.compress(BODY)[:9], (("Content-Encoding", "gzip"),), length=len(gzip.compress(BODY))),
                pieces=(gzip.compress(BODY)[9:],)),
            id="gzip in pieces",
        ),
    ],
)  # fmt: skip
async def test_a_whole_answer(step: Step) -> None:
    got = await call(step)
    assert (got.status, got.body) == (200, BODY)


async def test_headers_come_lower_case_and_repeated() -> None:
    got = await call(answer(200, b"", (("X-A", "1"), ("x-a", " 2 "), ("X-B", "\xe9"))))
    assert got.header("x-a") == ["1", "2"]
    assert got.header("x-b") == ["\xe9"]
    assert got.header("x-c") == []


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(raw(message(200, BODY[:4], length=len(BODY))), id="shorter than its length, closed"),
        pytest.param(raw(message(200, BODY[:4], length=len(BODY)), then="reset"), id="shorter than its length, reset"),
        pytest.param(raw(CHUNKED + b"3\r\n[{"), id="inside a chunk"),
        pytest.param(raw(CHUNKED + b"9\r\n" + BODY + b"\r\n"), id="without the last chunk"),
        pytest.param(raw(CHUNKED + b"zz\r\n"), id="a chunk of no size"),
        pytest.param(answer(200, gzip.compress(BODY)[:-3], (("Content-Encoding", "gzip"),)), id="gzip ends early"),
        pytest.param(answer(200, b"no gzip", (("Content-Encoding", "gzip"),)), id="no gzip"),
        pytest.param(answer(200, BODY, (("Content-Encoding", "br"),)), id="an encoding not asked for"),
    ],
)
async def test_an_answer_cut_short_is_an_outcome_that_nobody_knows(step: Step) -> None:
    error = await failure(step)
    assert isinstance(error, AnswerCutShort)
    assert (error.answered, error.sent) == (False, True)


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(reset(), id="reset"),
        pytest.param(raw(b""), id="closed"),
        pytest.param(raw(b"HTTP/1.1 200 OK\r\nContent-"), id="inside the headers"),
        pytest.param(raw(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), id="no HTTP"),
    ],
)
async def test_a_connection_that_breaks_before_the_answer(step: Step) -> None:
    error = await failure(step)
    assert isinstance(error, ConnectionFailed)
    assert (error.answered, error.sent) == (False, True)


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(hang(), id="no answer"),
        pytest.param(raw(message(200, BODY)[:20], then="hang"), id="inside the headers"),
        pytest.param(raw(message(200, BODY[:4], length=9), then="hang"), id="inside the body"),
        pytest.param(raw(message(200, b"", length=1000), pieces=(b"x",) * 500), id="a byte now and then"),
    ],
)
async def test_the_deadline_is_for_the_whole_call(step: Step) -> None:
    error = await failure(step, deadline=0.3)
    assert isinstance(error, Timeout)
    assert (error.answered, error.sent) == (False, True)


async def test_a_body_over_the_bound_is_not_read_on() -> None:
    for step in (
        answer(200, b"x" * 10_001),
        answer(200, b"x" * 5_000_000, gzipped=True),
        raw(CHUNKED, pieces=(b"1000\r\n" + b"x" * 0x1000 + b"\r\n",) * 4, then="hang"),
    ):
        error = await failure(step)
        assert isinstance(error, PageInvalid)
        assert (error.answered, error.sent) == (False, True)


async def test_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/x"
        async with Transport(timeouts=SHORT) as transport:
            with pytest.raises(ConnectionFailed, match="refused") as caught:
                await transport.call(Request("drivers", "GET", url, {}), deadline_seconds=5)
    assert not caught.value.sent


async def test_a_host_that_does_not_exist() -> None:
    async with Transport(timeouts=SHORT) as transport:
        with pytest.raises(ConnectionFailed) as caught:
            await transport.call(Request("drivers", "GET", "http://no.such.host.invalid/x", {}), deadline_seconds=5)
    assert not caught.value.sent


async def test_what_is_not_sent_in_time_is_not_sent_at_all() -> None:
    async with ScriptedServer() as server, Transport(timeouts=SHORT) as transport:

        async def slow() -> None:
            await asyncio.sleep(0.2)

        with pytest.raises(Timeout) as caught:
            await transport.call(request(server), deadline_seconds=5, send_within_seconds=0.1, before_send=slow)
    assert not caught.value.sent
    assert server.requests == []


async def test_a_process_that_was_stopped_does_not_send_what_it_had_begun() -> None:
    async def stopped() -> None:
        time.sleep(0.2)  # noqa: ASYNC251  (no timer of the loop can fire meanwhile)

    async with ScriptedServer() as server, Transport(timeouts=SHORT) as transport:
        with pytest.raises(Timeout) as caught:
            await transport.call(request(server), deadline_seconds=5, send_within_seconds=0.1, before_send=stopped)
    assert not caught.value.sent
    assert server.requests == []


async def test_the_deadline_begins_when_the_request_is_sent() -> None:
    async with ScriptedServer(answer(200, BODY)) as server, Transport(timeouts=SHORT) as transport:

        async def slow() -> None:
            await asyncio.sleep(0.4)

        got = await transport.call(request(server), deadline_seconds=0.3, before_send=slow)
    assert got.body == BODY


async def test_an_error_of_before_send_comes_out_as_it_is_and_nothing_is_sent() -> None:
    class DatabaseAway(Exception):
        pass

    async def fails() -> None:
        raise DatabaseAway

    async with ScriptedServer() as server, Transport(timeouts=SHORT) as transport:
        with pytest.raises(DatabaseAway):
            await transport.call(request(server), deadline_seconds=5, before_send=fails)
    assert server.requests == []


async def test_connections_are_kept_and_a_closed_one_is_replaced() -> None:
    steps = (answer(200, b"1"), answer(200, b"2"), raw(message(200, b"3")), answer(200, b"4"))
    async with ScriptedServer(*steps) as server, Transport(timeouts=SHORT) as transport:
        for _ in range(3):
            await transport.call(request(server), deadline_seconds=5)
        await asyncio.sleep(0.05)
        await transport.call(request(server), deadline_seconds=5)
    assert [one.connection for one in server.requests] == [1, 1, 1, 2]


async def test_what_is_sent_and_what_is_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login netrc-user password netrc-pass\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    steps = (answer(200, b"", (("Set-Cookie", "session=1; Path=/"),)), answer(302, b"", (("Location", "/login"),)))
    async with ScriptedServer(*steps) as server, Transport(timeouts=SHORT) as transport:
        await transport.call(Request("drivers", "GET", f"{server.url}/x", {}), deadline_seconds=5)
        got = await transport.call(request(server), deadline_seconds=5)
    first, second = server.requests
    assert got.status == 302, "redirects are not followed"
    assert first.header("Authorization") is None
    assert second.header("Authorization") == "Bearer t0ken"
    assert second.header("Cookie") is None
    assert (first.header("Accept-Encoding"), first.header("Connection")) == ("gzip", "keep-alive")
    assert (first.header("User-Agent") or "").startswith("mixhaul/")


async def test_a_proxy_by_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    async with ScriptedServer(answer(200, BODY), raw(message(502, b""))) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("//", "//user:proxy-pass@"))
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        async with Transport(timeouts=SHORT) as transport:
            got = await transport.call(Request("drivers", "GET", "http://mix.invalid/x", {}), deadline_seconds=5)
            secret = {"Authorization": "Bearer t0ken"}
            with pytest.raises(ConnectionFailed) as caught:
                await transport.call(Request("drivers", "GET", "https://mix.invalid/x", secret), deadline_seconds=5)
    assert got.body == BODY
    assert [one.target for one in proxy.requests] == ["http://mix.invalid/x", "mix.invalid:443"]
    assert not caught.value.sent, "only a CONNECT was sent, nothing of ours"
    assert "t0ken" not in repr(proxy.requests[1])


async def test_tls_with_a_private_authority(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with ScriptedServer(answer(200, BODY), tls=authority.server_context("127.0.0.1")) as server:
        async with Transport(timeouts=SHORT) as strangers:
            with pytest.raises(UntrustedCertificate, match="caSecretRef") as caught:
                await strangers.call(request(server), deadline_seconds=5)
        assert (caught.value.sent, caught.value.__context__) == (False, None)
        async with Transport(timeouts=SHORT, ca_file=authority.ca_file) as transport:
            assert (await transport.call(request(server), deadline_seconds=5)).body == BODY


async def test_tls_for_another_host(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with (
        ScriptedServer(tls=authority.server_context("other.example")) as server,
        Transport(timeouts=SHORT, ca_file=authority.ca_file) as transport,
    ):
        with pytest.raises(UntrustedCertificate, match=r"127\.0\.0\.1"):
            await transport.call(request(server), deadline_seconds=5)


async def test_tls_to_a_server_without_it() -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server, Transport(timeouts=SHORT) as transport:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/x"
        with pytest.raises(ConnectionFailed, match="TLS") as caught:
            await transport.call(Request("drivers", "GET", url, {}), deadline_seconds=5)
    assert not caught.value.sent


@pytest.mark.parametrize("content", [None, b"", b"no PEM"])
def test_a_ca_file_that_is_none(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UnusableCAFile, match=r"ca\.pem"):
        Transport(ca_file=path)


@pytest.mark.parametrize(
    "url", ["", "mix", "ftp://mix.example", "http://", "https:///x", "https://u:p@mix.example", "https://m/?a=1", "http://m:x"]
)  # fmt: skip
def test_a_base_url_that_is_none(url: str) -> None:
    with pytest.raises(UnusableEndpoint, match="API URL") as caught:
        base_url(url, which="API URL")
    assert "u:p" not in str(caught.value)


def test_a_base_url_loses_its_slash() -> None:
    assert base_url("https://mix.example/core/", which="API URL") == "https://mix.example/core"


async def test_how_far_the_servers_clock_is_ahead() -> None:
    dates = ("Fri, 01 Jan 2100 00:00:00 GMT", "nonsense", "Fri, 01 May 99999999999 12:00:00 GMT")
    steps = [answer(200, b"", (("Date", date),)) for date in dates]
    async with ScriptedServer(*steps) as server, Transport(timeouts=SHORT) as transport:
        assert transport.clock_offset.total_seconds() == 0
        for _ in dates:
            await transport.call(request(server), deadline_seconds=5)
            assert transport.clock_offset.days > 20_000


@pytest.mark.parametrize(
    ("step", "code"),
    [
        (answer(200, b""), "200"),
        (answer(503, b""), "503"),
        (reset(), "reset"),
        (raw(message(200, b"", length=1)), "cut-short"),
    ],
)
async def test_every_call_is_counted(step: Step, code: str) -> None:
    def count() -> float:
        return REGISTRY.get_sample_value("mixhaul_upstream_requests_total", {"endpoint": "sites", "code": code}) or 0

    before = count()
    async with ScriptedServer(step) as server, Transport(timeouts=SHORT) as transport:
        try:
            await transport.call(request(server, endpoint="sites"), deadline_seconds=5)
        except MixError:
            assert code in {"reset", "cut-short"}
    assert count() == before + 1


async def test_checkpoints_are_passed_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    passed: list[str] = []
    monkeypatch.setattr(checkpoints, "hook", passed.append)
    async with ScriptedServer(answer(200, BODY), reset()) as server, Transport(timeouts=SHORT) as transport:
        await transport.call(request(server), deadline_seconds=5)
        with pytest.raises(ConnectionFailed):
            await transport.call(request(server), deadline_seconds=5)
    assert passed == ["request_sent", "answer_read", "request_sent"]


async def test_the_http_library_logs_no_url(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with ScriptedServer(answer(200, BODY)) as server, Transport(timeouts=SHORT) as transport:
        await transport.call(request(server, path="/sincetoken/abc"), deadline_seconds=5)
    assert not [record for record in caplog.records if record.name.startswith(("httpx", "httpcore"))]
