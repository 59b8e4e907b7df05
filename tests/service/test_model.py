"""Every rule of every client event, in both dialects. Talk checks each answer against its schema."""

from __future__ import annotations

import base64
import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.dialects import bundled_dialect, judge_client_event
from harness.faults import FaultLine, parse_fault
from harness.messages import Json, get_path, render_event
from harness.scenario import Audio, Call, Cut, Speech, Text
from harness.service import Origin, Service
from harness.service.durations import LATENCY, THINKING
from harness.service.model import MAX_SHOWN
from tests.talk import BOTH, GA, NOW, PREVIEW, Talk, one, only, result_item, talk, types, user_item

SPOKEN = Speech("It is sunny in Paris.", Audio("a.wav", bytes(48 * 1000)))

both = pytest.mark.parametrize("dialect", BOTH)


def added(session: Talk) -> str:
    return "conversation.item.added" if session.ga else "conversation.item.created"


def item_acknowledged(session: Talk, events: list[Json]) -> Json:
    """The item event that acknowledges a client's item; on GA directly followed by its twin."""
    if session.ga:
        first, second = events
        assert types(events) == ["conversation.item.added", "conversation.item.done"]
        assert first["item"] == second["item"]
        assert first["previous_item_id"] == second["previous_item_id"]
        assert first["event_id"] != second["event_id"]
        return first
    event = only(events)
    assert event["type"] == "conversation.item.created"
    return event


def refusal(events: list[Json]) -> Json:
    event = only(events)
    assert event["type"] == "error"
    return event["error"]  # type: ignore[no-any-return]


def assert_catalogued(session: Talk, error: Json, name: str) -> None:
    """The error is the catalogue's own: its type, its code, and the event id where it belongs."""
    spec = session.dialect.errors[name]
    assert (error["type"], error["code"]) == (spec.type, spec.code)
    assert ("event_id" in error) is (spec.event_id != "absent")
    if spec.event_id == "null":
        assert error["event_id"] is None
    fixed = [part for part in spec.message.replace("}", "{").split("{")[::2] if part]
    assert all(part in error["message"] for part in fixed)


def state(session: Talk) -> Any:
    """Everything a refused event must leave as it is."""
    service = session.service
    return copy.deepcopy((service.session, service.conversation.items, service.active, service.input.held_ms))


# The opening.


@both
def test_the_service_speaks_first_and_says_session_created(dialect: str) -> None:
    session = Talk(dialect=dialect)
    assert session.read() == []
    session.service.open()
    created = only(session.read())
    assert created["type"] == "session.created"
    assert created["session"]["expires_at"] == NOW + session.dialect.service.session_seconds
    assert ("type" in created["session"]) is session.ga


# session.update


@both
def test_an_update_is_answered_by_the_whole_effective_session(dialect: str) -> None:
    session = talk(dialect)
    before = copy.deepcopy(session.service.session)
    updated = only(
        session.update(
            nested={"instructions": "Be brief.", "audio": {"output": {"voice": "echo"}}},
            flat={"instructions": "Be brief.", "voice": "echo"},
        )
    )
    assert updated["type"] == "session.updated"
    voice = "audio.output.voice" if session.ga else "voice"
    assert get_path(updated["session"], voice) == "echo"
    assert updated["session"]["instructions"] == "Be brief."
    before["instructions"] = "Be brief."
    before["audio"]["output"]["voice"] = "echo"
    assert session.service.session == before
    assert session.service.exchange.session == before


REFUSED_UPDATES: list[tuple[str, Json, str, str]] = [
    (GA, {"instructions": "x"}, "missing_required_parameter", "session.type"),
    (GA, {"type": "realtime", "modalities": ["text"]}, "unknown_parameter", "session.modalities"),
    (GA, {"type": "realtime", "voice": "echo"}, "unknown_parameter", "session.voice"),
    (GA, {"type": "realtime", "temperature": 0.8}, "unknown_parameter", "session.temperature"),
    (GA, {"type": "realtime", "voise": "echo"}, "unknown_parameter", "session.voise"),
    (
        GA,
        {"type": "realtime", "output_modalities": ["audio", "text"]},
        "invalid_output_modalities",
        "session.output_modalities",
    ),
    (GA, {"type": "realtime", "instructions": 5}, "invalid_type", "session.instructions"),
    (PREVIEW, {"type": "realtime", "voice": "echo"}, "unknown_parameter", "session.type"),
    (PREVIEW, {"audio": {"output": {"voice": "echo"}}}, "unknown_parameter", "session.audio"),
    (PREVIEW, {"output_modalities": ["text"]}, "unknown_parameter", "session.output_modalities"),
    (PREVIEW, {"modalities": ["audio"]}, "invalid_modalities", "session.modalities"),
    (PREVIEW, {"voice": "echo", "voise": "x"}, "unknown_parameter", "session.voise"),
    (
        PREVIEW,
        {"tools": [{"type": "function", "name": "f"}, {"type": "function", "name": "g", "meta": {}}]},
        "unknown_parameter",
        "session.tools[1].meta",
    ),
]


