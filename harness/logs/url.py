"""What a URL tells: which dialects are spoken there, and on what kind of host."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import SplitResult, parse_qsl, urlsplit

from harness.dialects import Dialect, bundled_dialect, dialect_names


def bundled_dialects() -> tuple[Dialect, ...]:
    return tuple(bundled_dialect(name) for name in dialect_names())


def dialects_at(url: str, dialects: Iterable[Dialect]) -> tuple[Dialect, ...]:
    """The dialects that a URL may lead to, by its path and the fixed values of its query.

    There can be several: some differ by a header alone.
    """
    split = split_url(url)
    query = dict(parse_qsl(split.query))

    def fits(dialect: Dialect) -> bool:
        rules = dialect.handshake
        fixed = [rule for rule in rules.query if rule.value is not None]
        return split.path == rules.path and all(rule.takes(query.get(rule.name)) for rule in fixed)

    return tuple(dialect for dialect in dialects if fits(dialect))


def dialect_name_at(url: str | None) -> str | None:
    """The name of the one bundled dialect that a URL leads to; None where that would be a guess."""
    found = dialects_at(url, bundled_dialects()) if url else ()
    return found[0].name if len(found) == 1 else None


def known_query(url: str, dialect: Dialect) -> tuple[tuple[str, str], ...]:
    """The parameters of a URL that its dialect knows of: anything else in a query may be a secret."""
    named = {rule.name for rule in dialect.handshake.query}
    return tuple(pair for pair in parse_qsl(split_url(url).query) if pair[0] in named)


def host_class(url: str) -> str | None:
    """What kind of server it is, or None without a host; its name never reaches the disk."""
    host = split_url(url).hostname
    if not host:
        return None
    if host in ("127.0.0.1", "localhost", "::1"):
        return "loopback"
    return "azure" if host.endswith(".azure.com") else "other"


def split_url(url: str) -> SplitResult:
    """The parts of a URL; one that is none at all is taken for a path."""
    try:
        return urlsplit(url)
    except ValueError:
        return SplitResult("", "", url, "", "")
