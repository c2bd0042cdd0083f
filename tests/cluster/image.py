"""Makes an image without Docker: a tarball in the OCI layout, which `ctr images import` and `kind load` take.

    image.py OUT.tar NAME [--base ROOTFS.tar] [--add SOURCE=TARGET]... [--env K=V]... [--user UID] --entrypoint ARGV...

The same input gives the same bytes: entries are sorted, owned by root and dated 1970. For the test bed's own pods; the
product's image comes from the Containerfile.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import platform
import tarfile
from pathlib import Path
from typing import Any

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"  # not compressed: it never travels
_ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("name", help="with a tag, e.g. localhost/demo:1")
    parser.add_argument("--base", type=Path)
    parser.add_argument("--add", action="append", default=[])
    parser.add_argument("--env", action="append", default=[])
    parser.add_argument("--user", default="")
    parser.add_argument("--entrypoint", nargs="+", required=True)
    options = parser.parse_args()

    options.out.parent.mkdir(parents=True, exist_ok=True)
    top, part = options.out.with_suffix(".layer"), options.out.with_suffix(".part")
    try:
        write_layer(top, options.add)
        layers = [path for path in (options.base, top) if path]
        settings = {
            "Env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", *options.env],
            "Entrypoint": options.entrypoint,
            "User": options.user,
        }
        write_image(part, options.name, layers, settings)
        part.rename(options.out)
    finally:
        top.unlink(missing_ok=True)
        part.unlink(missing_ok=True)


def write_layer(path: Path, pairs: list[str]) -> None:
    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        member.uid = member.gid = 0
        member.mtime = 0
        member.uname = member.gname = "root"
        member.name = member.name.lstrip("/")
        return None if "__pycache__" in member.name else member

    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for pair in pairs:
            source, _, target = pair.partition("=")
            tar.add(source, arcname=target, filter=plain)


def write_image(path: Path, name: str, layers: list[Path], settings: dict[str, Any]) -> None:
    digests = {layer: _digest(layer) for layer in layers}
    described = [
        {"mediaType": _LAYER, "digest": f"sha256:{digests[layer]}", "size": layer.stat().st_size} for layer in layers
    ]
    config = {
        "architecture": _ARCHITECTURE,
        "os": "linux",
        "config": settings,
        "rootfs": {"type": "layers", "diff_ids": [one["digest"] for one in described]},
    }
    with tarfile.open(path, "w") as tar:
        for layer in layers:
            with layer.open("rb") as stream:
                _add(tar, f"blobs/sha256/{digests[layer]}", stream, layer.stat().st_size)
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": _blob(tar, config, _CONFIG),
            "layers": described,
        }
        found = _blob(tar, manifest, _MANIFEST) | {
            "annotations": {"io.containerd.image.name": name},
            "platform": {"architecture": _ARCHITECTURE, "os": "linux"},
        }
        _add_bytes(tar, "index.json", json.dumps({"schemaVersion": 2, "manifests": [found]}).encode())
        _add_bytes(tar, "oci-layout", b'{"imageLayoutVersion": "1.0.0"}')


def _blob(tar: tarfile.TarFile, content: dict[str, Any], kind: str) -> dict[str, Any]:
    text = json.dumps(content).encode()
    name = hashlib.sha256(text).hexdigest()
    _add_bytes(tar, f"blobs/sha256/{name}", text)
    return {"mediaType": kind, "digest": f"sha256:{name}", "size": len(text)}


def _add_bytes(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    _add(tar, name, io.BytesIO(content), len(content))


def _add(tar: tarfile.TarFile, name: str, stream: io.BufferedIOBase, size: int) -> None:
    member = tarfile.TarInfo(name)
    member.size = size
    tar.addfile(member, stream)


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


if __name__ == "__main__":
    main()
