"""Lanes of a recording, played to clients that do things in their own way."""

from __future__ import annotations

import base64
import copy
import json
import random
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from harness.bundled import cassettes_folder
from harness.cassette import Cassette, Close, Interaction, load_cassette
from harness.dialects import bundled_dialect
from harness.exceptions import CassetteFault, RecordingFault
from harness.messages import Json, Side, render_event
from harness.playback import Playback
from harness.recording import read_recording, recording_of, scenario_of
from harness.script import ScriptedClient
from harness.service import Ending, Origin
from tests.cases import cassette, scenario
from tests.playback.replay import configure, playback_of, question, replay
from tests.talk import BOTH, GA, NOW, Talk, one, types, user_item

both = pytest.mark.parametrize("dialect", BOTH)

ALL = sorted(f"{path.parent.name}/{path.stem}" for path in cassettes_folder().glob("*/*.jsonl"))


@cache
def bundled(name: str) -> Cassette:
    return load_cassette(cassettes_folder() / f"{name}.jsonl")


def changed(whole: Cassette, type_: str, **fields: Any) -> Cassette:
    """The cassette with fields of each event of a type changed."""
    interactions = tuple(
        replace(one, event={**copy.deepcopy(one.event), **fields})
        if one.event is not None and one.event["type"] == type_
        else one
        for one in whole.interactions
    )
    return replace(whole, interactions=interactions)


def with_after(whole: Cassette, type_: str, *events: tuple[Side, Json]) -> Cassette:
    """The cassette with events put in after the first of a type."""
    place = next(n for n, i in enumerate(whole.interactions, 1) if i.event and i.event["type"] == type_)
    t = whole.interactions[place - 1].t
    more = tuple(Interaction(t, side, event) for side, event in events)
    return replace(whole, interactions=(*whole.interactions[:place], *more, *whole.interactions[place:]))


def perform(playback: Playback, client: ScriptedClient) -> list[Json]:
    """Lets the client go through its script; what it heard, on the wire."""
    heard: list[Json] = []
    playback.start()
    while True:
        for event in client.sends():
            playback.receive(render_event(event))
        outgoing = playback.pop()
        if outgoing is not None and outgoing.event is not None:
            heard.append(outgoing.event)
            client.receive(outgoing.event)
        elif client.waits is not None:
            client.waited()
        elif not client.quiet():
            timer = playback.next_timer
            if timer is None or client.finished or client.awaits_close:
                break
            playback.advance(timer)
    return heard


@pytest.mark.parametrize("name", ALL)
def test_the_client_that_a_cassette_tells_of_gets_the_recorded_session(name: str) -> None:
    recorded, dialect = bundled(name), bundled_dialect(name.partition("/")[0])
    playback = Playback(dialect, recorded, seed=5, unix_time=NOW)
    heard = perform(playback, ScriptedClient(scenario_of(recorded, dialect), dialect))
    assert types(heard) == [
        i.event["type"] for i in recorded.interactions if i.event and i.side is Side.SERVER
    ]
    assert playback.exchange.unplayed == []
    assert {entry.origin for entry in playback.exchange.server_entries()} <= {Origin.RECORDED}
    ended = (playback.ending.code, playback.ending.reason) if playback.ending else None
    assert ended == ((recorded.close.code, recorded.close.reason) if recorded.close.by == "server" else None)


# Speech.


@both
@pytest.mark.parametrize(("size", "lead_ms"), [(960, 0), (4801, 700), (1_000_000, 2000)])
def test_a_turn_of_speech_is_heard_on_the_clients_clock(dialect: str, size: int, lead_ms: int) -> None:
    recorded = read_recording(cassette(dialect, "voice-turn"), bundled_dialect(dialect)).turns
    session = replay(dialect, "voice-turn")
    configure(session, "voice-turn")
    pcm = bytes(48 * lead_ms) + question("voice-turn") + bytes(48_000)
    events = []
    for at in range(0, len(pcm), size):
        events += session.speak(pcm[at : at + size])
    started = one(events, "input_audio_buffer.speech_started")
    stopped = one(events, "input_audio_buffer.speech_stopped")
    padding = recorded[0].start_ms - 300 + lead_ms  # the recorded client left no room for it
    assert started["audio_start_ms"] == max(padding, 0)
    assert stopped["audio_end_ms"] == recorded[0].end_ms + lead_ms
    item = started["item_id"]
    assert one(events, "input_audio_buffer.committed")["item_id"] == stopped["item_id"] == item
    completed = one(events, "conversation.item.input_audio_transcription.completed")
    assert completed["item_id"] == item
    assert completed["transcript"] == scenario("voice-turn").heard[0]
    assert {entry.origin for entry in session.service.exchange.server_entries()} == {Origin.RECORDED}


