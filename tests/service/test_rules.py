"""Every rule of the service model rests on something, and the document has them all."""

from __future__ import annotations

import pytest

from harness.dialects import Evidence, bundled_dialect, dialect_names
from harness.service.registry import Rule, rule, rules
from harness.service.rules.dispatch import HANDLERS
from tests.service.rules_document import TOPICS, listed, rendered, topic_of

RULES = rules()


@pytest.mark.parametrize("kept", RULES, ids=[kept.name for kept in RULES])
def test_every_rule_says_something_and_from_where(kept: Rule) -> None:
    assert topic_of(kept) in TOPICS
    assert len(kept.says.split()) > 3
    assert isinstance(kept.evidence, Evidence)
    assert len(kept.source) > 8


def test_the_document_lists_the_rules_as_they_are() -> None:
    assert listed() == rendered(), "run python -m tests.service.rules_document"


def test_whatever_answers_a_client_event_keeps_a_rule() -> None:
    keepers = {kept.function for kept in RULES}
    for type_, handler in HANDLERS.items():
        name = f"{handler.__module__.removeprefix('harness.service.')}.{handler.__qualname__}"
        assert name in keepers, type_


def test_two_rules_of_one_name_are_a_mistake() -> None:
    with pytest.raises(AssertionError, match="two rules"):
        rule("audio.commit", "", evidence=Evidence.ASSUMED, source="")(bundled_dialect)


@pytest.mark.parametrize("name", dialect_names())
def test_every_dialect_says_how_a_session_expires_and_knows_the_error_it_sends(name: str) -> None:
    dialect = bundled_dialect(name)
    (expiry,) = [rule for rule in dialect.closes if rule.cause == "session_expired"]
    assert expiry.by == "service"
    assert expiry.error is None or dialect.errors[expiry.error].raised_by == "time"
