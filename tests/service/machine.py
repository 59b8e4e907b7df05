"""A client that may do anything in any order, for Hypothesis to drive; a witness listens to every answer.

The machine keeps its own small account of what the service must refuse. Every
refusal is one error, errors come in the order of what they answer, and a
refused event changes nothing.
"""

from __future__ import annotations

import base64
import copy
import itertools
import json
from collections import deque
from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from harness.dialects import Refusal, bundled_dialect, judge_client_event
from harness.findings import Finding, Severity
from harness.lint import lint_log
from harness.logs import Log, LogEntry
from harness.messages import Json, Side
from harness.scenario import Answer, Audio, Call, Cut, Failure, Incomplete, Several, Speech, Text
from harness.service import Service
from harness.service.model import STOCK_ANSWER
from tests.service.sound import speech_and_silence
from tests.service.witness import Witness
from tests.talk import NOW, assert_valid

SPEECH = speech_and_silence(0.6, 1.2)
SPOKEN = Speech("Two words.", Audio("tone.wav", SPEECH[:20_000]))
ANSWERS: dict[str, Answer] = {
    "text": Text("Of course, gladly."),
    "speech": SPOKEN,
    "call": Call("get_weather", '{"city": "Paris"}'),
    "several": Several((Text("One moment."), Call("get_weather", "{}"))),
    "incomplete": Incomplete(Text("I was about to"), "max_output_tokens"),
    "failure": Failure("server_error", None, "The model is gone."),
    "cut": Cut(SPOKEN, 0.3),
    "nothing": Text(""),
}
WORDS = (
    "Of course, gladly.",
    SPOKEN.transcript,
    '{"city": "Paris"}',
    "One moment.",
    "{}",
)
"""All that is said in whole."""

_NESTED: tuple[Json, ...] = (
    {"instructions": "Be kind."},
    {"output_modalities": ["text"]},
    {"output_modalities": ["audio"]},
    {"audio": {"output": {"voice": "coral"}}},
    {"audio": {"input": {"turn_detection": None}}},
    {"audio": {"input": {"turn_detection": {"type": "server_vad", "create_response": False}}}},
    {"audio": {"input": {"turn_detection": {"type": "server_vad", "interrupt_response": False}}}},
    {"audio": {"input": {"turn_detection": {"type": "server_vad", "idle_timeout_ms": 5000}}}},
    {"audio": {"input": {"turn_detection": {"type": "semantic_vad"}}}},
    {"audio": {"input": {"transcription": {"model": "whisper-1"}}}},
    {"audio": {"input": {"format": {"type": "audio/pcmu"}}}},
    {"voice": "coral"},
    {"made_up": 1},
)
_FLAT: tuple[Json, ...] = (
    {"instructions": "Be kind."},
    {"modalities": ["text"]},
    {"modalities": ["text", "audio"]},
    {"voice": "coral"},
    {"turn_detection": None},
    {"turn_detection": {"type": "server_vad", "create_response": False}},
    {"turn_detection": {"type": "server_vad", "silence_duration_ms": 300}},
    {"input_audio_transcription": {"model": "whisper-1"}},
    {"input_audio_format": "g711_ulaw"},
    {"audio": {"output": {"voice": "coral"}}},
    {"made_up": 1},
)

ANSWER_OF = {
    "session.update": "session.updated",
    "input_audio_buffer.commit": "input_audio_buffer.committed",
    "input_audio_buffer.clear": "input_audio_buffer.cleared",
    "conversation.item.create": "conversation.item.added",
    "conversation.item.retrieve": "conversation.item.retrieved",
    "conversation.item.truncate": "conversation.item.truncated",
    "conversation.item.delete": "conversation.item.deleted",
    "response.create": "response.created",
}
ASK = "ask"
places = st.integers(0, 30)
"""Which of the items there are; counted round."""


