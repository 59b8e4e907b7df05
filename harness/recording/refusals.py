"""Which client event an `error` answers.

An error names it by `event_id` only where the client gave one; else by what it
complains of, among the events that nothing has answered yet.
"""

from __future__ import annotations

from harness.messages import Json

_ANSWERS = {
    "session.updated": "session.update",
    "conversation.item.added": "conversation.item.create",
    "conversation.item.retrieved": "conversation.item.retrieve",
    "conversation.item.deleted": "conversation.item.delete",
    "conversation.item.truncated": "conversation.item.truncate",
    "input_audio_buffer.committed": "input_audio_buffer.commit",
    "input_audio_buffer.cleared": "input_audio_buffer.clear",
    "response.created": "response.create",
}


class Unanswered:
    """The client's events, appends apart, that nothing has answered yet."""

    def __init__(self) -> None:
        self._events: list[Json] = []

    def sent(self, event: Json) -> None:
        self._events.append(event)

    def answered(self, event: Json) -> Json | None:
        """The client event that this event of the service answers."""
        if event["type"] == "response.done" and event["response"].get("status") == "cancelled":
            return self._take("response.cancel", None)
        type_ = _ANSWERS.get(event["type"])
        if type_ is None:
            return None
        return self._take(type_, event.get("item") if type_ == "conversation.item.create" else None)

    def _take(self, type_: str, item: Json | None) -> Json | None:
        """The first one of that type; of items, the first of the same kind."""
        for event in self._events:
            if event["type"] != type_:
                continue
            if item is not None and any(
                event["item"].get(key) != item.get(key) for key in ("type", "role", "call_id")
            ):
                continue
            self._events = [other for other in self._events if other is not event]
            return event
        return None

    def refused(self, error: Json) -> Json | None:
        """The client event that an error answers; None where it answers none."""
        found = self._named(error) or self._complained_of(error)
        self._events = [event for event in self._events if event is not found]
        return found

    def _named(self, error: Json) -> Json | None:
        named = error.get("event_id")
        if not isinstance(named, str):
            return None
        return next((event for event in self._events if event.get("event_id") == named), None)

    def _complained_of(self, error: Json) -> Json | None:
        param, code = error.get("param"), error.get("code")
        about = param.split(".")[0].split("[")[0] if isinstance(param, str) else None
        latest = self._events[::-1]
        for event in latest:
            if about is not None and about in event:
                return event
        for event in latest:
            if isinstance(code, str) and event["type"].rpartition(".")[2] in code.split("_"):
                return event
        if isinstance(code, str) and "active_response" in code:
            return next((event for event in latest if event["type"] == "response.create"), None)
        return latest[0] if latest else None


def says_why(event: Json, error: Json) -> bool:
    """Whether the event was refused for what it says, and not for the moment or an id it names."""
    if event["type"] == "response.create" and not event.get("response"):
        return False
    if event["type"] not in ("session.update", "conversation.item.create", "response.create"):
        return False
    code, param = error.get("code"), error.get("param")
    of_moment = isinstance(code, str) and ("active" in code or "voice" in code)
    return not of_moment and param not in ("previous_item_id", "item.id", "item.call_id", "event_id")
