from __future__ import annotations

import copy
import io
import json
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.bundled import scenario_files
from harness.documents import dump_document, read_document
from harness.exceptions import ScenarioFault
from harness.faults import parse_fault
from harness.scenario import (
    Answer,
    Call,
    Cut,
    Expect,
    ExpectClose,
    Failure,
    Incomplete,
    Reconnect,
    Scenario,
    Send,
    Several,
    Speech,
    Text,
    Wait,
    load_scenario,
)
from harness.scenario.answers import MAX_AUDIO_SECONDS, tone
from harness.scenario.model import RATE
from harness.scenario.read import named_events

WHOLE: dict[str, Any] = {
    "format": 1,
    "scenario": "made-up",
    "title": "Made up.",
    "dialects": "all",
    "session": {"instructions": "x"},
    "tools": [
        {"name": "f", "description": "d", "parameters": {"type": "object"}, "result": {"ok": [1, None]}},
        {"name": "g", "parameters": {}, "result": "text"},
    ],
    "floating": ["rate_limits.*"],
    "answers": [
        {"text": "hi"},
        {"call": {"name": "f", "arguments": {"city": "Paris"}}},
        {"speech": {"transcript": "hello", "audio": "a.wav"}},
    ],
    "heard": ["what they said"],
    "steps": [
        {"expect": ["session.created"]},
        {"send": {"type": "session.update", "session": "$session"}},
        {"send": {"type": "input_audio_buffer.append", "audio": {"$audio": "a.wav"}}},
        {
            "expect": [
                {"event": "conversation.item.added", "capture": {"item": "item.id"}},
                {"event": "conversation.item.done", "where": {"item.id": "$item"}},
                {"any": [["a+"], ["b.c*"]]},
                {"optional": ["d", "e?"]},
            ]
        },
        {
            "send": {
                "type": "conversation.item.create",
                "previous_item_id": "$item",
                "item": {"type": "function_call_output", "call_id": "c", "output": {"$result": "f"}},
            }
        },
    ],
}


def sound(seconds: float = 0.1, rate: int = RATE, channels: int = 1, width: int = 2) -> bytes:
    held = io.BytesIO()
    with wave.open(held, "wb") as wav:
        wav.setframerate(rate)
        wav.setnchannels(channels)
        wav.setsampwidth(width)
        wav.writeframes(b"\1" * int(seconds * rate) * channels * width)
    return held.getvalue()


def write(folder: Path, raw: Any, audio: bytes | None = None) -> Path:
    path = folder / "made-up.yaml"
    path.write_text(raw if isinstance(raw, str) else dump_document(raw), encoding="utf-8")
    (folder / "a.wav").write_bytes(sound() if audio is None else audio)
    return path


def fault(path: Path) -> ScenarioFault:
    with pytest.raises(ScenarioFault) as caught:
        load_scenario(path)
    return caught.value


@pytest.fixture
def whole(tmp_path: Path) -> Scenario:
    return load_scenario(write(tmp_path, WHOLE))


def test_a_scenario_is_read_whole(whole: Scenario, tmp_path: Path) -> None:
    assert (whole.name, whole.title, whole.path) == ("made-up", "Made up.", str(tmp_path / "made-up.yaml"))
    assert whole.floating == ("rate_limits.*",)
    assert whole.heard == ("what they said",)
    assert [type(step) for step in whole.steps] == [Expect, Send, Send, Expect, Send]


def test_the_answers_are_read_in_their_order(whole: Scenario) -> None:
    text, call, speech = whole.answers

    assert text == Text("hi")
    assert call == Call("f", '{"city": "Paris"}')
    assert isinstance(speech, Speech)
    assert speech.audio.seconds == pytest.approx(0.1)


def test_the_wanted_session_has_its_type_and_the_tools(whole: Scenario) -> None:
    assert whole.wanted_session == {
        "type": "realtime",
        "instructions": "x",
        "tools": [
            {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}},
            {"type": "function", "name": "g", "description": "", "parameters": {}},
        ],
    }
    update = whole.steps[1]
    assert isinstance(update, Send)
    assert update.event["session"] == whole.wanted_session


