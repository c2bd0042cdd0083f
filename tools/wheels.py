"""Fetches one wheel from the package index with the standard library alone, for machines without pip and venv.

Honours `PIP_INDEX_URL` (with user and password in it), `PIP_CERT` and the proxy variables. Takes the wheel that fits
this machine, checks its SHA-256, and unpacks it.
"""

from __future__ import annotations

import base64
import hashlib
import html
import os
import platform
import re
import ssl
import sys
import urllib.parse
import urllib.request
import zipfile
from io import BytesIO
from pathlib import Path

_TIMEOUT_SECONDS = 120
_DEFAULT_INDEX = "https://pypi.org/simple"


def fetch_wheel(name: str, version: str, folder: Path) -> None:
    """Unpack `name==version` below `folder`. LookupError where the index has no wheel for this machine."""
    index = (os.environ.get("PIP_INDEX_URL") or _DEFAULT_INDEX).rstrip("/")
    page_url = f"{index}/{name}/"
    page = _get(page_url).decode("utf-8", "replace")
    links = [html.unescape(link) for link in re.findall(r'<a[^>]*?href="([^"]+)"', page)]
    for link in links:
        url, _, fragment = urllib.parse.urljoin(page_url, link).partition("#")
        file = urllib.parse.unquote(url.rpartition("/")[2])
        if file.startswith(f"{name}-{version}-") and file.endswith(".whl") and _fits(file):
            raw = _get(url)
            _check(raw, fragment, file)
            with zipfile.ZipFile(BytesIO(raw)) as wheel:
                wheel.extractall(folder)
            return
    raise LookupError(f"the index has no wheel of {name} {version} for {platform.system()} on {platform.machine()}")


def _fits(file: str) -> bool:
    """Whether the platform part of a wheel's name is this machine's."""
    tag = file.removesuffix(".whl").rpartition("-")[2]
    machine = platform.machine().lower()
    if sys.platform == "darwin":
        return tag.startswith("macosx_") and tag.endswith("arm64" if machine == "arm64" else "x86_64")
    if not tag.endswith({"amd64": "x86_64", "arm64": "aarch64"}.get(machine, machine)):
        return False
    return ("musllinux" if platform.libc_ver()[0] != "glibc" else "manylinux") in tag


def _check(raw: bytes, fragment: str, file: str) -> None:
    kind, _, wanted = fragment.partition("=")
    if kind != "sha256":
        raise ValueError(f"the index gives no sha256 of {file}")
    if hashlib.sha256(raw).hexdigest() != wanted:
        raise ValueError(f"{file} does not have the sha256 that the index gives")


def _get(url: str) -> bytes:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("https", "http", "file"):
        raise ValueError(f"an index of the kind {parts.scheme}: is not supported")
    headers = {"Accept": "text/html, */*;q=0.1", "User-Agent": "mixhaul-bootstrap"}
    if parts.username is not None:
        login = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        headers["Authorization"] = "Basic " + base64.b64encode(login.encode()).decode()
        url = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    context = ssl.create_default_context(cafile=os.environ.get("PIP_CERT") or None)
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - the scheme was looked at
    with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS, context=context) as answer:  # noqa: S310
        body: bytes = answer.read()
    return body
