from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cassette import (
    MAX_LINE,
    Cassette,
    Close,
    Header,
    Interaction,
    Provenance,
    load_cassette,
    plainly_an_interaction,
    read_cassette,
)
from harness.exceptions import CassetteFault
from harness.messages import MAX_DEPTH, Side, parse_event
from harness.validation import subschema

HEADER = Header(
    dialect="azure-v1",
    api_version="v1",
    path="/openai/v1/realtime",
    query=(("model", "gpt-realtime"),),
    scenario="text-turn",
    provenance=Provenance.RECORDED,
    origin=(("date", "2026-07-01"), ("host_class", "azure")),
    tool="realtime-harness 0.1.0",
)
SMALL = Cassette(
    HEADER,
    (
        Interaction(0.1, Side.SERVER, event={"type": "session.created", "session": {}}),
        Interaction(0.2, Side.CLIENT, raw="not an event"),
        Interaction(0.3, Side.CLIENT, binary="AAAA"),
    ),
    Close("client", 1000, "bye"),
)


def lines(cassette: Cassette = SMALL) -> list[bytes]:
    return [f"{line}\n".encode() for line in cassette.lines()]


def changed(number: int, **changes: Any) -> list[bytes]:
    """The small cassette with keys of one line (from 1) set, or taken away where given as `...`."""
    found = lines()
    value = {**json.loads(found[number - 1]), **changes}
    value = {key: inner for key, inner in value.items() if inner is not ...}
    found[number - 1] = f"{json.dumps(value)}\n".encode()
    return found


def fault(found: list[bytes]) -> CassetteFault:
    with pytest.raises(CassetteFault) as caught:
        read_cassette(found, "a.jsonl")
    return caught.value


TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
TIMES = st.integers(0, 10**10).map(lambda millionths: millionths / 10**6)
CONTENT = st.one_of(
    st.dictionaries(TEXT, JSON, max_size=3).flatmap(
        lambda body: TEXT.map(lambda type_: {"event": {**body, "type": type_}})
    ),
    TEXT.map(lambda raw: {"raw": raw}),
    TEXT.map(lambda binary: {"binary": binary}),
)
CASSETTES = st.builds(
    Cassette,
    st.builds(
        Header,
        dialect=TEXT,
        api_version=TEXT,
        path=TEXT,
        query=st.dictionaries(TEXT, TEXT, max_size=3).map(lambda query: tuple(query.items())),
        scenario=st.none() | TEXT,
        provenance=st.sampled_from(Provenance),
        origin=st.dictionaries(st.sampled_from(["date", "source", "evidence"]), TEXT).map(
            lambda origin: tuple(origin.items())
        ),
        tool=TEXT,
    ),
    st.lists(
        st.builds(
            lambda t, side, content: Interaction(t, side, **content), TIMES, st.sampled_from(Side), CONTENT
        ),
        max_size=4,
    ).map(tuple),
    st.builds(
        Close, st.sampled_from(["client", "server", "nobody"]), st.none() | st.integers(1000, 4999), TEXT
    ),
    path=st.just("a.jsonl"),
)


@given(CASSETTES)
def test_a_cassette_survives_being_written_and_read(cassette: Cassette) -> None:
    assert read_cassette(lines(cassette), "a.jsonl") == cassette


@given(CASSETTES)
def test_no_line_holds_a_line_end(cassette: Cassette) -> None:
    assert all("\n" not in line and "\r" not in line for line in cassette.lines())


@given(CASSETTES, st.data())
def test_a_cassette_cut_anywhere_is_refused(cassette: Cassette, data: st.DataObject) -> None:
    whole = b"".join(lines(cassette))
    cut = data.draw(st.integers(0, len(whole) - 2))

    with pytest.raises(CassetteFault) as caught:
        read_cassette(whole[:cut].splitlines(keepends=True) if cut else [], "a.jsonl")

    assert caught.value.line is not None


@given(CASSETTES.filter(lambda cassette: len(cassette.interactions) > 0), st.data())
def test_a_cassette_with_a_line_taken_out_is_refused(cassette: Cassette, data: st.DataObject) -> None:
    found = lines(cassette)
    del found[data.draw(st.integers(0, len(found) - 1))]

    with pytest.raises(CassetteFault):
        read_cassette(found, "a.jsonl")


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"".join(lines()))

    cassette = load_cassette(path)

    assert cassette.interactions == SMALL.interactions
    assert cassette.path == str(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CassetteFault) as caught:
        load_cassette(tmp_path / "none.jsonl")

    assert (
        str(caught.value) == f"{tmp_path / 'none.jsonl'}: cassette: cannot be read: No such file or directory"
    )


