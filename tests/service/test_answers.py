from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.messages import Json, Side, render_event
from harness.scenario import Audio, Call, Speech, Text
from harness.service.answers import audio_chunks, tokens
from harness.translation import Translator
from tests.talk import BOTH, GA, PREVIEW, Talk, assert_orders, one, talk, types

ANSWERS: st.SearchStrategy[Text | Speech | Call] = st.one_of(
    st.builds(Text, st.text(max_size=200)),
    st.builds(
        lambda words, size: Speech(words, Audio("a.wav", bytes(size))),
        st.text(max_size=200),
        st.integers(0, 60_000),
    ),
    st.builds(
        lambda arguments: Call("get_weather", json.dumps(arguments, ensure_ascii=False)),
        st.dictionaries(st.text(max_size=20), st.text(max_size=40), max_size=4),
    ),
)


def said(session: Talk, text_only: bool) -> list[Json]:
    """Asks for one answer; its events in canonical form."""
    if text_only:
        session.update(nested={"output_modalities": ["text"]}, flat={"modalities": ["text"]})
    session.say()
    translator = Translator(session.dialect)
    events = session.respond()
    return [event for wire in events for event in translator.to_canonical(Side.SERVER, wire).events]


@pytest.mark.parametrize("dialect", BOTH)
@given(answer=ANSWERS, text_only=st.booleans())
@settings(max_examples=60, deadline=None)
def test_every_answer_keeps_the_orders_of_the_captures(
    dialect: str, answer: Text | Speech | Call, text_only: bool
) -> None:
    # Talk checks each event against the dialect's own schema besides.
    events = said(talk(dialect, [answer]), text_only)
    assert_orders(events)
    item = one(events, "response.output_item.done")["item"]
    if isinstance(answer, Call):
        assert item["arguments"] == answer.arguments
        return
    words = answer.transcript if isinstance(answer, Speech) else answer.text
    part = item["content"][0]
    assert part["text" if text_only else "transcript"] == words
    sound = b"".join(
        base64.b64decode(event["delta"]) for event in events if event["type"] == "response.output_audio.delta"
    )
    if text_only:
        assert sound == b""
    elif isinstance(answer, Speech):
        assert sound == answer.audio.pcm


@given(st.text())
def test_tokens_add_up_to_the_text_and_are_short(text: str) -> None:
    pieces = tokens(text)
    assert "".join(pieces) == text
    assert all(1 <= len(piece) <= 16 for piece in pieces)


def test_a_long_word_is_cut_at_sixteen_characters() -> None:
    assert tokens("x" * 40) == ["x" * 16, "x" * 16, "x" * 8]


@given(st.integers(0, 400_000))
def test_chunks_add_up_to_the_audio_and_keep_the_sizes_of_the_captures(size: int) -> None:
    sizes = [len(chunk) for chunk in audio_chunks(bytes(size))]
    assert sum(sizes) == size
    assert max(sizes, default=0) <= 33_600
    if size > 60_000:
        assert sizes[:3] == [4800, 7200, 12_000]
        assert set(sizes[2:-1]) == {12_000}


def test_the_first_delta_of_a_spoken_answer_is_of_its_transcript() -> None:
    speech = Speech("One two three four five.", Audio("a.wav", bytes(30_000)))
    deltas = [name for name in types(said(talk(GA, [speech]), False)) if name.endswith(".delta")]
    assert deltas[:3] == ["response.output_audio_transcript.delta"] * 3
    assert "response.output_audio.delta" in deltas


def test_the_audio_of_a_spoken_answer_is_done_before_its_transcript() -> None:
    speech = Speech("Hello.", Audio("a.wav", bytes(30_000)))
    names = types(said(talk(GA, [speech]), False))
    assert names.index("response.output_audio.done") + 1 == names.index(
        "response.output_audio_transcript.done"
    )


def test_obfuscation_fills_text_like_deltas_to_sixteen_characters_on_ga_alone() -> None:
    for answer in (Speech("Hello you there.", Audio("a.wav", bytes(9000))), Call("f", '{"city": "Paris"}')):
        on_ga = [e for e in talk(GA, [answer]).respond() if e["type"].endswith(".delta")]
        padded = [e for e in on_ga if e["type"] != "response.output_audio.delta"]
        assert padded
        assert all(len(e["delta"]) + len(e["obfuscation"]) == 16 for e in padded)
        assert not any("obfuscation" in e for e in on_ga if e not in padded)
        on_preview = talk(PREVIEW, [answer]).respond()
        assert not any("obfuscation" in e for e in on_preview)


def test_azure_ga_carries_each_part_twice() -> None:
    part = one(talk(GA, [Text("Hi.")]).respond(), "response.content_part.done")
    assert part["content"] == part["part"]
    assert "content" not in one(talk(PREVIEW, [Text("Hi.")]).respond(), "response.content_part.done")


def test_items_of_the_model_name_their_object_on_the_preview_alone() -> None:
    on_ga = one(talk(GA, [Text("Hi.")]).respond(), "response.output_item.done")
    on_preview = one(talk(PREVIEW, [Text("Hi.")]).respond(), "response.output_item.done")
    assert "object" not in on_ga["item"]
    assert on_preview["item"]["object"] == "realtime.item"


def test_usage_adds_up_and_audio_counts_a_token_for_fifty_milliseconds() -> None:
    speech = Speech("Hello.", Audio("a.wav", bytes(48 * 1000)))
    usage = one(talk(GA, [speech]).respond(), "response.done")["response"]["usage"]
    assert usage["output_token_details"]["audio_tokens"] == 20
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert usage["output_tokens"] == sum(usage["output_token_details"].values())


@pytest.mark.parametrize("dialect", BOTH)
def test_the_same_seed_gives_the_same_bytes(dialect: str) -> None:
    def bytes_of(seed: int) -> list[str]:
        session = talk(dialect, [Text("Hi."), Call("f", "{}")], seed=seed)
        session.say()
        session.respond()
        session.respond()
        return [render_event(event) for event in session.heard]

    assert bytes_of(5) == bytes_of(5)
    assert bytes_of(5) != bytes_of(6)