@pytest.mark.parametrize(("dialect", "sent", "name", "param"), REFUSED_UPDATES)
def test_a_refused_update_names_the_path_on_the_wire_and_applies_nothing(
    dialect: str, sent: Json, name: str, param: str
) -> None:
    session = talk(dialect)
    before = state(session)
    event = {"type": "session.update", "event_id": "mine", "session": {"instructions": "New.", **sent}}
    error = refusal(session.ask(event))
    assert_catalogued(session, error, name)
    assert error["param"] == param
    if session.dialect.errors[name].event_id == "client":
        assert error["event_id"] == "mine"
    assert state(session) == before
    entry = session.service.exchange.client_entries()[-1]
    assert entry.refusals[0].path == param


@both
def test_an_error_has_no_event_id_of_a_client_that_gave_none(dialect: str) -> None:
    session = talk(dialect)
    error = refusal(session.ask({"type": "session.refresh"}))
    assert_catalogued(session, error, "invalid_value")
    assert error["event_id"] is None
    assert error["param"] == "type"


def test_modalities_may_stand_in_any_order() -> None:
    session = talk(PREVIEW)
    updated = only(session.update(nested={}, flat={"modalities": ["text", "audio"]}))
    assert sorted(updated["session"]["modalities"]) == ["audio", "text"]


@both
def test_empty_instructions_come_back_as_the_stock_prompt(dialect: str) -> None:
    session = talk(dialect)
    stock = session.heard[0]["session"]["instructions"]
    session.update(nested={"instructions": "Be brief."}, flat={"instructions": "Be brief."})
    updated = only(session.update(nested={"instructions": ""}, flat={"instructions": ""}))
    assert updated["session"]["instructions"] == stock


@both
def test_a_partial_turn_detection_comes_back_whole(dialect: str) -> None:
    session = talk(dialect)
    detection = {"type": "server_vad", "silence_duration_ms": 700}
    updated = only(
        session.update(
            nested={"audio": {"input": {"turn_detection": detection}}}, flat={"turn_detection": detection}
        )
    )
    path = "audio.input.turn_detection" if session.ga else "turn_detection"
    found = get_path(updated["session"], path)
    assert found["silence_duration_ms"] == 700
    assert found["threshold"] == 0.5
    assert found["prefix_padding_ms"] == 300


@both
def test_the_voice_may_change_until_the_assistant_has_spoken(dialect: str) -> None:
    session = talk(dialect, [SPOKEN])

    def voice(name: str) -> list[Json]:
        return session.update(nested={"audio": {"output": {"voice": name}}}, flat={"voice": name})

    assert only(voice("echo"))["type"] == "session.updated"
    session.say()
    session.respond()
    before = state(session)
    error = refusal(voice("ash"))
    assert_catalogued(session, error, "voice_after_audio")
    assert state(session) == before
    assert session.service.exchange.client_entries()[-1].refused_by_state == "voice_after_audio"
    assert only(voice("echo"))["type"] == "session.updated", "the voice it has is no change"


def test_a_realtime_session_does_not_become_a_transcription_session() -> None:
    event = {"type": "transcription_session.update", "session": {}}
    assert types(talk(GA).ask(event)) == ["error"]
    session = talk(PREVIEW)
    assert_catalogued(session, refusal(session.ask(event)), "wrong_session_kind")
    assert session.service.exchange.client_entries()[-1].unproven


# The audio buffer.


@both
def test_a_commit_makes_an_item_of_the_user(dialect: str) -> None:
    session = talk(dialect)
    assert session.speak(bytes(4800)) == []
    events = session.ask({"type": "input_audio_buffer.commit"})
    committed = events[0]
    assert committed["type"] == "input_audio_buffer.committed"
    assert committed["previous_item_id"] is None
    made = item_acknowledged(session, events[1:])
    assert made["item"]["id"] == committed["item_id"]
    assert made["item"]["role"] == "user"
    assert made["item"]["content"] == [{"type": "input_audio", "transcript": None}]
    again = session.commit()
    assert again[0]["previous_item_id"] == committed["item_id"]


@both
@pytest.mark.parametrize("size", [0, 48, 4799])
def test_less_than_a_tenth_of_a_second_cannot_be_committed(dialect: str, size: int) -> None:
    session = talk(dialect)
    session.speak(bytes(size))
    before = state(session)
    error = refusal(session.ask({"type": "input_audio_buffer.commit"}))
    assert_catalogued(session, error, "commit_empty")
    assert f"only has {size / 48:.2f}ms" in error["message"]
    assert state(session) == before


