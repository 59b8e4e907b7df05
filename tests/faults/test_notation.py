from __future__ import annotations

import json

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from harness.exceptions import UsageFault
from harness.faults import FAULTS, Fault, Kind, checked_fault, parse_fault
from harness.faults.effects import _OF_FRAMES, _STEPS

PLAIN = {"duplicate", "close", "drop", "stall", "accept-any-session", "error-event", "event-without-type"}

READABLE = {
    "at": st.from_regex(r"[a-z_.]{1,12}(\*|\|[a-z.]{1,8})?", fullmatch=True),
    "until": st.just("response.done"),
    "code": st.sampled_from(["1000", "1001", "1005", "1011", "3000", "4000", "4999"]),
    "reason": st.text(st.characters(codec="utf-8"), max_size=30),
    "status": st.integers(400, 599).map(str),
    "retry-after": st.integers(0, 999).map(str),
    "seconds": st.floats(0, 600).map(str),
    "times": st.one_of(st.just("always"), st.integers(1, 99).map(str)),
    "when": st.sampled_from(["before", "after"]),
    "field": st.sampled_from(["delta", "response.usage", "item.content.0.text", "a b", "a=b"]),
}


def texts(kind: Kind, name: str) -> st.SearchStrategy[str]:
    """Values that the parameter takes, as one would write them between quotes."""
    if (kind.name, name) == ("incomplete-response", "reason"):
        return st.sampled_from(["max_output_tokens", "content_filter"])
    if name == "code" and kind.name != "close":
        return st.text(st.characters(codec="utf-8"), max_size=20)
    if name in ("nth", "answer", "events"):
        return st.integers(1, 99).map(str)
    anything = st.one_of(
        st.text(st.characters(codec="utf-8"), max_size=30),
        st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=3).map(json.dumps),
        st.sampled_from(['{"a": ', "[", '"', ' "', "a,b", "a = b", " ", "", "{}x", "[1, 2]", "\\", 'x"y"']),
    )
    return READABLE.get(name, anything)


@st.composite
def faults(draw: st.DrawFn) -> tuple[str, Fault]:
    """A fault in writing, all values quoted, and what is read from it."""
    kind = draw(st.sampled_from(FAULTS))
    chosen = draw(st.lists(st.sampled_from(kind.parameters), unique=True)) if kind.parameters else []
    pairs = [f"{one.name}={json.dumps(draw(texts(kind, one.name)))}" for one in chosen]
    written = f"{kind.name}:{','.join(pairs)}" if pairs else kind.name
    try:
        return written, parse_fault(written)
    except UsageFault:  # values that cannot be together
        reject()


@given(faults())
def test_what_is_read_can_be_written_and_read_again(found: tuple[str, Fault]) -> None:
    _, fault = found
    assert parse_fault(str(fault)) == fault
    assert str(parse_fault(str(fault))) == str(fault)


@given(st.text(max_size=60))
def test_any_text_is_a_fault_or_refused(text: str) -> None:
    for written in (text, f"close:{text}", f"close:reason={text}", f"missing-field:field={text}"):
        try:
            fault = parse_fault(written)
        except UsageFault:
            continue
        assert parse_fault(str(fault)) == fault


@pytest.mark.parametrize("kind", FAULTS, ids=lambda kind: kind.name)
def test_every_fault_needs_no_parameter_and_does_something(kind: Kind) -> None:
    fault = parse_fault(kind.name)
    assert str(fault) == kind.name
    for one in kind.parameters:
        assert fault.value(one.name) == one.default
        if one.default is not None:
            assert parse_fault(f"{kind.name}:{one.name}={json.dumps(str(one.default))}").value(one.name) == (
                one.default
            )
    aimed_at_events = kind.parameter("at") is not None
    assert aimed_at_events == (kind.name in {**_STEPS, **_OF_FRAMES})


def test_the_catalogue_is_in_order_of_its_names() -> None:
    names = [kind.name for kind in FAULTS]
    assert names == sorted(set(names))