def test_an_empty_file_is_refused() -> None:
    assert (
        str(fault([])) == 'a.jsonl:1: cassette: an empty file\n  expected: a header line with "cassette": 1'
    )


def test_a_file_without_its_footer_was_not_finished() -> None:
    assert str(fault(lines()[:-1])) == (
        "a.jsonl:4: cassette: ends without its footer: the recording was not finished\n"
        '  expected: a last line {"end": …}\n'
        "  to mend it: record it again, or add the footer if the session is whole"
    )


def test_a_last_line_half_written_is_said_to_be_one() -> None:
    found = lines()
    found[-1] = found[-1][:20]

    refused = fault(found)

    assert refused.line == 5
    assert refused.problem.startswith("not JSON: ")
    assert refused.problem.endswith("(the last line is only half written?)")


def test_a_line_in_the_middle_that_is_no_json_is_not_said_to_be_half_written() -> None:
    found = lines()
    found[2] = b"{oops\n"

    refused = fault(found)

    assert refused.line == 3
    assert refused.problem.startswith("not JSON: ")
    assert "half written" not in refused.problem


@pytest.mark.parametrize("line", [b"[]\n", b"5\n", b"null\n", b'{"a":' * 80 + b"1" + b"}" * 80 + b"\n"])
def test_a_line_that_is_no_object_is_refused(line: bytes) -> None:
    found = lines()
    found[1] = line

    refused = fault(found)

    assert (refused.line, refused.problem) == (2, "not a JSON object of reasonable depth")


def test_bytes_that_are_no_text_are_refused() -> None:
    found = lines()
    found[1] = b'{"t": 0, "side": "client", "text": "\xff"}\n'

    assert fault(found).line == 2


def test_nesting_without_end_is_refused() -> None:
    found = lines()
    found[1] = b"[" * 100_000 + b"\n"

    assert fault(found).line == 2


def test_a_huge_line_is_refused_before_it_is_parsed() -> None:
    found = lines()
    found[1] = b"x" * (MAX_LINE + 1)

    assert str(fault(found)) == (
        f"a.jsonl:2: cassette: a line too long\n  expected: at most {MAX_LINE} bytes"
    )


def test_a_file_without_line_ends_is_refused_before_it_is_read_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    with path.open("wb") as file:
        file.truncate(MAX_LINE * 200)  # a hole: it takes no room on the disk, but would in memory

    with pytest.raises(CassetteFault, match="a line too long"):
        load_cassette(path)


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999"])
def test_numbers_that_json_does_not_have_are_refused(number: str) -> None:
    found = lines()
    found[1] = f'{{"t": {number}, "side": "server", "text": "x"}}\n'.encode()

    assert fault(found).line == 2


def test_a_byte_order_mark_before_the_header_is_passed_over() -> None:
    first, *others = lines()

    assert read_cassette([b"\xef\xbb\xbf" + first, *others], "<memory>") == SMALL


@pytest.mark.parametrize("stated", [0, 2, 4])
def test_a_footer_that_counts_other_interactions_is_refused(stated: int) -> None:
    end = {"interactions": stated, "close": {"by": "client", "code": 1000}}

    assert str(fault(changed(5, end=end))) == (
        f"a.jsonl:5: cassette at /end/interactions: the footer counts {stated} interactions, the file has 3\n"
        "  to mend it: the file was cut or edited: record it again"
    )


@pytest.mark.parametrize("more", [b"\n", b"{}\n", lines()[1]])
def test_nothing_may_follow_the_footer(more: bytes) -> None:
    refused = fault([*lines(), more])

    assert (refused.line, refused.problem) == (6, "more lines after the footer")


@pytest.mark.parametrize("version", [0, 2, "1", None, True])
def test_another_format_version_is_refused(version: Any) -> None:
    refused = fault(changed(1, cassette=version))

    assert (refused.line, refused.pointer) == (1, "/cassette")


