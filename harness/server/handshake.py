"""Judges the opening request as the service would, by the dialect's tables."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from urllib.parse import parse_qsl

from harness.dialects import Acceptance, Dialect, Evidence
from harness.dialects.opening import HandshakeRefusal, LateRefusal
from harness.redaction import Redactor
from harness.server.keys import EphemeralKey, Keyring
from harness.server.opening import error_body
from harness.service import KEY_SUBPROTOCOL, Handshake
from harness.service.errors import Refused, error_event
from harness.service.ids import IdMint

WRONG_QUERY = "The query parameter '{name}' has a value that is not supported."

_NEW_EACH_TIME = ("sec-websocket-key",)
"""A number that a client draws, and no secret (RFC 6455 1.3)."""

_SHORT = 4096
"""Characters of a request that is remembered."""

Headers = Iterable[tuple[str, str]]


@dataclass(frozen=True)
class Judged:
    """A handshake as it goes into the log (redacted), and what came of it."""

    handshake: Handshake
    refusal: HandshakeRefusal | LateRefusal | None = None
    body: str = ""
    """That of the refusal, or the error event that it is."""
    ephemeral: EphemeralKey | None = None
    """The minted key it came with."""


def judge_handshake(dialect: Dialect, target: str, headers: Headers, keys: Keyring) -> Judged:
    """Judges a request for a WebSocket; `target` is its path and query."""
    path, query = split_target(target)
    fields = _fields(headers)
    refused = _refused(dialect, path, query, fields, keys)
    ephemeral = None if refused else keys.ephemeral(offered_keys(query, fields, subprotocol=True))
    # What is new in each request is put in afterwards, for the rest is the same with every client of a kind.
    nonce = tuple((name, fields.pop(name)) for name in _NEW_EACH_TIME if name in fields)
    made = _record if len(target) + sum(map(len, fields.values())) <= _SHORT else _record.__wrapped__
    record = made(keys.redactor, path, tuple(query.items()), tuple(fields.items()))
    record = replace(record, headers=record.headers + nonce) if nonce else record
    if refused is None:
        return Judged(record, ephemeral=ephemeral)
    record = replace(record, expired_key=True) if refused.expired else record
    late = dialect.handshake.late.get(refused.name)
    if late is not None:
        event, known = _error(dialect, late)
        record = replace(record, refusal=late.name, body=event, body_evidence=known)
        return Judged(record, late, event)
    refusal = dialect.handshake.refusals[refused.name]
    body = error_body(refusal.code, (refused.message or refusal.message).replace("{name}", refused.detail))
    record = replace(
        record, status=refusal.status, refusal=refusal.name, body=body, body_evidence=refusal.body_evidence
    )
    return Judged(record, refusal, body)


def _error(dialect: Dialect, late: LateRefusal) -> tuple[str, Evidence]:
    """The error event that a refusal after the handshake is, and how well it is known."""
    spec = dialect.errors[late.error]
    event = error_event(spec, Refused(late.error), None)
    id_ = IdMint(secrets.randbits(32), int(time.time())).mint("event")
    return json.dumps({"type": "error", "event_id": id_, "error": event["error"]}), spec.fact.evidence


def _fields(headers: Headers) -> dict[str, str]:
    """Headers by their names in lower case; a list of subprotocols may come in several (RFC 6455 11.3.4)."""
    fields: dict[str, str] = {}
    for name, value in headers:
        key = name.lower()
        more = key == "sec-websocket-protocol" and key in fields
        fields[key] = f"{fields[key]}, {value}" if more else value
    return fields


@lru_cache(256)
def _record(
    redactor: Redactor, path: str, query: tuple[tuple[str, str], ...], fields: tuple[tuple[str, str], ...]
) -> Handshake:
    """A request as it goes into the log, accepted."""
    subprotocols = dict(fields).get("sec-websocket-protocol", "")
    return Handshake(
        path=redactor.text(path),
        query=tuple(redactor.query(dict(query)).items()),
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
        yield from (name.strip().removeprefix(KEY_SUBPROTOCOL) for name in names if KEY_SUBPROTOCOL in name)


@dataclass(frozen=True)
class _Refused:
    """The name of a refusal in the dialect's table, and what is put into its sentence, or in its place."""

    name: str
    detail: str = ""
    message: str | None = None
    expired: bool = False


def _refused(
    dialect: Dialect, path: str, query: dict[str, str], headers: dict[str, str], keys: Keyring
) -> _Refused | None:
    rules = dialect.handshake
    if path != rules.path:
        return _Refused("wrong_path", path)
    # A minted key is for browsers, which have no other way: whether Azure takes it there nobody has denied.
    ephemeral = keys.ephemeral(offered_keys(query, headers, subprotocol=True))
    if ephemeral is not None and keys.expired(ephemeral):
        return _Refused("wrong_key", expired=True)
    by_subprotocol = "subprotocol" in rules.auth
    if ephemeral is None and not keys.own(offered_keys(query, headers, subprotocol=by_subprotocol)):
        return _Refused("wrong_key")
    for header in rules.headers:
        if header.refuses(headers.get(header.name)):
            return _Refused("refused_header", header.name)
    for rule in rules.query:
        if rule.acceptance is Acceptance.REFUSED and rule.name in query:
            return _Refused("wrong_key", rule.name)
        named = rule.means == "deployment" and ephemeral is not None and ephemeral.model is not None
        if rule.missing_from(query) and not named:
            return _Refused("missing_query", rule.name)
        needless = rule.needless_in(query)
        if needless is not None:
            return _Refused("needless_query", needless)
        if rule.name in query and not rule.takes(query[rule.name]):
            # Nobody has published what the service says then; the name at least is told, and not as missing.
            return _Refused("missing_query", rule.name, WRONG_QUERY)
    return None
