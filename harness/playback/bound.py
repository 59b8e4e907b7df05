"""Recorded events on their way to one client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.messages import Json, Side, render_event
from harness.recording import Template, rebased, replaced
from harness.translation import Translator


@dataclass(frozen=True)
class Filled:
    """An event whose frame was compiled: only ids are put in."""

    template: Template
    ids: Mapping[str, str]

    def ready(self, event: Json) -> tuple[Json, str]:
        return self.template.filled(event, self.ids)


@dataclass(frozen=True)
class Rebased:
    """An event that says something of this client's session: as recorded, but for what is its own.

    `recorded` is canonical. `translator` serves only events that need no history.
    """

    translator: Translator
    recorded: Json
    wire: Json
    ids: Mapping[str, str]

    def ready(self, event: Json) -> tuple[Json, str]:
        after = self._wire(event)
        before = self._wire(replaced(self.recorded, self.ids))
        if before is None or after is None:
            wire: Json = {**replaced(self.wire, self.ids), "event_id": event.get("event_id")}
        else:
            wire = rebased(replaced(self.wire, self.ids), before, {**before, **after})
        return wire, render_event(wire)

    def _wire(self, event: Json) -> Json | None:
        events = self.translator.to_wire(Side.SERVER, event).events
        return events[0] if events else None
