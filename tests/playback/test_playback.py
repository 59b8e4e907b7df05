from __future__ import annotations

import itertools
import json
from dataclasses import replace

import pytest

from harness.messages import Json, Side
from harness.service import Origin
from harness.translation import Translator
from tests.cases import cassette, scenario
from tests.playback.replay import captured, configure, playback_of, question, replay
from tests.talk import BOTH, GA, Talk, assert_orders, one, result_item, types, user_item

both = pytest.mark.parametrize("dialect", BOTH)


def canonical(session: Talk, events: list[Json]) -> list[Json]:
    translator = Translator(session.dialect)
    return [c for event in events for c in translator.to_canonical(Side.SERVER, event).events]


def origins(session: Talk) -> set[Origin | None]:
    """Where the answers came from."""
    return {start.origin for start in session.service.exchange.responses}


def origin_of(session: Talk, type_: str) -> Origin | None:
    return next(
        e.origin for e in session.service.exchange.server_entries() if e.event and e.event["type"] == type_
    )


def every_id(value: object) -> set[str]:
    if isinstance(value, dict):
        return set().union(*map(every_id, value.values())) if value else set()
    if isinstance(value, list):
        return set().union(*map(every_id, value)) if value else set()
    known = ("event_", "sess_", "resp_", "item_", "conv_", "call_")
    return {value} if isinstance(value, str) and value.startswith(known) else set()


# The client that does what the recorded one did.


@both
@pytest.mark.parametrize("name", ["text-turn", "text-modality", "session-config"])
def test_the_recorded_client_gets_the_recorded_session(dialect: str, name: str) -> None:
    session = replay(dialect, name)
    created = session.heard[0]
    assert created["type"] == "session.created"
    configure(session, name)
    recorded = [i.event for i in cassette(dialect, name).interactions if i.event and i.side is Side.CLIENT]
    for event in recorded[1:]:
        session.ask(event)
    want = [i.event for i in cassette(dialect, name).interactions if i.event and i.side is Side.SERVER]
    assert types(session.heard) == types(want)
    entries = session.service.exchange.server_entries()
    assert {entry.origin for entry in entries} == {Origin.RECORDED}
    assert origins(session) == {Origin.RECORDED}
    assert session.service.exchange.unplayed == []
    assert playback_of(session).counterfactual is None
    without = [json.dumps(event).replace(" ", "") for event in (session.heard[1], want[1])]
    assert len(without[0]) == len(without[1])


@both
def test_ids_are_fresh_and_bound_to_each_other(dialect: str) -> None:
    session = replay(dialect, "tool-call-round")
    configure(session, "tool-call-round")
    session.say("What is the weather in Paris?")
    events = canonical(session, session.respond())
    assert_orders(events)
    item = one(events, "response.output_item.done")["item"]
    assert one(events, "response.function_call_arguments.done")["call_id"] == item["call_id"]
    session.ask(result_item(item["call_id"], json.dumps({"condition": "sunny", "temperature_c": 21})))
    assert_orders(canonical(session, session.respond()))
    assert origins(session) == {Origin.RECORDED}
    recorded = every_id([i.event for i in cassette(dialect, "tool-call-round").interactions])
    assert recorded
    assert not recorded & every_id(session.heard)
    minted = [event["event_id"] for event in session.heard]
    assert len(minted) == len(set(minted))


@both
def test_another_seed_mints_other_ids_and_the_same_seed_the_same(dialect: str) -> None:
    def heard(seed: int) -> list[Json]:
        session = replay(dialect, "text-turn", seed=seed)
        session.say()
        session.respond()
        return session.heard

    assert heard(1) == heard(1)
    assert not every_id(heard(1)) & every_id(heard(2))


# What the client makes up comes back as it made it.


@both
def test_the_clients_item_ids_come_back(dialect: str) -> None:
    session = replay(dialect, "text-turn")
    events = canonical(session, session.say("Hello there!", id="item_of_mine"))
    assert one(events, "conversation.item.added")["item"]["id"] == "item_of_mine"
    events = canonical(session, session.respond())
    assert one(events, "conversation.item.added")["previous_item_id"] == "item_of_mine"