class Client(RuleBasedStateMachine):
    """Any client at all. Subclasses say of which dialect."""

    name = "azure-v1"

    def __init__(self) -> None:
        super().__init__()
        self.dialect = bundled_dialect(self.name)
        self.nested = "session_realtime" in self.dialect.client.shapes
        self.witness = Witness(item_done=self.dialect.translation.item_done)
        self.log: list[tuple[Side, Json]] = []
        self.errors: deque[tuple[str, str | None]] = deque()
        """What was refused and not yet answered: the event's id, and the code if we know it."""
        self.owed: dict[str, int] = dict.fromkeys(ANSWER_OF.values(), 0)
        """Acknowledgements that have not come."""
        self.counter = itertools.count()
        self.inside: str | None = None
        """`asked`, `running` or `ending`: the response of the conversation, by our own account."""
        self.asked_again = False
        """One more was asked for while that one was ending."""
        self.t = 0.0
        self.broken = False

    @initialize(
        answers=st.lists(st.sampled_from(sorted(ANSWERS)), max_size=6),
        seed=st.integers(0, 3),
        listening=st.booleans(),
    )
    def connect(self, answers: list[str], seed: int, listening: bool) -> None:
        """`listening`: the service detects turns of speech; it does until it is told not to."""
        self.service = Service(
            self.dialect,
            seed=seed,
            unix_time=NOW,
            answers=[ANSWERS[name] for name in answers],
            heard=["Hello."],
        )
        self.witness.whole = {STOCK_ANSWER.text, *WORDS}
        self.service.open()
        self.read(1)
        if not listening:
            off: Json = (
                {"audio": {"input": {"turn_detection": None}}} if self.nested else {"turn_detection": None}
            )
            self.update_to(off)

    # The two directions.

    def read(self, most: int | None = None, until: float | None = None) -> None:
        """Takes what the service has to say; at most so many events, or those due by a time."""
        taken = 0
        while most is None or taken < most:
            outgoing = self.service.pop(until)
            if outgoing is None:
                return
            taken += 1
            assert outgoing.t >= self.t, "the clock goes back"
            self.t = outgoing.t
            event = outgoing.event
            assert event is not None
            assert json.loads(outgoing.frame) == event
            assert_valid(self.dialect, event)
            self.log.append((Side.SERVER, event))
            self.broken = True  # until it is heard, so that only the first fault is told
            self.answered(self.witness.hear(event), event)
            self.broken = False

    def answered(self, name: str, event: Json) -> None:
        if name == "error":
            assert self.errors, f"an error that answers nothing: {event['error']}"
            event_id, code = self.errors.popleft()
            said = event["error"]
            assert said.get("event_id") in (None, event_id), "the error names another event"
            assert code is None or said["code"] == code, f"{said['code']} where {code} was due"
        elif name == "response.created" and event["response"]["conversation_id"] is not None:
            self.inside = "running" if self.inside != "ending" else self.inside
        elif name == "response.done" and event["response"]["conversation_id"] is not None:
            self.inside, self.asked_again = "asked" if self.asked_again else None, False
        if name in self.owed:
            self.owed[name] -= 1

    def state(self) -> Any:
        service = self.service
        talk, heard = service.conversation, service.input
        sound = (heard.clock_ms, heard.held_ms, heard.turn)
        return copy.deepcopy((service.session, talk.items, talk.audio_ms, service.active, sound))

    def send(self, event: Json, *, refused: str | None = None) -> bool:
        """Sends an event. `refused`: the catalogue's name of the error it must be answered with.

        ASK: it hangs on when the service heard speech, and its log tells. Returns whether it was refused.
        """
        event = {**event, "event_id": f"client_{next(self.counter)}"}
        tables = [
            item
            for item in judge_client_event(self.dialect, event)
            if isinstance(item, Refusal) and item.fact.evidence.can_fail
        ]
        before = self.state()
        self.log.append((Side.CLIENT, event))
        number = len(self.service.exchange.entries)
        self.service.receive(json.dumps(event))
        if tables:
            refused = tables[0].error
        elif refused == ASK:
            refused = self.service.exchange.entries[number].refused_by_state
        if self.service.ending is not None:
            return True
        if refused is not None:
            self.errors.append((event["event_id"], self.dialect.errors[refused].code))
            assert self.state() == before, f"{event['type']} was refused and changed something"
        else:
            answer = ANSWER_OF.get(event["type"])
            if answer is not None:
                self.owed[answer] += 1
        return refused is not None

    @property
    def told(self) -> list[str]:
        """The responses of the conversation that we were told of and that are not done."""
        return [response.id for response in self.witness.running if not response.outside]

    def item(self, place: int) -> str:
        order = [item for item in self.witness.order if item not in self.witness.leaving]
        return order[place % len(order)] if order else "item_of_nobody"

    # What a client may do.

    @rule(most=st.integers(1, 8))
    def listen_a_little(self, most: int) -> None:
        self.read(most)

    @rule()
    def listen_to_the_end(self) -> None:
        self.read()

    @rule(seconds=st.sampled_from([0.01, 0.1, 0.3, 1.0, 6.0]))
    def wait(self, seconds: float) -> None:
        end = self.service.t + seconds
        while self.service.next_at is not None and self.service.next_at <= end:
            self.read(1, until=end)
        self.service.advance(end)
        self.read(until=end)

    @rule(really=st.sampled_from([False] * 19 + [True]))
    def outlive_the_session(self, really: bool) -> None:
        if really:
            self.errors += [("?", one.error) for one in self.dialect.closes if one.error == "session_expired"]
            self.service.advance(self.service.t + 7200)
            self.read()
            assert self.service.ending is not None, "a session lasts for ever"

    @rule(data=st.data())
    def update(self, data: st.DataObject) -> None:
        self.update_to(data.draw(st.sampled_from(_NESTED if self.nested else _FLAT)))

    def update_to(self, session: Json) -> None:
        wanted = {"type": "realtime", **session} if self.nested else session
        voices = self.service.session["audio"]["output"].get("voice"), "coral"
        changed = voices[0] != voices[1] and "coral" in json.dumps(session)
        refused = "voice_after_audio" if changed and self.witness.audio_ms else None
        self.send({"type": "session.update", "session": wanted}, refused=refused)

    @rule(start=st.integers(0, 80_000), size=st.integers(1, 30_000).map(lambda n: n * 2))
    def append(self, start: int, size: int) -> None:
        """A piece of speech, of silence, or of both."""
        pcm = SPEECH[start // 2 * 2 : start // 2 * 2 + size]
        self.send({"type": "input_audio_buffer.append", "audio": base64.b64encode(pcm).decode()})

    @rule()
    def speak_a_whole_turn(self) -> None:
        for start in range(0, len(SPEECH), 4800):
            pcm = SPEECH[start : start + 4800]
            self.send({"type": "input_audio_buffer.append", "audio": base64.b64encode(pcm).decode()})

    @rule()
    def append_what_is_no_audio(self) -> None:
        self.send({"type": "input_audio_buffer.append", "audio": "?"}, refused="invalid_audio")

    @rule()
    def commit(self) -> None:
        self.send({"type": "input_audio_buffer.commit"}, refused=ASK)

    @rule()
    def clear(self) -> None:
        self.send({"type": "input_audio_buffer.clear"})

    @rule(place=st.none() | st.just("root") | places | st.just("item_of_nobody"))
    def say(self, place: str | int | None) -> None:
        after = self.item(place) if isinstance(place, int) else place
        item = {
            "id": f"said_{next(self.counter)}",
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "Hello?"}],
        }
        event: Json = {"type": "conversation.item.create", "item": item}
        refused = None
        if after is not None:
            event["previous_item_id"] = after
            refused = "previous_item_unknown" if after == "item_of_nobody" else None
            self.witness.asked_place[str(item["id"])] = after
        self.send(event, refused=refused)

    @rule()
    def answer_the_call(self) -> None:
        calls = [item for item in self.witness.items.values() if item.done and item.type == "function_call"]
        if calls:
            done = calls[-1].done
            assert done is not None
            output = {"type": "function_call_output", "call_id": done["call_id"], "output": "{}"}
            self.send({"type": "conversation.item.create", "item": output})

    @rule(place=places)
    def retrieve(self, place: int) -> None:
        item = self.item(place)
        refused = "retrieve_unknown_item" if item == "item_of_nobody" else None
        self.send({"type": "conversation.item.retrieve", "item_id": item}, refused=refused)

    @rule(place=places)
    def delete(self, place: int) -> None:
        item = self.item(place)
        refused = "delete_unknown_item" if item == "item_of_nobody" else None
        if item not in self.speaking:
            self.send({"type": "conversation.item.delete", "item_id": item}, refused=refused)
            self.witness.leaving.add(item)

    @property
    def speaking(self) -> set[str]:
        """Items that are being made: what deleting them does, nobody has published."""
        return {id_ for response in self.witness.running for id_ in response.items}

    @rule(place=places, ms=st.sampled_from([0, 100, 10_000]))
    def truncate(self, place: int, ms: int) -> None:
        item = self.item(place)
        made = self.witness.audio_ms.get(item)
        event: Json = {"type": "conversation.item.truncate", "item_id": item, "content_index": 0}
        event["audio_end_ms"] = ms
        if item == "item_of_nobody" or made is None:
            error = "truncate_unknown_item" if item == "item_of_nobody" else "truncate_no_audio"
            self.send(event, refused=error)
            return
        if ms > made:  # refused in words, and done all the same
            self.errors.append((f"client_{next(self.counter) + 1}", None))
        self.send(event)
        self.witness.audio_ms[item] = min(made, ms)

    @rule(overrides=st.sampled_from([{}, {"instructions": "Be brief."}, {"metadata": {"topic": "x"}}]))
    def respond(self, overrides: Json) -> None:
        event: Json = {"type": "response.create"}
        if overrides:
            event["response"] = overrides
        refused: str | None = ASK
        if self.told and self.inside == "ending":
            refused = "active_response" if self.asked_again else None
        if self.send(event, refused=refused):
            return
        if self.inside is None:
            self.inside = "asked"
        else:
            if self.inside != "ending":  # speech cut it short, and we were not told yet
                assert all(run.ending for run in self.service.running.values() if not run.outside)
                self.inside = "ending"
            self.asked_again = True

    @rule()
    def take_a_turn_and_listen(self) -> None:
        self.say(place=None)
        self.respond(overrides={})
        self.read()

    @rule(most=st.integers(3, 12))
    def take_a_turn_and_listen_a_little(self, most: int) -> None:
        self.respond(overrides={})
        self.read(most)

    @rule(given=st.booleans())
    def respond_out_of_band(self, given: bool) -> None:
        response: Json = {"conversation": "none", "metadata": {"topic": "outside"}}
        if given and self.nested:
            content = [{"type": "input_text", "text": "Sum it up."}]
            response["input"] = [{"type": "message", "role": "user", "content": content}]
        self.send({"type": "response.create", "response": response})

    @rule(named=st.booleans())
    def cancel(self, named: bool) -> None:
        event: Json = {"type": "response.cancel"}
        if named:
            event["response_id"] = self.told[0] if self.told else "resp_of_nobody"
        over = self.inside == "ending" or (named and not self.told)
        refused = "cancel_not_active" if over else ASK
        if not self.send(event, refused=refused) and self.inside is not None:
            self.inside = "ending"

    @rule()
    def say_what_nobody_knows(self) -> None:
        self.send({"type": "no.such"})

    @rule(frame=st.sampled_from(["", "{", "[]", '{"type": 1}', "null"]))
    def say_nonsense(self, frame: str) -> None:
        before = self.state()
        self.service.receive(frame)
        self.errors.append(("?", None))
        assert self.state() == before

    # What always holds.

    @invariant()
    def nothing_is_answered_twice(self) -> None:
        answers = ("session.updated", "input_audio_buffer.cleared", "conversation.item.retrieved")
        for name in (*answers, "conversation.item.truncated", "conversation.item.deleted"):
            assert self.owed[name] >= 0, f"{name} answers nothing"

    def teardown(self) -> None:
        if not hasattr(self, "service") or self.broken:
            return
        self.read()
        for _ in range(3):  # an answer that is held stays until it is cancelled
            if self.service.idle:
                break
            for response in list(self.witness.running):
                self.send({"type": "response.cancel", "response_id": response.id}, refused=ASK)
            self.read()
        if self.service.ending is not None:  # it said goodbye in the middle of something
            super().teardown()
            return
        assert self.service.idle, "the service never comes to rest"
        self.witness.finish()
        assert not self.errors, f"refused and never answered: {list(self.errors)}"
        for name in ("session.updated", "input_audio_buffer.cleared", "conversation.item.retrieved"):
            assert self.owed[name] == 0, f"{name} is owed {self.owed[name]} times"
        assert self.owed["conversation.item.added"] <= 0
        assert not list(self.faults_by_lint()), "lint finds fault with the service"
        super().teardown()

    def faults_by_lint(self) -> Iterable[Finding]:
        """The second witness: the log of it all, judged as any other; what the client did wrong is its own."""
        entries = tuple(LogEntry(line, side, event) for line, (side, event) in enumerate(self.log, start=1))
        report = lint_log(Log("machine.jsonl", "JSON Lines", entries), self.dialect)
        for one in report.of(Severity.FAIL):
            server = [line for line in one.lines if entries[line - 1].side is Side.SERVER]
            if server:
                print(one.finding)
                yield one.finding


def client_of(dialect: str) -> type[Client]:
    return type(f"ClientOf_{dialect}", (Client,), {"name": dialect})
