"""How much of a session its log shows: that something did not come is seen only where it would be shown.

People log what they care about, and the service itself can filter what a
browser is sent. One kind of event that is missing throughout is a fault; two
and more that belong to what is there are a filter, and so is one whose counterpart is missing too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

ADDED = "conversation.item.added"
DONE = "conversation.item.done"
CREATED = "response.created"
FINISHED = "response.done"
ITEM_ADDED = "response.output_item.added"
ITEM_DONE = "response.output_item.done"
PART_ADDED = "response.content_part.added"
PART_DONE = "response.content_part.done"
COMMITTED = "input_audio_buffer.committed"
TRANSCRIPT = "response.output_audio_transcript.delta"

_ENDS = {CREATED: FINISHED, ITEM_ADDED: ITEM_DONE, PART_ADDED: PART_DONE}
"""What ends the thing that an event begins."""
_ITEM_EVENTS = frozenset({ITEM_ADDED, ITEM_DONE})
_PART_STREAMS = ("response.output_text.", "response.output_audio.", "response.output_audio_transcript.")
_STREAMS = (*_PART_STREAMS, "response.function_call_arguments.")


@dataclass(frozen=True, slots=True)
class Shown:
    """The canonical types of the service's events in a log. `gaps`: bodies or lines are missing."""

    types: frozenset[str]
    gaps: bool = False
    item_done: bool = True
    """Whether the dialect has `conversation.item.done` for every item."""
    foreign: bool = False
    """Whether there are names of other dialects, which may be what is missing here."""

    @property
    def hidden(self) -> tuple[str, ...]:
        """Kinds of events that must have come, by what is there, and that the log nowhere shows."""
        return tuple(sorted(set(self._expected()) - self.types))

    @property
    def filtered(self) -> bool:
        """Whether somebody left kinds of events out: two at least, or one together with its counterpart."""
        hidden = self.hidden
        return len(hidden) > 1 or any(name in _ENDS and _ENDS[name] not in self.types for name in hidden)

    @property
    def whole(self) -> bool:
        """Whether what the log does not show was not there."""
        return not self.gaps and not self.filtered

    def _expected(self) -> Iterable[str]:
        if any(type_.startswith("response.") for type_ in self.types):
            yield CREATED
        if self.types & _ITEM_EVENTS:
            yield ADDED
        if ITEM_DONE in self.types and self.item_done:
            yield DONE
        ends_alone = FINISHED in self.types and CREATED not in self.types
        if ends_alone or self.types & {ITEM_DONE, PART_ADDED, PART_DONE} or self._streams(_STREAMS):
            yield ITEM_ADDED
        if FINISHED in self.types:
            yield from (end for start, end in _ENDS.items() if start in self.types)
        if PART_DONE in self.types or self._streams(_PART_STREAMS):
            yield PART_ADDED

    def _streams(self, prefixes: tuple[str, ...]) -> bool:
        return any(type_.startswith(prefixes) for type_ in self.types)
