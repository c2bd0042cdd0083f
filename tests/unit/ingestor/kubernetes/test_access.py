"""The pod's own files: where the API server is, and a token that is another one tomorrow."""

from __future__ import annotations

from pathlib import Path

import pytest
from kubernetes.aio.client import Configuration

from mixhaul_ingestor.kubernetes.access import TokenFile, find
from mixhaul_ingestor.kubernetes.errors import NoClusterAccess
from support.certificates import Authority


@pytest.fixture
def account(tmp_path: Path) -> Path:
    """As kubelet projects it."""
    folder = tmp_path / "account"
    folder.mkdir()
    (folder / "namespace").write_text("fleet\n")
    (folder / "token").write_text("token-1")
    (folder / "ca.crt").write_bytes(Authority(tmp_path).ca_file.read_bytes())
    return folder


async def bearer(configuration: Configuration) -> str:
    return str((await configuration.auth_settings())["BearerToken"]["value"])


@pytest.mark.parametrize(
    ("host", "port", "url"),
    [
        pytest.param("10.0.0.1", "6443", "https://10.0.0.1:6443", id="IPv4"),
        pytest.param("fd00::1", "443", "https://[fd00::1]:443", id="IPv6"),
        pytest.param("10.0.0.1", "", "https://10.0.0.1:443", id="no port"),
    ],
)
async def test_in_a_pod_everything_comes_from_its_files(account: Path, host: str, port: str, url: str) -> None:
    found = await find(account, {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port})
    assert (found.namespace, found.configuration.host) == ("fleet", url)
    assert found.configuration.ssl_ca_cert == str(account / "ca.crt")
    assert await bearer(found.configuration) == "Bearer token-1"


async def test_a_rotated_token_is_used_from_the_next_request_on(account: Path) -> None:
    found = await find(account, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"})
    assert await bearer(found.configuration) == "Bearer token-1"
    (account / "token").write_text("token-2\n")
    assert await bearer(found.configuration) == "Bearer token-2"
    (account / "token").unlink()
    assert await bearer(found.configuration) == "Bearer token-2"
    (account / "token").write_text("")
    assert await bearer(found.configuration) == "Bearer token-2"


@pytest.mark.parametrize("missing", ["token", "ca.crt", "namespace"])
async def test_a_pod_without_its_files_says_so(account: Path, missing: str) -> None:
    (account / missing).unlink()
    with pytest.raises(NoClusterAccess, match=missing):
        await find(account, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"})


def test_an_empty_token_is_no_token(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("\n")
    with pytest.raises(NoClusterAccess, match="is empty"):
        TokenFile(tmp_path / "token")(Configuration())