@both
def test_a_tenth_of_a_second_of_telephone_audio_is_eight_hundred_bytes(dialect: str) -> None:
    session = talk(dialect)
    session.update(
        nested={"audio": {"input": {"format": {"type": "audio/pcmu"}}}},
        flat={"input_audio_format": "g711_ulaw"},
    )
    session.speak(bytes(799))
    assert "only has 99.88ms" in refusal(session.ask({"type": "input_audio_buffer.commit"}))["message"]
    session.speak(bytes(1))
    assert session.ask({"type": "input_audio_buffer.commit"})[0]["type"] == "input_audio_buffer.committed"


@both
def test_the_buffer_is_empty_after_a_commit_and_after_a_clear(dialect: str) -> None:
    session = talk(dialect)
    session.commit()
    assert types(session.ask({"type": "input_audio_buffer.commit"})) == ["error"]
    session.speak(bytes(48_000))
    assert types(session.ask({"type": "input_audio_buffer.clear"})) == ["input_audio_buffer.cleared"]
    assert types(session.ask({"type": "input_audio_buffer.commit"})) == ["error"]


@both
def test_audio_may_come_in_any_pieces(dialect: str) -> None:
    session = talk(dialect)
    for size in (1, 7, 4000, 791, 1):
        assert session.speak(bytes(size)) == []
    assert types(session.ask({"type": "input_audio_buffer.commit"}))[0] == "input_audio_buffer.committed"


@both
def test_what_is_no_base64_is_refused_by_its_path(dialect: str) -> None:
    session = talk(dialect)
    error = refusal(session.ask({"type": "input_audio_buffer.append", "audio": "no base64!"}))
    assert_catalogued(session, error, "invalid_audio")
    assert error["param"] == "audio"
    assert session.service.input.held_ms == 0


@both
def test_the_users_words_come_later_where_a_transcription_was_asked_for(dialect: str) -> None:
    session = talk(dialect, heard=["What is the weather?"])
    assert "conversation.item.input_audio_transcription.completed" not in types(session.commit())
    asked = {"model": "whisper-1"}
    session.update(
        nested={"audio": {"input": {"transcription": asked}}}, flat={"input_audio_transcription": asked}
    )
    events = session.commit()
    completed = events[-1]
    assert completed["type"] == "conversation.item.input_audio_transcription.completed"
    assert completed["transcript"] == "What is the weather?"
    assert completed["item_id"] == events[0]["item_id"]


# Items.


@both
def test_an_item_is_acknowledged_with_the_id_the_client_gave_it(dialect: str) -> None:
    session = talk(dialect)
    made = item_acknowledged(session, session.say("Hi.", id="item_of_mine"))
    assert made["item"]["id"] == "item_of_mine"
    assert made["item"]["status"] == "completed"
    assert made["item"]["content"] == [{"type": "input_text", "text": "Hi."}]
    assert made["previous_item_id"] is None
    assert made["item"].get("object") == (None if session.ga else "realtime.item")


@both
def test_an_item_without_an_id_gets_one(dialect: str) -> None:
    session = talk(dialect)
    first = item_acknowledged(session, session.say())["item"]["id"]
    second = item_acknowledged(session, session.say())
    assert first.startswith("item_")
    assert second["item"]["id"] != first
    assert second["previous_item_id"] == first


@both
def test_an_item_is_put_where_it_asks_to_be(dialect: str) -> None:
    session = talk(dialect)
    for name in ("a", "b"):
        session.say(id=name)
    first = item_acknowledged(session, session.ask(user_item(previous_item_id="root", id="first")))
    assert first["previous_item_id"] is None
    middle = item_acknowledged(session, session.ask(user_item(previous_item_id="a", id="middle")))
    assert middle["previous_item_id"] == "a"
    assert [item["id"] for item in session.service.conversation.items] == ["first", "a", "middle", "b"]


@both
def test_an_unknown_previous_item_is_refused_and_named(dialect: str) -> None:
    session = talk(dialect)
    session.say()
    before = state(session)
    error = refusal(session.ask(user_item(previous_item_id="nobody")))
    assert_catalogued(session, error, "previous_item_unknown")
    assert "nobody" in error["message"]
    assert "does not exist" in error["message"]
    assert state(session) == before


@both
def test_a_tool_result_has_no_status(dialect: str) -> None:
    session = talk(dialect)
    made = item_acknowledged(session, session.ask(result_item("call_1", '{"a": 1}')))
    assert "status" not in made["item"]
    assert made["item"]["call_id"] == "call_1"
    assert made["item"]["output"] == '{"a": 1}'


