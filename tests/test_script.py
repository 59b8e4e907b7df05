from __future__ import annotations

import base64
from dataclasses import replace

import pytest

from harness.dialects import bundled_dialect
from harness.exceptions import RecordingFault
from harness.messages import Json
from harness.scenario import Expect, ExpectClose, Reconnect, Send, Step, Wait
from harness.scenario.sequence import Chain, One
from harness.script import CHUNK, ScriptedClient
from tests.cases import scenario
from tests.talk import BOTH, GA, PREVIEW, types

CREATED: Json = {
    "type": "session.created",
    "event_id": "event_1",
    "session": {"object": "realtime.session", "id": "sess_1"},
}


def client(name: str = "text-turn", dialect: str = GA) -> ScriptedClient:
    return ScriptedClient(scenario(name), bundled_dialect(dialect))


def updated(dialect: str = GA) -> Json:
    return {**CREATED, "type": "session.updated"}


def test_nothing_is_sent_before_what_is_expected_first() -> None:
    scripted = client()
    assert list(scripted.sends()) == []
    assert scripted.waiting_for == ("session.created",)
    scripted.receive(CREATED)
    assert types(scripted.sends()) == ["session.update"]
    assert list(scripted.sends()) == []


@pytest.mark.parametrize("dialect", BOTH)
def test_events_go_out_in_the_dialects_own_words(dialect: str) -> None:
    scripted = client("session-config", dialect)
    scripted.receive(CREATED)
    (update,) = scripted.sends()
    session = update["session"]
    if dialect == GA:
        assert session["type"] == "realtime"
        assert session["audio"]["output"]["voice"] == "echo"
    else:
        assert "type" not in session
        assert "audio" not in session
        assert session["voice"] == "echo"
        assert session["turn_detection"]["silence_duration_ms"] == 700
    assert scripted.losses == []


def test_audio_goes_out_in_tenths_of_a_second_and_adds_up() -> None:
    scripted = client("audio-turn")
    scripted.receive(CREATED)
    list(scripted.sends())
    scripted.receive(updated())
    sent = list(scripted.sends())
    appended = [base64.b64decode(event["audio"]) for event in sent if "audio" in event]
    assert {len(chunk) for chunk in appended[:-1]} == {CHUNK}
    assert 0 < len(appended[-1]) <= CHUNK
    audio = next(step.audio for step in scripted.scenario.steps if isinstance(step, Send) and step.audio)
    assert b"".join(appended) == audio.pcm
    assert types(sent)[-2:] == ["input_audio_buffer.commit", "response.create"]


def test_an_event_that_is_not_expected_ends_it_with_the_script_so_far() -> None:
    scripted = client()
    scripted.receive(CREATED)
    list(scripted.sends())
    with pytest.raises(RecordingFault) as fault:
        scripted.receive(CREATED)
    assert "session.created" in fault.value.problem
    assert ">> session.update" in fault.value.script
    assert "<< expected: session.updated" in fault.value.script


def test_an_error_of_the_server_ends_it_with_its_message() -> None:
    scripted = client()
    with pytest.raises(RecordingFault, match="no such deployment"):
        scripted.receive({"type": "error", "error": {"message": "no such deployment"}})


def test_floating_events_may_come_at_any_time() -> None:
    scripted = client()
    floating = {"type": "rate_limits.updated", "event_id": "event_2", "rate_limits": []}
    scripted.receive(floating)
    scripted.receive(CREATED)
    list(scripted.sends())
    scripted.receive(floating)
    scripted.receive(updated())
    assert types(scripted.sends()) == ["conversation.item.create", "response.create"]


def test_quiet_ends_what_may_end_and_nothing_else() -> None:
    scripted = client()
    scripted.quiet()
    assert scripted.waiting_for == ("session.created",)


def test_after_the_last_step_only_floating_events_are_welcome() -> None:
    whole = scenario("text-turn")
    scripted = ScriptedClient(replace(whole, steps=whole.steps[:2]), bundled_dialect(GA))
    scripted.receive(CREATED)
    assert types(scripted.sends()) == ["session.update"]
    assert scripted.finished
    assert "the end" in scripted.script()
    scripted.receive({"type": "rate_limits.updated", "rate_limits": []})
    with pytest.raises(RecordingFault, match="nothing was expected"):
        scripted.receive(updated())


