"""What `serve` shows at the start: where it listens, and what to paste to get there."""

from __future__ import annotations

import ipaddress
import shlex
from collections.abc import Iterator
from urllib.parse import urlencode

from harness.cli.finding_text import Line
from harness.cli.limits import limit_texts
from harness.cli.sdk_lines import Pasted, Place, pasted
from harness.server import certified_names
from harness.serving import Serving

_REACHABLE = "listening on {host}: others reach this port, and whoever has the key is served"

KEY_VARIABLE = "REALTIME_HARNESS_KEY"


def start_lines(serving: Serving, origin: str, what: str, *, from_variable: bool) -> Iterator[Line]:
    """The block at the start; what it says can be copied. A key out of the environment stays there."""
    dialect = serving.dialect
    place = Place(dialect, origin, serving.hears)
    word = f"${KEY_VARIABLE}" if from_variable else serving.key
    in_shell = f'"${KEY_VARIABLE}"' if from_variable else shlex.quote(serving.key)
    header = "api-key: " if "api-key-header" in dialect.handshake.auth else "Authorization: Bearer "
    yield [("serving ", "bold"), (what, ""), (" as ", "bold"), (f"{dialect.name}, {dialect.title}", "")]
    yield []
    if not _of_this_machine(serving.host):
        yield [("  warning    ", "bold red"), (_REACHABLE.format(host=serving.host), "bold red")]
        if serving.ca_file is not None:
            yield _labelled("", f"the certificate is for {', '.join(certified_names(serving.host))}")
    for label, text in _asked(serving):
        yield _labelled(label, text)
    yield _labelled("url", f"{place.socket}{dialect.handshake.path}?{urlencode(serving.query)}")
    yield _labelled("key", word)
    yield _labelled("header", header + word)
    for family in pasted(place):
        yield []
        yield _labelled("shell", _export(serving, family, in_shell))
        for sdk, code in family.lines:
            yield _labelled(sdk, code)
    yield []
    yield _labelled("stop", "Ctrl-C, which shows what was found")
    yield []


def _of_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _export(serving: Serving, family: Pasted, key: str) -> str:
    words = [f"{name}={shlex.quote(value) if value else ''}" for name, value in family.variables]
    words.append(f"{family.key}={key}")
    if serving.ca_file is not None:
        certificate = shlex.quote(str(serving.ca_file))
        words += [f"SSL_CERT_FILE={certificate}", f"NODE_EXTRA_CA_CERTS={certificate}"]
    return f"export {' '.join(words)}"


def _asked(serving: Serving) -> Iterator[tuple[str, str]]:
    """The pace and the faults, as far as they are not the service's own: a time without its unit shows."""
    pace = serving.pace
    words = [] if pace.speed == 1 else ["all at once" if pace.speed is None else f"speed {pace.speed:g}"]
    words += [f"latency {pace.latency:g} s"] if pace.latency else []
    words += [f"{wait:g} s before {pattern}" for pattern, wait in pace.delays]
    if words:
        yield "pace", ", ".join(words)
    for number, fault in enumerate(serving.faults):
        yield "" if number else "faults", str(fault)
    limits = limit_texts(serving.limits)
    if limits:
        yield "limits", ", ".join(limits)


def _labelled(label: str, text: str) -> Line:
    return [(f"  {label:<9}  ", "bold"), (text, "")]
