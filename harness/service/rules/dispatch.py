"""Which rule answers which client event."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from harness.dialects import Evidence
from harness.messages import Json, json_type
from harness.service.errors import Refused
from harness.service.registry import rule
from harness.service.rules import audio, items, responses, session

if TYPE_CHECKING:
    from harness.service.model import Service

HANDLERS: dict[str, Callable[[Service, Json], None]] = {
    "session.update": session.update,
    "session.close": session.close,
    "input_audio_buffer.append": audio.append,
    "input_audio_buffer.commit": audio.commit,
    "input_audio_buffer.clear": audio.clear,
    "conversation.item.create": items.create,
    "conversation.item.retrieve": items.retrieve,
    "conversation.item.delete": items.delete,
    "conversation.item.truncate": items.truncate,
    "response.create": responses.create,
    "response.cancel": responses.cancel,
}

_NEEDED: dict[str, tuple[tuple[str, type], ...]] = {
    "session.update": (("session", dict),),
    "conversation.item.create": (("item", dict),),
    "conversation.item.retrieve": (("item_id", str),),
    "conversation.item.delete": (("item_id", str),),
    "conversation.item.truncate": (("item_id", str), ("audio_end_ms", int), ("content_index", int)),
}
"""What a rule cannot do without. The tables let pass what nobody has seen refused: a null, another type."""


@rule(
    "events.unanswered",
    "an event the dialect has and no rule answers, such as output_audio_buffer.clear, stays unanswered",
    evidence=Evidence.ASSUMED,
    source="documented for WebRTC and SIP; over a WebSocket nobody says",
)
@rule(
    "events.null",
    "null where an event's object or a truncation's numbers belong is refused, as there is nothing to do",
    evidence=Evidence.ASSUMED,
    source="no frame published",
)
def obey(service: Service, event: Json) -> None:
    """Does what an accepted client event asks for; one without a rule asks for nothing."""
    handler = HANDLERS.get(event["type"])
    if handler is None:
        return
    for name, kind in _NEEDED.get(event["type"], ()):
        value = event.get(name)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, kind):
            raise Refused("invalid_type", event.get(name), json_type(kind()), name)
    handler(service, event)
