"""Sets up the checkout: a pinned uv in `.tools/`, the locked packages in `.venv/`.

Standard library only, on Python >= 3.11, as any user. Running it again costs next to nothing; two at once wait for each
other. It does not guarantee anything about a `.venv` that other tools changed behind its back: `make clean` removes it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

from wheels import fetch_wheel  # noqa: E402 - found by the line above, whatever the interpreter's options are

UV_VERSION = "0.13.9"
TOOLS = ROOT / ".tools"
UV = TOOLS / f"uv-{UV_VERSION}" / "bin" / "uv"
VENV = ROOT / ".venv"
STAMP = VENV / ".mixhaul-ready"


class SetupFailed(Exception):
    """The set-up can't be done; the sentence says why and what to do."""


def main() -> int:
    try:
        TOOLS.mkdir(exist_ok=True)
        with _alone():
            if not UV.exists():
                _install_uv()
            if not _ready():
                _sync()
    except SetupFailed as error:
        print(f"set-up: {error}", file=sys.stderr)
        return 1
    except PermissionError as error:
        print(
            f"set-up: {error.filename} can't be written: the checkout must belong to the user who works in it",
            file=sys.stderr,
        )
        return 1
    return 0


@contextmanager
def _alone() -> Iterator[None]:
    """One set-up at a time in this checkout; the lock goes with the process."""
    with (TOOLS / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _install_uv() -> None:
    """Try the ways to a wheel from the package index until one works; only the last error is of interest."""
    print(f"set-up: installing uv {UV_VERSION} into .tools", flush=True)
    failures = []
    for way in (_by_pip, _by_pip_of_a_venv, _by_download):
        with tempfile.TemporaryDirectory(dir=TOOLS) as folder:
            problem = way(Path(folder))
            found = next(
                (path for path in Path(folder).rglob("uv") if path.is_file() and path.parent.name != "uv"), None
            )
            if problem is None and found is not None:
                found.chmod(0o755)
                staged = TOOLS / f"uv-{UV_VERSION}.{os.getpid()}"
                (staged / "bin").mkdir(parents=True)
                shutil.move(found, staged / "bin" / "uv")
                shutil.rmtree(UV.parent.parent, ignore_errors=True)
                staged.rename(UV.parent.parent)
                return
            failures.append(f"{way.__name__.strip('_').replace('_', ' ')}: {problem or 'the wheel holds no uv'}")
    raise SetupFailed(
        "uv can't be had from the package index; is it reachable (HTTPS_PROXY, PIP_INDEX_URL, PIP_CERT)?\n  "
        + "\n  ".join(failures)
    )


def _pip_install(python: str, folder: Path) -> str | None:
    options = ("--disable-pip-version-check", "--no-cache-dir", "--no-deps", "--only-binary=:all:", "--quiet")
    return _problem([python, "-m", "pip", "install", *options, "--target", str(folder / "wheel"), f"uv=={UV_VERSION}"])


def _by_pip(folder: Path) -> str | None:
    return _pip_install(sys.executable, folder)


def _by_pip_of_a_venv(folder: Path) -> str | None:
    return _problem([sys.executable, "-m", "venv", str(folder / "venv")]) or _pip_install(
        str(folder / "venv" / "bin" / "python"), folder
    )


def _by_download(folder: Path) -> str | None:
    try:
        fetch_wheel("uv", UV_VERSION, folder)
    except (OSError, ValueError, LookupError) as error:
        return str(error)
    return None


def _problem(command: list[str]) -> str | None:
    """None when the command went well, otherwise the last line of what it said."""
    ended = subprocess.run(command, capture_output=True, text=True, env=_environment(), check=False)
    if ended.returncode == 0:
        return None
    lines = [line for line in (ended.stdout + ended.stderr).splitlines() if line.strip()]
    return lines[-1] if lines else f"exit code {ended.returncode}"


def _fingerprint() -> str:
    """What the installed packages depend on: a moved checkout or another Python makes them useless too."""
    digest = hashlib.sha256()
    parts = [str(ROOT), sys.version, sysconfig.get_platform(), UV_VERSION]
    digest.update("\0".join(parts).encode())
    for file in [ROOT / "uv.lock", ROOT / "pyproject.toml", *_members()]:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _members() -> list[Path]:
    """The `pyproject.toml` of each member of the workspace."""
    found = (path for pattern in ("*", "*/*") for path in ROOT.glob(f"{pattern}/pyproject.toml"))
    return sorted(path for path in found if not path.relative_to(ROOT).parts[0].startswith("."))


def _ready() -> bool:
    return STAMP.exists() and STAMP.read_text() == _fingerprint() and (VENV / "bin" / "python").exists()


def _sync() -> None:
    print("set-up: installing the locked packages into .venv", flush=True)
    STAMP.unlink(missing_ok=True)
    index = os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("UV_INDEX_URL") or os.environ.get("PIP_INDEX_URL")
    steps = _steps_by_lock() if not index else _steps_by_index(index)
    for step in steps:
        ended = subprocess.run(step(), cwd=ROOT, env=_environment(), check=False)
        if ended.returncode != 0:
            raise SetupFailed("the packages could not be installed; uv said why above")
    STAMP.write_text(_fingerprint())


Step = Callable[[], list[str]]


def _steps_by_lock() -> list[Step]:
    """The lock names the files of the public index themselves."""
    return [lambda: [str(UV), "sync", "--locked", "--quiet", "--compile-bytecode", "--python", sys.executable]]


def _steps_by_index(index: str) -> list[Step]:
    """An index of one's own has the same files elsewhere: the locked versions and hashes, its addresses."""
    wanted = TOOLS / "requirements.txt"
    editable = [part for member in _members() for part in ("--editable", str(member.parent))]
    export = ["export", "--frozen", "--quiet", "--no-emit-workspace", "--output-file", str(wanted)]
    by_index = ["--quiet", "--compile-bytecode", "--default-index", index, "--python", str(VENV)]
    return [
        lambda: [str(UV), *export],
        lambda: [str(UV), "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(VENV)],
        lambda: [str(UV), "pip", "sync", "--require-hashes", *by_index, str(wanted)],
        lambda: [str(UV), "pip", "install", "--no-deps", *by_index, *editable],
    ]


def _environment() -> dict[str, str]:
    """The caller's, less what points at other environments, plus a cache that can be written."""
    unwanted = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "CONDA_PREFIX")
    environment = {name: value for name, value in os.environ.items() if name not in unwanted}
    environment["UV_PYTHON_DOWNLOADS"] = "never"
    environment["UV_PROJECT_ENVIRONMENT"] = str(VENV)
    certificates = environment.get("PIP_CERT") or environment.get("REQUESTS_CA_BUNDLE")
    if certificates:
        environment.setdefault("SSL_CERT_FILE", certificates)
    if "UV_CACHE_DIR" not in environment and not _home_has_cache():
        environment["UV_CACHE_DIR"] = str(ROOT / ".cache" / "uv")
    return environment


def _home_has_cache() -> bool:
    """Whether uv's ordinary cache folder can be written. Asked by doing: root may write where others may not."""
    home, base = os.environ.get("HOME"), os.environ.get("XDG_CACHE_HOME")
    if not base and not home:
        return False
    folder = (Path(base) if base else Path(home or "", ".cache")) / "uv"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


if __name__ == "__main__":
    if platform.system() == "Windows":
        print("set-up: on Windows use WSL", file=sys.stderr)
        sys.exit(1)
    sys.exit(main())
