"""Judges the opening request as the service would, by the dialect's tables."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import replace
from urllib.parse import parse_qsl

from harness.dialects import Acceptance, Dialect
from harness.dialects.model import HandshakeRefusal
from harness.redaction import Redactor
from harness.server.opening import error_body
from harness.service import Handshake

_WRONG_QUERY = "The query parameter '{name}' has a value that is not supported."

_KEY_PREFIX = "openai-insecure-api-key."
"""What a key is called as a subprotocol, by the openai package for browsers."""


def judge_handshake(
    dialect: Dialect, target: str, headers: Iterable[tuple[str, str]], key: str
) -> tuple[Handshake, HandshakeRefusal | None, str]:
    """The handshake as it goes into the log (redacted), the refusal if any, and the refusal's body."""
    path, _, asked = target.partition("#")[0].partition("?")
    if "://" in path:  # the absolute form, which proxies send
        path = "/" + path.split("://", 1)[1].partition("/")[2]
    query = parse_qsl(asked, keep_blank_values=True)
    fields = [(name.lower(), value) for name, value in headers]
    refusal, detail = _refusal(dialect, path, dict(query), dict(fields), key)
    redactor = Redactor((key,))
    subprotocols = next((value for name, value in fields if name == "sec-websocket-protocol"), "")
    record = Handshake(
        path=redactor.text(path),
        query=tuple(redactor.value(dict(query)).items()),
        headers=tuple(redactor.value(dict(fields)).items()),
        subprotocols=tuple(redactor.text(name.strip()) for name in subprotocols.split(",") if name.strip()),
        status=refusal.status if refusal else 101,
        refusal=refusal.name if refusal else None,
    )
    body = ""
    if refusal:
        message = refusal.message.replace("{name}", detail)
        body = error_body(refusal.code, message)
    return record, refusal, body


def _refusal(
    dialect: Dialect, path: str, query: dict[str, str], headers: dict[str, str], key: str
) -> tuple[HandshakeRefusal | None, str]:
    rules = dialect.handshake
    if path != rules.path:
        return rules.refusals["wrong_path"], path
    if not _right_key(query, headers, key, subprotocol="subprotocol" in rules.auth):
        return rules.refusals["wrong_key"], ""
    for rule in rules.query:
        if rule.acceptance is Acceptance.REFUSED and rule.name in query:
            return rules.refusals["wrong_key"], rule.name
        if rule.missing_from(query):
            return rules.refusals["missing_query"], rule.name
        if rule.name in query and not rule.takes(query[rule.name]):
            # Nobody has published what the service says then; the name at least is told, and not as missing.
            return replace(rules.refusals["missing_query"], message=_WRONG_QUERY), rule.name
    return None, ""


def _right_key(query: dict[str, str], headers: dict[str, str], key: str, *, subprotocol: bool) -> bool:
    """The key in the `api-key` header or query parameter, as a bearer token, or in a subprotocol."""
    bearer = headers.get("authorization", "")
    offered = [headers.get("api-key"), query.get("api-key")]
    if subprotocol:
        names = headers.get("sec-websocket-protocol", "").split(",")
        offered += [name.strip().removeprefix(_KEY_PREFIX) for name in names if _KEY_PREFIX in name]
    if bearer.lower().startswith("bearer "):
        offered.append(bearer[7:].strip())
    wanted = key.encode()
    # A header of other bytes than UTF-8 comes in lone surrogates, which cannot be written as it either.
    given = [value.encode(errors="surrogatepass") for value in offered if value is not None]
    return any(hmac.compare_digest(value, wanted) for value in given)