@both
@pytest.mark.parametrize(
    ("item", "param"),
    [
        ({"role": "user", "content": []}, "item.type"),
        ({"type": "message", "content": []}, "item.role"),
        ({"type": "function_call_output", "output": "x"}, "item.call_id"),
    ],
)
def test_an_item_that_lacks_something_is_refused(dialect: str, item: Json, param: str) -> None:
    session = talk(dialect)
    error = refusal(session.ask({"type": "conversation.item.create", "item": item}))
    assert_catalogued(session, error, "missing_required_parameter")
    assert error["param"] == param
    assert session.service.conversation.items == []


@both
def test_an_item_can_be_retrieved_and_deleted_once(dialect: str) -> None:
    session = talk(dialect)
    session.say(id="mine")
    retrieved = only(session.ask({"type": "conversation.item.retrieve", "item_id": "mine"}))
    assert retrieved["type"] == "conversation.item.retrieved"
    assert retrieved["item"]["content"][0]["text"] == "Hello!"
    deleted = only(session.ask({"type": "conversation.item.delete", "item_id": "mine"}))
    assert (deleted["type"], deleted["item_id"]) == ("conversation.item.deleted", "mine")
    assert session.service.conversation.items == []
    for verb in ("delete", "retrieve", "truncate"):
        event: Json = {"type": f"conversation.item.{verb}", "item_id": "mine", "event_id": "rci_1"}
        if verb == "truncate":
            event.update(content_index=0, audio_end_ms=0)
        error = refusal(session.ask(event))
        assert_catalogued(session, error, f"{verb}_unknown_item")
        assert "'mine'" in error["message"]
        assert error["event_id"] == "rci_1"  # by which clients know what was refused


@both
def test_an_answer_can_be_truncated_within_its_audio(dialect: str) -> None:
    session = talk(dialect, [SPOKEN])
    session.say()
    item = one(session.respond(), "response.output_item.done")["item"]["id"]
    event = {"type": "conversation.item.truncate", "item_id": item, "content_index": 0}
    truncated = only(session.ask({**event, "audio_end_ms": 300}))
    assert truncated["type"] == "conversation.item.truncated"
    assert (truncated["item_id"], truncated["content_index"]) == (item, 0)
    assert truncated["audio_end_ms"] == 300


@both
def test_truncating_past_the_end_is_an_error_and_done_all_the_same(dialect: str) -> None:
    session = talk(dialect, [SPOKEN])
    session.say()
    item = one(session.respond(), "response.output_item.done")["item"]["id"]
    event = {"type": "conversation.item.truncate", "item_id": item, "content_index": 0}
    events = session.ask({**event, "audio_end_ms": 57_340})
    assert types(events) == ["error", "conversation.item.truncated"]
    assert events[0]["error"]["message"] == "Audio content of 1000ms is already shorter than 57340ms"
    assert_catalogued(session, events[0]["error"], "truncate_past_end")
    assert events[1]["audio_end_ms"] == 1000


@both
def test_what_is_truncated_while_it_streams_stays_so_long(dialect: str) -> None:
    session = talk(dialect, [SPOKEN])
    session.send({"type": "response.create"})
    item = session.read_until("response.content_part.added")[-1]["item_id"]
    audio = "response.output_audio.delta" if session.ga else "response.audio.delta"
    truncate = {"type": "conversation.item.truncate", "item_id": item, "content_index": 0}
    session.read_until(audio)
    session.read_until(audio)
    session.send({**truncate, "audio_end_ms": 100})
    assert one(session.read(), "conversation.item.truncated")["audio_end_ms"] == 100
    events = session.ask({**truncate, "audio_end_ms": 150})
    assert events[0]["error"]["message"] == "Audio content of 100ms is already shorter than 150ms"


@both
def test_spoken_items_can_be_truncated_before_their_first_sound(dialect: str) -> None:
    session = talk(dialect, [SPOKEN])
    session.send({"type": "response.create"})
    item = session.read_until("response.content_part.added")[-1]["item_id"]
    session.send(
        {"type": "conversation.item.truncate", "item_id": item, "content_index": 0, "audio_end_ms": 0}
    )
    assert one(session.read(), "conversation.item.truncated")["audio_end_ms"] == 0


@both
def test_the_voice_may_change_again_when_what_was_spoken_is_deleted(dialect: str) -> None:
    session = talk(dialect, [SPOKEN])
    item = one(session.respond(), "response.output_item.done")["item"]["id"]
    session.ask({"type": "conversation.item.delete", "item_id": item})
    changed = session.update(nested={"audio": {"output": {"voice": "ash"}}}, flat={"voice": "ash"})
    assert types(changed) == ["session.updated"]


@both
def test_no_event_but_a_retrieval_has_the_audio_of_an_item(dialect: str) -> None:
    session = talk(dialect)
    sound = base64.b64encode(bytes(range(48))).decode()
    content = [{"type": "input_text", "text": "Listen:"}, {"type": "input_audio", "audio": sound}]
    made = session.say(id="mine", content=content)
    assert all("audio" not in part for event in made for part in event["item"]["content"])
    if "conversation.item.retrieve" in session.dialect.client.events:
        asked = session.ask({"type": "conversation.item.retrieve", "item_id": "mine"})
        if types(asked) != ["error"]:
            assert only(asked)["item"]["content"][1]["audio"] == sound


