"""What a script may say, and how it is told what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.exceptions import ModelScriptFault
from harness.model_script import ModelScript, load_model_script, read_seconds, read_speed, stock_script
from harness.scenario import Call, Failure, Incomplete, Several, Speech, Text
from harness.validation import bundled_schema


def script(tmp_path: Path, text: str) -> ModelScript:
    path = tmp_path / "model.yaml"
    path.write_text(f"format: 1\n{text}", encoding="utf-8")
    return load_model_script(path)


def fault(tmp_path: Path, text: str) -> ModelScriptFault:
    with pytest.raises(ModelScriptFault) as found:
        script(tmp_path, text)
    return found.value


def test_an_answer_is_what_it_is_in_a_scenario(tmp_path: Path) -> None:
    read = script(
        tmp_path,
        """answers:
  - text: Yes.
  - speech: {transcript: Yes., audio: {tone: 440, seconds: 0.1}}
  - call: {name: look, arguments: {at: [1, 2]}}
  - failure: {message: Broken.}
  - refusal: No.
  - [{text: One.}, {call: {name: look, arguments: {}}}]
""",
    )
    text, speech, call, failure, refusal, several = (entry.answer for entry in read.entries)
    assert text == Text("Yes.")
    assert isinstance(speech, Speech)
    assert len(speech.audio.pcm) == 4800
    assert call == Call("look", '{"at": [1, 2]}')
    assert failure == Failure("server_error", None, "Broken.")
    assert refusal == Incomplete(Text("No."), "content_filter")
    assert several == Several((Text("One."), Call("look", "{}")))


def test_a_script_can_say_the_pace_and_the_faults(tmp_path: Path) -> None:
    read = script(
        tmp_path,
        'speed: 2\nlatency: 200ms\ndelays: {response.done: 0.5, "session.*": 1s}\nfaults: ["drop:nth=2"]\n',
    )
    assert (read.speed, read.latency) == ("2", 0.2)
    assert read.delays == (("response.done", 0.5), ("session.*", 1.0))
    assert [str(one) for one in read.faults] == ["drop:nth=2"]


def test_the_schema_has_the_answers_of_scenario_files() -> None:
    """Copied, so that an editor needs one file. Where this fails, copy them again."""
    ours, theirs = (bundled_schema(name).schema["$defs"] for name in ("model", "scenario"))
    for name in ours.keys() & theirs.keys():
        assert ours[name] == theirs[name], name
    assert {"answer", "answer_item", "speech", "call", "sound"} <= ours.keys() & theirs.keys()


@pytest.mark.parametrize(
    ("text", "line", "pointer", "problem"),
    [
        ("answer: []", 1, "/", "'answer' was unexpected"),
        ("answers: []", 2, "/answers", "[]"),
        ("answers:\n  - text: a\n    colour: red", 3, "/answers/0", "'colour' was unexpected"),
        ("answers:\n  - text: a\n  - when: a\n    text: b", 4, "/answers/1", "`text` stands beside `when`"),
        ("answers:\n  - {when: {word: a}, answer: {text: b}}", 3, "/answers/0/when", "'word' was unexpected"),
        ("answers:\n  - {when: /(/, answer: {text: b}}", 3, "/answers/0/when", "no regular expression"),
        ("answers:\n  - {call: {name: a, arguments: '{}'}}", 3, "/answers/0/call/arguments", "not of type"),
        (
            "answers:\n  - {speech: {transcript: a, audio: no.wav}}",
            3,
            "/answers/0/speech/audio",
            "'no.wav' cannot be",
        ),
        (
            "answers:\n  - {speech: {transcript: a, audio: ../a.wav}}",
            3,
            "/answers/0/speech/audio",
            "the script's folder",
        ),
        ("faults: [drop, blow-up]", 2, "/faults/1", "no fault 'blow-up'"),
        ("faults:\n  - drop:at=respnse.done", 3, "/faults/0", "no dialect has a server event 'respnse.done'"),
        ("delays: {respnse.done: 1s}", 2, "/delays/respnse.done", "no dialect has a server event"),
        ("answers:\n  - text: 'You said {saidd}'", 3, "/answers/0", "{saidd} stands for nothing"),
        ("latency: soon", 2, "/latency", "'soon'"),
        ("delays: {response.done: 900s}", 2, "/delays/response.done", "no such time"),
        ("speed: 0", 2, "/speed", "0"),
        ("speed: 1" + "0" * 400, 2, "/speed", "is no speed"),
        ("latency: 1.0e-9", 2, "/latency", "is no such time"),
        ("answers:\n  - {when: ' ', answer: {text: b}}", 3, "/answers/0/when", "no word"),
        ("answers:\n  - {when: '/(a+)+$/', answer: {text: b}}", 3, "/answers/0/when", "may take for ever"),
        ("answers:\n  - {when: '/a{99999999999}/', answer: {text: b}}", 3, "/answers/0/when", "no regular"),
        (f"answers:\n  - {{when: /{'(' * 5000}/, answer: {{text: b}}}}", 3, "/answers/0/when", "no regular"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(
    tmp_path: Path, text: str, line: int, pointer: str, problem: str
) -> None:
    found = fault(tmp_path, text)
    assert problem in found.problem
    assert (found.line, found.pointer) == (line, pointer)
    assert str(found).startswith(f"{tmp_path}/model.yaml:{line}: model script at ")


def test_the_stock_script_answers_whatever_is_asked() -> None:
    assert any(entry.when is None for entry in stock_script().entries)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("latency: 5 minutes", "a time from 0 to 600 s, such as 200ms or 1.5s"),
        ("latency: -1", "a time from 0 to 600 s, such as 200ms or 1.5s"),
        ("delays: {response.done: [1]}", "a time from 0 to 600 s, such as 200ms or 1.5s"),
        ("speed: 0", "a factor from 0.001 to 1000, or max"),
        ("answers: [{times: 1, text: b}]", "beside `times` the words stand under `answer`: {text: …}"),
    ],
)
def test_what_is_expected_is_said_as_on_the_command_line(tmp_path: Path, text: str, expected: str) -> None:
    assert fault(tmp_path, text).expected == expected


@pytest.mark.parametrize("text", ["", "# nothing"])
def test_an_empty_script_is_said_to_be_one(tmp_path: Path, text: str) -> None:
    (tmp_path / "empty.yaml").write_text(text)
    with pytest.raises(ModelScriptFault, match="an empty file"):
        load_model_script(tmp_path / "empty.yaml")


@pytest.mark.parametrize(("text", "seconds"), [("200ms", 0.2), ("1.5s", 1.5), ("2", 2.0), ("0", 0.0)])
def test_times_are_read_as_people_write_them(text: str, seconds: float) -> None:
    assert read_seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "soon", "-1s", "1m", "601s", "nan", "1e9"])
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="from 0 to 600"):
        read_seconds(text)


@pytest.mark.parametrize("text", ["0", "-1", "fast", "inf", "nan", "", "1e-300", "1e300"])
def test_speeds_are_factors_or_max(text: str) -> None:
    assert (read_speed("max"), read_speed("0.5")) == (None, 0.5)
    with pytest.raises(ValueError, match=r"from 0\.001 to 1000, or max"):
        read_speed(text)
