"""Keys and certificates of one throw-away control plane, made by the `openssl` program."""

from __future__ import annotations

import subprocess
from pathlib import Path


def write_credentials(folder: Path, *, address: str, token: str) -> None:
    """ca.crt and ca.key, sa.key and sa.pub, tokens.csv.

    One self-signed certificate is both the server's and its own authority. Python 3.13 verifies strictly: it wants
    keyUsage, and basicConstraints marked critical. The subject is for kubelet, to which the API server shows the same
    certificate when it asks for logs or exec.
    """
    names = f"IP:{address},IP:127.0.0.1,IP:10.0.0.1,DNS:localhost,DNS:kubernetes.default.svc"
    _openssl(
        *("req", "-x509", "-nodes", "-days", "30", "-subj", "/O=system:masters/CN=mixhaul-cluster", "-newkey", "ec"),
        *("-pkeyopt", "ec_paramgen_curve:prime256v1", "-keyout", folder / "ca.key", "-out", folder / "ca.crt"),
        *("-addext", f"subjectAltName={names}", "-addext", "keyUsage=critical,digitalSignature,keyCertSign"),
    )
    _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", folder / "sa.key")
    _openssl("ec", "-in", folder / "sa.key", "-pubout", "-out", folder / "sa.pub")
    tokens = folder / "tokens.csv"
    tokens.touch(mode=0o600)
    tokens.write_text(f'{token},admin,admin,"system:masters"\n')


def _openssl(*arguments: object) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)