@both
def test_a_call_put_into_the_history_without_a_call_id_gets_one(dialect: str) -> None:
    session = talk(dialect)
    item = {"type": "function_call", "name": "look", "arguments": "{}"}
    made = item_acknowledged(session, session.ask({"type": "conversation.item.create", "item": item}))
    assert made["item"]["call_id"].startswith("call_")


def test_the_largest_append_that_is_documented_is_taken() -> None:
    session = talk(GA)
    session.update(nested={"audio": {"input": {"turn_detection": None}}}, flat={})
    assert session.speak(bytes(15 * 1024 * 1024)) == []
    assert session.service.input.held_ms == pytest.approx(15 * 1024 * 1024 / 48)


@both
def test_audio_committed_during_an_answer_is_an_item_at_once(dialect: str) -> None:
    session = talk(dialect, [SPOKEN])
    session.update(nested={"audio": {"input": {"turn_detection": None}}}, flat={"turn_detection": None})
    session.send({"type": "response.create"})
    model = one(session.read_until("response.content_part.added"), added(session))["item"]["id"]
    events = session.commit()
    committed, made = one(events, "input_audio_buffer.committed"), one(events, added(session))
    assert committed["previous_item_id"] == made["previous_item_id"] == model


@both
def test_only_what_the_model_spoke_can_be_truncated(dialect: str) -> None:
    session = talk(dialect)
    session.say(id="mine")
    event = {"type": "conversation.item.truncate", "item_id": "mine", "content_index": 0, "audio_end_ms": 0}
    assert_catalogued(session, refusal(session.ask(event)), "truncate_no_audio")


# Responses.


@both
def test_a_response_answers_with_the_scripted_answers_then_a_stock_one(dialect: str) -> None:
    session = talk(dialect, [Text("One."), Text("Two.")])
    session.update(nested={"output_modalities": ["text"]}, flat={"modalities": ["text"]})
    said = [
        one(session.respond(), "response.output_item.done")["item"]["content"][0]["text"] for _ in range(3)
    ]
    assert said[:2] == ["One.", "Two."]
    assert "service model" in said[2]


@both
def test_the_models_item_joins_the_conversation_behind_the_users(dialect: str) -> None:
    session = talk(dialect, [Text("Hi."), Text("Again.")])
    session.say(id="mine")
    first = session.respond()
    item = one(first, added(session))
    assert item["previous_item_id"] == "mine"
    second = session.respond()
    assert one(second, added(session))["previous_item_id"] == item["item"]["id"]
    assert [held["role"] for held in session.service.conversation.items] == ["user", "assistant", "assistant"]


def test_on_ga_the_previous_id_of_a_finished_second_item_is_null_and_of_later_ones_is_told() -> None:
    session = talk(GA, [Text("Hi."), Text("Again.")])
    session.say(id="mine")
    assert one(session.respond(), "conversation.item.done")["previous_item_id"] is None
    before = session.service.conversation.last_id
    assert one(session.respond(), "conversation.item.done")["previous_item_id"] == before


@both
def test_metadata_comes_back_on_every_response_object(dialect: str) -> None:
    session = talk(dialect, [Text("Hi.")])
    events = session.respond(metadata={"turn": "1"})
    for type_ in ("response.created", "response.done"):
        assert one(events, type_)["response"]["metadata"] == {"turn": "1"}


def test_a_response_outside_the_conversation_leaves_no_item_in_it() -> None:
    session = talk(GA, [Text("Hi.")])
    session.say()
    events = session.respond(conversation="none")
    assert not any(name.startswith("conversation.") for name in types(events))
    assert len(session.service.conversation.items) == 1
    assert one(events, "response.created")["response"]["conversation_id"] is None
    assert one(events, "response.done")["response"]["output"]


def test_a_response_outside_the_conversation_leaves_no_item_in_it_on_the_preview() -> None:
    session = talk(PREVIEW, [Text("Hi.")])
    assert "conversation.item.created" not in types(session.respond(conversation="none"))


@both
def test_overrides_hold_for_one_response_alone(dialect: str) -> None:
    session = talk(dialect, [Text("One."), Text("Two.")])
    text_only = {"output_modalities": ["text"]} if session.ga else {"modalities": ["text"]}
    before = copy.deepcopy(session.service.session)
    first = session.respond(**text_only)
    assert any(".audio" in name or "output_audio" in name for name in types(first)) is False
    assert session.service.session == before
    second = types(session.respond())
    assert ("response.output_audio.delta" if session.ga else "response.audio.delta") in second
    starts = session.service.exchange.responses
    assert [start.session["output_modalities"] for start in starts] == [["text"], ["audio"]]


