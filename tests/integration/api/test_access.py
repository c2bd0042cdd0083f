"""Tokens: which are refused and why, and keys that an issuer publishes, rotates and stops publishing."""

from __future__ import annotations

import json
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from mixhaul_api.auth.discovery import fetch_discovered_keys
from support.api_data import DRIVER, ORGANISATION_A, SITE
from support.api_server import PROGRAM, ApiProcess, environment, running

ISSUER = "https://login.example"
AUDIENCE = "fleet"


def claims(**changes: Any) -> dict[str, Any]:
    """Valid claims, changed; None takes one out."""
    found = {
        "iss": "mixhaul",
        "aud": "mixhaul-api",
        "sub": "test",
        "exp": int(time.time()) + 3600,
        "organisations": [str(ORGANISATION_A)],
        "roles": ["reader"],
    } | changes
    return {name: value for name, value in found.items() if value is not None}


def asked(api: ApiProcess, bearer: str) -> httpx.Response:
    return httpx.get(f"{api.url}/api/drivers/{DRIVER}", headers={"Authorization": f"Bearer {bearer}"})


@pytest.mark.parametrize(
    ("changes", "status", "reason"),
    [
        ({}, 200, ""),
        ({"exp": -15}, 200, ""),
        ({"aud": ["other", "mixhaul-api"]}, 200, ""),
        ({"roles": ["reader", "role of another application"]}, 200, ""),
        ({"exp": -35}, 401, "expired"),
        ({"exp": None}, 401, "`exp`"),
        ({"sub": None}, 401, "`sub`"),
        ({"sub": ""}, 401, "`sub`"),
        ({"sub": "a\nb"}, 401, "`sub`"),
        ({"iss": "other"}, 401, "issuer"),
        ({"iss": None}, 401, "`iss`"),
        ({"aud": "other"}, 401, "not made for this API"),
        ({"aud": None}, 401, "`aud`"),
        ({"nbf": 3600}, 401, "not valid yet"),
        ({"organisations": [ORGANISATION_A]}, 401, "`organisations`"),
        ({"organisations": str(ORGANISATION_A)}, 401, "`organisations`"),
        ({"organisations": ["*"]}, 401, "`organisations`"),
        ({"organisations": [f"{ORGANISATION_A}\n"]}, 401, "`organisations`"),
        ({"roles": "reader"}, 401, "`roles`"),
        ({"roles": []}, 403, "`roles`"),
        ({"roles": None}, 403, "`roles`"),
        ({"roles": ["Reader"]}, 403, "`roles`"),
        ({"sites": "1"}, 401, "`sites`"),
        ({"sites": [1]}, 401, "`sites`"),
        ({"sites": ["one"]}, 401, "`sites`"),
        ({"sites": [str(2**63)]}, 401, "`sites`"),
        ({"organisations": []}, 404, "organisations"),
        ({"organisations": None}, 404, "organisations"),
    ],
    ids=str,
)
def test_claims_decide(api: ApiProcess, key_file: Path, changes: dict[str, Any], status: int, reason: str) -> None:
    times = {name: int(time.time()) + after for name, after in changes.items() if isinstance(after, int)}
    bearer = jwt.encode(claims(**changes | times), key_file.read_bytes().strip(), "HS256")
    for _ in range(2):
        answer = asked(api, bearer)
        assert answer.status_code == status, answer.text
        assert reason in answer.text
        assert ("www-authenticate" in answer.headers) is (status == 401)


def test_a_signature_of_another_key_or_algorithm_or_none_is_refused(api: ApiProcess, key_file: Path) -> None:
    key = key_file.read_bytes().strip()
    good = jwt.encode(claims(), key, "HS256")
    head, body, signature = good.split(".")
    rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for bearer in (
        jwt.encode(claims(), b"another key of at least thirty-two bytes", "HS256"),
        jwt.encode(claims(), key * 2, "HS512"),
        jwt.encode(claims(), None, "none"),
        jwt.encode(claims(), rsa_key, "RS256"),
        f"{head}.{body}.",
        f"{head}.{body}.{signature[:-4]}AAAA",
        f"{head}.{signature}.{body}",
        jwt.encode(claims(), key, "HS256", headers={"crit": ["x"], "x": 1}),
        "a" * 9000,
        "." * 20,
    ):
        assert asked(api, bearer).status_code == 401
    assert asked(api, good).status_code == 200