@both
def test_the_clients_metadata_comes_back_on_the_recorded_answer(dialect: str) -> None:
    session = replay(dialect, "text-turn")
    session.say()
    events = session.respond(metadata={"turn": "7"})
    assert one(events, "response.created")["response"]["metadata"] == {"turn": "7"}
    assert one(events, "response.done")["response"]["metadata"] == {"turn": "7"}
    assert origins(session) == {Origin.RECORDED}


@both
def test_the_clients_own_settings_stand_in_the_recorded_response(dialect: str) -> None:
    session = replay(dialect, "text-turn")
    session.update(nested={"audio": {"output": {"voice": "ash"}}}, flat={"voice": "ash"})
    session.say()
    response = one(session.respond(), "response.created")["response"]
    assert (response["audio"]["output"]["voice"] if session.ga else response["voice"]) == "ash"


# Deviations that are free.


@both
def test_the_session_may_be_put_together_by_many_updates_in_any_order(dialect: str) -> None:
    parts = [
        ({"instructions": "You are a pirate. Answer in one short sentence."},) * 2,
        ({"audio": {"output": {"voice": "echo"}}}, {"voice": "echo"}),
        ({"tools": scenario("session-config").wanted_session["tools"]},) * 2,
        (
            {"audio": {"input": {"transcription": {"model": "whisper-1"}}}},
            {"input_audio_transcription": {"model": "whisper-1"}},
        ),
        (
            {"audio": {"input": scenario("session-config").session["audio"]["input"]}},
            {"turn_detection": scenario("session-config").session["audio"]["input"]["turn_detection"]},
        ),
    ]
    ends = set()
    for order in list(itertools.permutations(parts))[::17]:
        session = replay(dialect, "session-config")
        for nested, flat in order:
            assert types(session.update(nested=nested, flat=flat)) == ["session.updated"]
        last = session.service.exchange.server_entries()[-1]
        assert last.origin is Origin.RECORDED, "the session is now what the recording said"
        session.say("Ahoy!")
        session.respond()
        assert origins(session) == {Origin.RECORDED}
        ends.add(json.dumps(session.service.exchange.responses[0].session["audio"], sort_keys=True))
    assert len(ends) == 1


@both
def test_updates_may_come_before_anything_was_read(dialect: str) -> None:
    session = replay(dialect, "text-turn")
    for _ in range(3):
        session.send(
            {
                "type": "session.update",
                "session": {**({"type": "realtime"} if session.ga else {}), "instructions": "x"},
            }
        )
    session.send(user_item())
    session.send({"type": "response.create"})
    events = session.read()
    assert types(events).count("session.updated") == 3
    assert_orders(canonical(session, events)[types(canonical(session, events)).index("response.created") :])
    assert origins(session) == {Origin.RECORDED}


@both
@pytest.mark.parametrize("size", [320, 4801, 1_000_000])
def test_audio_may_come_in_chunks_of_any_size(dialect: str, size: int) -> None:
    session = replay(dialect, "audio-turn")
    configure(session, "audio-turn")
    pcm = question("audio-turn")
    for start in range(0, len(pcm), size):
        session.speak(pcm[start : start + size])
    events = session.ask({"type": "input_audio_buffer.commit"})
    assert types(events)[0] == "input_audio_buffer.committed"
    assert origin_of(session, "input_audio_buffer.committed") is Origin.RECORDED
    session.respond()
    assert origins(session) == {Origin.RECORDED}