@both
def test_a_second_response_while_one_is_active_is_refused(dialect: str) -> None:
    session = talk(dialect, [Text("Hi."), Text("Never.")])
    session.say()
    session.send({"type": "response.create"})
    active = session.service.active
    assert active is not None
    session.send({"type": "response.create", "event_id": "mine"})
    events = session.read()
    error = one(events, "error")["error"]
    assert_catalogued(session, error, "active_response")
    assert active in error["message"]
    assert error["event_id"] == "mine"
    assert types(events).count("response.created") == types(events).count("response.done") == 1
    assert session.service.active is None
    assert session.service.idle
    assert session.respond()[0]["type"] == "response.created"


@both
def test_a_refused_response_create_starts_none(dialect: str) -> None:
    session = talk(dialect, [Text("Hi.")])
    name = "modalities" if session.ga else "output_modalities"
    error = refusal(session.respond(**{name: ["text"]}))
    assert_catalogued(session, error, "unknown_parameter")
    assert error["param"] == f"response.{name}"
    assert session.service.active is None


# Cancelling.


@both
def test_with_nothing_active_there_is_nothing_to_cancel(dialect: str) -> None:
    session = talk(dialect, [Text("Hi.")])
    assert_catalogued(session, refusal(session.ask({"type": "response.cancel"})), "cancel_not_active")
    session.respond()
    assert_catalogued(session, refusal(session.ask({"type": "response.cancel"})), "cancel_not_active")


@both
def test_another_response_cannot_be_cancelled(dialect: str) -> None:
    session = talk(dialect, [Text("Hi.")])
    session.send({"type": "response.create"})
    session.send({"type": "response.cancel", "response_id": "resp_other"})
    events = session.read()
    assert one(events, "error")["error"]["code"] == "response_cancel_not_active"
    assert one(events, "response.done")["response"]["status"] == "completed"


