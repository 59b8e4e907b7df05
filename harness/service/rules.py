"""What the service does with each client event it accepts, one rule a function.

An event comes in canonical form, after its own dialect has let it pass. A rule
changes the session's state and queues what the service answers, or raises
`Refused`: then the answer is the catalogue's error and nothing has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from harness.messages import Json, decode_audio, get_path, json_type
from harness.recording import input_bytes_per_ms
from harness.service.effective import merged_session
from harness.service.supply import Supplied

if TYPE_CHECKING:
    from harness.service.model import Service

LATENCY = 0.02
"""Seconds from a client event to its acknowledgement: one round trip, as probed on OpenAI GA."""

BYTES_PER_MS = 48
"""24 kHz, 16 bit, mono."""

LEAST_COMMIT_MS = 100

_NEEDED: dict[str, tuple[tuple[str, type], ...]] = {
    "session.update": (("session", dict),),
    "conversation.item.create": (("item", dict),),
    "conversation.item.truncate": (("audio_end_ms", int), ("content_index", int)),
}
"""What a rule cannot do without. The tables let an explicit null pass, as nobody has seen it refused."""


class Refused(Exception):
    """Raised by a rule: the service answers with this error and changes nothing."""

    def __init__(self, error: str, value: Any = None, expected: Any = None, path: str | None = None) -> None:
        self.error = error
        self.value = value
        self.expected = expected
        self.path = path


def obey(service: Service, event: Json) -> None:
    """Does what an accepted client event asks for; one without a rule asks for nothing."""
    rule = _RULES.get(event["type"])
    if rule is None:
        return
    for name, kind in _NEEDED.get(event["type"], ()):
        value = event.get(name)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, kind):
            raise Refused("invalid_type", event.get(name), json_type(kind()), name)
    rule(service, event)


def _session_update(service: Service, event: Json) -> None:
    update = event["session"]
    _check_kind(service, update)
    voice = ((update.get("audio") or {}).get("output") or {}).get("voice")
    current = service.session.get("audio", {}).get("output", {}).get("voice")
    if voice is not None and voice != current and service.conversation.has_model_audio:
        raise Refused("voice_after_audio")
    service.session = merged_session(service.dialect, service.session, update)
    service.exchange.session = service.session
    service.emit(
        {"type": "session.updated", "session": service.session}, origin=service.acknowledgement(event)
    )


def _check_kind(service: Service, update: Json) -> None:
    """A session stays what it was opened as, and some transcription models have no turn detection."""
    kind, wanted = service.session.get("type"), update.get("type")
    if isinstance(wanted, str) and wanted != kind and wanted in ("realtime", "transcription"):
        raise Refused("wrong_session_kind" if kind == "realtime" else "wrong_session_kind_realtime")
    heard = (update.get("audio") or {}).get("input") or {}
    model = (heard.get("transcription") or {}).get("model")
    if kind == "transcription" and heard.get("turn_detection") is not None:
        current = get_path(service.session, "audio.input.transcription.model")
        if (model or current) in service.dialect.service.no_turn_detection:
            raise Refused("turn_detection_unsupported")


def _append(service: Service, event: Json) -> None:
    pcm = decode_audio(event["audio"])
    if pcm is None:
        raise Refused("invalid_audio", path="audio")
    service.buffer += pcm


def _commit(service: Service, event: Json) -> None:
    ms = len(service.buffer) / input_bytes_per_ms(service.session)
    if ms < LEAST_COMMIT_MS:
        raise Refused("commit_empty", f"{ms:.2f}")
    service.committed(ms)
    service.buffer.clear()
    part: Json = {"type": "input_audio", "transcript": None}
    item: Json = {
        "id": service.mint.mint("item"),
        "type": "message",
        "status": "completed",
        "role": "user",
        "content": [part],
    }
    origin = service.acknowledgement(event)
    place = {"previous_item_id": service.conversation.last_id, "item_id": item["id"]}
    service.emit({"type": "input_audio_buffer.committed", **place}, origin=origin)
    service.emit_item(item, None, origin)
    for supplied in service.transcription(item["id"], ms):
        origin = service.speech_origin(supplied.event["type"])
        service.emit(supplied.event, origin=origin, delay=supplied.t, prepared=supplied.prepared)


def transcribed(service: Service, item_id: str, ms: float) -> Iterator[Supplied]:
    """What the scenario says was heard, where the session asks for it."""
    if not get_path(service.session, "audio.input.transcription"):
        return
    completed = {
        "type": "conversation.item.input_audio_transcription.completed",
        "item_id": item_id,
        "content_index": 0,
        "transcript": next(service.heard, ""),
        **_usage(service, ms),
    }
    yield Supplied(LATENCY * 10, completed)


def _usage(service: Service, ms: float) -> Json:
    cost = {"usage": {"type": "duration", "seconds": round(ms / 1000, 3)}}
    return cost if service.dialect.service.transcription_usage else {}


def _clear(service: Service, event: Json) -> None:
    service.buffer.clear()
    service.emit({"type": "input_audio_buffer.cleared"}, origin=service.acknowledgement(event))


def _item_create(service: Service, event: Json) -> None:
    given = event["item"]
    item = {"id": given.get("id") or service.mint.mint("item"), "type": given["type"]}
    if given["type"] != "function_call_output":
        item["status"] = "completed"
    item.update({key: value for key, value in given.items() if key not in ("id", "object", "status")})
    origin = service.acknowledgement(event)
    try:
        service.emit_item(item, event.get("previous_item_id"), origin)
    except KeyError:
        raise Refused("previous_item_unknown", event.get("previous_item_id")) from None
    service.created(item)


def _item_retrieve(service: Service, event: Json) -> None:
    position = service.conversation.position(event["item_id"])
    if position is None:
        raise Refused("retrieve_unknown_item", event["item_id"])
    service.emit({"type": "conversation.item.retrieved", "item": service.conversation.items[position]})


def _item_delete(service: Service, event: Json) -> None:
    if not service.conversation.remove(event["item_id"]):
        raise Refused("delete_unknown_item", event["item_id"])
    service.emit({"type": "conversation.item.deleted", "item_id": event["item_id"]})


def _item_truncate(service: Service, event: Json) -> None:
    item_id, wanted = event["item_id"], int(event["audio_end_ms"])
    if service.conversation.position(item_id) is None:
        raise Refused("truncate_unknown_item", item_id)
    made = service.conversation.audio_ms.get(item_id)
    if made is None:
        raise Refused("truncate_no_audio")
    truncated = {"type": "conversation.item.truncated", "item_id": item_id}
    truncated.update({"content_index": int(event["content_index"]), "audio_end_ms": min(wanted, made)})
    if wanted > made:
        # The service complains and truncates all the same (ReviewStage/luke#564).
        service.complain(Refused("truncate_past_end", wanted, made), event)
    service.emit(truncated)


def _response_create(service: Service, event: Json) -> None:
    overrides = event.get("response") or {}
    if service.active is not None and overrides.get("conversation") != "none":
        raise Refused("active_response", service.active)
    service.respond(overrides, refused=False)


def _response_cancel(service: Service, event: Json) -> None:
    response_id = event.get("response_id") or service.active
    run = service.running.get(response_id or "")
    if run is None or run.ending:
        raise Refused("cancel_not_active")
    service.cancel_response(run.id, "client_cancelled")


_RULES: dict[str, Callable[[Service, Json], None]] = {
    "session.update": _session_update,
    "input_audio_buffer.append": _append,
    "input_audio_buffer.commit": _commit,
    "input_audio_buffer.clear": _clear,
    "conversation.item.create": _item_create,
    "conversation.item.retrieve": _item_retrieve,
    "conversation.item.delete": _item_delete,
    "conversation.item.truncate": _item_truncate,
    "response.create": _response_create,
    "response.cancel": _response_cancel,
}
