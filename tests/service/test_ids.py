from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.service.ids import ALPHABET, EPOCH, IdMint
from tests.talk import one, talk, user_item


def clock_of(minted: str) -> int:
    """Reads the clock back out of an id, the way it was found in the captures."""
    value = 0
    for digit in minted.partition("_")[2][:5]:
        value = value * 62 + ALPHABET.index(digit)
    return value + EPOCH


@given(st.integers(EPOCH, EPOCH + 62**5 - 1))
def test_an_id_carries_the_second_it_was_minted_in(now: int) -> None:
    minted = IdMint(7, now).mint("event")
    assert minted.startswith("event_")
    assert len(minted) == len("event_") + 21
    assert clock_of(minted) == now


def test_a_captured_id_and_the_mint_agree_on_the_clock() -> None:
    # azure-ws-tool-call-round: sess_E4GEX…, whose expires_at - 3600 is this second.
    assert IdMint(1, clock_of("sess_E4GEXHPLMBozhYYNBbObf")).mint("sess").startswith("sess_E4GEX")


@pytest.mark.parametrize("quiet", [10.0, 600.0])
def test_ids_minted_for_what_a_client_asks_carry_the_time_it_asked_at(quiet: float) -> None:
    session = talk("azure-v1")
    session.send(
        {
            "type": "session.update",
            "session": {"type": "realtime", "audio": {"input": {"turn_detection": None}}},
        }
    )
    session.read()
    session.service.advance(quiet)
    made = one(session.ask(user_item()), "conversation.item.added")
    assert clock_of(made["item"]["id"]) == clock_of(made["event_id"])
    created = one(session.respond(), "response.created")
    assert clock_of(created["event_id"]) - clock_of(created["response"]["id"]) in (0, 1)


def test_call_ids_are_sixteen_random_characters_alone() -> None:
    minted = IdMint(1, 1_767_225_600).mint("call")
    assert len(minted) == len("call_") + 16


def test_the_same_seed_mints_the_same_ids_and_another_seed_others() -> None:
    def some(seed: int) -> list[str]:
        mint = IdMint(seed, 1_767_225_600)
        return [mint.mint(prefix) for prefix in ("sess", "item", "call", "item")]

    assert some(3) == some(3)
    assert len(set(some(3)) | set(some(4))) == 8


def test_a_clock_before_the_epoch_does_not_break_the_mint() -> None:
    assert IdMint(1, 0).mint("item").startswith("item_00000")
