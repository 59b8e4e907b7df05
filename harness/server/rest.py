"""What is served by plain HTTP beside the WebSockets: keys for browsers, and a health page."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Protocol as Typed

from harness import __version__
from harness.dialects import Dialect, Evidence
from harness.dialects.opening import HandshakeRefusal
from harness.server.handshake import WRONG_QUERY, offered_keys, split_target
from harness.server.http import Reply, Request
from harness.server.keys import Keyring
from harness.server.minting import Minted, mint_key
from harness.server.opening import error_body, phrase

HEALTH_PATH = "/health"

EVIDENCE_HEADER = "X-Harness-Evidence"
"""How well the body of a refusal is known: recorded, documented, reported, analogous or assumed."""

_JSON = ("Content-Type", "application/json")

Fields = tuple[tuple[str, str], ...]


class Office(Typed):
    """The server, as far as it is of interest here."""

    dialect: Dialect
    keys: Keyring

    @property
    def sessions(self) -> int: ...

    def note(self, asked: Asked) -> None: ...


@dataclass(frozen=True)
class Asked:
    """A request by plain HTTP and what came of it, redacted."""

    method: str
    path: str
    status: int
    problem: str = ""
    """What was wrong with it."""
    evidence: Evidence | None = None
    """How well the body of its refusal is known."""


class Rest:
    """Answers whatever is no WebSocket."""

    def __init__(self, office: Office) -> None:
        self._office = office

    def answer(self, request: Request) -> Reply:
        """The answer to a whole request."""
        dialect, keys = self._office.dialect, self._office.keys
        path, query = split_target(request.target)
        rules = dialect.keys
        refusals = dialect.handshake.refusals
        if path == HEALTH_PATH and request.method in ("GET", "HEAD"):
            return Reply(*self.health())  # noted by nobody: who watches it asks all the time
        if path in (HEALTH_PATH, dialect.handshake.path) or (rules is not None and path == rules.path):
            allowed = "POST" if rules is not None and path == rules.path else "GET"
            if request.method != allowed:
                return self._wrong_method(request, allowed)
            if path == dialect.handshake.path:
                return self._no_handshake(request)
        if rules is None or path != rules.path:
            return self._refused(request, refusals["wrong_path"])
        fields = dict(request.headers)
        if not keys.own(offered_keys(query, fields, subprotocol=False)):
            return self._refused(request, refusals["wrong_key"])
        for name, wanted in rules.query.items():
            if query.get(name) != wanted:
                missing = refusals["missing_query"]
                return self._refused(
                    request, replace(missing, message=WRONG_QUERY) if query.get(name) else missing, name
                )
        return self._minted(request, mint_key(dialect, keys, request.body))

    def broken(self, status: int, problem: str, request: Request | None) -> Reply:
        """The answer to a request that cannot be read."""
        body = error_body(str(status), problem).encode(errors="replace")
        reply = Reply(status, phrase(status), (_JSON, *evidence_header(Evidence.ASSUMED)), body)
        return self._noted(request or Request("?", "?", ()), reply, problem, Evidence.ASSUMED)

    def health(self) -> tuple[int, str, Fields, bytes]:
        """The health page: that the server is there, what it serves, and how many sessions are open."""
        dialect = self._office.dialect
        page = {
            "status": "ok",
            "tool": f"realtime-harness {__version__}",
            "dialect": dialect.name,
            "api_version": dialect.api_version,
            "path": dialect.handshake.path,
            "keys": dialect.keys.path if dialect.keys else None,
            "sessions": self._office.sessions,
        }
        return 200, "OK", (_JSON, ("Cache-Control", "no-store")), json.dumps(page, indent=2).encode()

    def _minted(self, request: Request, minted: Minted) -> Reply:
        body = json.dumps(minted.body, ensure_ascii=False).encode(errors="replace")
        fields = (_JSON, *evidence_header(minted.evidence))
        reply = Reply(minted.status, phrase(minted.status), fields, body)
        return self._noted(request, reply, minted.problem, minted.evidence)

    def _no_handshake(self, request: Request) -> Reply:
        """A GET of the path where WebSockets are opened, and no handshake (RFC 9110 15.5.22)."""
        fields = (_JSON, ("Upgrade", "websocket"), *evidence_header(Evidence.ASSUMED))
        body = error_body("426", "Upgrade Required").encode()
        problem = "no request for a WebSocket, which this path is for"
        return self._noted(request, Reply(426, phrase(426), fields, body), problem, Evidence.ASSUMED)

    def _wrong_method(self, request: Request, allowed: str) -> Reply:
        problem = f"the method {request.method} where only {allowed} is served"
        fields = (_JSON, ("Allow", allowed), *evidence_header(Evidence.ASSUMED))
        body = error_body("405", "Method not allowed").encode()
        return self._noted(request, Reply(405, phrase(405), fields, body), problem, Evidence.ASSUMED)

    def _refused(self, request: Request, refusal: HandshakeRefusal, name: str = "") -> Reply:
        message = refusal.message.replace("{name}", name)
        body = error_body(refusal.code, message).encode(errors="replace")
        fields = (_JSON, *evidence_header(refusal.body_evidence))
        reply = Reply(refusal.status, phrase(refusal.status), fields, body)
        return self._noted(request, reply, message, refusal.body_evidence)

    def _noted(
        self, request: Request, reply: Reply, problem: str = "", evidence: Evidence | None = None
    ) -> Reply:
        path, clean = split_target(request.target)[0], self._office.keys.redactor.text
        self._office.note(Asked(clean(request.method), clean(path), reply.status, clean(problem), evidence))
        return reply


def evidence_header(evidence: Evidence | None) -> Fields:
    """The label of a refusal."""
    return () if evidence is None else ((EVIDENCE_HEADER, evidence),)