@both
def test_a_fifth_of_the_audio_may_be_missing_and_no_more(dialect: str) -> None:
    for share, origin in ((0.85, Origin.RECORDED), (0.5, Origin.MODELLED)):
        session = replay(dialect, "audio-turn")
        pcm = question("audio-turn")
        session.speak(pcm[: int(len(pcm) * share) // 2 * 2])
        session.ask({"type": "input_audio_buffer.commit"})
        session.respond()
        assert origins(session) == {origin}


@both
def test_what_was_said_before_an_answer_too_many_still_counts(dialect: str) -> None:
    session = replay(dialect, "audio-turn")
    configure(session, "audio-turn")
    pcm = question("audio-turn")
    half = len(pcm) // 4 * 2
    for part in (pcm[:half], pcm[half:]):
        session.speak(part)
        session.ask({"type": "input_audio_buffer.commit"})
        session.respond()
    first, second = session.service.exchange.responses
    assert first.origin is Origin.MODELLED
    assert first.why_modelled is not None
    assert "ms more of committed audio" in first.why_modelled
    assert second.origin is Origin.RECORDED


# Deviations that are not.


@both
def test_an_answer_nobody_recorded_is_modelled_and_marked(dialect: str) -> None:
    session = replay(dialect, "text-turn")
    session.say()
    session.respond()
    events = canonical(session, session.respond())
    assert_orders(events)
    first, second = session.service.exchange.responses
    assert (first.origin, first.why_modelled) == (Origin.RECORDED, None)
    assert second.origin is Origin.MODELLED
    assert second.why_modelled == "the cassette has no further answer"
    assert origin_of(session, "response.created") is Origin.RECORDED
    assert session.service.exchange.server_entries()[-1].origin is Origin.MODELLED


@both
def test_asking_before_the_user_spoke_is_modelled_and_the_recorded_answer_waits(dialect: str) -> None:
    session = replay(dialect, "text-turn")
    session.respond()
    start = session.service.exchange.responses[0]
    assert start.origin is Origin.MODELLED
    assert start.why_modelled == "the recorded answer waits for 1 more item(s) of the user"
    (waiting,) = session.service.exchange.unplayed
    assert str(waiting) == "response.create, 1 item(s) of the user"
    assert waiting.holds == "response.created of answer 1 of 1"
    assert types(waiting.needed) == ["conversation.item.create", "response.create"]
    session.say()
    session.respond()
    assert session.service.exchange.responses[1].origin is Origin.RECORDED
    assert session.service.exchange.unplayed == []


@both
def test_a_missing_tool_result_keeps_the_barrier_shut(dialect: str) -> None:
    session = replay(dialect, "tool-call-round")
    session.say()
    call = one(session.respond(), "response.output_item.done")["item"]["call_id"]
    (waiting,) = session.service.exchange.unplayed
    assert str(waiting) == "response.create, the result of 1 call(s)"
    assert waiting.holds == "response.created of answer 2 of 2"
    assert waiting.needed[0]["item"]["type"] == "function_call_output"
    session.respond()
    assert (
        session.service.exchange.responses[1].why_modelled
        == "the recorded answer waits for the result of 1 call(s)"
    )
    session.ask(result_item("call_of_nobody"))
    session.respond()
    assert session.service.exchange.responses[2].origin is Origin.MODELLED
    session.ask(result_item(call))
    session.respond()
    assert session.service.exchange.responses[3].origin is Origin.RECORDED
    assert session.service.exchange.unplayed == []


@both
def test_a_refused_configuration_makes_what_follows_counterfactual(dialect: str) -> None:
    session = replay(dialect, "text-turn")
    session.ask({"type": "session.update", "session": {"type": "realtime", "voise": "x"}})
    session.say()
    session.respond()
    assert origins(session) == {Origin.COUNTERFACTUAL}
    assert playback_of(session).counterfactual == "session.update was refused"
    assert len(playback_of(session).played) == 1
    assert origin_of(session, "response.created") is Origin.COUNTERFACTUAL


@both
def test_a_refused_response_create_is_answered_all_the_same_and_marked(dialect: str) -> None:
    session = replay(dialect, "text-turn")
    session.say()
    wrong = {"modalities": ["text"]} if session.ga else {"output_modalities": ["text"]}
    events = session.respond(**wrong)
    assert types(events)[0] == "error"
    assert_orders(canonical(session, events[1:]))
    assert origins(session) == {Origin.COUNTERFACTUAL}


@both
def test_a_refused_response_create_that_is_not_due_gets_no_answer(dialect: str) -> None:
    session = replay(dialect, "text-turn")
    wrong = {"modalities": ["text"]} if session.ga else {"output_modalities": ["text"]}
    assert types(session.respond(**wrong)) == ["error"]
    session.say()
    assert session.service.active is None


@both
def test_text_that_was_not_asked_for_is_counterfactual(dialect: str) -> None:
    session = replay(dialect, "text-modality")
    session.say("Hello there!")
    events = canonical(session, session.respond())
    assert one(events, "response.output_text.done")
    assert one(events, "response.created")["response"]["output_modalities"] == ["text"]
    assert origins(session) == {Origin.COUNTERFACTUAL}
    assert playback_of(session).counterfactual == "the session's modalities are not those of the recording"


@both
def test_text_may_be_asked_for_by_the_response_itself(dialect: str) -> None:
    session = replay(dialect, "text-modality")
    session.say("Hello there!")
    session.respond(**({"output_modalities": ["text"]} if session.ga else {"modalities": ["text"]}))
    assert origins(session) == {Origin.RECORDED}


@both
def test_what_the_user_says_otherwise_is_acknowledged_by_the_model(dialect: str) -> None:
    session = replay(dialect, "text-turn")
    session.say("Hello there!")
    session.say("Something else.")
    acknowledged = [
        entry.origin
        for entry in session.service.exchange.server_entries()
        if entry.canonical[0]["type"] == "conversation.item.added"
    ]
    assert acknowledged == [Origin.RECORDED, Origin.MODELLED]


@both
def test_what_comes_once_more_than_was_recorded_is_acknowledged_by_the_model(dialect: str) -> None:
    session = replay(dialect, "text-turn")
    session.say("Hello there!")
    session.say("Hello there!")
    spoken = replay(dialect, "audio-turn")
    configure(spoken, "audio-turn")
    spoken.commit()
    spoken.commit()
    for talk in (session, spoken):
        origins = [
            entry.origin
            for entry in talk.service.exchange.server_entries()
            if entry.canonical[0]["type"] == "conversation.item.added"
        ]
        assert origins == [Origin.RECORDED, Origin.MODELLED]


@both
def test_retrieving_deleting_and_truncating_unasked_is_answered(dialect: str) -> None:
    session = replay(dialect, "text-turn")
    session.say(id="mine")
    assert types(session.ask({"type": "conversation.item.retrieve", "item_id": "mine"})) == [
        "conversation.item.retrieved"
    ]
    item = one(session.respond(), "response.output_item.done")["item"]["id"]
    event = {"type": "conversation.item.truncate", "item_id": item, "content_index": 0, "audio_end_ms": 10}
    assert types(session.ask(event)) == ["conversation.item.truncated"]
    assert types(session.ask({"type": "conversation.item.delete", "item_id": item})) == [
        "conversation.item.deleted"
    ]


@both
def test_a_cancelled_answer_counts_as_played_and_stops(dialect: str) -> None:
    session = replay(dialect, "text-turn")
    session.say()
    session.send({"type": "response.create"})
    session.read_until("response.output_item.added")
    session.send({"type": "response.cancel"})
    events = canonical(session, session.read())
    assert types(events)[-3:] == [
        "conversation.item.done",
        "response.output_item.done",
        "response.done",
    ]
    assert events[-1]["response"]["status"] == "cancelled"
    assert session.service.exchange.unplayed == []


@both
def test_the_shared_cassette_is_not_changed(dialect: str) -> None:
    before = list(cassette(dialect, "tool-call-round").lines())
    session = replay(dialect, "tool-call-round")
    configure(session, "tool-call-round", instructions="Other.")
    session.say()
    session.respond(metadata={"a": "b"})
    assert list(cassette(dialect, "tool-call-round").lines()) == before


def test_a_cassette_without_its_opening_is_opened_by_the_model() -> None:
    whole = cassette(GA, "text-turn")
    session = replay(GA, replace(whole, interactions=whole.interactions[1:]))
    assert session.heard[0]["type"] == "session.created"
    assert origin_of(session, "session.created") is Origin.MODELLED


# Somebody else's recording.


def test_a_captured_session_replays_to_its_own_client() -> None:
    found = captured("azure-ws-tool-call-round.jsonl")
    session = replay(GA, found)
    sent = [i.event for i in found.interactions if i.event and i.side is Side.CLIENT]
    received = [i.event for i in found.interactions if i.event and i.side is Side.SERVER]
    update, question_, _, output, _ = sent
    session.ask(update)
    session.ask(question_)
    first = session.respond()
    call = one(first, "response.output_item.done")["item"]
    assert call["name"] == "get_weather"
    session.ask({**output, "item": {**output["item"], "call_id": call["call_id"]}})
    second = session.respond()
    assert origins(session) == {Origin.RECORDED}
    assert session.service.exchange.unplayed == []
    assert_orders(first)
    assert_orders(second)
    assert sorted(types(session.heard)) == sorted(types(received))
    assert {e.origin for e in session.service.exchange.server_entries()} == {Origin.RECORDED}
    want = one([e for e in received if e["type"] == "response.output_text.done"], "response.output_text.done")
    assert one(second, "response.output_text.done")["text"] == want["text"]
    assert not every_id(received) & every_id(session.heard)