@dataclass(slots=True)
class Issuer:
    """An issuer's key server whose answers a test decides."""

    url: str = ""
    name: str = ""
    keys: list[dict[str, Any]] = field(default_factory=list)
    described: dict[str, Any] = field(default_factory=dict)
    away: bool = False
    asked: int = 0


@contextmanager
def issuer() -> Iterator[Issuer]:
    """A real HTTP server."""
    found = Issuer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked += 1
            if found.away:
                self.send_error(503)
                return
            described = self.path == "/.well-known/openid-configuration"
            body = json.dumps(found.described if described else {"keys": found.keys}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        found.name = f"http://127.0.0.1:{server.server_address[1]}"
        found.url = f"{found.name}/keys"
        found.described = {"issuer": found.name, "jwks_uri": found.url}
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()


def published(
    key: Any, kid: str, algorithm: type[jwt.algorithms.RSAAlgorithm | jwt.algorithms.ECAlgorithm]
) -> dict[str, Any]:
    return {**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig"}


def test_an_issuers_keys_are_found_by_name_and_go_on_while_it_is_away(fleet: Any) -> None:
    first = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    second = ec.generate_private_key(ec.SECP256R1())
    secret = b"a secret that somebody published by mistake, it happens"
    with issuer() as source:
        source.keys = [
            published(first, "first", jwt.algorithms.RSAAlgorithm),
            published(second, "second", jwt.algorithms.ECAlgorithm),
            {"kty": "oct", "k": jwt.utils.base64url_encode(secret).decode(), "kid": "secret", "alg": "HS256"},
            {"kty": "what is this", "kid": "odd"},
        ]
        with running(database_url=fleet.url, jwt_jwks_url=source.url, jwt_issuer=ISSUER, jwt_audience=AUDIENCE) as api:
            mine = claims(iss=ISSUER, aud=AUDIENCE)

            def status(key: Any, algorithm: str, kid: str | None, **changes: Any) -> int:
                headers = {} if kid is None else {"kid": kid}
                return asked(api, jwt.encode(mine | changes, key, algorithm, headers=headers)).status_code

            source.away = True
            assert status(first, "RS256", "first") == 503
            assert api.process.poll() is None
            source.away = False
            deadline = time.monotonic() + 20
            while status(first, "RS256", "first") != 200:
                assert time.monotonic() < deadline, "".join(api.lines)
                time.sleep(0.2)
            assert status(second, "ES256", "second") == 200
            assert status(first, "PS256", "first") == 401
            assert status(secret, "HS256", "secret") == 401
            assert status(secret, "HS256", "first") == 401
            assert status(second, "ES256", "first") == 401
            assert status(first, "RS256", None) == 401
            assert status(first, "RS256", "first", iss="https://evil.example") == 401
            assert status(first, "RS256", "first", aud="other") == 401
            source.away = True
            before = source.asked
            for number in range(20):
                assert status(second, "ES256", f"invented-{number}") == 401
            assert source.asked <= before + 2
            assert status(first, "RS256", "first", sub="known keys go on") == 200


def test_an_issuer_is_discovered_rotates_its_keys_and_has_names_of_its_own(fleet: Any) -> None:
    first, second = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    with issuer() as source:
        source.keys = [published(first, "first", jwt.algorithms.ECAlgorithm)]
        settings = {
            "jwt_issuer": source.name,
            "jwt_audience": AUDIENCE,
            "jwt_roles_claim": "realm_access.roles",
            "jwt_organisations_claim": "https://fleet.example/companies",
            "jwt_sites_claim": "fleet.sites",
            "jwt_role_map": "fleet people=reader, fleet=office=analyst",
        }
        with running(database_url=fleet.url, **settings) as api:

            def answer(key: Any, kid: str, *roles: str, **changes: Any) -> httpx.Response:
                mine = claims(iss=source.name, aud=AUDIENCE, organisations=None, roles=None) | {
                    "https://fleet.example/companies": [str(ORGANISATION_A)],
                    "realm_access": {"roles": list(roles)},
                }
                return asked(api, jwt.encode(mine | changes, key, "ES256", headers={"kid": kid}))

            assert answer(first, "first", "fleet people").status_code == 200
            assert "email" not in answer(first, "first", "fleet people").json()
            assert "email" in answer(first, "first", "offline_access", "fleet=office").json()
            assert answer(first, "first", "admin").status_code == 403
            assert answer(first, "first", "fleet people", roles=["admin"]).status_code == 200
            assert answer(first, "first", "fleet people", fleet={"sites": "no list"}).status_code == 401
            assert answer(first, "first", "fleet people", fleet={"sites": [str(SITE)]}).status_code == 200
            # The issuer signs with a new key, and moves its keys elsewhere: the pause between two looks is 10 s.
            assert answer(second, "second", "fleet people").status_code == 401
            source.described["jwks_uri"] = f"{source.name}/elsewhere"
            source.keys = [published(second, "second", jwt.algorithms.ECAlgorithm)]
            deadline = time.monotonic() + 30
            while answer(second, "second", "fleet people", jti=str(time.monotonic())).status_code != 200:
                assert time.monotonic() < deadline, "".join(api.lines)
                time.sleep(0.5)
            assert answer(first, "first", "fleet people", jti="withdrawn").status_code == 401


@pytest.mark.parametrize("described", [{}, {"issuer": "http://other.example"}, {"jwks_uri": 7}, []], ids=str)
def test_a_discovery_document_that_is_not_the_issuers_own_gives_no_keys(described: Any) -> None:
    documents: dict[str, Any] = {
        "https://login.example/.well-known/openid-configuration": described
        if isinstance(described, list)
        else {"issuer": "https://login.example", "jwks_uri": "http://login.example/keys"} | described
    }
    with pytest.raises(jwt.exceptions.PyJWKSetError):
        fetch_discovered_keys("https://login.example", fetch=documents.__getitem__)


def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, *arguments], env=environment(**settings), capture_output=True, text=True, timeout=60
    )


