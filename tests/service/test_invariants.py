"""Whatever a client does, in every dialect: the service's own rules hold.

With REALTIME_HARNESS_EXAMPLES=N in the environment, N sessions a dialect.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from harness.dialects import dialect_names
from harness.scenario import Call
from tests.service.machine import client_of
from tests.talk import BOTH, one, talk, types, user_item

EXAMPLES = int(os.environ.get("REALTIME_HARNESS_EXAMPLES", "25"))
SHRINKING = (Phase.shrink,) if "REALTIME_HARNESS_EXAMPLES" in os.environ else ()


@pytest.mark.parametrize("dialect", dialect_names())
def test_whatever_a_client_does_the_service_keeps_its_rules(dialect: str) -> None:
    run_state_machine_as_test(
        client_of(dialect),
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=25,
            derandomize=True,
            deadline=None,
            database=None,
            phases=(Phase.generate, *SHRINKING),
            suppress_health_check=list(HealthCheck),
        ),
    )


# What it found.


@pytest.mark.parametrize("dialect", BOTH)
def test_an_item_created_before_the_answer_has_one_stands_before_it(dialect: str) -> None:
    session = talk(dialect, [Call("look", "{}")])
    session.send({"type": "response.create"})
    session.send(user_item(id="later"))
    heard = session.read()
    answer = one(heard, "response.output_item.done")["item"]["id"]
    added = [
        event for event in heard if event["type"] in ("conversation.item.added", "conversation.item.created")
    ]
    assert [(event["item"]["id"], event["previous_item_id"]) for event in added] == [
        ("later", None),
        (answer, "later"),
    ]


@pytest.mark.parametrize("dialect", BOTH)
def test_nothing_comes_between_the_two_events_that_add_an_item(dialect: str) -> None:
    session = talk(dialect)
    session.send({"type": "response.create"})
    session.send({"type": "response.create", "response": {"conversation": "none"}})
    session.read_until("response.output_item.added")
    session.send({"type": "response.cancel"})
    assert types(session.read())[0] in ("conversation.item.added", "conversation.item.created")
