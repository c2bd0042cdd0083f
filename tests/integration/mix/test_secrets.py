"""No password, secret or token in any error, log line or metric, whatever goes wrong: planted values are searched for
in every written form.
"""

from __future__ import annotations

import base64
import json
import logging
import traceback
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from prometheus_client import generate_latest

from mixhaul_mix.errors import MixError
from support.http_script import Step, answer, hang, message, page, raw, reset
from support.mix_client import SECRETS, bench, refusal, token
from support.mix_doubles import MemoryTokens

ACCESS, REFRESH, OLD_REFRESH = "acc3ss-T0ken.abc", "refr3sh-T0ken.def", "0ld-refr3sh.ghi"
PLANTED = [*SECRETS.values(), ACCESS, REFRESH, OLD_REFRESH]


def forms(secret: str) -> set[str]:
    basic = base64.b64encode(f"the-client:{secret}".encode()).decode()
    return {
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
        base64.b64encode(secret.encode()).decode().rstrip("="),
        basic.rstrip("="),
    }


def chain(error: BaseException) -> list[BaseException]:
    """The error and everything that hangs on it."""
    found: list[BaseException] = []
    waiting: list[BaseException | None] = [error]
    while waiting:
        link = waiting.pop()
        if link is not None and link not in found:
            found.append(link)
            waiting += [link.__cause__, link.__context__]
            waiting += list(getattr(link, "exceptions", ()))
    return found


def written(error: BaseException) -> str:
    """All that a log, a debugger or a careless `print` could show of it."""
    parts: list[str] = ["".join(traceback.format_exception(error))]
    for link in chain(error):
        attributes: dict[str, Any] = {name: getattr(link, name) for name in dir(link) if not name.startswith("__")}
        parts += [str(link), repr(link), repr(link.args), repr(link.__dict__), repr(attributes)]
    return "\n".join(parts)


echo = json.dumps({"error": SECRETS["password"], "error_description": " ".join(PLANTED)}).encode()
ECHO_HTML = ("<html>" + " ".join(PLANTED)).encode()


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([refusal("invalid_grant"), refusal("invalid_grant")], id="refused"),
        pytest.param([refusal("invalid_grant"), refusal("invalid_client")], id="client refused"),
        pytest.param([answer(400, echo)], id="an error that repeats the secrets"),
        pytest.param([answer(500, echo)], id="identity in trouble"),
        pytest.param([answer(200, ECHO_HTML)], id="identity as HTML"),
        pytest.param([answer(200, echo)], id="identity without a token"),
        pytest.param([answer(302, b"", (("Location", f"/?t={ACCESS}"),))], id="identity redirects"),
        pytest.param([reset()], id="identity resets"),
        pytest.param([raw(message(200, echo, length=9999))], id="identity cut short"),
        pytest.param([raw(b"HTTP/1.1 200 OK\r\nX: " + echo)], id="identity inside its headers"),
        pytest.param([raw(echo + b"\r\n\r\n")], id="identity is no HTTP"),
        pytest.param([hang()], id="identity hangs"),
        pytest.param([token(f"{ACCESS}\r\nX: y")], id="a token that would break a header"),
        pytest.param([token(ACCESS, REFRESH), answer(500, echo)], id="data 500"),
        pytest.param([token(ACCESS, REFRESH), answer(429, echo)], id="data 429"),
        pytest.param([token(ACCESS, REFRESH), answer(403, echo)], id="data 403"),
        pytest.param([token(ACCESS, REFRESH), answer(404, echo)], id="data 404"),
        pytest.param([token(ACCESS, REFRESH), answer(302, b"", (("Location", f"/?t={ACCESS}"),))], id="data redirects"),
        pytest.param([token(ACCESS, REFRESH), answer(200, ECHO_HTML)], id="data as HTML"),
        pytest.param([token(ACCESS, REFRESH), page(echo)], id="data of another form"),
        pytest.param([token(ACCESS, REFRESH), page(token=ACCESS + " x")], id="a feed token that repeats it"),
        pytest.param([token(ACCESS, REFRESH), page(more=ACCESS)], id="a header that repeats it"),
        pytest.param([token(ACCESS, REFRESH), reset()], id="data resets"),
        pytest.param([token(ACCESS, REFRESH), hang()], id="data hangs"),
        pytest.param([token(ACCESS, REFRESH), raw(message(200, echo, length=9999))], id="data cut short"),
        pytest.param([token(ACCESS, REFRESH), raw(echo + b"\r\n\r\n")], id="data is no HTTP"),
        pytest.param([token(ACCESS, REFRESH), answer(200, b"x", (("Content-Encoding", ACCESS),))], id="odd encoding"),
        pytest.param(
            [token(ACCESS, REFRESH), answer(401, echo), token(REFRESH, ACCESS), answer(401, echo)], id="401 twice"
        ),
    ],
)
async def test_nothing_is_given_away(steps: list[Step], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with bench(*steps, tokens=MemoryTokens(refresh_token=OLD_REFRESH)) as b:
        with pytest.raises(MixError) as caught:
            await b.client.feed_page(organisation_id=7, token="NEW", quantity=1, budget=b.budget)
        seen = {
            "error": written(caught.value),
            "log": caplog.text + repr([record.__dict__ for record in caplog.records]),
            "metrics": generate_latest().decode(),
            "objects": repr(
                [b.client, b.client._identity, b.client._identity._credentials, b.client._identity._cached]
            ),
            "targets": " ".join(request.target for request in b.server.requests),
        }
    for where, text in seen.items():
        for secret in PLANTED:
            for form in forms(secret):
                assert form not in text, f"{where} holds a secret"