@both
@pytest.mark.parametrize("heard_before", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("named", [True, False])
def test_a_cancelled_response_closes_what_is_open_and_nothing_follows(
    dialect: str, heard_before: int, named: bool
) -> None:
    session = talk(dialect, [SPOKEN, Text("Afterwards.")])
    session.say()
    asked = {"metadata": {"a": "b"}}
    session.send({"type": "response.create", "response": asked})
    active = session.service.active
    assert active is not None
    events = [next(session.reading()) for _ in range(heard_before)]
    session.send({"type": "response.cancel", **({"response_id": active} if named else {})})
    events += session.read()
    assert types(events)[0] == "response.created"
    assert types(events)[-1] == "response.done"
    assert types(events).count("response.created") == types(events).count("response.done") == 1
    done = events[-1]["response"]
    assert done["id"] == active
    assert done["status"] == "cancelled"
    assert done["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    assert done["metadata"] == {"a": "b"}
    opened = sum(event["type"] == "response.output_item.added" for event in events)
    assert [item["status"] for item in done["output"]] == ["incomplete"] * opened
    assert types(events).count("response.output_item.done") == opened
    assert not any(name.endswith(".delta") for name in types(events)[max(heard_before, 1) :])
    assert session.service.idle
    assert session.respond()[0]["type"] == "response.created"


# Tool calls.


@both
def test_a_tool_result_sent_while_the_call_is_open_is_acknowledged_after_its_end(dialect: str) -> None:
    session = talk(dialect, [Call("f", "{}"), Text("Done.")])
    session.say()
    session.send({"type": "response.create"})
    events = session.read_until("response.output_item.done")
    call = events[-1]["item"]
    session.send(result_item(call["call_id"]))
    rest = session.read()
    assert types(rest)[0] == "response.done"
    made = item_acknowledged(session, rest[1:])
    assert made["item"]["call_id"] == call["call_id"]
    assert made["previous_item_id"] == call["id"]
    assert one(session.respond(), added(session))["previous_item_id"] == made["item"]["id"]


@both
def test_whatever_is_created_in_the_middle_of_an_answer_is_acknowledged_at_once(dialect: str) -> None:
    session = talk(dialect, [SPOKEN])
    session.send({"type": "response.create"})
    model = one(session.read_until("response.content_part.added"), added(session))["item"]["id"]
    session.send(user_item("And then?", id="mine"))
    rest = session.read()
    assert one(rest, added(session))["previous_item_id"] == model
    assert types(rest).index(added(session)) < types(rest).index("response.done")


@both
def test_an_item_created_during_a_held_answer_is_not_kept_waiting_and_can_be_deleted(dialect: str) -> None:
    session = talk(dialect, [Cut(SPOKEN, 0.4)])
    session.send({"type": "response.create"})
    session.read()
    assert added(session) in types(session.ask(user_item("And then?", id="mine")))
    deleted = session.ask({"type": "conversation.item.delete", "item_id": "mine"})
    assert types(deleted) == ["conversation.item.deleted"]
    rest = session.ask({"type": "response.cancel"})
    assert added(session) not in types(rest)


@both
@pytest.mark.parametrize("again", [False, True])
def test_an_item_deleted_before_it_was_told_of_is_no_ghost(dialect: str, again: bool) -> None:
    session = talk(dialect)
    session.send(user_item("One", id="x"))
    session.send({"type": "conversation.item.delete", "item_id": "x"})
    if again:
        session.send(user_item("Two", id="x"))
    events = session.read()
    told = [event for event in events if event["type"] == added(session)]
    assert [event["previous_item_id"] for event in told] == [None] * (1 + again)
    assert [item["id"] for item in session.service.conversation.items] == ["x"] * again


@both
def test_a_user_item_under_the_id_of_a_deleted_answer_was_never_spoken(dialect: str) -> None:
    session = talk(dialect, [SPOKEN])
    item = one(session.respond(), "response.output_item.done")["item"]["id"]
    session.ask({"type": "conversation.item.delete", "item_id": item})
    session.say(id=item)
    event = {"type": "conversation.item.truncate", "item_id": item, "content_index": 0, "audio_end_ms": 0}
    assert_catalogued(session, refusal(session.ask(event)), "truncate_no_audio")


@both
def test_what_waits_for_the_end_of_an_answer_is_told_of_when_it_is_asked_for(dialect: str) -> None:
    session = talk(dialect, [Call("f", "{}")])
    session.send({"type": "response.create"})
    call = session.read_until("response.output_item.done")[-1]["item"]
    session.send({**result_item(call["call_id"]), "previous_item_id": call["id"]})
    session.send(user_item("And then?", id="mine"))
    session.send({"type": "conversation.item.delete", "item_id": "mine"})
    rest = types(session.read())
    assert rest.count(added(session)) == 2
    assert rest.count("conversation.item.deleted") == 1
    assert "error" not in rest


@both
def test_after_a_cancelled_response_nothing_waits_for_its_end_any_more(dialect: str) -> None:
    session = talk(dialect, [SPOKEN])
    session.send({"type": "response.create"})
    next(session.reading())
    session.send({"type": "response.cancel"})
    session.send(user_item("And now?"))
    before = session.service.t
    assert added(session) in types(session.read())
    assert session.service.t - before < 0.1


# Time.


@both
def test_time_is_virtual_and_never_goes_back(dialect: str) -> None:
    session = talk(dialect, [Text("Hi.")])
    service = session.service
    service.advance(10.0)
    service.advance(3.0)
    assert service.t == 10.0
    session.send(user_item())
    assert service.pop() is not None
    assert service.t == pytest.approx(10.0 + LATENCY)
    session.read()
    session.send({"type": "response.create"})
    asked_at = service.t
    outgoing = service.pop()
    assert outgoing is not None
    assert outgoing.thinking
    assert outgoing.t == pytest.approx(asked_at + THINKING)
    times = [outgoing.t]
    while (outgoing := service.pop()) is not None:
        assert not outgoing.thinking
        times.append(outgoing.t)
    assert times == sorted(times)


# Frames that are no events, and whatever else a peer may send.


@both
@pytest.mark.parametrize(
    ("frame", "error"),
    [
        ("{", "invalid_json"),
        ("[]", "invalid_json"),
        ("", "invalid_json"),
        (b"\x00\xff", "invalid_json"),
        ("[" * 100_000, "invalid_json"),
        ('{"a": ' * 80 + "1" + "}" * 80, "invalid_json"),
        ("{}", "invalid_event"),
        ('{"type": 5}', "invalid_event"),
    ],
)
def test_a_frame_that_is_no_event_is_answered_by_an_error(
    dialect: str, frame: str | bytes, error: str
) -> None:
    session = talk(dialect)
    before = state(session)
    session.service.receive(frame)
    assert_catalogued(session, refusal(session.read()), error)
    assert state(session) == before
    entry = session.service.exchange.client_entries()[-1]
    assert entry.event is None
    assert entry.refused_by_state == error
    assert len(entry.raw or "") <= MAX_SHOWN
    assert types(session.say())[0] == added(session), "the session goes on"


NEEDED = [
    {"type": "conversation.item.create", "item": None},
    {"type": "session.update", "session": None},
]


@both
@pytest.mark.parametrize("event", NEEDED)
@pytest.mark.parametrize("faults", [[], ["accept-any-session"]])
def test_a_null_in_place_of_what_an_event_is_about_is_refused(
    dialect: str, event: Json, faults: list[str]
) -> None:
    session = talk(dialect, faults=FaultLine(map(parse_fault, faults)))
    before = state(session)
    error = refusal(session.ask(event))
    assert_catalogued(session, error, "invalid_type")
    assert error["param"] in ("item", "session")
    assert state(session) == before


@both
def test_a_truncation_without_a_time_is_refused(dialect: str) -> None:
    session = talk(dialect, [SPOKEN])
    item = one(session.respond(), "response.output_item.done")["item"]["id"]
    event = {"type": "conversation.item.truncate", "item_id": item, "content_index": 0, "audio_end_ms": None}
    assert refusal(session.ask(event))["param"] == "audio_end_ms"


NAMES = """type id item session response audio output input role content text voice turn_detection
tools call_id conversation format name"""

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 9) | st.text(max_size=8) | st.just("item_1"),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES.split()), inner, max_size=4)
    ),
    max_leaves=12,
)


