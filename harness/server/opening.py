"""What a handshake asks the service for, and what a refused one is answered with."""

from __future__ import annotations

import http
import json
from collections.abc import Mapping
from dataclasses import dataclass

from harness.dialects import Dialect, Evidence
from harness.faults import HandshakeFault
from harness.messages import Json
from harness.server.keys import EphemeralKey
from harness.service import Handshake


@dataclass(frozen=True)
class Opening:
    """One accepted handshake: which connection it opens, the first being 1, and what it asks for."""

    number: int
    dialect: Dialect
    handshake: Handshake
    key: EphemeralKey | None = None
    """The minted key it came with."""

    @property
    def settings(self) -> Json | None:
        """What the session is to be from its start on (canonical), by the key that opens it."""
        return self.key.settings if self.key else None

    @property
    def query(self) -> Mapping[str, str]:
        return dict(self.handshake.query)

    @property
    def model(self) -> str | None:
        """The model or deployment that is named in the query."""
        return self._meaning("deployment") or (self.key.model if self.key else None)

    @property
    def transcription(self) -> bool:
        """Whether the session only hears: by `intent=transcription`, or by the key that opens it."""
        by_key = (self.settings or {}).get("type") == "transcription"
        return by_key or self._meaning("transcription") == "transcription"

    def _meaning(self, means: str) -> str | None:
        rules = (rule for rule in self.dialect.handshake.query if rule.means == means)
        return next((self.query[rule.name] for rule in rules if rule.name in self.query), None)


def refusal_body(dialect: Dialect, fault: HandshakeFault) -> tuple[str, Evidence | None]:
    """The body of a refusal and how well it is known; None where the fault brings its own.

    The dialect's own, where its table has one for this status: the best known of
    them. Otherwise a guess in the shape of those.
    """
    assert fault.status is not None
    if fault.body is not None:
        return fault.body, None
    levels = list(Evidence)
    known = sorted(
        (one for one in dialect.handshake.refusals.values() if one.status == fault.status),
        key=lambda one: levels.index(one.body_evidence),
    )
    # One that names what is missing has nothing to name here.
    known = [one for one in known if "{name}" not in one.message]
    if known:
        return error_body(known[0].code, known[0].message), known[0].body_evidence
    return error_body(str(fault.status), phrase(fault.status)), Evidence.ASSUMED


def error_body(code: str, message: str) -> str:
    """The JSON that the service answers a handshake with when it refuses it."""
    return json.dumps({"error": {"code": code, "message": message}})


def phrase(status: int) -> str:
    """The reason phrase of an HTTP status, also of one that has none."""
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Error"