def test_audio_is_put_beside_its_event(whole: Scenario) -> None:
    append = whole.steps[2]

    assert isinstance(append, Send)
    assert append.event == {"type": "input_audio_buffer.append"}
    assert append.audio is not None
    assert append.audio.pcm == b"\1" * (RATE // 10) * 2


def test_a_tools_result_is_put_in_as_json_text_and_a_captured_value_waits(whole: Scenario) -> None:
    send = whole.steps[4]

    assert isinstance(send, Send)
    assert json.loads(send.event["item"]["output"]) == {"ok": [1, None]}
    assert send.event["previous_item_id"] == "$item"
    assert send.resolved({"item": "item_1"})["previous_item_id"] == "item_1"
    assert send.event["previous_item_id"] == "$item"


def test_every_type_that_is_named_anywhere_is_found_with_its_place(whole: Scenario) -> None:
    named = dict(named_events(read_document(Path(whole.path)).value))

    assert all(pointer.startswith(("/steps/", "/floating/")) for pointer in named)
    assert {
        "session.created",
        "conversation.item.added",
        "conversation.item.done",
        "a",
        "b.c",
    } <= set(named.values())


@pytest.mark.parametrize(
    ("named", "applies", "not_to"),
    [
        ("all", ["azure-v1", "azure-2024-10-01-preview"], []),
        (["azure-v1"], ["azure-v1"], ["azure-2024-10-01-preview"]),
    ],
)
def test_a_scenario_applies_to_the_dialects_it_names(
    tmp_path: Path, named: Any, applies: list[str], not_to: list[str]
) -> None:
    scenario = load_scenario(write(tmp_path, {**WHOLE, "dialects": named}))

    assert all(scenario.applies_to(dialect) for dialect in applies)
    assert not any(scenario.applies_to(dialect) for dialect in not_to)


def test_a_dialect_nobody_knows_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    found = fault(write(tmp_path, {**WHOLE, "dialects": ["azure-v1", "azure-v9"]}))

    assert found.pointer == "/dialects/1"
    assert "azure-v1" in str(found.expected)


@pytest.mark.parametrize("path", scenario_files(), ids=lambda path: path.stem)
def test_every_bundled_scenario_is_read(path: Path) -> None:
    scenario = load_scenario(path)

    assert scenario.steps
    assert scenario.answers or scenario.of_transcription
    for fault in scenario.faults:
        assert str(parse_fault(fault)).split(":")[0] == fault.split(":")[0]


def set_step(number: int, step: Any) -> Callable[[dict[str, Any]], None]:
    def change(raw: dict[str, Any]) -> None:
        raw["steps"][number] = step

    return change


def set_key(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    return lambda raw: raw.update({key: value})


BROKEN: dict[str, tuple[Callable[[dict[str, Any]], Any], str, str, str | None]] = {
    "no title": (lambda raw: raw.pop("title"), "/", "'title' is a required property", None),
    "an unknown key": (set_key("colour", 1), "/", "'colour' was unexpected", "only keys the schema names"),
    "a newer format": (set_key("format", 2), "/format", "1 was expected", "1"),
    "a name with capitals": (
        set_key("scenario", "Made Up"),
        "/scenario",
        "'Made Up' does not match",
        "a name of lower-case letters, digits and hyphens",
    ),
    "no steps": (set_key("steps", []), "/steps", "[] should be non-empty", "at least 1 element"),
    "no dialects": (set_key("dialects", []), "/dialects", "[]", None),
    "a tool without a result": (
        set_key("tools", [{"name": "f", "parameters": {}}]),
        "/tools/0",
        "'result'",
        None,
    ),
    "an answer of two kinds": (
        set_key("answers", [{"text": "a", "call": {"name": "f", "arguments": {}}}]),
        "/answers/0",
        "has too many properties",
        None,
    ),
    "an answer of a kind nobody knows": (set_key("answers", [{"song": "a"}]), "/answers/0", "'song'", None),
    "a step of two kinds": (
        set_step(0, {"expect": ["a"], "send": {"type": "x"}}),
        "/steps/0",
        "has too many properties",
        None,
    ),
    "a send without a type": (
        set_step(1, {"send": {"session": {}}}),
        "/steps/1/send",
        "'type' is a required",
        None,
    ),
    "an expectation of nothing": (
        set_step(0, {"expect": []}),
        "/steps/0/expect",
        "[] should be non-empty",
        None,
    ),
    "an event name with capitals": (
        set_step(0, {"expect": ["Session"]}),
        "/steps/0/expect/0",
        "'Session'",
        None,
    ),
    "a repeated any": (
        set_step(0, {"expect": [{"any": [["a"]]}]}),
        "/steps/0/expect/0/any",
        "[['a']] is too short",
        None,
    ),
    "a misspelt condition": (
        set_step(0, {"expect": [{"event": "a", "wehre": {}}]}),
        "/steps/0/expect/0",
        "wehre",
        None,
    ),
    "a value captured nowhere, sent": (
        set_step(1, {"send": {"type": "response.cancel", "response_id": "$response"}}),
        "/steps/1/send/response_id",
        "'$response' is captured nowhere above",
        "one of [] or 'session'",
    ),
    "a value captured only later, sent": (
        set_step(1, {"send": {"type": "x", "deep": [{"id": "$item"}]}}),
        "/steps/1/send/deep/0/id",
        "'$item' is captured nowhere above",
        "one of [] or 'session'",
    ),
    "a value captured nowhere, wanted": (
        set_step(3, {"expect": [{"event": "a", "where": {"item.id": "$item"}}]}),
        "/steps/3/expect/0/where/item.id",
        "'$item' is captured nowhere above",
        None,
    ),
    "a value captured nowhere, wanted inside any": (
        set_step(3, {"expect": [{"any": [["a"], [{"event": "b", "where": {"x": "$y"}}]]}]}),
        "/steps/3/expect/0/any/1/0/where/x",
        "'$y' is captured nowhere above",
        None,
    ),
    "the result of a tool nobody has": (
        set_step(4, {"send": {"type": "x", "output": {"$result": "h"}}}),
        "/steps/4/send/output",
        "no tool 'h'",
        "the name of one of `tools`",
    ),
    "audio that is not there": (
        set_step(2, {"send": {"type": "input_audio_buffer.append", "audio": {"$audio": "b.wav"}}}),
        "/steps/2/send/audio",
        "'b.wav' cannot be read: No such file or directory",
        "a WAV file beside the scenario",
    ),
    "audio outside the folder": (
        set_step(2, {"send": {"type": "input_audio_buffer.append", "audio": {"$audio": "../a.wav"}}}),
        "/steps/2/send/audio",
        "'../a.wav' is outside the scenario's folder",
        "a file beside the scenario",
    ),
    "audio by its whole path": (
        set_step(2, {"send": {"type": "input_audio_buffer.append", "audio": {"$audio": "/etc/passwd"}}}),
        "/steps/2/send/audio",
        "'/etc/passwd' is outside the scenario's folder",
        "a file beside the scenario",
    ),
    "audio as text": (
        set_step(2, {"send": {"type": "input_audio_buffer.append", "audio": "AAAA"}}),
        "/steps/2/send/audio",
        "'AAAA' is not of type 'object'",
        "object",
    ),
    "audio of an answer that is not there": (
        set_key("answers", [{"speech": {"transcript": "x", "audio": "b.wav"}}]),
        "/answers/0/speech/audio",
        "'b.wav' cannot be read: No such file or directory",
        "a WAV file beside the scenario",
    ),
    "audio that is a folder": (
        set_key("answers", [{"speech": {"transcript": "x", "audio": "."}}]),
        "/answers/0/speech/audio",
        "'.' cannot be read: Is a directory",
        "a WAV file beside the scenario",
    ),
}


@pytest.mark.parametrize(("breaks", "pointer", "problem", "expected"), BROKEN.values(), ids=BROKEN)
def test_a_broken_scenario_is_refused_by_its_line_and_pointer(
    tmp_path: Path, breaks: Callable[[dict[str, Any]], Any], pointer: str, problem: str, expected: str | None
) -> None:
    raw = copy.deepcopy(WHOLE)
    breaks(raw)
    path = write(tmp_path, raw)

    found = fault(path)

    assert found.pointer == pointer
    assert problem in found.problem
    assert expected is None or found.expected == expected
    assert found.line is not None
    assert str(found).startswith(f"{path}:{found.line}: scenario at {pointer}: ")


@pytest.mark.parametrize(
    ("audio", "problem", "expected"),
    [
        (sound(rate=16_000), "'a.wav' has 16000 Hz, 1 ch, 16 bit", "24000 Hz, 1 channel, 16 bit"),
        (sound(channels=2), "'a.wav' has 24000 Hz, 2 ch, 16 bit", "24000 Hz, 1 channel, 16 bit"),
        (sound(width=1), "'a.wav' has 24000 Hz, 1 ch, 8 bit", "24000 Hz, 1 channel, 16 bit"),
        (sound(MAX_AUDIO_SECONDS + 0.1), "'a.wav' is longer than 60 s", None),
        (b"", "'a.wav' is an empty file", "WAV, 24000 Hz, mono, 16 bit"),
        (b"RIFF", "'a.wav' is no WAV file: ", "WAV, 24000 Hz, mono, 16 bit"),
        (b"ID3" + b"\0" * 100, "'a.wav' is no WAV file: ", "WAV, 24000 Hz, mono, 16 bit"),
        (sound(0), "'a.wav' holds no audio", "some sound, be it silence"),
        (sound()[:30], "'a.wav' is no WAV file: it breaks off", "WAV, 24000 Hz, mono, 16 bit"),
    ],
    ids=["rate", "channels", "width", "length", "empty", "header", "another format", "silent", "cut"],
)
def test_audio_that_is_not_as_it_must_be_is_refused(
    tmp_path: Path, audio: bytes, problem: str, expected: str | None
) -> None:
    found = fault(write(tmp_path, WHOLE, audio))

    assert found.problem.startswith(problem)
    assert found.expected == expected
    assert found.pointer == "/answers/2/speech/audio"


@pytest.mark.parametrize("audio", [sound()[:-1], sound()[:60]], ids=["half a sample", "cut"])
def test_audio_that_ends_before_its_header_says_is_refused(tmp_path: Path, audio: bytes) -> None:
    assert fault(write(tmp_path, WHOLE, audio)).pointer == "/answers/2/speech/audio"


def test_audio_with_a_name_no_file_can_have_is_refused(tmp_path: Path) -> None:
    answers = [{"speech": {"transcript": "x", "audio": "a\0.wav"}}]

    assert fault(write(tmp_path, {**WHOLE, "answers": answers})).pointer == "/answers/0/speech/audio"


def test_audio_that_a_link_takes_outside_the_folder_is_refused(tmp_path: Path) -> None:
    outside = tmp_path / "outside.wav"
    outside.write_bytes(sound())
    folder = tmp_path / "inside"
    folder.mkdir()
    path = write(folder, WHOLE)
    (folder / "a.wav").unlink()
    (folder / "a.wav").symlink_to(outside)

    assert fault(path).problem == "'a.wav' is outside the scenario's folder"


def test_the_line_is_the_one_the_fault_stands_in(tmp_path: Path) -> None:
    text = (
        "format: 1\nscenario: a\ntitle: b\ndialects: all\nsteps:\n  - expect: [a]\n"
        "  - send: {type: x}\n  - send:\n      type: y\n      id: $lost\n"
    )

    assert str(fault(write(tmp_path, text))) == (
        f"{tmp_path / 'made-up.yaml'}:10: scenario at /steps/2/send/id: '$lost' is captured nowhere above\n"
        "  expected: one of [] or 'session'"
    )


@pytest.mark.parametrize("text", ["", "[]", "a", "a: &x 1\nb: *x\n", "format: [\n", "\0"])
def test_a_file_that_is_no_scenario_is_refused(tmp_path: Path, text: str) -> None:
    assert str(fault(write(tmp_path, text))).startswith(str(tmp_path / "made-up.yaml"))


@pytest.mark.parametrize("line", ["result: {on: 2024-10-01}", "result: .nan", "result: !!binary aGk="])
def test_a_result_that_json_cannot_say_is_refused_or_read_as_text(tmp_path: Path, line: str) -> None:
    text = (
        "format: 1\nscenario: a\ntitle: b\ndialects: all\n"
        f"tools:\n  - name: f\n    parameters: {{}}\n    {line}\n"
        "steps:\n  - send: {type: x, output: {$result: f}}\n"
    )
    try:
        scenario = load_scenario(write(tmp_path, text))
    except ScenarioFault:
        return
    send = scenario.steps[0]
    assert isinstance(send, Send)
    assert isinstance(json.loads(send.event["output"], parse_constant=pytest.fail), dict)


def test_a_text_that_begins_with_a_dollar_can_be_said(tmp_path: Path) -> None:
    part = {"type": "input_text", "text": "$5 is too much"}
    step = {"send": {"type": "conversation.item.create", "item": {"type": "message", "content": [part]}}}

    scenario = load_scenario(write(tmp_path, {**WHOLE, "steps": [step]}))

    send = scenario.steps[0]
    assert isinstance(send, Send)
    assert send.event["item"]["content"] == [part]


def test_a_value_captured_in_a_place_that_may_not_come_is_known_below(tmp_path: Path) -> None:
    steps = [
        {"expect": [{"optional": [{"event": "a", "capture": {"x": "id"}}]}, "b"]},
        {"send": {"type": "y", "id": "$x"}},
    ]

    scenario = load_scenario(write(tmp_path, {**WHOLE, "steps": steps}))

    send = scenario.steps[1]
    assert isinstance(send, Send)
    assert send.resolved({}) == {"type": "y", "id": "$x"}


def answered(folder: Path, *answers: Any) -> tuple[Answer, ...]:
    return load_scenario(write(folder, {**WHOLE, "answers": list(answers)})).answers


def test_answers_that_go_wrong_are_read(tmp_path: Path) -> None:
    speech = {"transcript": "hello", "audio": {"tone": 440, "seconds": 0.5}}
    failed, broken, declined, cut, several = answered(
        tmp_path,
        {"failure": {"message": "sorry", "code": "c"}},
        {"incomplete": {"reason": "max_output_tokens", "speech": speech}},
        {"refusal": "I cannot."},
        {"text": "long", "cut_after": 0.5},
        [{"text": "a"}, {"call": {"name": "f", "arguments": {}}}],
    )

    assert failed == Failure("server_error", "c", "sorry")
    assert declined == Incomplete(Text("I cannot."), "content_filter")
    assert cut == Cut(Text("long"), 0.5)
    assert several == Several((Text("a"), Call("f", "{}")))
    assert isinstance(broken, Incomplete)
    assert isinstance(broken.answer, Speech)
    assert broken.answer.audio.seconds == 0.5
    assert any(broken.answer.audio.pcm)


def test_a_tone_of_0_hz_is_silence_of_its_length() -> None:
    assert tone(0, 0.25).pcm == bytes(RATE // 2)


@pytest.mark.parametrize(
    "answer",
    [
        {"call": {"name": "f", "arguments": {}}, "cut_after": 1},
        {"cut_after": 1},
        {"text": "a", "speech": {"transcript": "a", "audio": "a.wav"}},
        {"incomplete": {"reason": "tired", "text": "a"}},
        {"incomplete": {"reason": "content_filter"}},
        {"failure": {}},
        [],
        [{"failure": {"message": "a"}}],
        {"speech": {"transcript": "a", "audio": {"tone": 440}}},
        {"speech": {"transcript": "a", "audio": {"tone": 440, "seconds": 61}}},
        "hello",
    ],
)
def test_an_answer_that_is_none_is_refused(tmp_path: Path, answer: Any) -> None:
    assert fault(write(tmp_path, {**WHOLE, "answers": [answer]})).pointer is not None


def test_waits_closes_and_new_connections_are_read_and_divide_the_script(tmp_path: Path) -> None:
    steps = [
        {"expect": ["a"]},
        {"wait": 2},
        {"expect_close": {"code": 1001}},
        {"reconnect": {}},
        {"expect": ["b"]},
    ]

    found = load_scenario(write(tmp_path, {**WHOLE, "steps": steps, "faults": ["drop"]}))

    assert found.steps[1:4] == (Wait(2), ExpectClose(1001), Reconnect())
    assert [len(part) for part in found.connections] == [3, 1]
    assert found.cassette_names == ("made-up.jsonl", "made-up.2.jsonl")
    assert found.faults == ("drop",)


@pytest.mark.parametrize(
    ("faults", "closes", "refused"),
    [
        ([], False, "/steps/1"),
        (["null-usage"], False, "/steps/1"),
        ([], True, None),
        (["drop:at=response.done"], False, "/steps/3"),
        (["drop:at=response.done", "close:answer=2"], False, None),
        (["drop:at=response.done,times=2"], False, None),
    ],
)
def test_a_reconnect_before_which_nothing_ends_the_connection_is_refused(
    tmp_path: Path, faults: list[str], closes: bool, refused: str | None
) -> None:
    steps: list[Any] = []
    for name in ("a", "b"):
        steps += [{"expect": [name]}, *([{"expect_close": {}}] if closes else []), {"reconnect": {}}]
    path = write(tmp_path, {**WHOLE, "steps": [*steps, {"expect": ["c"]}], "faults": faults})
    if refused is None:
        assert len(load_scenario(path).connections) == 3
        return
    found = fault(path)
    assert (found.pointer, found.line is not None) == (refused, True)
    assert "nothing ends the connection" in found.problem
    assert "expect_close" in (found.hint or "")


@pytest.mark.parametrize(
    ("answer", "pointer"),
    [
        ({"call": {"name": "look", "arguments": {}}}, "/answers/0/call/name"),
        ([{"text": "a"}, {"call": {"name": "look", "arguments": {}}}], "/answers/0/1/call/name"),
    ],
)
def test_a_scripted_call_of_a_tool_that_no_session_offers_is_refused(
    tmp_path: Path, answer: Any, pointer: str
) -> None:
    found = fault(write(tmp_path, {**WHOLE, "answers": [answer]}))
    assert (found.pointer, found.problem) == (pointer, "no session offers a tool 'look'")
    assert "under `tools`" in (found.hint or "")
    session = {"tools": [{"type": "function", "name": "look", "parameters": {}}]}
    assert load_scenario(write(tmp_path, {**WHOLE, "session": session, "answers": [answer]}))


@pytest.mark.parametrize("step", [{"wait": 0}, {"wait": "long"}, {"reconnect": True}, {"expect_close": 1001}])
def test_a_step_that_is_none_is_refused(tmp_path: Path, step: Any) -> None:
    assert fault(write(tmp_path, {**WHOLE, "steps": [step]})).pointer is not None


def test_a_session_of_transcription_is_wanted_as_one(tmp_path: Path) -> None:
    found = load_scenario(
        write(
            tmp_path,
            {
                **WHOLE,
                "session": {"type": "transcription"},
                "tools": [],
                "answers": [],
                "steps": [{"expect": ["a"]}],
            },
        )
    )

    assert found.of_transcription
    assert found.wanted_session == {"type": "transcription"}