def test_the_command_makes_a_key_and_a_token_that_works(api: ApiProcess, key_file: Path, tmp_path: Path) -> None:
    made = run("token", "--organisation", str(ORGANISATION_A), "--ttl", "60", jwt_key_file=str(key_file))
    assert asked(api, made.stdout.strip()).status_code == 200
    fresh = tmp_path / "new folder" / "jwt.key"
    arguments = ("token", "--organisation", "-1", "--role", "admin", "--role", "analyst", "--subject", "maria")
    first = run(*arguments, "--create-key", jwt_key_file=str(fresh))
    assert first.returncode == 0, first.stderr
    assert stat.S_IMODE(fresh.stat().st_mode) == 0o600
    key = fresh.read_bytes()
    again = run(*arguments, "--create-key", jwt_key_file=str(fresh))
    assert fresh.read_bytes() == key
    assert list(fresh.parent.iterdir()) == [fresh]
    found = jwt.decode(again.stdout.strip(), key.strip(), ["HS256"], audience="mixhaul-api", issuer="mixhaul")
    assert (found["sub"], found["organisations"], found["roles"]) == ("maria", ["-1"], ["admin", "analyst"])
    assert key.strip().decode() not in first.stdout + first.stderr + again.stdout + again.stderr


@pytest.mark.parametrize(
    ("arguments", "content", "sentence"),
    [
        (("--organisation", "1"), None, "no such file"),
        (("--organisation", "1"), b"short\n", "at least 32"),
        (("--organisation", "all"), b"k" * 40, "'all' is no organisation"),
        (("--organisation", "1", "--ttl", "99999999999999"), b"k" * 40, "lives between"),
        (("--organisation", "1", "--role", "root"), b"k" * 40, "root"),
        (("--organisation", "1", "--site", "all"), b"k" * 40, "'all' is no site"),
    ],
    ids=str,
)
def test_a_token_that_can_not_be_made_is_refused_in_one_sentence(
    tmp_path: Path, arguments: tuple[str, ...], content: bytes | None, sentence: str
) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    answer = run("token", *arguments, jwt_key_file=str(file))
    assert answer.returncode in (2, 64, 78)
    assert sentence in answer.stderr
    assert answer.stdout == ""
    assert "Traceback" not in answer.stderr
