"""Which answer is given when."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.dialects import bundled_dialect
from harness.messages import Json
from harness.model_script import ScriptedModel, load_model_script, stock_script
from tests.talk import BOTH, GA, NOW, Talk, one, result_item, types

both = pytest.mark.parametrize("dialect", BOTH)


def talk_with(tmp_path: Path, text: str, dialect: str = GA, **options: Any) -> Talk:
    path = tmp_path / "model.yaml"
    path.write_text(f"format: 1\n{text}", encoding="utf-8")
    model = ScriptedModel(bundled_dialect(dialect), load_model_script(path), seed=1, unix_time=NOW, **options)
    talk = Talk(model).open()
    talk.update(nested={"output_modalities": ["text"]}, flat={"modalities": ["text"]})
    return talk


def said(talk: Talk, text: str | None = None) -> str:
    """What is answered, in short."""
    if text is not None:
        talk.say(text)
    return answered(talk.respond())


def answered(events: list[Json]) -> str:
    response = one(events, "response.done")["response"]
    if response["status"] == "failed":
        return f"failed: {response['status_details']['error']['message']}"
    item = response["output"][0]
    if item["type"] == "function_call":
        return f"{item['name']}({item['arguments']})"
    part = item["content"][0]
    return str(part.get("text") or part.get("transcript"))


@both
def test_answers_without_conditions_are_given_in_turn_over_and_over(tmp_path: Path, dialect: str) -> None:
    talk = talk_with(tmp_path, "answers: [{text: One.}, {text: Two.}]", dialect)
    assert [said(talk, "Go on.") for _ in range(5)] == ["One.", "Two.", "One.", "Two.", "One."]


def test_what_the_user_said_chooses_whole_words_in_any_case(tmp_path: Path) -> None:
    talk = talk_with(
        tmp_path,
        r"""answers:
  - {when: the weather, answer: {text: Rain.}}
  - {when: '/good ?bye|^see \w+$/', answer: {text: Bye.}}
  - text: Hm.
""",
    )
    assert said(talk, "How is The Weather today?") == "Rain."
    assert said(talk, "How is the weatherman?") == "Hm."
    assert said(talk, "Goodbye!") == "Bye."
    assert said(talk, "See you") == "Bye."


def test_the_tool_is_not_called_again_when_its_result_comes(tmp_path: Path) -> None:
    talk = talk_with(
        tmp_path,
        """answers:
  - {when: weather, answer: {call: {name: look, arguments: {city: Oslo}}}}
  - {when: {result: look}, answer: {text: "It is {result}. You said: {said}"}}
  - text: Hm.
""",
    )
    talk.say("The weather?")
    events = talk.respond()
    call = one(events, "response.done")["response"]["output"][0]
    assert (call["name"], call["arguments"]) == ("look", '{"city": "Oslo"}')
    talk.ask(result_item(call["call_id"], "wet"))
    assert said(talk) == "It is wet. You said: The weather?"


def test_the_result_of_a_tool_that_was_called_out_of_band_is_known_too(tmp_path: Path) -> None:
    talk = talk_with(
        tmp_path,
        """answers:
  - {when: {result: look}, answer: {text: "It is {result}."}}
  - {call: {name: look, arguments: {}}}
""",
    )
    events = talk.respond(conversation="none")
    call = one(events, "response.output_item.done")["item"]
    talk.ask(result_item(call["call_id"], "wet"))
    assert said(talk) == "It is wet."


@both
def test_a_history_put_back_after_a_reconnect_is_taken_up_where_it_ends(tmp_path: Path, dialect: str) -> None:
    """As LiveKit does with its chat context on a new connection."""
    talk = talk_with(
        tmp_path,
        """answers:
  - {when: weather, answer: {call: {name: look, arguments: {}}}}
  - {when: {result: look}, answer: {text: "It is {result}."}}
  - text: Hm.
