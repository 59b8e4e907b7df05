"""A field written as text says what the mapping says that it stands for."""

from __future__ import annotations

from typing import Any

import pytest

from harness.dialects.notation import NotationError, expected_flags, read_kinds, read_notation


@pytest.mark.parametrize(
    ("text", "stands_for"),
    [
        ("string", {"is": "string"}),
        ("string|null", {"is": "string|null"}),
        ("string, required", {"is": "string", "required": True}),
        ("any, unknown", {"is": "any", "acceptance": "unknown"}),
        ("any, refused", {"is": "any", "acceptance": "refused"}),
        ("string, since 2025-04", {"is": "string", "since": "2025-04"}),
        ("string, of low medium high", {"is": "string", "values": ["low", "medium", "high"]}),
        ("string, of audio/pcm", {"is": "string", "values": ["audio/pcm"]}),
        ("integer, least 1", {"is": "integer", "least": 1}),
        ("number, least -0.5, most 1.5", {"is": "number", "least": -0.5, "most": 1.5}),
        ("number, default 0.8", {"is": "number", "default": 0.8}),
        ("boolean, default true", {"is": "boolean", "default": True}),
        ("object|null, default null", {"is": "object|null", "default": None}),
        ("string, default pcm16", {"is": "string", "default": "pcm16"}),
        ('string, default "24000"', {"is": "string", "default": "24000"}),
        ("[tool], default []", {"is": "[tool]", "default": []}),
    ],
)
def test_each_flag_stands_for_a_key(text: str, stands_for: dict[str, Any]) -> None:
    assert read_notation(text) == stands_for


def test_flags_come_in_any_number_and_order_with_any_space() -> None:
    one = read_notation("integer|null, required, since 2025-04, least 1, default 5")

    assert one == read_notation("integer|null ,default 5,  least 1,since 2025-04 , required")


def test_a_default_keeps_its_json_type() -> None:
    assert isinstance(read_notation("number, default 1.0")["default"], float)
    assert isinstance(read_notation("integer, default 1")["default"], int)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("string, requierd", "the flag 'requierd'"),
        ("string, Required", "the flag 'Required'"),
        ("string, required yes", "the flag 'required yes'"),
        ("string, since", "the flag 'since'"),
        ("string,", "the flag ''"),
        ("string, required,", "the flag ''"),
        ("integer, least one", "'one' after 'least'"),
        ("integer, most true", "'true' after 'most'"),
        ("integer, least [1]", "'[1]' after 'least'"),
    ],
)
def test_what_cannot_be_read_is_named_as_it_stands(text: str, problem: str) -> None:
    with pytest.raises(NotationError) as caught:
        read_notation(text)

    assert str(caught.value) == problem


def test_the_list_of_what_is_expected_names_every_flag() -> None:
    assert expected_flags() == "required, unknown, refused, since …, of …, least …, most …, default …"
    for flag in expected_flags().split(", "):
        example = flag.replace("…", "1")
        assert len(read_notation(f"any, {example}")) == 2


@pytest.mark.parametrize(
    ("text", "kinds", "of"),
    [
        ("string", ("string",), ()),
        ("integer|string|null", ("integer", "string", "null"), ()),
        ("[tool]", ("array",), ("tool",)),
        ("[string]|null", ("array", "null"), ("string",)),
        ("string | null", ("string", "null"), ()),
    ],
)
def test_brackets_make_an_array_of_what_they_hold(
    text: str, kinds: tuple[str, ...], of: tuple[str, ...]
) -> None:
    assert read_kinds(text) == (kinds, of)
