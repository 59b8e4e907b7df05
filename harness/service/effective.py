"""The effective session: what an update makes of it, and what a response takes from it.

Rules measured on captures: only fields that are present change; `instructions:
""` falls back to the stock prompt; an object given in part is filled up; a
transcription given by model alone comes back with language and prompt null.
"""

from __future__ import annotations

from typing import Any

from harness.dialects import Dialect, Evidence
from harness.messages import MISSING, Json, get_path, put_path_apart
from harness.service.registry import CAPTURES, TYPES, rule

_IMMUTABLE = frozenset({"id", "object", "model", "expires_at", "client_secret"})

_TRANSCRIPTION = "audio.input.transcription"

_NULLABLE = frozenset(
    {
        "audio.input.transcription",
        "audio.input.noise_reduction",
        "audio.input.turn_detection",
        "tracing",
        "prompt",
        "include",
    }
)


@rule(
    "session.created",
    "the service speaks first: the session it has opened, and when that will end; a socket that joins a call "
    "(`call_id`) is not greeted",
    evidence=Evidence.RECORDED,
    source=f"{CAPTURES} and others: 16 of 16 sockets that open a session",
)
def initial_session(
    dialect: Dialect, session_id: str, now: int, model: str | None, *, transcription: bool = False
) -> Json:
    """The session of `session.created`, in canonical form."""
    facts = dialect.service
    session = facts.transcription_session if transcription else facts.session
    result: Json = {}
    for key, value in session.items():
        result[key] = value
        if key == "object":
            result["id"] = session_id
    result["expires_at"] = now + dialect.service.session_seconds
    if model is not None and not transcription:
        result["model"] = model
    return result


@rule(
    "session.merge.instructions",
    "empty instructions fall back to the service's own",
    evidence=Evidence.RECORDED,
    source=f"{CAPTURES}: message history seeding, Azure GA and OpenAI GA",
)
@rule(
    "session.merge.parts",
    "an object given in part is filled up: turn detection with the service's own (on Voice Live with padding "
    "of 400 ms and silence of 500), a transcription with nulls",
    evidence=Evidence.RECORDED,
    source=f"{CAPTURES}: 13 of 13, and 3 of 3 on Voice Live",
)
@rule(
    "session.merge.kept",
    "turn detection of the same type, and a transcription without a model, keep what was there before",
    evidence=Evidence.ASSUMED,
    source="in the captures what was there was the service's own",
)
@rule(
    "session.merge.none",
    "turn detection of type `none` is turn detection turned off, as null is",
    evidence=Evidence.DOCUMENTED,
    source="Azure-Samples/aoai-realtime-audio-sdk, realtime-openapi3.yml (2024-10)",
)
@rule(
    "session.merge.fixed",
    "id, object, model, expires_at and client_secret stay what they are",
    evidence=Evidence.ASSUMED,
    source="whether an update may name a model is not known",
)
def merged_session(dialect: Dialect, session: Json, update: Json) -> Json:
    """The session after an accepted update (both canonical)."""
    result = dict(session)
    for name, value in update.items():
        if name in _IMMUTABLE:
            continue
        if name == "audio" and isinstance(value, dict):
            for half, fields in value.items():
                if isinstance(fields, dict):
                    for leaf, inner in fields.items():
                        _set(dialect, result, f"audio.{half}.{leaf}", inner)
        else:
            _set(dialect, result, name, value)
    return result


def _set(dialect: Dialect, session: Json, path: str, value: Any) -> None:
    if value is None and path not in _NULLABLE:
        return
    if path == "instructions" and value == "":
        value = dialect.service.session["instructions"]
    if path.endswith(".format") and not isinstance(value, dict):
        return  # a name ("pcm16") where an object belongs: reported to work, and nobody says as what
    if path.endswith(".format") and value.get("type") == "audio/pcm":
        value = {"rate": 24000, **value}
    if path == "audio.input.turn_detection" and isinstance(value, dict):
        value = None if value.get("type") == "none" else _filled_detection(dialect, session, value)
    elif isinstance(value, dict) and path in dialect.service.fill:
        current = get_path(session, path)
        same_model = path == _TRANSCRIPTION and "model" not in value and isinstance(current, dict)
        value = {**dialect.service.fill[path], **(current if same_model else {}), **value}
    put_path_apart(session, path, value)


def _filled_detection(dialect: Dialect, session: Json, value: Json) -> Json:
    current = get_path(session, "audio.input.turn_detection")
    stock = get_path(dict(dialect.service.session), "audio.input.turn_detection")
    for base in (current, stock):
        if isinstance(base, dict) and value.get("type") in (None, base.get("type")):
            of_stock = isinstance(stock, dict) and base.get("type") == stock.get("type")
            own = dialect.service.fill.get("audio.input.turn_detection", {}) if of_stock else {}
            own = {name: new for name, new in own.items() if base.get(name) == (stock or {}).get(name)}
            return {**base, **own, **value}
    return value


@rule(
    "responses.overrides",
    "what a response is created with comes before what the session has",
    evidence=Evidence.DOCUMENTED,
    source=f"{TYPES}: RealtimeResponseCreateParams",
)
def effective_session(session: Json, overrides: Json) -> Json:
    """The session a response really runs under: the session and the response's own overrides."""
    result = dict(session)
    for name, value in overrides.items():
        if name in ("metadata", "conversation", "input") or value is None:
            continue
        if name == "audio" and isinstance(value, dict):
            output = value.get("output")
            for leaf, inner in output.items() if isinstance(output, dict) else ():
                put_path_apart(result, f"audio.output.{leaf}", inner)
        else:
            result[name] = value
    return result


def response_fields(session: Json) -> Json:
    """The fields of a response object that repeat the effective session (recorded on GA: these)."""
    fields: Json = {
        "output_modalities": session.get("output_modalities", ["audio"]),
        "max_output_tokens": session.get("max_output_tokens", "inf"),
    }
    output: Json = {}
    for leaf in ("format", "voice"):
        value = get_path(session, f"audio.output.{leaf}")
        if value is not MISSING:
            output[leaf] = value
    fields["audio"] = {"output": output}
    if "temperature" in session:
        fields["temperature"] = session["temperature"]
    return fields
