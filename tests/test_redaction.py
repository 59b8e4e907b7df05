from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.redaction import REDACTED, Redactor, cut

KEY = "7f3A9c0D1e2B4f5a6b7C8d9e0F1a2B3c"
"""Made up; shaped as an Azure key."""


@pytest.mark.parametrize(
    "text",
    [
        "wss://host/openai/realtime?api-version=x&api-key={key}&deployment=d",
        "api-key: {key}",
        "'api_key': '{key}'",
        '"apikey":"{key}"',
        "Authorization: Bearer {key}",
        "authorization=Bearer%20{key}",
        "authorization: {key}",
        "Authorization: Basic {key}",
        "Ocp-Apim-Subscription-Key: {key}",
        "Sec-WebSocket-Protocol: realtime, openai-insecure-api-key.{key}, openai-beta.realtime-v1",
        '{{"client_secret": {{"value": "{key}"}}}}',
        "client_secret={key}",
        '{{"access_token": "{key}"}}',
        '{{\\"api_key\\": \\"{key}\\"}}',
        "('api-key', '{key}')",
        "https://host/x?sig={key}",
        "https://host/x?token={key}&y=1",
        "ek_{key}",
        "sk-proj-{key}",
    ],
)
def test_a_key_nobody_told_us_of_is_removed_wherever_it_looks_like_one(text: str) -> None:
    redacted = Redactor().text(text.format(key=KEY))

    assert KEY not in redacted
    assert REDACTED in redacted


PLACES = [
    "{key}",
    "the key is {key}.",
    "{key}{key}",
    "x{key}x",
    '{{"a": ["{key}"]}}',
    "https://host/?q={key}",
]


@pytest.mark.parametrize("place", PLACES)
def test_a_known_key_is_removed_wherever_it_stands(place: str) -> None:
    redacted = Redactor([KEY]).text(place.format(key=KEY))

    assert KEY not in redacted
    assert REDACTED in redacted


ENCODINGS = {
    "literal": lambda key: key,
    "percent": lambda key: quote(key, safe=""),
    "percent, slashes kept": quote,
    "percent, lower case": lambda key: (
        quote(key, safe="").replace("%2F", "%2f").replace("%2B", "%2b").replace("%3D", "%3d")
    ),
    "form": quote_plus,
    "json": lambda key: json.dumps(key)[1:-1],
    "json in json": lambda key: json.dumps(json.dumps({"k": key})),
}


@pytest.mark.parametrize("encode", ENCODINGS.values(), ids=ENCODINGS)
def test_a_known_key_is_removed_however_it_is_encoded(encode: Any) -> None:
    key = "aB3/dE5+fG7=hI9"
    written = encode(key)

    assert written not in Redactor([key]).text(f"before {written} after")


SECRETS = st.text(
    alphabet="ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=.~ %",
    min_size=12,
    max_size=60,
).filter(lambda secret: len(set(secret)) > 5)
WORDS = st.text(max_size=20)


@given(SECRETS, WORDS, WORDS)
def test_no_known_secret_survives_in_text(secret: str, before: str, after: str) -> None:
    redactor = Redactor([secret])

    assert secret not in redactor.text(f"{before}{secret}{after}")
    assert quote(secret, safe="") not in redactor.text(f"{before}{quote(secret, safe='')}{after}")


def around(secret: str) -> st.SearchStrategy[Any]:
    leaves = st.just(secret) | WORDS.map(lambda word: f"{word}{secret}{word}") | st.integers() | st.none()
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(WORDS | st.just(secret) | st.just("api-key"), inner, max_size=3)
        ),
        max_leaves=8,
    )


@given(SECRETS.flatmap(lambda secret: st.tuples(st.just(secret), around(secret))))
def test_no_known_secret_survives_in_a_value(drawn: tuple[str, Any]) -> None:
    secret, value = drawn

    redacted = Redactor([secret]).value(value)

    assert secret not in json.dumps(redacted, ensure_ascii=False)


def test_of_two_secrets_the_longer_is_removed_whole() -> None:
    redactor = Redactor(["abcdefgh", "abcdefgh-and-more"])

    assert redactor.text("abcdefgh-and-more, abcdefgh") == f"{REDACTED}, {REDACTED}"


def test_an_empty_secret_removes_nothing() -> None:
    assert Redactor([""]).text("a text") == "a text"


