"""A client that may do anything in any order, for Hypothesis to drive; a witness listens to every answer.

The machine keeps its own small account of what the service must refuse. Every
refusal is one error, errors come in the order of what they answer, and a
refused event changes nothing.
"""

from __future__ import annotations

import copy
import itertools
import json
from collections import deque
from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from harness.dialects import Refusal, bundled_dialect, judge_client_event
from harness.findings import Finding, Severity
from harness.lint import lint_log
from harness.logs import Log, LogEntry
from harness.messages import Json, Side
from harness.service import Service
from harness.service.model import STOCK_ANSWER
from tests.service import given
from tests.service.given import ANSWERS, HEARD, PIECE, SPEECH, appended
from tests.service.witness import Witness
from tests.talk import NOW, assert_valid

ASK = "ask"
NOBODY = "item_of_nobody"
places = st.integers(0, 30)
"""Which of the items there are; counted round."""


class Client(RuleBasedStateMachine):
    """Any client at all. Subclasses say of which dialect."""

    name = "azure-v1"

    def __init__(self) -> None:
        super().__init__()
        self.dialect = bundled_dialect(self.name)
        self.nested = "session_realtime" in self.dialect.client.shapes
        self.log: list[tuple[Side, Json]] = []
        self.errors: deque[tuple[str, str | None]] = deque()
        """What was refused and not yet answered: the event's id, and the code if we know it."""
        self.counter = itertools.count()
        self.inside: str | None = None
        """`asked`, `running` or `ending`: the response of the conversation, by our own account."""
        self.asked_again = False
        """One more was asked for while that one was ending."""
        self.unsettled: set[str] = set()
        """What lint may find: the client did something of which lint and the service think differently."""
        self.t = 0.0
        self.broken = False

    @initialize(
        answers=st.lists(st.sampled_from(sorted(ANSWERS)), max_size=6),
        seed=st.integers(0, 3),
        listening=st.booleans(),
        only_hears=st.sampled_from([False] * 7 + [True]),
    )
    def connect(self, answers: list[str], seed: int, listening: bool, only_hears: bool) -> None:
        """`listening`: the service detects turns of speech; it does until it is told not to."""
        self.only_hears = only_hears
        facts = self.dialect.service
        self.witness = Witness(
            item_done=self.dialect.translation.item_done,
            null_for_second=facts.null_previous_on_done,
            rate_limits=bool(facts.rate_limits),
            only_hears=only_hears,
        )
        self.witness.responses.whole = {STOCK_ANSWER.text, *given.WHOLE}
        self.service = Service(
            self.dialect,
            seed=seed,
            unix_time=NOW,
            answers=[ANSWERS[name] for name in answers],
            heard=HEARD,
            transcription=only_hears,
        )
        self.service.open()
        self.read(1)
        if not listening:
            self.detect(None)

    # The two directions.

    def read(self, most: int | None = None, until: float | None = None) -> None:
        """Takes what the service has to say; at most so many events, or those due by a time."""
        taken = 0
        while most is None or taken < most:
            outgoing = self.service.pop(until)
            if outgoing is None:
                break
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
        if self.service.next_at is None and self.service.ending is None:
            self.broken = True
            self.witness.all_was_heard()
            assert not self.errors, f"refused and never answered: {list(self.errors)}"
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

    def state(self) -> Any:
        service = self.service
        talk, heard = service.conversation, service.input
        sound = (heard.clock_ms, heard.held_ms, heard.turn)
        waiting = [item for item, *_ in service._waiting_items]  # being asked for one may let all of them in
        items = sorted([*talk.items, *waiting], key=lambda item: item["id"])
        return copy.deepcopy((service.session, items, talk.audio_ms, service.active, sound))

    def send(self, event: Json, *, refused: str | None = None, heeded: bool = True) -> bool:
        """Sends an event. `refused`: the catalogue's name of the error it must be answered with.

        ASK: it hangs on when the service heard speech, and its log tells. Not
        `heeded`: it is not refused, and nothing comes of it. Returns whether it was refused.
        """
        event = {**event, "event_id": f"client_{next(self.counter)}"}
        tables = [
            item
            for item in judge_client_event(self.dialect, event)
            if isinstance(item, Refusal) and item.fact.evidence.can_fail
        ]
        if tables:
            refused = tables[0].error
        before = self.state() if refused else None
        self.log.append((Side.CLIENT, event))
        number = len(self.service.exchange.entries)
        self.witness.responses.note()
        self.service.receive(json.dumps(event))
        if refused == ASK:
            refused = self.service.exchange.entries[number].refused_by_state
        if self.service.ending is not None:
            return True
        if refused is not None:
            self.errors.append((event["event_id"], self.dialect.errors[refused].code))
            assert self.state() == before, f"{event['type']} was refused and changed something"
        elif heeded:
            self.witness.ask(event)
        return refused is not None

    @property
    def told(self) -> list[str]:
        """The responses of the conversation that we were told of and that are not done."""
        return [response.id for response in self.witness.responses.inside]

    @property
    def speaking(self) -> set[str]:
        """Items that are being made."""
        return {id_ for response in self.witness.responses.running for id_ in response.items}

    def item(self, place: int) -> str:
        talk = self.witness.conversation
        order = [item for item in talk.order if talk.settled(item)]
        return order[place % len(order)] if order else NOBODY

    # What a client may do.

    @rule(most=st.integers(1, 8))
    def listen_a_little(self, most: int) -> None:
        self.read(most)

    @rule()
    def listen_to_the_end(self) -> None:
        self.read()

    @rule(seconds=st.sampled_from([0.01, 0.1, 0.3, 1.0, 6.0]))
    def wait(self, seconds: float) -> None:
        self.wait_until(self.service.t + seconds)

    def wait_until(self, end: float) -> None:
        while self.service.next_at is not None and self.service.next_at <= end:
            self.read(1, until=end)
        self.service.advance(end)
        self.read(until=end)

    @rule(really=st.sampled_from([False] * 39 + [True]))
    def outlive_the_session(self, really: bool) -> None:
        if really:
            self.errors += [("?", one.error) for one in self.dialect.closes if one.error == "session_expired"]
            self.service.advance(self.service.t + 7200)
            self.read()
            assert self.service.ending is not None, "a session lasts for ever"

    @rule(really=st.sampled_from([False] * 39 + [True]))
    def close(self, really: bool = True) -> None:
        if really and "session.close" in self.dialect.client.events and self.service.ending is None:
            self.send({"type": "session.close"})
            self.read()
            assert self.service.ending is not None, "a session that was closed goes on"
            assert self.service.ending.code == 1000

    @rule(data=st.data())
    def update(self, data: st.DataObject) -> None:
        known = given.sessions(nested=self.nested, only_hears=self.only_hears)
        self.update_to(data.draw(st.sampled_from(known)))

    def detect(self, detection: Json | None) -> None:
        wanted: Json = {"turn_detection": detection}
        self.update_to({"audio": {"input": wanted}} if self.nested else wanted)

    def update_to(self, session: Json) -> None:
        kind = "transcription" if self.only_hears else "realtime"
        wanted = {"type": kind, **session} if self.nested else session
        other = self.only_hears and not self.nested
        event = {"type": "transcription_session.update" if other else "session.update", "session": wanted}
        self.send(event, refused=self.refused_update(session))

    def refused_update(self, session: Json) -> str | None:
        voice = self.service.session.get("audio", {}).get("output", {}).get("voice")
        changed = voice != "coral" and "coral" in json.dumps(session)
        if changed and any(self.witness.conversation.audio_ms.values()):
            return "voice_after_audio"
        return ASK if self.only_hears else None  # some models take no turn detection

    @rule(start=st.integers(0, 80_000), size=st.integers(1, 30_000).map(lambda n: n * 2))
    def append(self, start: int, size: int) -> None:
        """A piece of speech, of silence, or of both."""
        self.speak(SPEECH[start // 2 * 2 : start // 2 * 2 + size])

    def speak(self, pcm: bytes) -> None:
        self.send(appended(pcm, self.witness.settings.now("audio.input.format")))

    @rule()
    def speak_a_whole_turn(self) -> None:
        for start in range(0, len(SPEECH), PIECE):
            self.speak(SPEECH[start : start + PIECE])

    @rule()
    def speak_a_whole_turn_and_listen(self) -> None:
        """Where the service listens, it hears that."""
        self.read()
        before = self.witness.heard.count("input_audio_buffer.speech_stopped")
        self.speak_a_whole_turn()
        self.read()
        listens = self.witness.settings.of_turns("type") == "server_vad" and self.service.ending is None
        heard = self.witness.heard.count("input_audio_buffer.speech_stopped")
        assert heard > before or not listens, "nobody listens"

    @rule(most=st.integers(3, 12))
    def interrupt_an_answer(self, most: int) -> None:
        self.take_a_turn_and_listen_a_little(most)
        self.speak(SPEECH[:PIECE])
        self.read()

    @rule(answers=st.booleans())
    def speak_where_that_leads_to_nothing(self, answers: bool) -> None:
        """The service is told not to answer by itself, or not to be interrupted."""
        if answers:
            self.detect({"type": "server_vad", "create_response": False})
            self.speak_a_whole_turn_and_listen()
        else:
            self.detect({"type": "server_vad", "interrupt_response": False})
            self.interrupt_an_answer(6)

    @rule()
    def append_what_is_no_audio(self) -> None:
        self.send({"type": "input_audio_buffer.append", "audio": "?"}, refused="invalid_audio")

    @rule()
    def commit(self) -> None:
        refused = {True: "commit_empty", False: None, None: ASK}[self.witness.speech.too_little]
        self.send({"type": "input_audio_buffer.commit"}, refused=refused)

    @rule()
    def clear(self) -> None:
        self.send({"type": "input_audio_buffer.clear"})

    @rule(size=st.integers(1, 8000).map(lambda n: n * 6), telephone=st.booleans())
    def speak_and_commit(self, size: int, telephone: bool) -> None:
        """By hand; then looks at what became of it."""
        if telephone:
            self.detect(None)
            law: Json = {"audio": {"input": {"format": {"type": "audio/pcmu"}}}}
            self.update_to(law if self.nested else {"input_audio_format": "g711_ulaw"})
        self.speak(SPEECH[:size])
        self.commit()
        self.read()
        self.retrieve(len(self.witness.conversation.order) - 1)

    @rule()
    def clear_and_commit(self) -> None:
        self.clear()
        self.commit()

    @rule(data=st.data(), place=st.none() | st.just("root") | places | st.just(NOBODY), named=st.booleans())
    def say(self, data: st.DataObject, place: str | int | None, named: bool) -> None:
        self.create(data.draw(st.sampled_from(given.items(nested=self.nested))), place, named=named)

    def create(self, item: Json, place: str | int | None = None, *, named: bool = True) -> None:
        after = self.item(place) if isinstance(place, int) else place
        item = {"id": f"said_{next(self.counter)}", **item} if named or after else item
        event: Json = {"type": "conversation.item.create", "item": item}
        if after is not None:
            event["previous_item_id"] = after
        self.send(event, refused="previous_item_unknown" if after == NOBODY else None)

    @rule(place=places, deleted=st.booleans())
    def say_under_an_id_that_is_there(self, place: int, deleted: bool) -> None:
        item = self.item(place)
        if item != NOBODY and item not in self.speaking:
            if deleted:
                self.delete(place)
                self.read()
            if not deleted:  # lint takes an item that is told of twice for the service's fault
                self.unsettled.add("order.item-added")
            self.create({**given.items(nested=self.nested)[0], "id": item})

    @rule()
    def answer_the_call(self) -> None:
        items = self.witness.responses.items.values()
        calls = [item.done for item in items if item.done and item.type == "function_call"]
        if calls:
            output = {"type": "function_call_output", "call_id": calls[-1]["call_id"], "output": "{}"}
            self.create(output, named=False)

    @rule(place=places)
    def retrieve(self, place: int) -> None:
        item = self.item(place)
        refused = "retrieve_unknown_item" if item == NOBODY else None
        self.send({"type": "conversation.item.retrieve", "item_id": item}, refused=refused)

    @rule(place=places)
    def delete(self, place: int) -> None:
        item = self.item(place)
        refused = "delete_unknown_item" if item == NOBODY else None
        if item in self.speaking:  # lint expects that nothing more is said of it
            self.unsettled |= {"order.item-added", "order.item-done", "order.part-frame"}
        self.send({"type": "conversation.item.delete", "item_id": item}, refused=refused)

    @rule(place=places, ms=st.sampled_from([0, 100, 10_000]), index=st.sampled_from([0, 0, 0, 1]))
    def truncate(self, place: int, ms: int, index: int) -> None:
        self.cut(self.item(place), ms, index)

    @rule(ms=st.sampled_from([0, 100, 10_000]), amid=st.booleans())
    def truncate_what_is_spoken(self, ms: int, amid: bool) -> None:
        """`amid` an answer, or the last one; then asks what is left of it."""
        if amid:
            self.take_a_turn_and_listen_a_little(12)
        spoken = list(self.witness.conversation.audio_ms)
        if spoken:
            self.cut(spoken[-1], ms, 0)
            self.read()
            if self.witness.conversation.settled(spoken[-1]):
                self.send({"type": "conversation.item.retrieve", "item_id": spoken[-1]})

    def cut(self, item: str, ms: int, index: int) -> None:
        made = self.witness.conversation.audio_ms.get(item)
        event: Json = {"type": "conversation.item.truncate", "item_id": item, "content_index": index}
        event["audio_end_ms"] = ms
        if made is None:
            self.send(event, refused="truncate_unknown_item" if item == NOBODY else "truncate_no_audio")
            return
        if ms > made and self.service.ending is None:  # refused in words, and done all the same
            self.errors.append((f"client_{next(self.counter) + 1}", None))
        self.send(event)

    @rule(data=st.data(), tagged=st.sampled_from([True, True, False]))
    def respond(self, data: st.DataObject, tagged: bool) -> None:
        self.respond_with(data.draw(st.sampled_from(given.overrides(nested=self.nested))), tagged=tagged)

    def respond_with(self, overrides: Json, *, tagged: bool = True) -> None:
        """`tagged`: with metadata of its own, so that it is known again."""
        event: Json = {"type": "response.create"}
        response = {**overrides, "metadata": {"n": str(next(self.counter))}} if tagged else overrides
        if response:
            event["response"] = response
        refused: str | None = ASK
        if self.told and self.inside == "ending":
            refused = "active_response" if self.asked_again else None
        if self.send(event, refused=refused, heeded=not self.only_hears) or self.only_hears:
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
        self.create(given.items(nested=self.nested)[0])
        self.respond_with({})
        self.read()

    @rule(most=st.integers(3, 12))
    def take_a_turn_and_listen_a_little(self, most: int) -> None:
        self.respond_with({})
        self.read(most)

    @rule()
    def take_a_turn_and_say_nothing_more(self) -> None:
        """The service's patience ends, where it has one."""
        if "input_audio_buffer.timeout_triggered" not in self.dialect.server.events or self.only_hears:
            return
        self.detect(None)
        self.detect(given.IDLE)
        # Lint takes what the service commits then for what the client was refused to commit before.
        self.unsettled.add("order.commit-empty")
        self.take_a_turn_and_listen()
        done = [response for response in self.witness.responses.all.values() if not response.outside]
        if self.told or self.witness.speech.open or not done or self.service.ending is not None:
            return
        before = self.witness.heard.count("input_audio_buffer.timeout_triggered")
        spoken = sum(self.witness.conversation.audio_ms.values())
        self.wait_until(self.service.t + spoken / 1000 + 6)
        told = self.witness.heard.count("input_audio_buffer.timeout_triggered") > before
        assert told or self.service.ending is not None, "the user is waited for for ever"
        self.read()

    @rule(with_input=st.booleans(), cancelled=st.sampled_from([False, False, True]))
    def respond_out_of_band(self, with_input: bool, cancelled: bool) -> None:
        response: Json = {"conversation": "none", "metadata": {"n": f"outside {next(self.counter)}"}}
        if with_input and self.nested:
            content = [{"type": "input_text", "text": "Sum it up."}]
            response["input"] = [{"type": "message", "role": "user", "content": content}]
        event = {"type": "response.create", "response": response}
        self.send(event, heeded=not self.only_hears)
        if cancelled:
            self.read(6)
            self.cancel_out_of_band()

    @rule()
    def cancel_out_of_band(self) -> None:
        for run in self.witness.responses.running:
            if run.outside:
                over = "cancel_not_active" if run.cut_by else None
                self.send({"type": "response.cancel", "response_id": run.id}, refused=over)

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

    def teardown(self) -> None:
        if not hasattr(self, "service") or self.broken:
            return
        self.read()
        for _ in range(3):  # an answer that is held stays until it is cancelled
            if self.service.idle:
                break
            for response in self.witness.responses.running:
                self.send({"type": "response.cancel", "response_id": response.id}, refused=ASK)
            self.read()
        if self.service.ending is None:  # else it said goodbye in the middle of something
            assert self.service.idle, "the service never comes to rest"
            self.witness.finish()
            fault = next(iter(self.faults_by_lint()), None)
            assert fault is None, f"lint finds fault with the service: {fault}"
            self.close()
        super().teardown()

    def faults_by_lint(self) -> Iterable[Finding]:
        """The second witness: the log of it all, judged as any other; what the client did wrong is its own."""
        entries = tuple(LogEntry(line, side, event) for line, (side, event) in enumerate(self.log, start=1))
        report = lint_log(Log("machine.jsonl", "JSON Lines", entries), self.dialect)
        for one in report.of(Severity.FAIL):
            server = [line for line in one.lines if entries[line - 1].side is Side.SERVER]
            if server and one.finding.code not in self.unsettled:
                yield one.finding


def client_of(dialect: str) -> type[Client]:
    return type(f"ClientOf_{dialect}", (Client,), {"name": dialect})
