from __future__ import annotations

from typing import Any

import pytest

from harness.dialects import bundled_dialect
from harness.messages import Side
from harness.translation import Loss, Translation, Translator
from tests.translation.events import Event, canonical, created, item, output, wire

PREVIEW = bundled_dialect("azure-2024-10-01-preview")
V1 = bundled_dialect("azure-v1")
VOICE_LIVE = bundled_dialect("azure-voice-live")

HALF = "the wire has no event of its own for an item that is done"


# A wire without the second half


def test_an_item_of_the_client_is_added_and_done_at_once() -> None:
    added, done = canonical(Translator(PREVIEW), created("a", "before"))

    assert (added["type"], done["type"]) == ("conversation.item.added", "conversation.item.done")
    assert {**added, "type": ""} == {**done, "type": ""}
    assert added["previous_item_id"] == "before"
    assert "object" not in added["item"]


def test_an_item_of_the_model_is_done_directly_before_its_output_is() -> None:
    translator = Translator(PREVIEW)

    found = canonical(
        translator,
        output("added", "m"),
        created("m", "a", "assistant"),
        {"type": "response.text.delta", "item_id": "m", "delta": "hi"},
        output("done", "m"),
    )

    assert [event["type"] for event in found] == [
        "response.output_item.added",
        "conversation.item.added",
        "response.output_text.delta",
        "conversation.item.done",
        "response.output_item.done",
    ]
    assert found[3]["item"] == found[4]["item"]
    assert found[3]["item"]["content"] == [{"type": "output_text", "text": "hi"}]
    assert found[3]["previous_item_id"] == "a"


def test_items_that_interleave_are_done_each_with_its_own() -> None:
    found = canonical(
        Translator(PREVIEW),
        output("added", "m"),
        created("m", "a", "assistant"),
        output("added", "n"),
        created("n", "m", "assistant"),
        created("u", "n"),
        output("done", "n"),
        output("done", "m"),
    )
    done = [
        (event["item"]["id"], event["previous_item_id"])
        for event in found
        if event["type"].endswith("item.done") and "previous_item_id" in event
    ]

    assert done == [("u", "n"), ("n", "m"), ("m", "a")]


def test_each_item_is_done_once() -> None:
    found = canonical(
        Translator(PREVIEW), output("added", "m"), created("m"), output("done", "m"), output("done", "m")
    )

    assert [event["type"] for event in found].count("conversation.item.done") == 1


def test_the_two_become_one_again_on_the_wire_of_preview() -> None:
    events = canonical(Translator(PREVIEW), created("a"))

    assert wire(PREVIEW, *events) == [created("a")]


def test_on_ga_an_item_is_done_only_when_the_service_says_so() -> None:
    event = {
        "type": "conversation.item.added",
        "event_id": "e",
        "previous_item_id": None,
        "item": {"id": "a"},
    }

    assert canonical(Translator(V1), event) == [event]
    assert wire(V1, {**event, "type": "conversation.item.done"}) == [
        {**event, "type": "conversation.item.done"}
    ]


@pytest.mark.parametrize("broken", [{}, {"item": None}, {"item": "x"}, {"item": {}}, {"item": {"id": 5}}])
def test_an_item_without_an_id_is_passed_on_as_it_is(broken: Event) -> None:
    event = {"type": "conversation.item.created", **broken}

    (found,) = canonical(Translator(PREVIEW), event)

    assert found == {**event, "type": "conversation.item.added"}


def half(kind: str, id_: str, previous: str | None = None, role: str = "user", **more: Any) -> Event:
    """One half of an item in canonical form."""
    return {
        "type": f"conversation.item.{kind}",
        "event_id": f"{kind}_{id_}",
        "previous_item_id": previous,
        "item": {**item(id_, role, content=[]), **more},
    }


def to_wire(translator: Translator, *events: Event) -> list[Translation]:
    return [translator.to_wire(Side.SERVER, event) for event in events]


def test_of_a_half_that_says_nothing_new_only_its_id_is_lost() -> None:
    added, done = to_wire(Translator(PREVIEW), half("added", "a", "b"), half("done", "a", "b"))

    assert len(added.events) == 1
    assert added.losses == ()
    assert done == Translation((), (Loss("event_id", HALF),))