def test_a_value_may_have_spaces_and_equals_signs() -> None:
    fault = parse_fault("close: code = 4000 , reason = see you = soon , at=response.created")
    assert fault.value("code") == 4000
    assert fault.value("reason") == "see you = soon"
    assert fault.value("at") == "response.created"


def test_a_value_with_a_comma_stands_in_quotes() -> None:
    fault = parse_fault(r'close:reason="going, \"away\"",code=1001')
    assert fault.value("reason") == 'going, "away"'
    assert str(fault) == r'close:code=1001,reason="going, \"away\""'


def test_json_needs_no_quotes_around_it() -> None:
    body = '{"error": {"code": "429", "message": "Too many, too fast"}}'
    fault = parse_fault(f"refuse-handshake:status=429,body={body},retry-after=2")
    assert fault.value("body") == body
    assert fault.value("retry-after") == 2
    assert body in str(fault)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("earthquake", "there is no fault 'earthquake'"),
        ("", "there is no fault ''"),
        ("close:cod=1000", "no parameter 'cod'"),
        ("accept-any-session:at=error", "leave it out"),
        ("close:code", "has no value"),
        ("close:code=1006", "the fault drop"),
        ("close:code=1015", "can be sent"),
        ("close:code=999", "can be sent"),
        ("close:code=5000", "can be sent"),
        ("close:code=1e3", "can be sent"),
        ("close:code=1000,code=1001", "twice"),
        ("close:reason=" + "é" * 62, "123 bytes"),
        (r'close:reason="\ud800"', "in UTF-8"),
        ("close:at=", "an event type"),
        ("close:at=a||b", "an event type"),
        ("close:nth=0", "from 1 on"),
        ("close:times=never", "or always"),
        ("close:when=during", "before or after"),
        ('close:reason="going', "begins as JSON"),
        ('close:reason="a"b', "put a comma there"),
        ("refuse-handshake:status=200", "400 to 599"),
        ("slow-handshake:seconds=-1", "from 0 to"),
        ("slow-handshake:seconds=nan", "from 0 to"),
        ("slow-handshake:seconds=601", "from 0 to"),
        ("missing-field:field=type", "event-without-type"),
        ("missing-field:field=a..b", "dotted path"),
        ("incomplete-response:reason=boredom", "content_filter"),
        ("close:", "has a colon and no parameters"),
        ("close: ", "write close alone"),
        ("close:code=1005,reason=x", "1005 is a close frame with nothing in it"),
        ("reorder:until=response.done,events=3", "`until` or `events`, and not both"),
        ("unknown-event:type=", "give a name"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_there_is(written: str, said: str) -> None:
    with pytest.raises(UsageFault) as refused:
        parse_fault(written)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    "written",
    [
        "close:code=1005",
        "null-usage:at=response.*",
        "failed-response:at=rate_limits.updated|response.done",
        "incomplete-response:at=session.*",
        "unknown-event:type=nobody.knows",
    ],
)
def test_what_can_be_is_read(written: str) -> None:
    assert str(checked_fault(written)) == written


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("unknown-event:type=response.done", "type='response.done': dialects have it"),
        ("null-usage:at=response.created", "only response.done has usage"),
        ("failed-response:at=session.created", "no response is active at session.created"),
        ("incomplete-response:at=response.done|session.created", "an event within a response"),
        ("close:at=nobody.knows", "no dialect has a server event 'nobody.knows'"),
    ],
)
def test_what_would_never_strike_is_refused(written: str, said: str) -> None:
    with pytest.raises(UsageFault) as refused:
        checked_fault(written)
    assert said in str(refused.value)


def test_the_known_names_stand_in_the_refusal() -> None:
    with pytest.raises(UsageFault) as refused:
        parse_fault("earthquake:at=error")
    assert set(refused.value.known) >= PLAIN
    with pytest.raises(UsageFault) as refused:
        parse_fault("close:cod=1000")
    assert refused.value.known == ("code", "reason", "at", "nth", "answer", "times", "when")