@both
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_no_client_breaks_the_service_and_what_it_refuses_changes_nothing(
    dialect: str, data: st.DataObject
) -> None:
    found = bundled_dialect(dialect)
    session = Talk(dialect=dialect, answers=[Text("Hi.")])
    session.service.open()
    while session.service.pop():
        pass
    kinds = st.sampled_from([*found.client.events, "nobody.knows"])
    fields = ["item", "session", "response", "audio", "item_id", "audio_end_ms", "content_index", "event_id"]
    for _ in range(data.draw(st.integers(1, 4))):
        body = data.draw(st.dictionaries(st.sampled_from(fields), JSON, max_size=4))
        event = {"type": data.draw(kinds), **body}
        before = state(session)
        session.service.receive(json.dumps(event))
        entry = session.service.exchange.client_entries()[-1]
        assert bool(entry.refusals) == any(hasattr(j, "error") for j in judge_client_event(found, event))
        if entry.refusals or entry.refused_by_state not in (None, "truncate_past_end"):
            assert state(session) == before
        outgoing = session.service.pop()
        while outgoing is not None:
            json.dumps(outgoing.event)
            outgoing = session.service.pop()


# The log.


@both
def test_the_exchange_holds_everything_in_order_with_its_origin(dialect: str) -> None:
    session = talk(dialect, [Text("Hi.")])
    session.say()
    session.respond()
    exchange = session.service.exchange
    assert [entry.number for entry in exchange.entries] == list(range(len(exchange.entries)))
    assert [entry.event for entry in exchange.server_entries()] == session.heard
    assert {entry.origin for entry in exchange.server_entries()} == {Origin.MODELLED}
    assert [entry.event["type"] for entry in exchange.client_entries() if entry.event] == [
        "conversation.item.create",
        "response.create",
    ]
    start = exchange.responses[0]
    shown = exchange.entries[start.entry].event
    assert shown is not None
    assert shown["type"] == "response.created"
    assert [item["role"] for item in start.items] == ["user"]


@both
def test_a_lenient_service_takes_any_session_and_ignores_what_its_dialect_lacks(dialect: str) -> None:
    session = talk(dialect, faults=FaultLine([parse_fault("accept-any-session")]))
    sent = {"instructions": "New.", "voice": "echo", "audio": {"output": {"voice": "echo"}}, "voise": 1}
    updated = only(session.ask({"type": "session.update", "session": sent}))
    assert updated["type"] == "session.updated"
    assert updated["session"]["instructions"] == "New."
    assert "voise" not in updated["session"]
    assert ("voice" in updated["session"]) is not session.ga
    assert session.service.exchange.client_entries()[-1].refusals


def test_audio_that_is_sent_is_the_audio_that_is_committed() -> None:
    session = talk(GA)
    session.send({"type": "input_audio_buffer.append", "audio": base64.b64encode(bytes(9600)).decode()})
    assert session.service.input.held_ms == 200


@both
def test_the_same_frames_give_the_same_session(dialect: str) -> None:
    def session() -> list[str]:
        spoken = talk(dialect, [Call("f", "{}"), SPOKEN])
        spoken.say()
        call = one(spoken.respond(), "response.output_item.done")["item"]["call_id"]
        spoken.ask(result_item(call))
        spoken.respond()
        spoken.commit()
        return [render_event(event) for event in spoken.heard]

    assert session() == session()


@pytest.mark.parametrize(
    ("frame", "logged"),
    [
        (b'{"type": "x", "k": "secret"}', '28 bytes: {"type": "x", "k": "secret"}'),  # a redactor sees it
        (b"\xff" * 40, "40 bytes: " + " ".join(["ff"] * 16)),
        ("no json", "no json"),
    ],
)
def test_a_frame_that_is_no_event_is_logged_as_text_where_it_is_some(frame: str | bytes, logged: str) -> None:
    service = Service(bundled_dialect(GA), seed=1, unix_time=NOW)
    service.receive(frame)
    (entry,) = service.exchange.client_entries()
    assert (entry.event, entry.raw) == (None, logged)
    assert entry.problem
