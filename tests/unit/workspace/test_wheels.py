"""The set-up's last way to a wheel: the standard library alone, against an index on this machine."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import io
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType

import pytest

TOOLS = Path(__file__).parents[3] / "tools"
PLATFORMS = ("manylinux_2_17_x86_64.manylinux2014_x86_64", "manylinux_2_17_aarch64.manylinux2014_aarch64")
PLATFORMS += ("musllinux_1_1_x86_64", "musllinux_1_1_aarch64", "macosx_11_0_arm64", "macosx_10_12_x86_64", "win_amd64")


@pytest.fixture
def wheels() -> ModuleType:
    spec = importlib.util.spec_from_file_location("mixhaul_tools_wheels", TOOLS / "wheels.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Index:
    """A simple index that holds `thing` in version 1.0 for every platform, and wants a user and password."""

    def __init__(self) -> None:
        self.digest_wrong = False
        self.files = {}
        for platform in PLATFORMS:
            packed = io.BytesIO()
            with zipfile.ZipFile(packed, "w") as wheel:
                wheel.writestr("thing-1.0.data/scripts/thing", platform)
            self.files[f"thing-1.0-py3-none-{platform}.whl"] = packed.getvalue()

    def answer(self, path: str) -> tuple[int, bytes]:
        if path == "/simple/thing/":
            links = (
                f'<a href="../../files/{name}#sha256={self._digest(raw)}" data-x="&lt;">{name}</a><br/>'
                for name, raw in self.files.items()
            )
            return 200, "".join(links).encode()
        raw = self.files.get(path.removeprefix("/files/"))
        return (404, b"") if raw is None else (200, raw)

    def _digest(self, raw: bytes) -> str:
        return "0" * 64 if self.digest_wrong else hashlib.sha256(raw).hexdigest()


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    held = Index()
    wanted = "Basic " + base64.b64encode(b"me:p@ss").decode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = held.answer(self.path) if self.headers["Authorization"] == wanted else (401, b"")
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the library's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        monkeypatch.setenv("PIP_INDEX_URL", f"http://me:p%40ss@127.0.0.1:{server.server_address[1]}/simple/")
        monkeypatch.delenv("PIP_CERT", raising=False)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield held
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("system", "machine", "libc", "platform"),
    [
        ("linux", "x86_64", "glibc", PLATFORMS[0]),
        ("linux", "aarch64", "glibc", PLATFORMS[1]),
        ("linux", "x86_64", "", PLATFORMS[2]),
        ("linux", "aarch64", "", PLATFORMS[3]),
        ("darwin", "arm64", "", PLATFORMS[4]),
        ("darwin", "x86_64", "", PLATFORMS[5]),
    ],
)
def test_the_wheel_of_this_machine_is_unpacked(
    system: str,
    machine: str,
    libc: str,
    platform: str,
    index: Index,
    wheels: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.platform", system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr("platform.libc_ver", lambda: (libc, ""))
    wheels.fetch_wheel("thing", "1.0", tmp_path)
    assert (tmp_path / "thing-1.0.data" / "scripts" / "thing").read_text() == platform


def test_a_wheel_that_is_not_what_the_index_says_is_refused(index: Index, wheels: ModuleType, tmp_path: Path) -> None:
    index.digest_wrong = True
    with pytest.raises(ValueError, match="does not have the sha256"):
        wheels.fetch_wheel("thing", "1.0", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_version_or_machine_that_is_not_there_is_a_sentence(
    index: Index, wheels: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(LookupError, match=r"no wheel of thing 2\.0"):
        wheels.fetch_wheel("thing", "2.0", tmp_path)
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(LookupError, match="on riscv64"):
        wheels.fetch_wheel("thing", "1.0", tmp_path)


def test_another_kind_of_address_is_refused(
    wheels: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "ftp://127.0.0.1/simple")
    with pytest.raises(ValueError, match="ftp"):
        wheels.fetch_wheel("thing", "1.0", tmp_path)
