"""Responses of every kind: what they are asked with, how they end, and what stands beside them."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

import harness.drivers
from harness.audio import encoded, levels
from harness.messages import Json, Side, get_path
from harness.scenario import Audio, Call, Cut, Failure, Incomplete, Several, Speech, Text
from harness.translation import Translator
from tests.talk import BOTH, GA, PREVIEW, Talk, one, only, result_item, talk, types

both = pytest.mark.parametrize("dialect", BOTH)

SECOND = Speech("It is sunny in Paris.", Audio("a.wav", bytes(48 * 1000)))

ZEROS = {
    "total_tokens": 0,
    "input_tokens": 0,
    "output_tokens": 0,
    "output_token_details": {"text_tokens": 0, "audio_tokens": 0},
}


def canonical(session: Talk, events: list[Json]) -> list[Json]:
    translator = Translator(session.dialect)
    return [event for wire in events for event in translator.to_canonical(Side.SERVER, wire).events]


def text_only(session: Talk) -> None:
    session.update(nested={"output_modalities": ["text"]}, flat={"modalities": ["text"]})


def begun(session: Talk, *, response: Json | None = None, until: str = "response.created") -> list[Json]:
    event: Json = {"type": "response.create"}
    session.send(event if response is None else {**event, "response": response})
    return session.read_until(until)


# How a response ends.


@both
def test_a_response_that_fails_is_created_and_done_with_its_error(dialect: str) -> None:
    failure = Failure("rate_limit_exceeded", "inference_rate_limit_exceeded", "Rate limit reached.")
    created, done = talk(dialect, [failure]).respond()
    assert created["type"] == "response.created"
    assert done["response"]["status"] == "failed"
    assert done["response"]["output"] == []
    assert done["response"]["status_details"] == {
        "type": "failed",
        "error": {
            "type": "rate_limit_exceeded",
            "code": "inference_rate_limit_exceeded",
            "message": "Rate limit reached.",
        },
    }
    assert ZEROS.items() <= done["response"]["usage"].items()


@both
@pytest.mark.parametrize("reason", ["max_output_tokens", "content_filter"])
def test_what_breaks_off_is_closed_and_incomplete(dialect: str, reason: str) -> None:
    session = talk(dialect, [Incomplete(Text("It is"), reason), Text("More.")])
    text_only(session)
    events = canonical(session, session.respond())
    done = events[-1]["response"]
    assert done["status"] == "incomplete"
    assert done["status_details"] == {"type": "incomplete", "reason": reason}
    assert [item["status"] for item in done["output"]] == ["incomplete"]
    assert one(events, "response.output_text.done")["text"] == "It is"
    assert one(events, "response.output_item.done")["item"] == done["output"][0]
    assert session.respond()[-1]["response"]["status"] == "completed"


@both
def test_several_items_come_in_one_response_and_one_is_closed_when_the_next_was_streamed(
    dialect: str,
) -> None:
    session = talk(dialect, [Several((Text("I will look."), Call("get_weather", '{"city": "Paris"}')))])
    text_only(session)
    events = canonical(session, session.respond())
    lanes = [event["output_index"] for event in events if "output_index" in event]
    assert lanes == [*sorted(lanes[:-5]), 0, 0, 0, 1, 1]
    names = types(events)
    assert names.index("response.output_text.done") > names.index("response.function_call_arguments.delta")
    assert names.index("response.output_text.done") < names.index("response.function_call_arguments.done")
    done = events[-1]["response"]
    assert [item["type"] for item in done["output"]] == ["message", "function_call"]
    held = session.service.conversation.items
    assert [item["id"] for item in held] == [item["id"] for item in done["output"]]
    assert {item["status"] for item in held} == {"completed"}


@both
def test_an_answer_has_no_more_tokens_than_it_may(dialect: str) -> None:
    session = talk(dialect, [Text("one two three four five six")])
    text_only(session)
    events = canonical(session, session.respond(max_output_tokens=2))
    done = events[-1]["response"]
    assert done["status_details"] == {"type": "incomplete", "reason": "max_output_tokens"}
    assert done["output"][0]["content"][0]["text"] == "one two"
    assert done["usage"]["output_tokens"] == 2


@both
@pytest.mark.parametrize("limit", [1, 0, -3])
def test_an_answer_without_sound_can_be_cut_at_any_limit(dialect: str, limit: int) -> None:
    session = talk(dialect, [Speech("one two three", Audio("none.wav", b""))])
    session.service.session["max_output_tokens"] = limit
    assert session.respond()[-1]["response"]["status"] == "incomplete"


@both
def test_a_held_answer_waits_until_it_is_cancelled(dialect: str) -> None:
    session = talk(dialect, [Cut(SECOND, 0.2)])
    events = session.respond()
    assert "response.done" not in types(events)
    assert session.service.holding
    rest = canonical(session, session.ask({"type": "response.cancel"}))
    assert types(rest)[-1] == "response.done"
    done = rest[-1]["response"]
    assert done["status_details"] == {"type": "cancelled", "reason": "client_cancelled"}
    deltas = [event for event in canonical(session, events) if event["type"].endswith("transcript.delta")]
    assert done["usage"]["output_token_details"]["text_tokens"] == len(deltas)
    assert not session.service.holding
    assert session.service.idle


@both
def test_an_answer_asked_for_while_the_one_before_is_cut_short_comes_after_it(dialect: str) -> None:
    session = talk(dialect, [Cut(SECOND, 0.2), Text("And now?")])
    first = one(session.respond(), "response.created")["response"]["id"]
    session.send({"type": "response.cancel"})
    session.send({"type": "response.create", "response": {"metadata": {"n": "2"}}})
    session.send({"type": "response.create", "event_id": "third"})
    events = session.read()
    refusal = one(events, "error")["error"]
    assert (refusal["code"], refusal["event_id"]) == ("conversation_already_has_active_response", "third")
    told = [
        (event["type"], event["response"]["id"] == first)
        for event in events
        if event["type"] in ("response.created", "response.done")
    ]
    assert told == [("response.done", True), ("response.created", False), ("response.done", False)]
    assert events[-1]["response"]["metadata"] == {"n": "2"}


# G.711.


@pytest.mark.parametrize(("format_", "flat"), [("audio/pcmu", "g711_ulaw"), ("audio/pcma", "g711_alaw")])
@both
def test_telephone_answers_have_eight_bytes_a_millisecond(dialect: str, format_: str, flat: str) -> None:
    session = talk(dialect, [SECOND])
    session.update(
        nested={"audio": {"output": {"format": {"type": format_}}}}, flat={"output_audio_format": flat}
    )
    events = canonical(session, session.respond())
    sizes = [
        len(base64.b64decode(event["delta"])) for event in events if event["type"].endswith("_audio.delta")
    ]
    assert sizes == [800, 1200, 2000, 4000] or sum(sizes) == 8000
    assert sizes[:2] == [800, 1200]
    item = one(events, "response.output_item.done")["item"]["id"]
    assert session.service.conversation.audio_ms == {item: 1000}
    assert events[-1]["response"]["usage"]["output_token_details"]["audio_tokens"] == 20


@pytest.mark.parametrize(
    ("format_", "code", "level"),
    # ITU-T G.711: the ends of both ladders, and their silence.
    [
        ("audio/pcmu", 0xFF, 0),
        ("audio/pcmu", 0x80, 32124),
        ("audio/pcmu", 0x00, -32124),
        ("audio/pcma", 0xD5, 8),
        ("audio/pcma", 0xAA, 32256),
        ("audio/pcma", 0x2A, -32256),
    ],
)
def test_the_codes_of_g711_stand_for_what_the_standard_says(format_: str, code: int, level: int) -> None:
    assert levels(format_)[code] == level
    sample = level.to_bytes(2, "little", signed=True)
    assert encoded(sample, format_) == bytes([code])


def test_the_drivers_programs_have_the_same_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(harness.drivers.__file__).parent / "programs"))
    import audio_format

    assert {name: levels(name) for name in audio_format.G711} == dict(audio_format.G711)


# What a response is asked with.


def test_a_response_is_asked_with_its_own_input_in_place_of_the_conversation() -> None:
    session = talk(GA, [Text("Hi.")])
    session.say("Forget me.", id="old")
    session.say("Keep me.", id="kept")
    own = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Sum up."}]}
    refs = [{"type": "item_reference", "id": name} for name in ("kept", "of_nobody")]
    session.respond(conversation="none", input=[*refs, own])
    (start,) = session.service.exchange.responses
    assert [item["content"][0]["text"] for item in start.items] == ["Keep me.", "Sum up."]
    assert [item["id"] for item in session.service.conversation.items] == ["old", "kept"]


def test_an_empty_input_clears_the_context_of_one_response() -> None:
    session = talk(GA, [Text("Hi."), Text("Ho.")])
    session.say()
    session.respond(input=[], conversation="none")
    session.respond()
    first, second = session.service.exchange.responses
    assert (len([*first.items]), len([*second.items])) == (0, 1)


OVERRIDES: list[tuple[str, Json, str, Any]] = [
    (GA, {"instructions": "Be rude."}, "instructions", "Be rude."),
    (PREVIEW, {"instructions": "Be rude."}, "instructions", "Be rude."),
    (GA, {"audio": {"output": {"voice": "echo"}}}, "audio.output.voice", "echo"),
    (PREVIEW, {"voice": "echo"}, "audio.output.voice", "echo"),
    (GA, {"tools": []}, "tools", []),
    (PREVIEW, {"tools": []}, "tools", []),
    (GA, {"max_output_tokens": 400}, "max_output_tokens", 400),
    (PREVIEW, {"max_output_tokens": 400}, "max_output_tokens", 400),
]


@pytest.mark.parametrize(("dialect", "override", "path", "value"), OVERRIDES)
def test_what_a_response_is_created_with_holds_for_it_alone(
    dialect: str, override: Json, path: str, value: Any
) -> None:
    session = talk(dialect, [Text("Hi."), Text("Ho.")])
    tool = {"type": "function", "name": "f", "parameters": {}}
    session.update(nested={"tools": [tool]}, flat={"tools": [tool]})
    session.respond(**override)
    session.respond()
    first, second = session.service.exchange.responses
    assert get_path(first.session, path) == value
    assert get_path(second.session, path) != value


# Out of band.


def test_an_answer_out_of_band_may_be_given_beside_another() -> None:
    session = talk(GA, [SECOND, Text("Aside.")])
    events = begun(session, until="response.output_item.added")
    session.send({"type": "response.create", "response": {"conversation": "none", "metadata": {"a": "b"}}})
    events += session.read()
    created = [event["response"] for event in events if event["type"] == "response.created"]
    done = [event["response"] for event in events if event["type"] == "response.done"]
    assert [response["conversation_id"] is None for response in created] == [False, True]
    assert {response["status"] for response in done} == {"completed"}
    assert [response["metadata"] for response in created] == [None, {"a": "b"}]
    aside = next(response for response in done if response["conversation_id"] is None)["output"][0]["id"]
    told = {e["item"]["id"] for e in events if e["type"].startswith("conversation.item.")}
    assert aside not in told
    assert session.service.conversation.position(aside) is None


def test_an_answer_out_of_band_can_be_cancelled_by_its_id_alone() -> None:
    session = talk(GA, [Cut(SECOND, 0.2)])
    response = begun(session, response={"conversation": "none"})[0]["response"]["id"]
    assert only(session.ask({"type": "response.cancel"})[-1:])["type"] != "response.done"
    events = session.ask({"type": "response.cancel", "response_id": response})
    done = one(events, "response.done")["response"]
    assert (done["id"], done["status"]) == (response, "cancelled")
    assert not any(name.startswith("conversation.item.") for name in types(events))


def test_the_voice_may_change_after_an_answer_out_of_band() -> None:
    session = talk(GA, [SECOND])
    session.respond(conversation="none")
    assert types(session.update(nested={"audio": {"output": {"voice": "echo"}}}, flat={})) == [
        "session.updated"
    ]


# Amid an answer.


@both
def test_an_update_amid_an_answer_leaves_that_answer_alone(dialect: str) -> None:
    session = talk(dialect, [SECOND, Text("Hi.")])
    begun(session, until="response.content_part.added")
    session.send(
        {"type": "session.update", "session": {"type": "realtime", "output_modalities": ["text"]}}
        if session.ga
        else {"type": "session.update", "session": {"modalities": ["text"]}}
    )
    rest = canonical(session, session.read())
    assert "session.updated" in types(rest)
    assert "response.output_audio.delta" in types(rest)
    assert one(rest, "response.done")["response"]["output_modalities"] == ["audio"]
    assert "response.output_text.delta" in types(canonical(session, session.respond()))


# Truncated.


@both
def test_what_was_not_heard_is_no_longer_in_the_transcript(dialect: str) -> None:
    session = talk(dialect, [SECOND])
    item = one(session.respond(), "response.output_item.done")["item"]["id"]
    truncate = {"type": "conversation.item.truncate", "item_id": item, "content_index": 0}
    retrieve = {"type": "conversation.item.retrieve", "item_id": item}
    assert types(session.ask({**truncate, "audio_end_ms": 1000})) == ["conversation.item.truncated"]
    whole = only(session.ask(retrieve))["item"]["content"][0]
    assert whole["transcript"] == "It is sunny in Paris."
    session.ask({**truncate, "audio_end_ms": 400})
    assert only(session.ask(retrieve))["item"]["content"][0]["transcript"] is None
    error, truncated = session.ask({**truncate, "audio_end_ms": 600})
    assert error["error"]["message"] == "Audio content of 400ms is already shorter than 600ms"
    assert truncated["audio_end_ms"] == 400


@both
def test_what_is_truncated_before_its_end_is_told_of_stays_so(dialect: str) -> None:
    session = talk(dialect, [Cut(SECOND, 0.3)])
    item = one(canonical(session, session.respond()), "response.output_item.added")["item"]["id"]
    session.send({"type": "response.cancel"})
    session.send(
        {"type": "conversation.item.truncate", "item_id": item, "content_index": 0, "audio_end_ms": 10}
    )
    session.read()
    retrieved = only(session.ask({"type": "conversation.item.retrieve", "item_id": item}))["item"]
    assert retrieved["status"] == "incomplete"
    assert retrieved["content"][0]["transcript"] is None


@both
def test_another_content_index_truncates_nothing_and_is_answered(dialect: str) -> None:
    session = talk(dialect, [SECOND])
    item = one(session.respond(), "response.output_item.done")["item"]["id"]
    event = {"type": "conversation.item.truncate", "item_id": item, "content_index": 3, "audio_end_ms": 10}
    assert types(session.ask(event)) == ["conversation.item.truncated"]
    assert session.service.conversation.audio_ms[item] == 1000


# Twice.


@both
def test_an_id_that_is_there_already_is_not_refused_and_changes_nothing(dialect: str) -> None:
    session = talk(dialect)
    session.say("First.", id="same")
    events = session.say("Second.", id="same")
    assert events[0]["previous_item_id"] == "same"
    assert [item["content"][0]["text"] for item in session.service.conversation.items] == ["First."]


@both
def test_an_empty_previous_item_is_none(dialect: str) -> None:
    session = talk(dialect)
    session.say(id="a")
    event = result_item("call_1")
    assert session.ask({**event, "previous_item_id": ""})[0]["previous_item_id"] == "a"


# Rate limits.


def test_rate_limits_are_told_of_after_a_response_where_the_dialect_does_so() -> None:
    events = talk("openai-ga", [Text("Hi.")]).respond()
    assert types(events)[-2:] == ["response.done", "rate_limits.updated"]
    (limit,) = events[-1]["rate_limits"]
    used = events[-2]["response"]["usage"]["total_tokens"]
    assert (limit["name"], limit["limit"] - limit["remaining"]) == ("tokens", used)
    assert "rate_limits.updated" not in types(talk(GA, [Text("Hi.")]).respond())


def test_rate_limits_are_not_told_of_where_nothing_was_said() -> None:
    session = talk("openai-beta", [SECOND])
    begun(session)
    assert types(session.ask({"type": "response.cancel"})) == ["response.done"]


# Unanswered.


@both
def test_what_no_rule_answers_stays_unanswered(dialect: str) -> None:
    session = talk(dialect)
    assert session.ask({"type": "output_audio_buffer.clear"}) == []
