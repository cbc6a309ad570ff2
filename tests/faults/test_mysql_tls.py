"""MySQL and MariaDB where they let nobody in without TLS, as hosted ones do."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from better_auth.errors import DatabaseUnavailable
from tests.conftest import Site
from tests.servers import mysql_server
from tests.support import bearer, make_auth

DATABASES = ["mysql"]


def certificate() -> tuple[str, str]:
    """A certificate for 127.0.0.1 that nobody but itself vouches for, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return made.public_bytes(pem).decode(), secret.decode()


def test_a_certificate_is_asked_for(site_with: Callable[..., Site], tmp_path: Path) -> None:
    """``ssl_ca`` names who vouches for the server; others are not believed."""
    made, key = certificate()
    trusted, other = tmp_path / "trusted.pem", tmp_path / "other.pem"
    trusted.write_text(made)
    other.write_text(certificate()[0])
    with mysql_server() as server:
        server.require_tls(made, key)
        site = site_with(database=f"{server.url}?ssl_ca={trusted}")
        token = site.session(site.user()).token
        assert site.client().get("/get-session", headers=bearer(token)).status_code == 200

        async def refused(url: str) -> None:
            auth = make_auth(database=url)
            with pytest.raises(DatabaseUnavailable):
                await auth.start()
            await auth.database.close()

        asyncio.run(refused(server.url))
        asyncio.run(refused(f"{server.url}?ssl_ca={other}"))
        site.run(site.auth.stop())
