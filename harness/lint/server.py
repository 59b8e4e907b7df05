"""What a log's service sent, against the dialect it is said to speak: names, shapes, values.

A service may add fields at any time, so an unknown one is a note. A field or
name that another dialect has in its place is more: the log is of that dialect,
or something between it and the service bends it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from harness.dialects import Dialect, Evidence, bundled_dialect, compiled_schema, dialect_names
from harness.dialects.model import Shape
from harness.findings import Basis, Finding, Severity
from harness.logs.model import Extent, LogEntry
from harness.messages import Json, Side
from harness.validation import Problem


def server_findings(dialect: Dialect, entry: LogEntry) -> Iterator[Finding]:
    """Everything wrong or new in one event of the service."""
    event = entry.event
    assert event is not None
    schema = compiled_schema(dialect, Side.SERVER, event["type"])
    if schema is None:
        yield _unknown_type(dialect, event["type"], entry.line)
        return
    if entry.extent is Extent.ELIDED:
        return
    foreign = list(_foreign_fields(dialect, event, entry.line))
    yield from foreign
    named = {str(place).rpartition(".")[2] for found in foreign for place in str(found.expected).split(", ")}
    for problem in schema.problems(event):
        if problem.keyword == "required" and (
            entry.extent is Extent.CUT or problem.message.split("'")[1] in named
        ):
            continue  # cut off, or it stands under another dialect's name, named above
        yield _schema_finding(dialect, event, problem, entry.line)
    if event["type"] == "error":
        yield from _refused(event, entry.line)


# Names.


@cache
def _canonical_names() -> dict[str, tuple[str, str]]:
    """Wire names of every bundled dialect that its canonical form has another name for, with that dialect."""
    found: dict[str, tuple[str, str]] = {}
    for name in dialect_names():
        for wire, canonical in bundled_dialect(name).translation.events.items():
            found.setdefault(wire, (canonical, name))
    return found


def _unknown_type(dialect: Dialect, type_: str, line: int) -> Finding:
    canonical, other = _canonical_names().get(type_, (type_, None))
    here = {canonical: wire for wire, canonical in dialect.translation.events.items()}.get(
        canonical, canonical
    )
    if other is None:
        other = next((n for n in dialect_names() if type_ in bundled_dialect(n).server.events), None)
    done = ""
    if canonical == "conversation.item.added" and dialect.translation.item_done == "separate":
        done = ", and 'conversation.item.done' when the item is whole"
    if type_ == "conversation.item.done":
        done = f"; {dialect.name} says it with 'conversation.item.created' alone"
    known = here != type_ and here in dialect.server.events
    return Finding(
        code="rename.server-event",
        severity=Severity.FAIL if other else Severity.DEVIATION,
        path="type",
        message=f"{dialect.name} has no server event {type_!r}"
        + (f", it is a name of {other}" if other else ", nor has any dialect we know")
        + (f"; here it is {here!r}{done}." if known else f"{done}."),
        expected=here if known else "a server event of this dialect",
        actual=type_,
        basis=(
            Basis(dialect.server.unlisted_event.fact.evidence, dialect.server.unlisted_event.fact.source),
        ),
        mend=f"judge the log as {other}, or rename the event" if other else "tell us of the new event",
        at=line,
    )


# Shapes.


@cache
def _moved(dialect: Dialect) -> dict[str, dict[str, str]]:
    """Fields of sessions and responses that stand elsewhere in this dialect, and where.

    By holder, from the maps of all bundled dialects: the flat names for a nested
    dialect, the nested ones for a flat dialect.
    """
    found: dict[str, dict[str, str]] = {"session": {}, "response": {}}
    for holder, own in (("session", dialect.translation.session), ("response", dialect.translation.response)):
        here = {row.canonical: row.wire for row in own if row.canonical}
        for name in dialect_names():
            other = bundled_dialect(name).translation
            for row in other.session if holder == "session" else other.response:
                if row.canonical is None:
                    continue
                place = here.get(row.canonical, row.canonical)
                if row.wire is not None and row.wire != place:
                    found[holder].setdefault(row.wire, place or "(nowhere)")
        for canonical, wire in here.items():
            root = canonical.split(".")[0]
            if root != wire:
                places = [w for c, w in here.items() if c.split(".")[0] == root and w]
                found[holder][root] = ", ".join(places) or "(nowhere)"
    return found


def _foreign_fields(dialect: Dialect, event: Json, line: int) -> Iterator[Finding]:
    vocabulary = dialect.server
    spec = vocabulary.events[event["type"]]
    for holder in ("session", "response"):
        value = event.get(holder)
        kinds = vocabulary.shapes[spec.shape].fields.get(holder)
        if not isinstance(value, dict) or kinds is None:
            continue
        shape = _chosen(dialect, vocabulary.shapes[kinds.kinds[0]], value)
        moved = _moved(dialect)[holder]
        for name in value:
            if shape is not None and name in shape.fields:
                continue
            yield _foreign(dialect, f"{holder}.{name}", value[name], moved.get(name), line)
    shape = vocabulary.shapes[spec.shape]
    if not shape.by:
        for name in event.keys() - shape.fields.keys() - {"type", "event_id"}:
            yield _foreign(dialect, name, event[name], None, line)


def _chosen(dialect: Dialect, shape: Shape, value: Json) -> Shape | None:
    if shape.by is None or shape.variants is None:
        return shape
    name = shape.variants.get(str(value.get(shape.by)), shape.otherwise)
    return dialect.server.shapes[name] if name else None


def _foreign(dialect: Dialect, path: str, value: object, instead: str | None, line: int) -> Finding:
    holder, _, field = path.rpartition(".")
    modality = field in ("modalities", "output_modalities")
    if instead is None:
        return Finding(
            code="schema.new-field",
            severity=Severity.NOTE,
            path=path,
            message=f"{path} is in no table of {dialect.name}; the service may add fields.",
            expected="a field the tables list",
            actual=value,
            basis=(
                Basis(dialect.server.unlisted_event.fact.evidence, dialect.server.unlisted_event.fact.source),
            ),
            mend="nothing; tell us of the new field",
            at=line,
        )
    nowhere = instead.startswith("(")
    places = (
        "no place for it" if nowhere else ", ".join(f"{holder}.{name.strip()}" for name in instead.split(","))
    )
    return Finding(
        code="modality.field" if modality else "rename.session-shape",
        severity=Severity.FAIL,
        path=path,
        message=f"{path} belongs to another generation of the API; {dialect.name} has {places}.",
        expected=places,
        actual=value,
        basis=(
            Basis(dialect.server.unlisted_event.fact.evidence, dialect.server.unlisted_event.fact.source),
        ),
        mend="judge the log as the dialect it is of, or translate it",
        at=line,
    )


def _schema_finding(dialect: Dialect, event: Json, problem: Problem, line: int) -> Finding:
    steps = problem.pointer.strip("/").split("/")
    code, expected, message = "schema.server-event", problem.expected, problem.message
    modality = next((name for name in ("modalities", "output_modalities") if name in steps), None)
    if modality:
        steps = steps[: steps.index(modality) + 1]
        code, expected = "modality.value", _combinations(dialect, modality)
        message = f"{_at(event, steps)!r} is no combination {dialect.name} has"
    elif steps[-1] == "type" and "content" in steps:
        code, expected = "rename.content-part", _part_here(dialect, str(_at(event, steps))) or expected
    fact = dialect.server.events[event["type"]].fact
    return Finding(
        code=code,
        severity=Severity.FAIL,
        path=".".join(steps) or "(whole)",
        message=f"{event['type']}: {message}",
        expected=expected,
        actual=_at(event, steps),
        basis=(Basis(fact.evidence, fact.source),),
        mend="judge the log as the dialect it is of; or tell us, where the service has changed",
        at=line,
    )


def _combinations(dialect: Dialect, field: str) -> str:
    for shape in dialect.server.shapes.values():
        if field in shape.fields and shape.fields[field].sets:
            return " or ".join(str(sorted(members)) for members in shape.fields[field].sets)
    return "what the dialect has"


def _part_here(dialect: Dialect, part: str) -> str | None:
    """What a content part of another dialect is called in this one."""
    others = (bundled_dialect(name).translation.parts for name in dialect_names())
    canonical = next((table[part] for table in others if part in table), part)
    here = {canonical: wire for wire, canonical in dialect.translation.parts.items()}
    found = here.get(canonical, canonical)
    return repr(found) if found != part else None


def _at(event: Json, steps: list[str]) -> object:
    value: object = event
    for step in steps:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdigit():
            value = value[int(step)]
    return value


def _refused(event: Json, line: int) -> Iterator[Finding]:
    body = event.get("error")
    if isinstance(body, dict):
        yield Finding(
            code="service.refusal",
            severity=Severity.DEVIATION,
            path=str(body.get("param") or "error"),
            message=f"the service refused something: {body.get('message')}",
            expected="no error event",
            actual=body.get("code") or body.get("type"),
            basis=(Basis(Evidence.RECORDED, "this log"),),
            mend="see what the client sent before it",
            at=line,
        )
