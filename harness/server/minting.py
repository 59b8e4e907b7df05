"""Mints a key for a browser: what is asked for it, and what it is answered with."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from harness.dialects import Dialect, Evidence, Refusal, judge_client_event
from harness.dialects.keys import KeyRules, Outage
from harness.messages import Json, Side, read_json, text_too_deep
from harness.server.keys import EphemeralKey, Keyring
from harness.service.effective import initial_session, merged_session
from harness.service.errors import error_event
from harness.service.ids import IdMint
from harness.translation import Translator

_NOT_SETTINGS = ("model", "expires_after", "client_secret")
"""What stands beside or among the settings and is none."""


@dataclass(frozen=True)
class Minted:
    """The answer to a request for a key; `evidence` says how well the body of a refusal is known."""

    status: int
    body: Json
    problem: str = ""
    evidence: Evidence | None = None


class _Refusal(Exception):
    """The request is answered with 400 and this error."""

    def __init__(self, code: str, message: str, param: str | None) -> None:
        self.error = {"type": "invalid_request_error", "code": code, "message": message, "param": param}


def mint_key(dialect: Dialect, keys: Keyring, body: bytes) -> Minted:
    """Answers a request for a key that came with the right key of the server."""
    rules = dialect.keys
    assert rules is not None
    try:
        asked = _body(body)
        settings = _settings(rules, asked)
        broken = next((outage for outage in rules.outages if outage.field in settings), None)
        if broken is not None:
            return _outage(broken)
        seconds = _seconds(rules, asked)
        update = _judged(dialect, rules, settings)
        model = _model(rules, settings)
    except _Refusal as refusal:
        return Minted(400, {"error": refusal.error}, refusal.error["message"] or "", rules.refusal_evidence)
    key = keys.mint(seconds, update, model)
    return Minted(200, _answer(dialect, rules, keys, key))


def _outage(outage: Outage) -> Minted:
    """What is known to break the service breaks this one, too: its status is known, its words are not."""
    error = {"code": str(outage.status), "message": "The server had an error processing your request."}
    problem = f"{outage.field} breaks the service here ({outage.fact.evidence}: {outage.fact.source})"
    return Minted(outage.status, {"error": error}, problem, Evidence.ASSUMED)


def _settings(rules: KeyRules, asked: Json) -> Json:
    if rules.settings is None:
        return asked
    beyond = next((name for name in asked if name not in (rules.settings, "expires_after")), None)
    if beyond is not None:
        raise _Refusal("unknown_parameter", f"Unknown parameter: '{beyond}'.", beyond)
    settings = asked.get(rules.settings, {})
    if not isinstance(settings, dict):
        said = f"Invalid type for '{rules.settings}': expected an object."
        raise _Refusal("invalid_type", said, rules.settings)
    return settings


def _model(rules: KeyRules, settings: Json) -> str | None:
    """What the session is to be of; None where that is left to whoever opens it."""
    model = settings.get("model")
    if "model" in settings and not isinstance(model, str):
        param = f"{rules.settings}.model" if rules.settings else "model"
        raise _Refusal("invalid_type", f"Invalid type for '{param}': expected a string.", param)
    return model


def _seconds(rules: KeyRules, asked: Json) -> int:
    after = asked.get("expires_after")
    if rules.least_seconds is None or rules.most_seconds is None or after is None:
        return rules.seconds
    wanted = after.get("seconds", rules.seconds) if isinstance(after, dict) else None
    whole = isinstance(wanted, int) and not isinstance(wanted, bool)
    if wanted is None or not whole or not rules.least_seconds <= wanted <= rules.most_seconds:
        within = f"from {rules.least_seconds} to {rules.most_seconds}"
        param = "expires_after.seconds"
        raise _Refusal("invalid_value", f"Invalid value for '{param}': expected an integer {within}.", param)
    return int(wanted)


def _body(body: bytes) -> Json:
    if not body.strip():
        return {}
    try:
        text = body.decode()
        value = read_json(text)
    except (ValueError, RecursionError) as error:
        raise _Refusal("invalid_json", f"The body of the request is no JSON: {error}", None) from None
    if not isinstance(value, dict) or text_too_deep(text, value):
        said = "The body of the request is no JSON object, or one that nests too deep."
        raise _Refusal("invalid_json", said, None)
    return value


def _judged(dialect: Dialect, rules: KeyRules, settings: Json) -> Json:
    """The settings in canonical form; raises where the service is known to refuse something in them.

    They are judged as the `session.update` they stand for; that a session says
    what kind it is, nobody was refused for leaving out here.
    """
    own = {name: value for name, value in settings.items() if name not in _NOT_SETTINGS}
    shape = dialect.client.shapes.get("session_request")
    if shape is not None and shape.by == "type":
        own = {"type": "realtime", **own}
    event = {"type": "session.update", "session": own}
    judged = judge_client_event(dialect, event)
    refusals = [one for one in judged if isinstance(one, Refusal) and one.fact.evidence.can_fail]
    if refusals:
        raise _of_table(dialect, rules, refusals[0])
    update: Json = Translator(dialect).to_canonical(Side.CLIENT, event).events[0]["session"]
    return update


def _of_table(dialect: Dialect, rules: KeyRules, refusal: Refusal) -> _Refusal:
    error = error_event(dialect.errors[refusal.error], refusal, None)["error"]
    message, param = error["message"], error["param"]
    if rules.settings is None and isinstance(param, str):
        # Here the settings are the body, and no field of it.
        bare = param.removeprefix("session.")
        message, param = message.replace(param, bare), bare
    return _Refusal(error["code"], message, param)


def _answer(dialect: Dialect, rules: KeyRules, keys: Keyring, key: EphemeralKey) -> Json:
    """The session as it will be, and the key."""
    now = int(keys.clock())
    id_ = IdMint(secrets.randbits(32), now).mint("sess")
    hears = key.settings.get("type") == "transcription"
    begun = initial_session(dialect, id_, now, key.model, transcription=hears)
    created = {"type": "session.created", "session": merged_session(dialect, begun, key.settings)}
    (wire,) = Translator(dialect).to_wire(Side.SERVER, created).events
    session: Json = wire["session"]
    if rules.session_expires_at is not None:
        session = {**session, "expires_at": rules.session_expires_at}
    if rules.within:
        return {**session, "client_secret": {"value": key.value, "expires_at": key.expires_at}}
    return {"value": key.value, "expires_at": key.expires_at, "session": session}
