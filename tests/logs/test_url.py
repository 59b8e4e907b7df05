from __future__ import annotations

from dataclasses import replace

import pytest

from harness.dialects import Dialect
from harness.logs.url import bundled_dialects, dialect_name_at, dialects_at, host_class, known_query


def url_of(dialect: Dialect) -> str:
    query = "&".join(f"{name}={value}" for name, value in dialect.handshake.right_query("m"))
    return f"wss://x.example{dialect.handshake.path}?{query}"


def test_a_right_url_leads_to_its_dialect(dialect: Dialect) -> None:
    assert dialect in dialects_at(url_of(dialect), bundled_dialects())


def test_the_dialect_follows_path_and_api_version() -> None:
    assert dialect_name_at("wss://x.openai.azure.com/openai/v1/realtime?model=m") == "azure-v1"
    preview = "wss://x.openai.azure.com/openai/realtime?deployment=d&api-version=2024-10-01-preview"
    assert dialect_name_at(preview) == "azure-2024-10-01-preview"
    assert (
        dialect_name_at("wss://x.openai.azure.com/openai/realtime?deployment=d&api-version=1999-01-01")
        is None
    )
    assert dialect_name_at(None) is None


def test_where_several_dialects_share_a_url_none_is_guessed(v1: Dialect) -> None:
    twin = replace(v1, name="twin")

    assert dialects_at(url_of(v1), (v1, twin)) == (v1, twin)


@pytest.mark.parametrize("url", ["", "//[", "http://[::1", "\0", "?", "wss://"])
def test_what_is_no_url_leads_nowhere(url: str, v1: Dialect) -> None:
    assert dialect_name_at(url) is None
    assert known_query(url, v1) == ()
    assert host_class(url) is None or url == "//["


def test_only_the_parameters_a_dialect_knows_are_kept(v1: Dialect) -> None:
    assert known_query("wss://x/a?model=m&api-key=secret&sig=1", v1) == (("model", "m"),)


def test_the_host_is_told_by_its_class_alone() -> None:
    assert host_class("wss://res.openai.azure.com/x") == "azure"
    assert host_class("ws://127.0.0.1:80/x") == host_class("ws://[::1]/x") == "loopback"
    assert host_class("wss://azure.com.evil.example/x") == "other"
    assert host_class("/openai/v1/realtime") is None