def test_what_the_wire_cannot_hold_is_named_as_a_loss() -> None:
    whole = scenario("text-turn")
    event = {"type": "session.update", "session": {"type": "realtime", "truncation": "disabled"}}
    steps = (whole.steps[0], Send(event))
    scripted = ScriptedClient(replace(whole, steps=steps), bundled_dialect(PREVIEW))
    scripted.receive(CREATED)
    (sent,) = scripted.sends()
    assert sent["session"] == {}
    assert any("truncation" in loss for loss in scripted.losses)


@pytest.mark.parametrize("dialect", BOTH)
def test_captured_values_come_back_in_later_events(dialect: str) -> None:
    # The whole session is played in test_construct; here, only what was captured on the way.
    from harness.construct import construct_cassette

    found = construct_cassette(scenario("tool-call-round"), bundled_dialect(dialect))
    events = [(i.side, i.event) for i in found.interactions if i.event]
    call = next(e["item"]["call_id"] for _, e in events if e["type"] == "response.output_item.done")
    outputs = [
        e["item"] for side, e in events if side == "client" and e["type"] == "conversation.item.create"
    ]
    assert outputs[-1]["call_id"] == call


def script(*steps: Step, floating: tuple[str, ...] = ()) -> ScriptedClient:
    made = replace(scenario("text-turn"), steps=steps, floating=floating)
    return ScriptedClient(made, bundled_dialect(GA))


def expect(*types: str) -> Expect:
    return Expect(Chain(tuple(map(One, types))))


ASK = Send({"type": "response.create"})
ERROR: Json = {"type": "error", "error": {"code": "cannot_update_voice", "message": "no"}}
GOES_ON: Json = {"type": "input_audio_buffer.cleared", "event_id": "event_3"}


def test_an_error_the_scenario_expects_is_taken_and_any_other_ends_it() -> None:
    scripted = script(Expect(One("error", where=(("error.code", "cannot_update_voice"),))), ASK)
    scripted.receive(ERROR)
    assert types(scripted.sends()) == ["response.create"]
    with pytest.raises(RecordingFault, match="the server refused: no"):
        scripted.receive(ERROR)


def test_an_error_that_may_come_anywhere_ends_nothing() -> None:
    scripted = script(expect("input_audio_buffer.cleared"), floating=("error",))
    scripted.receive(ERROR)
    scripted.receive(GOES_ON)
    assert scripted.finished


def test_a_wait_holds_what_is_sent_and_keeps_what_comes_for_afterwards() -> None:
    scripted = script(Wait(2.0), expect("input_audio_buffer.cleared"), ASK)
    assert scripted.waits == 2.0
    assert list(scripted.sends()) == []
    scripted.receive(GOES_ON)
    scripted.waited()
    assert scripted.waits is None
    assert types(scripted.sends()) == ["response.create"]


def test_a_close_is_taken_where_it_is_expected_with_its_code() -> None:
    scripted = script(expect("input_audio_buffer.cleared"), ExpectClose(1001))
    scripted.receive(GOES_ON)
    assert scripted.awaits_close
    with pytest.raises(RecordingFault, match="closed with 1000, expected is 1001"):
        scripted.closed(1000)
    scripted.closed(1001, "session_expired")
    assert scripted.finished


def test_a_close_nobody_expects_ends_it_with_code_and_reason() -> None:
    with pytest.raises(RecordingFault, match="the server closed the session: 1011 trouble"):
        script(expect("input_audio_buffer.cleared")).closed(1011, "trouble")


def test_any_code_will_do_where_none_is_named_and_so_does_none_at_all() -> None:
    scripted = script(ExpectClose(None))
    scripted.closed(None)
    assert scripted.finished


def test_after_a_reconnect_the_script_goes_on_with_what_was_captured() -> None:
    captured = Expect(One("input_audio_buffer.cleared", capture=(("first", "event_id"),)))
    again = Send({"type": "response.cancel", "response_id": "$first"})
    scripted = script(captured, Reconnect(), again)
    scripted.receive(GOES_ON)
    assert scripted.awaits_connection
    assert list(scripted.sends()) == []
    scripted.reconnected()
    (sent,) = scripted.sends()
    assert sent["response_id"] == "event_3"
    assert "a new connection" in scripted.script()
