"""A certificate of one's own, for a server that was told to make one.

It proves nothing about who the server is, but encrypts, and SCRAM's channel binding (-PLUS) then
shows that client and server see the same one.
"""

import datetime as dt
import ipaddress
import os
import socket
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from storage.wall_clock import now_us

VALID_DAYS: Final = 3650


def self_signed(directory: Path) -> tuple[Path, Path]:
    """`server.crt` and `server.key` in `directory`, made now if they are not there."""
    certificate, key = directory / "server.crt", directory / "server.key"
    if not (certificate.exists() and key.exists()):
        key_pem, certificate_pem = _make(socket.gethostname())
        _write(key, key_pem)
        _write(certificate, certificate_pem)
    return certificate, key


def _make(host: str) -> tuple[bytes, bytes]:
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host[:64])])
    names: list[x509.GeneralName] = [
        x509.DNSName("localhost"),
        x509.DNSName(host),
        x509.IPAddress(ipaddress.IPv4Address("127.0.0.1")),
        x509.IPAddress(ipaddress.IPv6Address("::1")),
    ]
    now = dt.datetime.fromtimestamp(now_us() // 1_000_000, dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))  # Clocks differ.
        .not_valid_after(now + dt.timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private, hashes.SHA256())
    )
    key_pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return key_pem, certificate.public_bytes(serialization.Encoding.PEM)


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all, and readable by no one else from its first moment."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
        os.fsync(stream.fileno())
    temporary.rename(path)
