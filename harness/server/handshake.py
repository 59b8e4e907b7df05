"""Judges the opening request as the service would, by the dialect's tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from urllib.parse import parse_qsl

from harness.dialects import Acceptance, Dialect
from harness.dialects.model import HandshakeRefusal
from harness.redaction import Redactor
from harness.server.keys import EphemeralKey, Keyring
from harness.server.opening import error_body
from harness.service import Handshake

WRONG_QUERY = "The query parameter '{name}' has a value that is not supported."

_KEY_PREFIX = "openai-insecure-api-key."
"""What a key is called as a subprotocol, by the openai package for browsers."""

_NEW_EACH_TIME = ("sec-websocket-key",)
"""A number that a client draws, and no secret (RFC 6455 1.3)."""

_SHORT = 4096
"""Characters of a request that is remembered."""

Headers = Iterable[tuple[str, str]]


@dataclass(frozen=True)
class Judged:
    """A handshake as it goes into the log (redacted), and what came of it."""

    handshake: Handshake
    refusal: HandshakeRefusal | None = None
    body: str = ""
    """That of the refusal."""
    ephemeral: EphemeralKey | None = None
    """The minted key it came with."""


def judge_handshake(dialect: Dialect, target: str, headers: Headers, keys: Keyring) -> Judged:
    """Judges a request for a WebSocket; `target` is its path and query."""
    path, query = split_target(target)
    fields = {name.lower(): value for name, value in headers}
    refusal, detail = _refusal(dialect, path, query, fields, keys)
    ephemeral = None if refusal else keys.ephemeral(offered_keys(query, fields, subprotocol=True))
    # What is new in each request is put in afterwards, for the rest is the same with every client of a kind.
    nonce = tuple((name, fields.pop(name)) for name in _NEW_EACH_TIME if name in fields)
    made = _record if len(target) + sum(map(len, fields.values())) <= _SHORT else _record.__wrapped__
    record = made(keys.redactor, path, tuple(query.items()), tuple(fields.items()))
    record = replace(record, headers=record.headers + nonce) if nonce else record
    if refusal is None:
        return Judged(record, ephemeral=ephemeral)
    body = error_body(refusal.code, refusal.message.replace("{name}", detail))
    record = replace(
        record, status=refusal.status, refusal=refusal.name, body=body, body_evidence=refusal.body_evidence
    )
    return Judged(record, refusal, body)


@lru_cache(256)
def _record(
    redactor: Redactor, path: str, query: tuple[tuple[str, str], ...], fields: tuple[tuple[str, str], ...]
) -> Handshake:
    """A request as it goes into the log, accepted."""
    subprotocols = dict(fields).get("sec-websocket-protocol", "")
    return Handshake(
        path=redactor.text(path),
        query=tuple(redactor.value(dict(query)).items()),
        headers=tuple(redactor.value(dict(fields)).items()),
        subprotocols=tuple(redactor.text(name.strip()) for name in subprotocols.split(",") if name.strip()),
        status=101,
    )


def split_target(target: str) -> tuple[str, dict[str, str]]:
    """The path and the query of a request's target."""
    path, _, asked = target.partition("#")[0].partition("?")
    if "://" in path:  # the absolute form, which proxies send
        path = "/" + path.split("://", 1)[1].partition("/")[2]
    return path, dict(parse_qsl(asked, keep_blank_values=True))


def offered_keys(query: dict[str, str], headers: dict[str, str], *, subprotocol: bool) -> list[str]:
    """The keys a request comes with: by header, query, bearer token, and subprotocol where that counts."""
    return list(_offered(query, headers, subprotocol=subprotocol))


def _offered(query: dict[str, str], headers: dict[str, str], *, subprotocol: bool) -> Iterator[str]:
    for holder in (headers, query):
        if "api-key" in holder:
            yield holder["api-key"]
    bearer = headers.get("authorization", "")
    if bearer.lower().startswith("bearer "):
        yield bearer[7:].strip()
    if subprotocol:
        names = headers.get("sec-websocket-protocol", "").split(",")
        yield from (name.strip().removeprefix(_KEY_PREFIX) for name in names if _KEY_PREFIX in name)


def _refusal(
    dialect: Dialect, path: str, query: dict[str, str], headers: dict[str, str], keys: Keyring
) -> tuple[HandshakeRefusal | None, str]:
    rules = dialect.handshake
    if path != rules.path:
        return rules.refusals["wrong_path"], path
    # A minted key is for browsers, which have no other way: whether Azure takes it there nobody has denied.
    ephemeral = keys.ephemeral(offered_keys(query, headers, subprotocol=True))
    if ephemeral is not None and keys.expired(ephemeral):
        return rules.refusals["wrong_key"], ""
    by_subprotocol = "subprotocol" in rules.auth
    if ephemeral is None and not keys.own(offered_keys(query, headers, subprotocol=by_subprotocol)):
        return rules.refusals["wrong_key"], ""
    for rule in rules.query:
        if rule.acceptance is Acceptance.REFUSED and rule.name in query:
            return rules.refusals["wrong_key"], rule.name
        named = rule.means == "deployment" and ephemeral is not None and ephemeral.model is not None
        if rule.missing_from(query) and not named:
            return rules.refusals["missing_query"], rule.name
        if rule.name in query and not rule.takes(query[rule.name]):
            # Nobody has published what the service says then; the name at least is told, and not as missing.
            return replace(rules.refusals["missing_query"], message=WRONG_QUERY), rule.name
    return None, ""
