"""Keys and key files."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from mixhaul_store.encryption import Cipher, create_key_file, load_or_create_key_file
from mixhaul_store.errors import DecryptionFailed, InvalidKeyFile

OLD, NEW = Fernet.generate_key(), Fernet.generate_key()


def test_what_was_encrypted_comes_back() -> None:
    cipher = Cipher([OLD])
    secret = cipher.encrypt("tökén")
    assert cipher.decrypt(secret) == "tökén"
    assert "tökén".encode() not in secret


def test_an_older_key_still_opens_and_the_first_one_writes() -> None:
    both = Cipher([NEW, OLD])
    assert both.decrypt(Cipher([OLD]).encrypt("x")) == "x"
    assert Cipher([NEW]).decrypt(both.encrypt("x")) == "x"
    assert both.secret == Cipher([OLD]).secret


@pytest.mark.parametrize("data", [b"", b"junk", Cipher([OLD]).encrypt("x")], ids=["empty", "junk", "other key"])
def test_what_no_key_opens_is_an_error_of_its_own(data: bytes) -> None:
    with pytest.raises(DecryptionFailed) as caught:
        Cipher([NEW]).decrypt(data)
    assert caught.value.__cause__ is None


def test_a_key_file_has_one_key_a_line(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_bytes(b"# newest first\n\n  " + NEW + b" \r\n" + OLD + b"\n")
    assert Cipher.from_file(file).decrypt(Cipher([OLD]).encrypt("x")) == "x"


@pytest.mark.parametrize(
    "content",
    [None, b"", b"# none\n", b"not-a-key\n", OLD[:-4] + b"\n", b"\xff\xfe"],
    ids=["no file", "empty", "a comment only", "no key", "a key cut short", "no text"],
)
def test_a_key_file_that_can_t_be_used_is_named_and_not_shown(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "keys"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InvalidKeyFile) as caught:
        Cipher.from_file(file)
    assert str(file) in str(caught.value)
    assert "not-a-key" not in str(caught.value)


def test_make_key_puts_a_new_key_on_top(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    create_key_file(file)
    first = file.read_bytes()
    token = Cipher.from_file(file).encrypt("x")
    create_key_file(file)
    assert file.read_bytes().endswith(first)
    assert len(file.read_bytes().split()) == 2
    assert Cipher.from_file(file).decrypt(token) == "x"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_that_can_t_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for make in (create_key_file, load_or_create_key_file):
        with pytest.raises(InvalidKeyFile, match="can't be written"):
            make(tmp_path / "file" / "keys")


def test_processes_that_begin_at_once_share_one_key(tmp_path: Path) -> None:
    file = tmp_path / "new folder" / "keys"
    with ThreadPoolExecutor(8) as pool:
        ciphers = list(pool.map(load_or_create_key_file, [file] * 8))
    assert len({cipher.secret for cipher in ciphers}) == 1
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file]
    assert load_or_create_key_file(file).secret == ciphers[0].secret
