from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from harness.dialects import bundled_dialect
from harness.service.errors import error_event
from tests.talk import BOTH, GA, assert_valid


@dataclass
class Occasion:
    value: Any = None
    expected: Any = None
    path: str | None = None


@pytest.mark.parametrize("dialect", BOTH)
def test_every_error_of_the_catalogue_becomes_a_valid_event(dialect: str) -> None:
    found = bundled_dialect(dialect)
    assert len(found.errors) > 10
    for spec in found.errors.values():
        event = error_event(spec, Occasion("x", "y", "session.type"), "event_of_the_client")
        assert_valid(found, {"event_id": "event_1", **event})
        assert "{" not in event["error"]["message"].replace("{}", "")


@pytest.mark.parametrize(
    ("name", "client_id", "key", "value"),
    [
        ("unknown_parameter", "mine", True, "mine"),
        ("unknown_parameter", None, True, None),
        ("unknown_parameter", 17, True, None),
        ("cancel_not_active", "mine", True, "mine"),
        ("truncate_past_end", "mine", True, None),
        ("missing_required_parameter", "mine", False, None),
    ],
)
def test_the_clients_event_id_is_echoed_as_the_catalogue_says(
    name: str, client_id: Any, key: bool, value: str | None
) -> None:
    event = error_event(bundled_dialect(GA).errors[name], Occasion("x", "y", "session.x"), client_id)
    assert ("event_id" in event["error"]) is key
    assert event["error"].get("event_id") == value


def test_the_sentence_and_the_param_are_filled_in() -> None:
    spec = bundled_dialect(GA).errors["unknown_parameter"]
    error = error_event(spec, Occasion(1, None, "session.tools[2].meta"), None)["error"]
    assert error["message"] == "Unknown parameter: 'session.tools[2].meta'."
    assert error["param"] == "session.tools[2].meta"
    assert (error["type"], error["code"]) == ("invalid_request_error", "unknown_parameter")


def test_a_value_with_braces_is_no_template() -> None:
    spec = bundled_dialect(GA).errors["delete_unknown_item"]
    assert "'{value}{0}'" in error_event(spec, Occasion("{value}{0}"), None)["error"]["message"]


def test_a_refusal_without_a_path_has_no_param() -> None:
    error = error_event(bundled_dialect(GA).errors["invalid_value"], Occasion("x", "y"), None)["error"]
    assert error["param"] is None
