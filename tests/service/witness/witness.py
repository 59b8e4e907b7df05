"""The witness: gives every event to the ears it concerns, and tells one what another heard."""

from __future__ import annotations

from harness.messages import Json
from tests.service.witness.conversation import ANSWERS, Conversation
from tests.service.witness.names import name_of
from tests.service.witness.responses import Responses, spoken_ms
from tests.service.witness.settings import Settings
from tests.service.witness.speech import Speech

_WORDS = "conversation.item.input_audio_transcription."


class Witness:
    """Hears every event of the service in its order; raises AssertionError at the first that breaks a rule.

    `only_hears`: a transcription session, which answers nothing.
    """

    def __init__(
        self, *, item_done: str, null_for_second: bool, rate_limits: bool, only_hears: bool = False
    ) -> None:
        self.settings = Settings()
        self.conversation = Conversation(item_done=item_done, null_for_second=null_for_second)
        self.speech = Speech(self.settings)
        self.responses = Responses(rate_limits=rate_limits)
        self.only_hears = only_hears
        self.heard: list[str] = []
        self._ids: set[str] = set()

    def ask(self, event: Json) -> None:
        """The client has said this, and it is not refused."""
        name = name_of(event)
        if name == "session.update":
            self.settings.ask(event["session"])
        if name.startswith("response."):
            self.responses.ask(name, event)
        elif name.startswith("conversation.item."):
            self.conversation.ask(name, event)
        self.speech.ask(name, event)

    def hear(self, event: Json) -> str:
        """Takes one event; gives its name, the newer generation's."""
        name = name_of(event)
        assert (name == "session.created") == (not self.heard), "session.created is first, and only first"
        assert event["event_id"] not in self._ids, "an event id comes twice"
        self._ids.add(event["event_id"])
        self.heard.append(name)
        self.conversation.directly(name, event)
        if name == "session.created":
            self.settings.created(event["session"])
        elif name == "session.updated":
            self.settings.updated(event["session"])
            self.speech.open = None  # it may listen anew
        elif name.startswith(_WORDS):
            self.speech.transcription(name.removeprefix(_WORDS), event)
        elif name in ANSWERS:
            self.conversation.answer(name, event)
            if name == "conversation.item.retrieved":
                self.speech.shown(event["item"])
        elif name in ("conversation.item.added", "conversation.item.done"):
            self._item(name, event)
        elif name.startswith("input_audio_buffer."):
            self._buffer(name.removeprefix("input_audio_buffer."), event)
        elif name == "rate_limits.updated":
            self.responses.limits()
        elif name.startswith("response."):
            assert not self.only_hears, "a transcription session answers"
            self._response(name, event)
        return name

    def all_was_heard(self) -> None:
        """The service has nothing more to say for now."""
        for ear in (self.settings, self.conversation, self.speech, self.responses):
            ear.all_was_heard()

    def finish(self) -> None:
        """Everything was heard: nothing may be left open."""
        self.all_was_heard()
        self.conversation.finish()
        self.responses.finish()

    # What more than one of them hears.

    def _item(self, name: str, event: Json) -> None:
        own = self.responses.items.get(event["item"]["id"])
        assert own is None or not own.response.outside, "an item out of band is told of in the conversation"
        own = None if own is not None and own.done else own  # the client may use its id again
        if name == "conversation.item.added":
            stages = self.speech.added(event["item"])
            self.conversation.added(event, of_model=own is not None, stages=stages)
            return
        self.conversation.done(event, of_model=own is not None)
        if own is not None:
            self.conversation.next = ("response.output_item.done", event["item"], ...)

    def _buffer(self, stage: str, event: Json) -> None:
        stages, order = self.speech.hear(stage, event), self.conversation.order
        assert event.get("item_id") not in order, f"{stage} of an item that is there already"
        sure = self.settings.sure
        if stage == "speech_started":
            interrupts = self.settings.of_turns("interrupt_response") is not False
            self.responses.speech_began(cuts=interrupts if sure else None)
        elif stage == "committed":
            previous, last = event["previous_item_id"], order[-1] if order else None
            if self.responses.inside:  # nobody published whether the answer's own items count
                assert previous in (None, *order), "committed after an item nobody was told of"
            else:
                assert previous == last, f"committed after {previous}; the last item is {last}"
            answers = not self.only_hears and self.settings.of_turns("create_response") is not False
            if stages[-2:-1] == ["timeout_triggered"]:
                self.responses.turn_over(answered=True)
            elif stages[-2:-1] == ["speech_stopped"]:
                self.responses.turn_over(answered=answers if sure else None)

    def _response(self, name: str, event: Json) -> None:
        item = self.responses.hear(name, event)
        if item is None or item.response.outside:
            return
        talk = self.conversation
        if name == "response.output_item.added":
            assert event["item"]["id"] not in talk.order, "an item of a response was there before"
            talk.next = ("conversation.item.added", event["item"], ...)
        elif name == "response.output_item.done":
            assert talk.item_done != "separate" or self.heard[-2] == "conversation.item.done", (
                "no conversation.item.done directly before"
            )
            talk.tell(event["item"])
        elif name == "response.content_part.added" and event["part"]["type"] == "audio":
            talk.spoke(event["item_id"], 0)
        elif name == "response.output_audio.delta":
            talk.spoke(event["item_id"], spoken_ms(item.response.body, event["delta"]))
