"""What the service refused in a client's events, told apart by kind.

One refusal makes one finding, under the code that says what went wrong: a name
of another generation of the API, modalities, a field nobody knows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Any

from harness.checks.record import CaseRecord, basis_of
from harness.checks.registry import NotApplicable, check
from harness.dialects import Dialect, Refusal, Unproven, bundled_dialect, dialect_names
from harness.diff import changes
from harness.findings import Basis, Change, Finding, Severity
from harness.messages import Json
from harness.service import Entry
from harness.service.errors import error_event

_MODALITY_FIELDS = ("modalities", "output_modalities")


def kind_of(refusal: Refusal) -> str:
    """The check code a refusal belongs under."""
    holder, _, rest = refusal.path.partition(".")
    field = rest.split(".")[0].split("[")[0]
    if refusal.path == "type":
        return "rename.client-event"
    if holder in ("session", "response") and field in _MODALITY_FIELDS:
        return "modality.value" if refusal.error.startswith("invalid_") else "modality.field"
    if refusal.error == "missing_required_parameter":
        return "session.missing-parameter"
    if refusal.error == "unknown_parameter":
        return "rename.session-shape" if refusal.listed else "session.unknown-parameter"
    return "session.invalid-value"


_SAID: dict[str, Callable[[Dialect, Refusal], str]] = {
    "rename.client-event": lambda d, r: f"{d.name} has no client event {r.value!r}.",
    "rename.session-shape": lambda d, r: (
        f"{r.path} belongs to another generation of the API, not to {d.name}."
    ),
    "modality.field": lambda d, r: (
        f"{r.path} was not translated: {d.name} asks for modalities in {r.instead!r}."
    ),
    "modality.value": lambda d, r: f"{r.value!r} is no combination {d.name} has.",
    "session.unknown-parameter": lambda _, r: f"the service knows no {r.path!r}.",
    "session.missing-parameter": lambda _, r: f"{r.path} is required and missing.",
    "session.invalid-value": lambda _, r: f"{r.path} is {r.value!r}, expected {r.expected}.",
}


def refusal_finding(
    dialect: Dialect, refusal: Refusal, *, at: int, first: bool, lenient: bool = False
) -> Finding:
    """One refusal as a finding. `first`: it is the one the service answers with."""
    code = kind_of(refusal)
    spec = dialect.errors[refusal.error]
    answer = error_event(spec, refusal, None)["error"]["message"]
    basis = [Basis(refusal.fact.evidence, refusal.fact.source)]
    if spec.fact.source != refusal.fact.source:
        basis.append(Basis(spec.fact.evidence, f"the refusal's wording: {spec.fact.source}"))
    # That the value is wrong is documented; where its refusal is only assumed, it cannot fail a client.
    severity = Severity.FAIL if spec.fact.evidence.can_fail else Severity.DEVIATION
    if lenient:
        severity, rest = Severity.NOTE, f" The fault in force lets it pass; the service answers: {answer}"
    elif first:
        rest = f" The service answers: {answer} Nothing of the event is applied."
    else:
        rest = f" Once what comes before it is mended, the service answers: {answer}"
    return Finding(
        code=code,
        severity=severity,
        path=refusal.path,
        message=_SAID[code](dialect, refusal) + rest,
        expected=_expected(refusal),
        actual=_actual(refusal),
        basis=tuple(basis),
        mend=_mend(dialect, refusal),
        diff=_diff(refusal),
        at=at,
    )


def _findings(record: CaseRecord, code: str) -> Iterator[Finding]:
    if not record.spoke:
        raise NotApplicable("the client sent nothing")
    seen: set[tuple[str, str]] = set()
    for entry, refusal in record.refusals():
        if kind_of(refusal) != code or (refusal.path, repr(refusal.value)) in seen:
            continue
        seen.add((refusal.path, repr(refusal.value)))
        first = refusal is entry.refusals[0]
        yield refusal_finding(record.dialect, refusal, at=entry.number, first=first, lenient=record.lenient)


def _actual(refusal: Refusal) -> Any:
    if refusal.error == "missing_required_parameter":
        return "missing"
    return {refusal.path: refusal.value} if refusal.error == "unknown_parameter" else refusal.value


def _expected(refusal: Refusal) -> Any:
    if refusal.path == "type" and (meant := _meant(refusal)):
        return meant
    if refusal.instead and "," not in refusal.instead:
        return {_place(refusal): _translated(refusal)}
    if refusal.instead:
        return f"{_place(refusal)} in place of {refusal.path}"
    return refusal.expected if refusal.expected != "no such field" else f"no {refusal.path!r}"


def _mend(dialect: Dialect, refusal: Refusal) -> str:
    if refusal.instead:
        return f"for {dialect.name}, send {_place(refusal)} in place of {refusal.path}"
    if refusal.error == "missing_required_parameter":
        return f"add {refusal.path}: {refusal.expected}"
    if refusal.error == "unknown_parameter":
        if refusal.path.endswith("].function"):  # a tool as chat completions have it
            return f"put what stands in {refusal.path} beside the tool's type, and leave {refusal.path} away"
        return f"leave {refusal.path} away for {dialect.name}"
    if refusal.path == "type" and (meant := _meant(refusal)):
        return f"send {meant!r}, if that is what was meant"
    return f"send {refusal.path} as {refusal.expected}"


def _meant(refusal: Refusal) -> str | None:
    """The client event whose name is near the one that the dialect does not have."""
    known = [name.strip(" '") for name in str(refusal.expected).split(",")]
    return next(iter(get_close_matches(str(refusal.value), known, 1)), None)


def _translated(refusal: Refusal) -> Any:
    """The value as it stands where it belongs; a dialect that has the field by this name knows."""
    field = refusal.path.partition(".")[2]
    tables = (bundled_dialect(name).translation for name in dialect_names())
    rows = (row for table in tables for row in (*table.session, *table.response))
    values = [row.values for row in rows if (row.wire, row.canonical) == (field, refusal.instead)]
    return next((there for known in values for here, there in known if here == refusal.value), refusal.value)


def _diff(refusal: Refusal) -> tuple[Change, ...]:
    if refusal.error == "missing_required_parameter":
        return (Change("removed", refusal.path, refusal.expected, None),)
    if refusal.error == "unknown_parameter":
        added = Change("added", refusal.path, None, refusal.value)
        if not refusal.instead:
            return (added,)
        return (Change("removed", _place(refusal), _translated(refusal), None), added)
    return changes(refusal.expected, refusal.value, refusal.path)


def _place(refusal: Refusal) -> str:
    """Where the dialect has what was sent elsewhere, with the session or response it stands in."""
    holder = refusal.path.partition(".")[0]
    names = [name.strip() for name in (refusal.instead or "").split(",")]
    return ", ".join(f"{holder}.{name}" for name in names)


@check("rename.client-event", "every client event has a name the dialect knows")
def client_event(record: CaseRecord) -> Iterator[Finding]:
    yield from _findings(record, "rename.client-event")


@check(
    "rename.session-shape", "session and response have the dialect's own shape, none of another generation"
)
def session_shape(record: CaseRecord) -> Iterator[Finding]:
    yield from _findings(record, "rename.session-shape")


@check("modality.field", "modalities are asked for in the field the dialect has for them")
def modality_field(record: CaseRecord) -> Iterator[Finding]:
    yield from _findings(record, "modality.field")


@check("modality.value", "the modalities asked for are a combination the dialect has")
def modality_value(record: CaseRecord) -> Iterator[Finding]:
    yield from _findings(record, "modality.value")


@check("session.unknown-parameter", "no field that the service does not know")
def unknown_parameter(record: CaseRecord) -> Iterator[Finding]:
    yield from _findings(record, "session.unknown-parameter")


@check("session.missing-parameter", "every required field is there")
def missing_parameter(record: CaseRecord) -> Iterator[Finding]:
    yield from _findings(record, "session.missing-parameter")


@check("session.invalid-value", "every value has the type and range the service takes")
def invalid_value(record: CaseRecord) -> Iterator[Finding]:
    yield from _findings(record, "session.invalid-value")


@check("rename.content-part", "content parts of items have the dialect's own types")
def content_part(record: CaseRecord) -> Iterator[Finding]:
    if not record.spoke:
        raise NotApplicable("the client sent nothing")
    for entry, unproven in _unproven(record):
        if of_content_part(unproven):
            yield content_part_finding(record.dialect, unproven, entry.event, at=entry.number)


def of_content_part(unproven: Unproven) -> bool:
    """Whether it is the type of a content part that another generation has."""
    return unproven.instead is not None and ".content[" in f".{unproven.path}"


def content_part_finding(dialect: Dialect, unproven: Unproven, event: Json | None, *, at: int) -> Finding:
    """A content part under another generation's name, which the service is not known to refuse."""
    sent = _at(event, unproven.path)
    of_assistant = _role(event) == "assistant"
    right = unproven.instead if of_assistant else _OF_THE_USER.get(str(sent), unproven.instead)
    return Finding(
        code="rename.content-part",
        severity=Severity.DEVIATION,
        path=unproven.path,
        message=f"{unproven.path} is not the type {dialect.name} documents; "
        "whether the service refuses it is not known.",
        expected=right,
        actual=sent,
        basis=basis_of(unproven.fact),
        mend=f"send {right} for {dialect.name}",
        at=at,
    )


