"""A certificate for a server on this machine, made at start and gone at the end.

Some clients connect over TLS only. What they have to trust for that is an
authority that is made for this one certificate: its key is never written and
goes with the function that used it, so whoever trusts it trusts nothing else.

`trustme` makes both as RFC 5280 wants them, key identifiers and usages
included, which OpenSSL insists on under VERIFY_X509_STRICT: the default of
Python from 3.13 on.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
import socket
import ssl
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from harness.documents import write_whole
from harness.exceptions import UsageFault

NAMES = ("127.0.0.1", "localhost", "::1")
"""What the certificate is always good for: this machine, however a client calls it."""

_VALID = timedelta(days=365)
"""Longer than any run; Apple's clients refuse a server's certificate of more than 825 days."""

_SKEW = timedelta(days=1)
"""A client's clock may be slow, such as in a container."""

_NAME = re.compile(r"[0-9A-Za-z.:-]+")
"""A name that a certificate can be made for: RFC 1123 has no underscores, and a scope is no address."""

_HEAD = "# realtime-harness: the authority"
"""How a file of ours begins: what stands outside the markers of PEM, readers leave out."""


@dataclass(frozen=True)
class Certificate:
    """What a server needs for TLS, and what its clients need in order to trust it."""

    context: ssl.SSLContext
    """The server's side: the certificate and its key, which are nowhere else."""
    ca_file: Path
    """The authority's certificate as PEM, by its absolute path."""


def everywhere(host: str) -> bool:
    """Whether it stands for all addresses of the machine."""
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def certified_names(host: str) -> tuple[str, ...]:
    """What clients may call a server that listens on `host`; on all addresses, the names of the machine."""
    return tuple(dict.fromkeys((*NAMES, *(_own_names() if everywhere(host) else (host,)))))


def _own_names() -> list[str]:
    """The machine's name and its addresses, as far as it knows them without asking others."""
    names = [socket.gethostname()]
    with contextlib.suppress(OSError):
        names += [str(found[4][0]) for found in socket.getaddrinfo(names[0], None)]
    for family, anywhere in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        # RFC 5737 and RFC 3849: addresses of nobody. To connect by UDP sends nothing, and chooses ours.
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as one:
            one.connect((anywhere, 9))
            names.append(str(one.getsockname()[0]))
    return [name for name in names if _NAME.fullmatch(name)]


@contextmanager
def made_certificate(hosts: Iterable[str] = (), ca_file: Path | None = None) -> Iterator[Certificate]:
    """A certificate for `NAMES` and `hosts`. Its authority is in a folder that is removed at the end.

    Where `ca_file` is given it is written there, and stays. Raises UsageFault for
    a host that is no name, or a file that is there and not one of these, and
    FileFault where it cannot be written.
    """
    if ca_file is not None:
        _check_replaceable(ca_file)
    with tempfile.TemporaryDirectory(prefix="realtime-harness-") as name:
        folder = Path(name)
        authority, context = _made(tuple(dict.fromkeys((*NAMES, *hosts))), folder)
        path = (ca_file or folder / "ca.pem").absolute()
        now = datetime.now(UTC).isoformat(timespec="seconds")
        write_whole(path, (f"{_HEAD} of one certificate, made {now}; its key is gone", authority.rstrip()))
        yield Certificate(context, path)


def _made(names: tuple[str, ...], folder: Path) -> tuple[str, ssl.SSLContext]:
    """The authority's certificate as PEM, and the context of a server with one that it signed."""
    import trustme  # noqa: PLC0415 - it takes longer than most commands, and few serve over TLS

    authority = trustme.CA(path_length=0, organization_name="realtime-harness")
    now = datetime.now(UTC)
    try:
        leaf = authority.issue_cert(
            *names, organization_name="realtime-harness", not_before=now - _SKEW, not_after=now + _VALID
        )
    except ValueError as error:
        raise UsageFault(f"no certificate can be made for {', '.join(names)}: {error}") from None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])  # a WebSocket opens by it: whoever would rather have h2 is told
    # OpenSSL takes a key from files alone. This one has mode 0600, and is gone with the block.
    with leaf.private_key_and_cert_chain_pem.tempfile(dir=str(folder)) as path:
        context.load_cert_chain(path)
    return authority.cert_pem.bytes().decode("ascii"), context


def _check_replaceable(path: Path) -> None:
    """Raises UsageFault for a file that is none of ours, such as those that a whole machine trusts."""
    if not path.exists():
        return
    ours = False
    if path.is_file():
        with path.open("rb") as file:
            ours = file.read(len(_HEAD)) == _HEAD.encode()
    if not ours:
        raise UsageFault(
            f"{path} exists, and is not the certificate of an earlier start",
            hint="name a file that is not there",
        )
