from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


@settings(max_examples=150, derandomize=True, deadline=None, database=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["add", "root", "after", "replace", "delete", "look"]), st.integers(0, 9))
    )
)
def test_every_snapshot_stays_what_the_items_were(acts: list[tuple[str, int]]) -> None:
    held = Conversation()
    seen: list[tuple[Any, list[Any]]] = []
    for number, (act, place) in enumerate([*acts, ("look", 0)]):
        some = ids(held)[place % len(held.items)] if held.items else None
        if act in ("add", "root"):
            held.add({"id": f"{number}"}, "root" if act == "root" else None)
        elif act == "look":
            seen.append((held.context(None), list(held.items)))
        elif some is not None and act == "after":
            held.add({"id": f"{number}"}, some)
        elif some is not None and act == "replace":
            held.replace({"id": some, "status": str(number)})
        elif some is not None:
            held.remove(some)
            held.forget(some)
    for shot, items in seen:
        assert list(shot) == items


def test_an_item_made_again_under_the_id_of_one_that_leaves_stays() -> None:
    held = conversation("a", "b")
    held.remove("a")
    held.add({"id": "a", "status": "new"}, None)
    held.forget("a")
    assert held.items == [{"id": "b"}, {"id": "a", "status": "new"}]
    assert held.position("a") == 1


class Looked(dict[str, Any]):
    """An item that counts how often its id is asked for."""

    times = 0

    def __getitem__(self, key: str) -> Any:
        Looked.times += key == "id"
        return super().__getitem__(key)


def test_a_long_conversation_costs_no_more_for_each_item_than_a_short_one() -> None:
    held = Conversation()
    tracemalloc.start()
    try:
        for number in range(4000):
            item_id = f"item_{number}"
            assert held.position(item_id) is None
            before = held.add_answer(Looked(id=item_id))
            held.replace(Looked(id=item_id))
            assert held.before_done(held.items[-1], None, null_for_second=False) == before
            held.keep_sound(item_id, b"sound")
            held.context(None)
        size = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert Looked.times < 4000 * 20
    assert size < 4000 * 2000