def test_a_newer_format_is_said_to_be_one() -> None:
    assert str(fault(changed(1, cassette=2))) == (
        "a.jsonl:1: cassette at /cassette: format version 2\n"
        "  expected: 1\n"
        "  to mend it: a newer tool wrote it, or this is no cassette"
    )


@pytest.mark.parametrize(
    ("number", "changes", "pointer", "problem"),
    [
        (1, {"dialect": ...}, "/", "'dialect' is a required property"),
        (1, {"dialect": 5}, "/dialect", "5 is not of type 'string'"),
        (1, {"transport": "pigeon"}, "/transport", "'pigeon' is not one of ['websocket']"),
        (1, {"provenance": {"kind": "rumoured"}}, "/provenance/kind", "'rumoured' is not one of"),
        (1, {"handshake": {"path": "/"}}, "/handshake", "'query' is a required property"),
        (
            1,
            {"handshake": {"path": "/", "query": {"a": 5}}},
            "/handshake/query/a",
            "5 is not of type 'string'",
        ),
        (2, {"t": -1}, "/t", "-1 is less than the minimum of 0"),
        (2, {"t": "x"}, "/t", "'x' is not of type 'number'"),
        (2, {"side": "nobody"}, "/side", "'nobody' is not one of ['client', 'server']"),
        (2, {"event": {}}, "/event", "'type' is a required property"),
        (2, {"event": {"type": 5}}, "/event/type", "5 is not of type 'string'"),
        (2, {"event": ...}, "/", "is not valid under any of the given schemas"),
        (2, {"text": "x"}, "/", "is valid under each of"),
        (3, {"text": 5}, "/text", "5 is not of type 'string'"),
        (4, {"binary": None}, "/binary", "null is not of type 'string'"),
        (5, {"end": {}}, "/end", "'interactions' is a required property"),
        (
            5,
            {"end": {"interactions": 3, "close": {"by": "chance", "code": 1}}},
            "/end/close/by",
            "'chance' is not one of",
        ),
    ],
)
def test_a_broken_line_is_named_with_its_place(
    number: int, changes: dict[str, Any], pointer: str, problem: str
) -> None:
    refused = fault(changed(number, **changes))

    assert (refused.line, refused.pointer) == (number, pointer)
    assert problem in refused.problem


def test_an_event_as_deep_as_a_frame_may_be_can_be_read_back() -> None:
    frame = '{"type":"a","x":' + "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1) + "}"
    cassette = Cassette(HEADER, (Interaction(0, Side.CLIENT, event=parse_event(frame)),), SMALL.close)

    assert read_cassette(lines(cassette), "a.jsonl").interactions == cassette.interactions


def test_an_event_with_half_a_surrogate_pair_can_be_written() -> None:
    event = parse_event(r'{"type":"a","delta":"\ud83d"}')
    cassette = Cassette(HEADER, (Interaction(0, Side.SERVER, event=event),), SMALL.close)

    assert read_cassette(lines(cassette), "a.jsonl").interactions == cassette.interactions


def test_times_are_kept_to_the_millionth() -> None:
    assert Interaction(0.12345678, Side.CLIENT, raw="x").to_json()["t"] == 0.123457


ODDITIES = st.sampled_from(
    [
        *(None, True, False, -1, -0.0, 0, 3, 0.5, 10**400, "", "client", "server", "x", [], {}),
        *({"type": "x"}, {"type": 1}, {"type": None}, {"type": "x", "more": [1]}),
    ]
)
NEAR_MISSES = st.dictionaries(
    st.sampled_from(["t", "side", "event", "text", "binary", "note"]), ODDITIES, max_size=5
)
WHOLE = st.builds(
    lambda t, side, content, more: {"t": t, "side": side, **content, **more},
    st.sampled_from([0, 0.25, 10**400]),
    st.sampled_from(["client", "server"]),
    st.sampled_from([{"event": {"type": "x"}}, {"text": ""}, {"binary": "AA=="}]),
    st.just({}) | NEAR_MISSES,
)


@given(NEAR_MISSES | WHOLE)
def test_the_quick_look_at_a_line_and_the_schema_agree(value: dict[str, Any]) -> None:
    accepted = subschema("cassette", "interaction").accepts(value)

    assert plainly_an_interaction(value) == (accepted and len(value) == 3)


def test_keys_of_other_writers_are_passed_over() -> None:
    assert read_cassette(changed(2, note="by hand"), "<memory>") == SMALL
