"""The certificate that is made for users, for clients that are told to trust it."""

from __future__ import annotations

import base64
import hashlib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from harness.server import made_certificate


@dataclass(frozen=True)
class Tls:
    """The server's side, the authority as a file, and the hash by which Chromium knows the certificate."""

    context: ssl.SSLContext
    ca_file: Path
    spki: str

    @property
    def trusted(self) -> ssl.SSLContext:
        """A client's side."""
        return ssl.create_default_context(cafile=self.ca_file)


@pytest.fixture(scope="session")
def tls() -> Iterator[Tls]:
    with made_certificate() as certificate:
        shown = shown_certificate(certificate.context, ssl.create_default_context(cafile=certificate.ca_file))
        key = x509.load_der_x509_certificate(shown).public_key()
        spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        digest = base64.b64encode(hashlib.sha256(spki).digest()).decode()
        yield Tls(certificate.context, certificate.ca_file, digest)


def shown_certificate(server_side: ssl.SSLContext, client_side: ssl.SSLContext) -> bytes:
    """The certificate that a server shows, by a handshake in memory."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_side.wrap_bio(to_client, to_server, server_hostname="localhost")
    server = server_side.wrap_bio(to_server, to_client, server_side=True)
    for end in (client, server, client):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue  # the other end's turn
    found = client.getpeercert(binary_form=True)
    assert found is not None
    return found
