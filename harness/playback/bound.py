"""Recorded events on their way to one client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.messages import Json, Side, render_event
from harness.recording import Session, Template, rebased, replaced
from harness.translation import Translator


@dataclass(frozen=True)
class Filled:
    """An event whose frame was compiled: only ids are put in."""

    template: Template
    ids: Mapping[str, str]

    def frame(self, event: Json) -> bytes:
        return self.template.filled(event, self.ids)

    def wire(self, event: Json) -> Json:
        return self.template.wire_event(event, self.ids)


@dataclass(frozen=True)
class Rebased:
    """An event that says something of this client's session: as recorded, but for what is its own.

    `recorded` is canonical. `translator` serves only events that need no history.
    """

    translator: Translator
    recorded: Json
    on_wire: Json
    ids: Mapping[str, str]

    def frame(self, event: Json) -> bytes:
        return render_event(self.wire(event)).encode()

    def wire(self, event: Json) -> Json:
        after = self._wire(event)
        before = self._wire(replaced(self.recorded, self.ids))
        recorded: Json = replaced(self.on_wire, self.ids)
        if before is None or after is None:
            return {**recorded, "event_id": event.get("event_id")}
        found: Json = rebased(recorded, before, {**before, **after})
        return found

    def _wire(self, event: Json) -> Json | None:
        events = self.translator.to_wire(Side.SERVER, event).events
        return events[0] if events else None


@dataclass(frozen=True)
class SaidSession:
    """What the recorded service said of its session, said of this client's where that is the same."""

    said: Session
    rebased: Rebased

    def frame(self, event: Json) -> bytes:
        same = self.said.is_of(event["session"])
        return self.said.template.filled(event, {}) if same else self.rebased.frame(event)

    def wire(self, event: Json) -> Json:
        same = self.said.is_of(event["session"])
        return self.said.template.wire_event(event, {}) if same else self.rebased.wire(event)