_OF_THE_USER = {
    "text": "input_text",
    "output_text": "input_text",
    "audio": "input_audio",
    "output_audio": "input_audio",
}
"""What parts of users and the system are called in each generation (PyPI openai 3.52.0, types/realtime)."""


def _role(event: Json | None) -> Any:
    item = (event or {}).get("item")
    return item.get("role") if isinstance(item, dict) else None


@check("session.unproven", "nothing was sent of which nobody knows whether it is accepted")
def unproven_fields(record: CaseRecord) -> Iterator[Finding]:
    if not record.spoke:
        raise NotApplicable("the client sent nothing")
    seen: set[str] = set()
    for entry, unproven in _unproven(record):
        if of_content_part(unproven) or unproven.path in seen:
            continue
        seen.add(unproven.path)
        yield unproven_finding(unproven, entry.event, at=entry.number)


def unproven_finding(unproven: Unproven, event: Json | None, *, at: int) -> Finding:
    """A note on a field or value of which nobody knows whether the service takes it."""
    return Finding(
        code="session.unproven",
        severity=Severity.NOTE,
        path=unproven.path,
        message=f"{unproven.path}: {unproven.reason}; accepted here, unproven on the service.",
        expected="a field or value known to be accepted",
        actual=_at(event, unproven.path),
        basis=basis_of(unproven.fact),
        mend="nothing to mend as long as nobody has seen it refused",
        at=at,
    )


def _unproven(record: CaseRecord) -> Iterator[tuple[Entry, Unproven]]:
    for entry in record.exchange.client_entries():
        for unproven in entry.unproven:
            yield entry, unproven


def _at(event: Json | None, path: str) -> object:
    value: object = event or {}
    for part in path.replace("]", "").replace("[", ".").split("."):
        if isinstance(value, dict) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value
