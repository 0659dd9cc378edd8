"""Certificates for servers on loopback."""

from __future__ import annotations

import subprocess
from pathlib import Path


def self_signed(certificate: Path, key: Path) -> None:
    """Makes a certificate of 127.0.0.1, its own authority, and its key, both as PEM."""
    names = ["-keyout", key, "-out", certificate]
    kind = ["-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    extension = ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(["openssl", "req", "-x509", *kind, *names, *extension], check=True, capture_output=True)
