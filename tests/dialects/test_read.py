"""What lightens the tables: where a thing was seen, how old a document is, what captures show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.dialects import (
    Acceptance,
    Dialect,
    Evidence,
    Refusal,
    Unproven,
    judge_client_event,
    load_dialect,
    shares,
)
from harness.dialects.model import Fact, Field
from harness.exceptions import DialectFault
from tests.dialects.test_load import SOURCE, small, write

Raw = dict[str, Any]


@pytest.fixture
def load(tmp_path: Path) -> Any:
    def loaded(raw: Raw) -> Dialect:
        return load_dialect(write(tmp_path, raw))

    return loaded


def with_field(spec: Any, **more: Any) -> Raw:
    """A dialect as of 2099-01 whose session has one field, `mood`."""
    raw = {**small(), **more}
    raw["client"]["shapes"]["session_request"]["fields"] = {"mood": spec}
    return raw


def mood(dialect: Dialect) -> Field:
    return dialect.client.shapes["session_request"].fields["mood"]


# Where a thing was seen.


@pytest.mark.parametrize(
    ("evidence", "seen_on", "known_as"),
    [
        ("recorded", ["made-up", "azure-v1"], Evidence.RECORDED),
        ("recorded", ["azure-v1"], Evidence.ANALOGOUS),
        ("documented", ["azure-v1"], Evidence.ANALOGOUS),
        ("reported", ["azure-v1"], Evidence.ANALOGOUS),
        ("reported", [], Evidence.ANALOGOUS),
        ("analogous", ["azure-v1"], Evidence.ANALOGOUS),
        ("assumed", ["azure-v1"], Evidence.ASSUMED),
    ],
)
def test_what_was_seen_on_another_dialect_is_analogous_at_best(
    load: Any, evidence: str, seen_on: list[str], known_as: Evidence
) -> None:
    spec = {"is": "string", "evidence": evidence, "source": "an issue", "seen_on": seen_on}

    assert mood(load(with_field(spec))).fact == Fact(known_as, "an issue")


def test_what_does_not_say_where_it_was_seen_holds_as_it_stands(load: Any) -> None:
    spec = {"is": "string", "evidence": "reported", "source": "an issue"}

    assert mood(load(with_field(spec))).fact.evidence is Evidence.REPORTED


def test_an_error_and_an_order_of_the_base_are_downgraded_too(load: Any) -> None:
    dialect = load(small())

    assert dialect.errors["unknown_parameter"].fact.evidence is Evidence.ANALOGOUS
    assert dialect.orders["session-first"].fact.evidence is Evidence.ANALOGOUS


def test_the_name_of_a_source_is_replaced_by_what_it_stands_for(load: Any) -> None:
    spec = {"is": "string", "evidence": "reported", "source": "an-issue"}

    assert mood(load(with_field(spec, sources={"an-issue": "issue 5 of somebody"}))).fact.source == (
        "issue 5 of somebody"
    )


def test_a_field_that_names_no_source_has_that_of_its_shape_and_else_of_its_side(load: Any) -> None:
    raw = with_field("string")
    raw["client"]["source"] = "the documents"
    assert mood(load(raw)).fact.source == "the documents"

    raw["client"]["shapes"]["session_request"] |= {"evidence": "reported", "source": "an issue"}
    assert mood(load(raw)).fact == Fact(Evidence.REPORTED, "an issue")


# How old a document is.


@pytest.mark.parametrize(
    ("since", "acceptance"),
    [
        ("2098-12", Acceptance.ACCEPTED),
        ("2099-01", Acceptance.ACCEPTED),
        ("2099-02", Acceptance.UNKNOWN),
    ],
)
def test_a_field_newer_than_the_dialects_documents_is_unknown(
    load: Any, since: str, acceptance: Acceptance
) -> None:
    field = mood(load(with_field(f"string, since {since}")))

    assert (field.acceptance, field.since) == (acceptance, since)


def test_the_note_says_why_a_new_field_is_unknown_unless_it_has_one(load: Any) -> None:
    why = "documented from 2099-02 on, this dialect as of 2099-01"
    assert mood(load(with_field("string, since 2099-02"))).fact.note == why

    own = {"is": "string", "since": "2099-02", "note": "a word of its own"}
    assert mood(load(with_field(own))).fact.note == "a word of its own"


def test_a_new_field_that_is_refused_stays_refused(load: Any) -> None:
    field = mood(load(with_field({"is": "any", "acceptance": "refused", "since": "2099-02", **SOURCE})))

    assert field.acceptance is Acceptance.REFUSED


def test_a_later_date_of_the_documents_makes_it_accepted(load: Any) -> None:
    assert mood(load(with_field("string, since 2099-02", as_of="2099-03"))).acceptance is Acceptance.ACCEPTED


def test_a_new_event_is_unknown_and_a_client_that_sends_it_is_not_refused(load: Any) -> None:
    raw = small()
    raw["client"]["events"] = {"mood.ask": {"since": "2099-02", "fields": {}}}

    found = judge_client_event(load(raw), {"type": "mood.ask"})

    assert [(type(one), one.path) for one in found] == [(Unproven, "type")]


def test_a_new_field_of_the_service_is_not_judged(load: Any) -> None:
    raw = small()
    raw["server"]["events"]["mood.changed"]["fields"]["why"] = "string, since 2099-02"

    field = load(raw).server.shapes["event mood.changed"].fields["why"]

    assert field.acceptance is Acceptance.ACCEPTED


# What is reported both ways.

CONTESTED = {"evidence": "assumed", "source": "two reports", "note": "reported both ways"}


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        ({"is": "any", "acceptance": "refused", **SOURCE}, "calm"),
        ({"is": "string", "values": ["calm"], "outside": "refused", **SOURCE}, "angry"),
        ({"is": "integer", "least": 5, "beyond": "refused", **SOURCE}, 4),
    ],
)
def test_what_would_be_refused_is_unknown_where_the_dialect_is_contested(
    load: Any, spec: Raw, value: Any
) -> None:
    update = {"type": "session.update", "session": {"mood": value}}
    settled, contested = load(with_field(spec)), load(with_field(spec, contested=CONTESTED))

    assert [type(one) for one in judge_client_event(settled, update)] == [Refusal]
    (found,) = judge_client_event(contested, update)
    assert isinstance(found, Unproven)
    assert found.fact == Fact(Evidence.ASSUMED, "two reports", "reported both ways")


def test_a_known_value_stays_accepted_where_the_dialect_is_contested(load: Any) -> None:
    spec = {"is": "string", "values": ["calm"], "outside": "refused", **SOURCE}
    dialect = load(with_field(spec, contested=CONTESTED))

    assert judge_client_event(dialect, {"type": "session.update", "session": {"mood": "calm"}}) == []


def test_what_nobody_would_refuse_is_not_contested(load: Any) -> None:
    field = mood(load(with_field({"is": "string", **SOURCE}, contested=CONTESTED)))

    assert (field.acceptance, field.fact.source) == (Acceptance.ACCEPTED, SOURCE["source"])


# What stands in captures.


def with_recorded(spec: Any, **recorded: Any) -> Raw:
    client = {"events": ["session.update"], "shapes": {"session_request": ["mood"]}, **recorded}
    return with_field(spec, recorded={"source": "a capture", "client": client})


def test_what_stands_in_a_capture_is_recorded_whatever_the_table_says(load: Any) -> None:
    dialect = load(with_recorded({"is": "string", "evidence": "analogous", "source": "a sibling"}))

    assert mood(dialect).fact == Fact(Evidence.RECORDED, "a capture")
    assert dialect.client.events["session.update"].fact == Fact(Evidence.RECORDED, "a capture")
    assert dialect.client.events["response.create"].fact.evidence is not Evidence.RECORDED


def test_an_unknown_field_that_stands_in_a_capture_is_accepted_and_its_doubt_is_gone(load: Any) -> None:
    field = mood(load(with_recorded({"is": "string", "acceptance": "unknown", "note": "who knows"})))

    assert (field.acceptance, field.fact.note) == (Acceptance.ACCEPTED, None)


def test_a_new_event_that_stands_in_a_capture_is_accepted(load: Any) -> None:
    raw = with_recorded("string", events=["mood.ask"])
    raw["client"]["events"] = {"mood.ask": {"since": "2099-02", "fields": {}}}

    assert load(raw).client.events["mood.ask"].acceptance is Acceptance.ACCEPTED


@pytest.mark.parametrize(
    "spec",
    [
        {"is": "string", "required": True, **SOURCE},
        {"is": "string", "values": ["calm"], "outside": "refused", **SOURCE},
        {"is": "integer", "least": 5, "beyond": "refused", **SOURCE},
        {"is": "any", "acceptance": "refused", **SOURCE},
    ],
)
def test_no_capture_shows_what_is_refused_so_a_rule_keeps_its_own_evidence(load: Any, spec: Raw) -> None:
    assert mood(load(with_recorded(spec))).fact == Fact(Evidence.DOCUMENTED, SOURCE["source"])


def test_a_required_field_of_the_service_is_recorded(load: Any) -> None:
    raw = small()
    raw["recorded"] = {"source": "a capture", "server": {"shapes": {"event mood.changed": ["mood"]}}}

    field = load(raw).server.shapes["event mood.changed"].fields["mood"]

    assert field.fact == Fact(Evidence.RECORDED, "a capture")


@pytest.mark.parametrize(
    ("side", "seen", "pointer", "problem"),
    [
        ("client", {"events": ["sesion.update"]}, "/recorded/client/events", "'sesion.update'"),
        ("server", {"events": ["session.update"]}, "/recorded/server/events", "'session.update'"),
        ("client", {"shapes": {"sesion": ["x"]}}, "/recorded/client/shapes", "'sesion'"),
        (
            "client",
            {"shapes": {"session_request": ["mod"]}},
            "/recorded/client/shapes/session_request",
            "'mod'",
        ),
    ],
)
def test_a_name_in_recorded_that_no_table_has_is_refused_by_its_place(
    load: Any, side: str, seen: Raw, pointer: str, problem: str
) -> None:
    with pytest.raises(DialectFault) as caught:
        load(with_field("string", recorded={"source": "a capture", side: seen}))

    assert caught.value.pointer == pointer
    assert problem in caught.value.problem
    assert caught.value.line is not None


def test_a_dialect_does_not_inherit_the_captures_of_the_one_it_builds_on(load: Any) -> None:
    dialect = load({**small(), "extends": "openai-beta"})

    assert shares(dialect).levels[Evidence.RECORDED] == 0


# Objects of several kinds.


def with_kinds(**more: Any) -> Raw:
    raw = with_field("feeling")
    raw["client"]["shapes"] |= {
        "feeling": {"by": "kind", "variants": {"calm": "calm", "angry": "angry"}, **more},
        "calm": {"fields": {"kind": "string", "depth": "integer"}},
        "angry": {"fields": {"kind": "string", "at": "string, required"}},
    }
    return raw


def judged(dialect: Dialect, feeling: Raw) -> list[tuple[type, str]]:
    update = {"type": "session.update", "session": {"mood": feeling}}
    return [(type(one), one.path) for one in judge_client_event(dialect, update)]


def test_an_object_is_judged_as_its_kind(load: Any) -> None:
    dialect = load(with_kinds())

    assert judged(dialect, {"kind": "calm", "depth": 5}) == []
    assert judged(dialect, {"kind": "angry", "at": "noise"}) == []
    assert judged(dialect, {"kind": "angry"}) == [(Refusal, "session.mood.at")]


def test_an_object_of_no_kind_that_is_known_is_unproven(load: Any) -> None:
    dialect = load(with_kinds())

    assert judged(dialect, {"kind": "sad"}) == [(Unproven, "session.mood.kind")]
    assert judged(dialect, {}) == [(Unproven, "session.mood.kind")]


def test_an_object_of_no_known_kind_is_read_as_the_one_that_otherwise_names(load: Any) -> None:
    dialect = load(with_kinds(otherwise="angry"))

    assert dialect.client.shapes["feeling"].otherwise == "angry"
    assert judged(dialect, {"at": "noise"}) == []
    assert judged(dialect, {"kind": "sad"}) == [(Refusal, "session.mood.at")]


def test_a_kind_the_service_insists_on_has_the_fact_that_says_so(load: Any) -> None:
    fact = {"evidence": "reported", "source": "an issue"}
    dialect = load(with_kinds(otherwise="calm", by_required=True, by_fact=fact))

    assert judged(dialect, {"depth": "deep"}) == [
        (Refusal, "session.mood.kind"),
        (Refusal, "session.mood.depth"),
    ]
    assert dialect.client.shapes["feeling"].by_fact == Fact(Evidence.REPORTED, "an issue")
