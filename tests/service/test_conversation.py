from __future__ import annotations

import pytest

from harness.service.conversation import Conversation


def conversation(*ids: str) -> Conversation:
    held = Conversation()
    for item_id in ids:
        held.add({"id": item_id}, None)
    return held


def ids(held: Conversation) -> list[str]:
    return [item["id"] for item in held.items]


def test_items_are_appended_and_know_the_one_before() -> None:
    held = Conversation()
    assert held.last_id is None
    assert held.add({"id": "a"}, None) is None
    assert held.add({"id": "b"}, "") == "a"
    assert held.last_id == "b"
    assert held.position("b") == 1
    assert held.position("c") is None


def test_root_puts_an_item_first() -> None:
    held = conversation("a", "b")
    assert held.add({"id": "c"}, "root") is None
    assert ids(held) == ["c", "a", "b"]


def test_an_item_goes_behind_the_one_it_names() -> None:
    held = conversation("a", "b")
    assert held.add({"id": "c"}, "a") == "a"
    assert ids(held) == ["a", "c", "b"]


def test_an_unknown_previous_item_changes_nothing() -> None:
    held = conversation("a")
    with pytest.raises(KeyError):
        held.add({"id": "c"}, "nobody")
    assert ids(held) == ["a"]


def test_items_are_removed_and_replaced_by_id() -> None:
    held = conversation("a", "b")
    assert held.remove("a")
    assert not held.remove("a")
    assert (held.position("a"), held.last_id) == (None, "b")
    held.forget("a")
    held.replace({"id": "b", "status": "completed"})
    held.replace({"id": "z"})
    assert held.items == [{"id": "b", "status": "completed"}]


def test_a_snapshot_does_not_follow_what_happens_later() -> None:
    held = conversation("a")
    shot = list(held.context(None))
    held.replace({"id": "a", "status": "changed"})
    held.add({"id": "b"}, None)
    assert shot == [{"id": "a"}]


def test_model_audio_is_there_once_some_was_made() -> None:
    held = conversation("a")
    assert not held.has_model_audio
    held.audio_ms["a"] = 20
    assert held.has_model_audio