@pytest.mark.parametrize(
    "key",
    [
        "api-key",
        "API-Key",
        "api_key",
        "apikey",
        "authorization",
        "Authorization",
        "client_secret",
        "access_token",
        "x-api-key",
    ],
)
@pytest.mark.parametrize("value", [KEY, {"value": KEY, "expires_at": 1}, [KEY]])
def test_the_value_of_a_key_that_bears_secrets_is_removed_whole(key: str, value: Any) -> None:
    assert Redactor().value({key: value}) == {key: REDACTED}


@pytest.mark.parametrize(
    "text", ['{"client_secret": null}', "'api_key': None", '{"access_token":null,"a":1}']
)
def test_a_secret_that_is_null_stays_null_in_text(text: str) -> None:
    assert Redactor().text(text) == text


def test_a_secret_that_is_null_stays_null() -> None:
    assert Redactor().value({"client_secret": None}) == {"client_secret": None}


def test_a_secret_is_removed_from_a_key_too() -> None:
    assert Redactor([KEY]).value({f"x-{KEY}": 1}) == {f"x-{REDACTED}": 1}


def test_a_pair_of_a_name_and_a_secret_in_a_list_of_headers_is_redacted() -> None:
    redacted = Redactor().text(repr([("api-key", KEY), ("Authorization", f"Bearer {KEY}"), ("a", "b")]))

    assert redacted == f"[('api-key', '{REDACTED}'), ('Authorization', 'Bearer {REDACTED}'), ('a', 'b')]"


def test_a_string_that_is_json_is_redacted_inside() -> None:
    inner = json.dumps({"headers": {"api-key": KEY, "Authorization": f"Bearer {KEY}"}, "text": "hello"})

    redacted = Redactor().value({"log": inner})["log"]

    assert json.loads(redacted) == {
        "headers": {"api-key": REDACTED, "Authorization": f"Bearer {REDACTED}"},
        "text": "hello",
    }


@pytest.mark.parametrize(
    "text",
    [
        "session.update",
        "event_Ct0OeESDZcgLYTrXXUlsb",
        "sess_Ct0OepYfU2hcW1xKl6CDd",
        "The api key is checked first.",
        "wss://host/openai/realtime?api-version=2024-10-01-preview&deployment=gpt",
        "You are a risk-averse assistant; ask-me-anything.",
    ],
)
def test_what_is_no_secret_stays_as_it_was(text: str) -> None:
    assert Redactor([KEY]).text(text) == text


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False), st.lists, max_leaves=5
    )
)
def test_what_is_no_text_stays_as_it_was(value: Any) -> None:
    assert Redactor([KEY]).value(value) == value


@given(SECRETS, WORDS)
def test_redacting_twice_changes_nothing_more(secret: str, word: str) -> None:
    redactor = Redactor([secret])
    once = redactor.text(f"{word} api-key={secret} Bearer {secret}")

    assert secret not in once
    assert redactor.text(once) == once


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("wss://user:pw123456@host/openai", "pw123456"),
        ("Use api key 0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef"),
    ],
)
def test_what_people_write_around_a_key_does_not_save_it(text: str, secret: str) -> None:
    assert secret not in Redactor().text(text)


def test_a_key_that_findings_name_by_its_path_goes_too() -> None:
    assert Redactor().value({"session.tools[0].authorization": "MCPTOKEN"}) == {
        "session.tools[0].authorization": REDACTED
    }


@given(st.integers(0, 400), st.sampled_from(["", " ", '"', "{", "é", "\n"]))
def test_a_secret_is_never_cut_in_two(before: int, sign: str) -> None:
    secret = "0123456789abcdef" * 2
    text = "é" * before + sign + secret + " and more of it" * 20
    for most in (160, 400):
        short = cut(text, most)
        assert len(short) <= most
        assert secret in short or "0123456" not in short


def test_text_that_is_short_enough_is_left_as_it_is() -> None:
    assert cut("x" * 160, 160) == "x" * 160
    assert cut("one two three", 9) == "one two …"


def test_more_is_a_secret_by_its_name_in_a_query_than_in_json() -> None:
    redactor = Redactor()
    assert redactor.query({"token": "a", "Key": "b", "model": "m"}) == {
        "token": REDACTED,
        "Key": REDACTED,
        "model": "m",
    }
    assert redactor.value({"key": "b"}) == {"key": "b"}
    assert (
        redactor.text("wss://x/y?model=m&token=abc&key=def")
        == f"wss://x/y?model=m&token={REDACTED}&key={REDACTED}"
    )