@pytest.mark.parametrize(
    ("done", "paths"),
    [
        (half("done", "a", None), ["event_id", "previous_item_id"]),
        (half("done", "a", "b", status="incomplete"), ["event_id", "item"]),
        (half("done", "other", "b"), ["event_id", "previous_item_id", "item"]),
    ],
)
def test_what_the_second_half_alone_says_is_lost(done: Event, paths: list[str]) -> None:
    _, found = to_wire(Translator(PREVIEW), half("added", "a", "b"), done)

    assert [loss.path for loss in found.losses] == paths


def test_an_item_of_the_model_is_shown_whole_with_its_output() -> None:
    translator = Translator(PREVIEW)
    whole = {**output("done", "m"), "item": half("done", "m", "a", "assistant", content=["x"])["item"]}

    found = to_wire(
        translator,
        output("added", "m"),
        half("added", "m", "a", "assistant"),
        half("done", "m", "a", "assistant", content=["x"]),
        whole,
    )

    assert [len(one.events) for one in found] == [1, 1, 0, 1]
    assert [loss.path for one in found for loss in one.losses] == ["event_id"]
    assert translator.end() == []


def test_an_output_that_differs_from_the_half_before_it_is_named() -> None:
    found = to_wire(
        Translator(PREVIEW),
        output("added", "m"),
        half("added", "m", "a", "assistant"),
        half("done", "m", "a", "assistant", status="incomplete"),
        output("done", "m"),
    )

    assert Loss("item", "conversation.item.done said otherwise") in found[-1].losses


def test_a_session_that_breaks_off_inside_an_answer_names_at_its_end_what_it_left_to_it() -> None:
    translator = Translator(PREVIEW)
    done = half("done", "m", "a", "assistant")
    to_wire(translator, output("added", "m"), half("added", "m", "a", "assistant"), done)

    ((event, loss),) = translator.end()

    assert event == done
    assert loss.path == "item"


# A wire that has the second half where voice detection committed the item


def speech(kind: str, id_: str) -> Event:
    return {"type": f"input_audio_buffer.{kind}", "event_id": kind, "item_id": id_}


SPOKEN = [speech("speech_started", "u"), speech("speech_stopped", "u"), speech("committed", "u")]
OWN_DONE = {**created("u"), "type": "conversation.item.done", "event_id": "own"}


def dones(events: list[Event]) -> list[str]:
    return [event["item"]["id"] for event in events if event["type"] == "conversation.item.done"]


def test_the_second_half_that_is_there_is_not_doubled_and_those_that_are_not_are_made() -> None:
    found = canonical(
        Translator(VOICE_LIVE),
        *SPOKEN,
        created("u"),
        OWN_DONE,
        created("typed"),
        output("added", "m"),
        created("m", "u", "assistant"),
        output("done", "m"),
    )

    assert dones(found) == ["u", "typed", "m"]
    (own,) = [event for event in found if event.get("event_id") == "own"]
    assert own["type"] == "conversation.item.done"


def test_of_an_item_committed_by_the_client_the_second_half_is_made() -> None:
    assert dones(canonical(Translator(VOICE_LIVE), speech("committed", "u"), created("u"))) == ["u"]


def test_a_second_half_that_comes_where_none_was_known_to_come_is_not_doubled() -> None:
    translator = Translator(VOICE_LIVE)
    canonical(translator, created("u"))

    found = translator.to_canonical(Side.SERVER, OWN_DONE)

    assert found == Translation((), (Loss("type", "the item is done already"),))


def test_a_second_half_of_the_models_own_is_not_made_again() -> None:
    own = {**created("m", "u", "assistant"), "type": "conversation.item.done"}

    found = canonical(
        Translator(VOICE_LIVE), output("added", "m"), created("m", "u", "assistant"), own, output("done", "m")
    )

    assert dones(found) == ["m"]


def test_only_items_that_voice_detection_committed_keep_their_second_half() -> None:
    events = [*SPOKEN, half("added", "u"), half("done", "u"), half("added", "t"), half("done", "t")]

    assert [event["item"]["id"] for event in wire(VOICE_LIVE, *events) if event["type"].endswith("done")] == [
        "u"
    ]


def test_a_spoken_session_is_itself_after_a_way_to_canonical_form_and_back() -> None:
    session = [
        *SPOKEN,
        created("u"),
        OWN_DONE,
        output("added", "m"),
        created("m", "u", "assistant"),
        output("done", "m"),
    ]

    assert wire(VOICE_LIVE, *canonical(Translator(VOICE_LIVE), *session)) == session
