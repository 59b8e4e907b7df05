"""The certificate of a server, in real handshakes of the standard library and of `websockets`."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidMessage

from harness.exceptions import FileFault, UsageFault
from harness.server import Certificate, RealtimeServer, certified_names, made_certificate
from tests.server.serving import TARGET, dial, hear, serving
from tests.talk import GA


@pytest.fixture(scope="module")
def certificate() -> Iterator[Certificate]:
    with made_certificate() as made:
        yield made


def trusting(ca_file: Path | None) -> ssl.SSLContext:
    """A client that trusts this authority alone, and is as strict as Python is from 3.13 on."""
    context = ssl.create_default_context(cafile=ca_file)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context


async def certificate_shown(server: RealtimeServer, name: str, context: ssl.SSLContext) -> dict[str, Any]:
    """What a client that calls the server by `name` is shown; raises ssl.SSLError where it does not take it."""
    _, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=context, server_hostname=name)
    shown: dict[str, Any] = writer.get_extra_info("peercert")
    writer.close()
    return shown


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "::1"])
async def test_a_strict_client_takes_it_by_each_name_of_this_machine(
    certificate: Certificate, name: str
) -> None:
    async with serving(tls=certificate) as server:
        shown = await certificate_shown(server, name, trusting(certificate.ca_file))
    began, ends = (ssl.cert_time_to_seconds(shown[name]) for name in ("notBefore", "notAfter"))
    assert ends - began < 825 * 24 * 3600  # Apple's limit


async def test_it_is_not_for_other_names_unless_they_were_given(certificate: Certificate) -> None:
    with made_certificate(["azure.test"]) as named:
        async with serving(tls=named) as server:
            assert await certificate_shown(server, "azure.test", trusting(named.ca_file))
            assert await certificate_shown(server, "127.0.0.1", trusting(named.ca_file))
    async with serving(tls=certificate) as server:
        with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
            await certificate_shown(server, "azure.test", trusting(certificate.ca_file))


async def test_who_does_not_trust_its_authority_is_not_talked_into_it(certificate: Certificate) -> None:
    with made_certificate() as other:
        async with serving(tls=certificate) as server:
            for context in (trusting(other.ca_file), trusting(None)):
                with pytest.raises(ssl.SSLCertVerificationError, match="verify failed"):
                    await dial(server, ssl=context)
            assert server.connections == []
            async with asyncio.timeout(5):
                while len(server.strangers) < 2:
                    await asyncio.sleep(0.001)
            assert all("SSL_CERT_FILE or NODE_EXTRA_CA_CERTS" in why for why in server.strangers)


async def test_a_server_on_all_addresses_has_a_certificate_for_those_the_machine_knows_of() -> None:
    assert certified_names("127.0.0.1") == ("127.0.0.1", "localhost", "::1")
    assert certified_names("my-host")[-1] == "my-host"
    names = certified_names("0.0.0.0")
    assert names == certified_names("::")
    with made_certificate(names) as certificate:
        for name in names:
            authority = trusting(certificate.ca_file)
            ours, theirs = ssl.MemoryBIO(), ssl.MemoryBIO()
            client = authority.wrap_bio(theirs, ours, server_hostname=name)
            server = certificate.context.wrap_bio(ours, theirs, server_side=True)
            for _ in range(2):
                for one in (client, server):
                    with contextlib.suppress(ssl.SSLWantReadError):
                        one.do_handshake()
            assert client.version() == "TLSv1.3"


async def test_a_session_goes_through_tls_to_a_client_we_did_not_write(certificate: Certificate) -> None:
    async with serving(tls=certificate) as server:
        assert server.origin == f"https://127.0.0.1:{server.port}"
        async with dial(server, ssl=trusting(certificate.ca_file)) as websocket:
            assert (await hear(websocket))["type"] == "session.created"
            spoken = websocket.transport.get_extra_info("ssl_object")
            assert spoken.version() == "TLSv1.3"


async def test_who_offers_http_2_too_is_told_that_it_is_http_1(certificate: Certificate) -> None:
    context = trusting(certificate.ca_file)
    context.set_alpn_protocols(["h2", "http/1.1"])
    async with serving(tls=certificate) as server, dial(server, ssl=context) as websocket:
        assert websocket.transport.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"


async def test_a_client_without_tls_does_not_get_in_and_disturbs_nobody(certificate: Certificate) -> None:
    async with serving(tls=certificate) as server:
        with pytest.raises((InvalidMessage, ConnectionError, EOFError)):  # EOFError: websockets 13
            await connect(f"ws://127.0.0.1:{server.port}{TARGET[GA]}")
        async with dial(server, ssl=trusting(certificate.ca_file)) as websocket:
            assert (await hear(websocket))["type"] == "session.created"


def test_no_key_is_on_disk_and_at_the_end_nothing_is() -> None:
    with made_certificate() as made:
        folder = made.ca_file.parent
        assert made.ca_file.is_absolute()
        assert list(folder.iterdir()) == [made.ca_file]
        text = made.ca_file.read_text("ascii")
        assert text.count("-----BEGIN") == text.count("-----BEGIN CERTIFICATE-----") == 1
        assert stat.S_IMODE(made.ca_file.stat().st_mode) & 0o444
    assert not folder.exists()


def test_a_file_that_was_asked_for_stays_and_the_next_start_replaces_it(tmp_path: Path) -> None:
    path = tmp_path / "certificates" / "ca.pem"
    with made_certificate(ca_file=path) as first:
        assert first.ca_file == path
    before = path.read_text("ascii")
    with made_certificate(ca_file=path):
        assert path.read_text("ascii") != before
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("found", ["-----BEGIN CERTIFICATE-----\n", ""])
def test_a_file_of_somebody_else_is_left_alone(tmp_path: Path, found: str) -> None:
    path = tmp_path / "ca-certificates.crt"
    path.write_text(found)
    with (
        pytest.raises(UsageFault, match="is not the certificate of an earlier start"),
        made_certificate(ca_file=path),
    ):
        raise AssertionError
    assert path.read_text() == found
    with pytest.raises(UsageFault, match="exists"), made_certificate(ca_file=tmp_path):
        raise AssertionError


def test_where_it_cannot_be_written_the_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(FileFault, match=r"ca\.pem.*cannot be written"),
        made_certificate(ca_file=tmp_path / "file" / "ca.pem"),
    ):
        raise AssertionError


def test_a_host_that_is_no_name_is_told() -> None:
    with pytest.raises(UsageFault, match="no certificate can be made"), made_certificate(["a b"]):
        raise AssertionError


def test_what_makes_certificates_is_not_loaded_where_none_is_made(tmp_path: Path) -> None:
    source = """
        import sys
        import harness.cli.serve
        from harness.cli.main import main

        code = main(["check", "-i", "reference", "-s", "text-turn", "-d", "azure-v1"])
        assert code == 0
        assert not {"trustme", "cryptography"} & set(sys.modules)
    """
    command = [sys.executable, "-c", textwrap.dedent(source)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