""",
        dialect,
    )
    call = {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"}
    talk.say("The weather?")
    talk.ask({"type": "conversation.item.create", "item": call})
    talk.ask(result_item("call_1", "wet"))
    assert said(talk) == "It is wet."
    assert said(talk, "The weather?") == "look({})"
    talk.ask({"type": "conversation.item.create", "previous_item_id": "root", "item": {**call, "id": "old"}})
    assert said(talk) == "Hm."
    assert said(talk) == "Hm."


def test_an_answer_can_be_for_a_number_and_for_so_many_times(tmp_path: Path) -> None:
    talk = talk_with(
        tmp_path,
        """answers:
  - {when: {response: 2}, answer: {failure: {message: Busy.}}}
  - {when: hello, times: 1, answer: {text: Hello!}}
  - {times: 1, answer: {text: Once.}}
  - text: Always.
""",
    )
    found = [said(talk, "Hello") for _ in range(5)]
    assert found == ["Hello!", "failed: Busy.", "Once.", "Always.", "Always."]


def test_where_nothing_fits_the_answer_says_so(tmp_path: Path) -> None:
    talk = talk_with(tmp_path, "answers: [{when: hello, answer: {text: Hello!}}]")
    assert said(talk, "What?") == "The script has no answer for this."
    assert talk.service.exchange.responses[-1].why_modelled == "no answer of the script fits"


def test_a_spoken_turn_is_heard_as_the_script_says(tmp_path: Path) -> None:
    talk = talk_with(
        tmp_path,
        """answers:
  - {when: weather, answer: {text: Rain.}}
  - {text: "{said}"}
heard: [The weather?, Thanks.]
""",
    )
    talk.update(
        nested={"audio": {"input": {"turn_detection": None, "transcription": {"model": "whisper-1"}}}},
        flat={},
    )
    heard = []
    for answer in ("Rain.", "Thanks.", "Rain."):
        events = talk.commit()
        heard.append(one(events, "conversation.item.input_audio_transcription.completed")["transcript"])
        assert said(talk) == answer
    assert heard == ["The weather?", "Thanks.", "The weather?"]


def test_an_answer_out_of_band_leaves_what_was_said_for_the_next(tmp_path: Path) -> None:
    talk = talk_with(tmp_path, "answers: [{when: hello, answer: {text: Hello!}}, {text: Hm.}]")
    talk.say("Hello")
    assert answered(talk.respond(conversation="none")) == "Hello!"
    assert said(talk) == "Hello!"


def test_a_session_of_transcription_hears_and_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "model.yaml"
    path.write_text("format: 1\nheard: [Hello.]\n", encoding="utf-8")
    model = ScriptedModel(
        bundled_dialect(GA), load_model_script(path), seed=1, unix_time=NOW, transcription=True
    )
    talk = Talk(model).open()
    audio = {"input": {"turn_detection": None, "transcription": {"model": "whisper-1"}}}
    talk.ask({"type": "session.update", "session": {"type": "transcription", "audio": audio}})
    events = talk.commit()
    assert one(events, "conversation.item.input_audio_transcription.completed")["transcript"] == "Hello."
    assert not [name for name in types(events) if name.startswith("response.")]


@both
def test_the_stock_model_says_what_it_heard(dialect: str) -> None:
    talk = Talk(ScriptedModel(bundled_dialect(dialect), stock_script(), seed=1, unix_time=NOW)).open()
    assert said(talk, "Good morning.") == "You said: Good morning."


def test_what_was_said_is_words_and_no_part_of_the_script(tmp_path: Path) -> None:
    talk = talk_with(
        tmp_path,
        """answers:
  - {when: {result: look}, answer: {text: "{result}, {said}"}}
  - call: {name: look, arguments: {}}
""",
    )
    talk.say("{result}")
    call = one(talk.respond(), "response.done")["response"]["output"][0]["call_id"]
    talk.send(result_item(call, "{said}"))
    assert said(talk) == "{said}, {result}"