@both
def test_without_a_transcription_asked_for_none_is_told(dialect: str) -> None:
    session = replay(dialect, "voice-turn")
    session.update(
        nested={"audio": {"input": {"transcription": None}}}, flat={"input_audio_transcription": None}
    )
    events = session.speak(question("voice-turn") + bytes(48_000))
    assert one(events, "input_audio_buffer.committed")
    assert not [name for name in types(events) if "transcription" in name]


@both
def test_too_little_speech_says_what_it_waits_for(dialect: str) -> None:
    session = replay(dialect, "voice-turn")
    configure(session, "voice-turn")
    pcm = question("voice-turn")
    session.speak(pcm[: len(pcm) // 4 * 2])
    (waiting,) = session.service.exchange.unplayed
    assert str(waiting) == "1 turn(s) of speech"
    assert waiting.needed == ({"type": "input_audio_buffer.append"},)
    assert waiting.holds == "response.created of answer 1 of 1"


# An answer that was cut.


def interrupted(dialect: str) -> Talk:
    session = replay(dialect, "interruption")
    configure(session, "interruption")
    session.speak(question("interruption") + bytes(48_000))
    return session


@both
def test_an_answer_cut_in_the_recording_is_held_until_the_user_cuts_it(dialect: str) -> None:
    session = interrupted(dialect)
    assert "response.done" not in types(session.heard)
    assert session.service.holding
    waiting = session.service.exchange.unplayed[0]
    assert waiting.holds == "response.done of answer 1"
    assert waiting.needed == ({"type": "response.cancel"},)
    ended = session.ask({"type": "response.cancel"})
    done = ended[-1]
    assert done["type"] == "response.done"
    assert done["response"]["status"] == "cancelled"
    assert done["response"]["status_details"]["reason"] == "client_cancelled"
    assert not session.service.holding
    assert len(session.service.exchange.unplayed) == 1


@both
def test_what_was_really_sent_of_a_cut_answer_closes_it(dialect: str) -> None:
    session = replay(dialect, "interruption")
    configure(session, "interruption")
    session.send({
        "type": "input_audio_buffer.append",
        "audio": base64.b64encode(question("interruption") + bytes(48_000)).decode(),
    })  # fmt: skip
    delta = "response.output_audio_transcript.delta" if session.ga else "response.audio_transcript.delta"
    said = session.read_until(delta)[-1]["delta"]
    ended = session.ask({"type": "response.cancel"})
    item = one(ended, "response.output_item.done")["item"]
    assert item["status"] == "incomplete"
    assert item["content"][0]["transcript"] == said


# Out of band.


def out_of_band(**metadata: str) -> Json:
    response: Json = {"conversation": "none", "output_modalities": ["text"]}
    return {
        "type": "response.create",
        "response": {**response, **({"metadata": metadata} if metadata else {})},
    }


def test_an_answer_out_of_band_is_a_lane_of_its_own() -> None:
    session = replay(GA, "out-of-band-response")
    configure(session, "out-of-band-response")
    aside = session.ask(out_of_band(purpose="summary"))
    assert one(aside, "response.output_text.done")["text"] == "A greeting."
    assert one(aside, "response.done")["response"]["conversation_id"] is None
    session.say("Hello there!")
    first = session.respond()
    assert one(first, "response.output_text.done")["text"] == "Hello! How can I help?"
    assert {start.origin for start in session.service.exchange.responses} == {Origin.RECORDED}
    again = session.ask(out_of_band(purpose="summary"))
    assert one(again, "response.created")
    last = session.service.exchange.responses[-1]
    assert (last.origin, last.why_modelled) == (
        Origin.MODELLED,
        "the cassette has no further answer out of band",
    )
    assert len(session.service.exchange.unplayed) == 1


@pytest.mark.parametrize(
    "asked", [{"purpose": "summary"}, {"purpose": "summary", "client_event_id": "r1"}, {}]
)
def test_another_answer_out_of_band_does_not_get_the_recorded_one(asked: dict[str, str]) -> None:
    session = replay(GA, "out-of-band-response")
    configure(session, "out-of-band-response")
    other = session.ask(out_of_band(topic="moderation"))
    assert one(other, "response.output_text.done")["text"] != "A greeting."
    last = session.service.exchange.responses[-1]
    assert last.why_modelled == "the cassette has no answer out of band with this metadata"
    aside = session.ask(out_of_band(**asked))
    assert one(aside, "response.output_text.done")["text"] == "A greeting."
    assert (one(aside, "response.done")["response"]["metadata"] or {}) == asked


def test_of_several_answers_out_of_band_each_request_gets_the_likest() -> None:
    whole = cassette(GA, "out-of-band-response")
    events = [one.event for one in whole.interactions if one.event is not None]
    begin = next(n for n, event in enumerate(events) if event.get("response", {}).get("metadata"))
    aside = render_event({"type": "", "all": events[begin : begin + 11]})
    for old, new in (("_Ct", "_Dt"), ("A greeting.", "A title."), ("summary", "title")):
        aside = aside.replace(old, new)
    t = whole.interactions[-1].t
    more = tuple(
        Interaction(t, Side.CLIENT if event["type"] == "response.create" else Side.SERVER, event)
        for event in json.loads(aside)["all"]
    )
    session = replay(GA, replace(whole, interactions=(*whole.interactions, *more)))
    configure(session, "out-of-band-response")
    for asked, said in (({"purpose": "title", "client_event_id": "r1"}, "A title."), ({}, "A greeting.")):
        assert one(session.ask(out_of_band(**asked)), "response.output_text.done")["text"] == said


# Refusals.


REFUSED: Json = {
    "type": "invalid_request_error",
    "code": "item_too_odd",
    "message": "This service does not like that.",
    "param": "item.content",
    "event_id": None,
}


def refusing(**error: Any) -> Cassette:
    """A text turn whose client was refused an item before it said the one that was taken."""
    return with_after(
        cassette(GA, "text-turn"),
        "session.updated",
        (Side.CLIENT, {**user_item("Odd."), "event_id": "event_of_the_client"}),
        (Side.SERVER, {"type": "error", "event_id": "event_1", "error": {**REFUSED, **error}}),
    )


def test_what_was_refused_in_the_recording_is_refused_again_in_its_words() -> None:
    session = replay(GA, refusing(event_id="event_of_the_client"))
    (error,) = session.ask({**user_item("Odd."), "event_id": "mine"})
    assert error["error"] == {**REFUSED, "event_id": "mine"}
    assert error["event_id"] != "event_1"
    (error,) = session.ask(user_item("Odd."))
    assert error["error"]["event_id"] is None
    assert session.service.exchange.server_entries()[-1].origin is Origin.RECORDED
    session.say("Hello there!")
    session.respond()
    assert [start.origin for start in session.service.exchange.responses] == [Origin.RECORDED]


def test_an_error_that_did_not_name_the_clients_event_does_not_now() -> None:
    session = replay(GA, refusing())
    (error,) = session.ask({**user_item("Odd."), "event_id": "mine"})
    assert error["error"]["event_id"] is None


@pytest.mark.parametrize(
    ("code", "named"),
    [
        ("invalid_value", True),  # the catalogue: `client`
        ("invalid_json", False),  # the catalogue: `null`
        ("item_too_odd", True),  # not in the catalogue
    ],
)
def test_where_the_recorded_client_gave_no_id_the_catalogue_says_whether_an_error_names_it(
    code: str, named: bool
) -> None:
    odd = {**REFUSED, "code": code}
    found = with_after(
        cassette(GA, "text-turn"),
        "session.updated",
        (Side.CLIENT, user_item("Odd.")),
        (Side.SERVER, {"type": "error", "event_id": "event_1", "error": odd}),
    )
    (error,) = replay(GA, found).ask({**user_item("Odd."), "event_id": "mine"})
    assert error["error"] == {**odd, "event_id": "mine" if named else None}


def test_what_was_refused_is_no_item_to_wait_for() -> None:
    (answer,) = read_recording(refusing(), bundled_dialect(GA)).answers
    assert answer.barrier.user_items == 1


def test_an_answer_refused_because_of_the_moment_is_the_models_affair() -> None:
    error = {**REFUSED, "code": "conversation_already_has_active_response", "param": None}
    found = with_after(
        cassette(GA, "text-turn"),
        "response.created",
        (Side.CLIENT, {"type": "response.create"}),
        (Side.SERVER, {"type": "error", "event_id": "event_1", "error": error}),
    )
    session = replay(GA, found)
    session.say("Hello there!")
    assert "error" not in types(session.respond())
    assert session.service.exchange.unplayed == []


# The end.


def test_a_recorded_end_comes_when_all_before_it_was_said() -> None:
    ending = replace(cassette(GA, "text-turn"), close=Close("server", 1001, "going away"))
    session = replay(GA, ending)
    configure(session, "text-turn")
    session.say()
    assert session.service.ending is None
    session.respond()
    assert session.service.ending == Ending(1001, "going away")


def test_an_end_waits_for_what_was_said_before_it_and_for_nobody_to_ask() -> None:
    whole = with_after(cassette(GA, "text-turn"), "response.done", (Side.CLIENT, user_item("And?")))
    session = replay(GA, replace(whole, close=Close("server", 1001, "going away")))
    configure(session, "text-turn")
    session.say()
    session.respond()
    assert session.service.ending is None
    (waiting,) = session.service.exchange.unplayed
    assert (str(waiting), waiting.holds) == ("1 item(s) of the user", "close 1001")
    session.say("And?")
    assert session.service.ending == Ending(1001, "going away")


def test_an_error_of_its_own_is_the_services_last_word() -> None:
    whole = cassette(GA, "text-turn")
    error = {
        "type": "error",
        "event_id": "event_1",
        "error": {**REFUSED, "code": "server_error", "param": None},
    }
    ending = replace(
        whole,
        interactions=(*whole.interactions, Interaction(9.0, Side.SERVER, error)),
        close=Close("server", 1011),
    )
    session = replay(GA, ending)
    configure(session, "text-turn")
    session.say()
    events = session.respond()
    assert types(events)[-1] == "error"
    assert session.service.ending == Ending(1011, "")


def test_who_asks_for_an_answer_that_the_recorded_service_did_not_live_to_give_sees_it_end() -> None:
    whole = cassette(GA, "text-turn")
    cut = next(
        n for n, i in enumerate(whole.interactions) if i.event and i.event["type"] == "response.created"
    )
    ending = replace(whole, interactions=whole.interactions[:cut], close=Close("server", None))
    session = replay(GA, ending)
    configure(session, "text-turn")
    session.say()
    assert session.service.ending is None
    assert session.respond() == []
    assert session.service.ending == Ending(None, "")


# Fields that nobody knows.


@both
def test_what_translation_knows_nothing_of_is_sent_as_recorded(dialect: str) -> None:
    name = "response.output_audio.delta" if dialect == GA else "response.audio.delta"
    odd = changed(changed(cassette(dialect, "text-turn"), name, sampled="24k"), "session.created", region="x")
    session = Talk(Playback(bundled_dialect(dialect), odd, seed=1, unix_time=NOW))
    session.service.start()
    heard: list[Json] = []
    for event in (None, user_item(), {"type": "response.create"}):
        if event:
            session.send(event)
        while (outgoing := session.service.pop()) is not None:
            assert outgoing.event == json.loads(outgoing.frame)
            heard.append(json.loads(outgoing.frame))
    assert heard[0]["region"] == "x"
    assert {event["sampled"] for event in heard if event["type"] == name} == {"24k"}


def test_an_id_of_the_client_that_needs_escapes_comes_back_in_frames() -> None:
    session = replay(GA, "text-turn")
    odd = 'mine "\\\u2028\U0001f600'
    session.say(id=odd)
    session.send({"type": "response.create"})
    frames = []
    while (outgoing := session.service.pop()) is not None:
        frames.append(json.loads(outgoing.frame))
    assert one(frames, "conversation.item.added")["previous_item_id"] == odd


# One recording for many.


def test_a_cassette_is_read_and_compiled_once_for_all_its_sessions() -> None:
    first, second = (replay(GA, "text-turn") for _ in range(2))
    assert playback_of(first).recording is playback_of(second).recording
    for session in (first, second):
        session.say()
        session.respond()
    again = recording_of(cassette(GA, "text-turn"), bundled_dialect(GA))
    assert again is playback_of(first).recording
    assert again.answers[0].templates is again.answers[0].templates


# Odd cassettes.


def damaged(whole: Cassette, seed: int) -> Cassette:
    """The cassette with a few values lost, or replaced by others."""
    chance = random.Random(seed)
    interactions = list(whole.interactions)
    for _ in range(3):
        place = chance.randrange(len(interactions))
        event = copy.deepcopy(interactions[place].event)
        assert event is not None
        holder: Any = event
        while True:
            key = chance.choice([k for k in holder if k != "type" or holder is not event] or [None])
            if key is None:
                break
            inner = holder[key]
            if isinstance(inner, dict) and inner and chance.random() < 0.7:
                holder = inner
                continue
            if chance.random() < 0.4:
                del holder[key]
            else:
                holder[key] = chance.choice([None, 7, [], {}, "x", True, [None], {"id": []}, -1.5])
            break
        interactions[place] = replace(interactions[place], event=event)
    if chance.random() < 0.3:
        chance.shuffle(interactions)
    return replace(whole, interactions=tuple(interactions))


@pytest.mark.parametrize("name", ["tool-call-round", "voice-turn", "interruption", "rejected-config"])
@pytest.mark.parametrize("part", range(4))
def test_an_odd_cassette_is_played_or_refused_and_never_breaks(name: str, part: int) -> None:
    dialect = bundled_dialect(GA)
    whole = cassette(GA, name)
    script = scenario_of(whole, dialect)
    for seed in range(part * 8, part * 8 + 8):
        odd = damaged(whole, seed)
        try:
            playback = Playback(dialect, odd, seed=1, unix_time=NOW)
        except CassetteFault:
            continue
        try:
            perform(playback, ScriptedClient(script, dialect))
        except RecordingFault:
            continue  # the client found it odd too
