"""What the service said, judged by the tables of the dialect it is said to speak: names, shapes, values.

A service may add events and fields at any time, so an unknown one never fails.
A name that this dialect has another one for does: the log is of another
dialect, or something between it and the service bends it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.dialects import Dialect, Evidence, compiled_schema
from harness.dialects.model import Fact, Field, Shape
from harness.findings import Basis, Finding, Severity
from harness.lint.names import Foreign, fields_elsewhere, foreign_event, foreign_field, part_here
from harness.logs.model import Extent, LogEntry
from harness.messages import Json, Side
from harness.validation import Problem

_OTHER_DIALECT = "judge the log as the dialect it is of, or translate it"
_TELL_US = "nothing, if the service sent it: it is new to us, please tell"
_EITHER = "judge the log as the dialect it is of; if that is this one, the service has changed: please tell"
_MODALITIES = ("modalities", "output_modalities")

THIS_LOG = Basis(Evidence.RECORDED, "this log")
CONSTRUCTED_LOG = Basis(Evidence.DOCUMENTED, "this log, which is constructed: no service said it")


def server_findings(dialect: Dialect, entry: LogEntry) -> Iterator[Finding]:
    """Everything wrong or new in one event of the service."""
    event = entry.event
    assert event is not None
    if event["type"] not in dialect.server.events:
        yield _unlisted_event(dialect, event["type"], entry.line)
        return
    if entry.extent is Extent.ELIDED:
        return
    moved: set[str] = set()
    for found, here in _unlisted_fields(dialect, event, entry.line):
        yield found
        moved.update(".".join(place.split(".")[:2]) for place in here)
    for problem in _problems(dialect, event):
        missing = _missing(problem)
        if missing and (entry.extent is Extent.CUT or missing in moved):
            continue  # cut off, or it stands under another dialect's name, named above
        yield _misshapen(dialect, event, problem, entry.line)
    if event["type"] == "error":
        yield from _refused(dialect, event, entry.line)


# Names.


def _unlisted_event(dialect: Dialect, type_: str, line: int) -> Finding:
    foreign = foreign_event(dialect, type_)
    if foreign is None:
        return Finding(
            code="schema.new-event",
            severity=Severity.DEVIATION,
            path="type",
            message=f"no dialect we know has a server event {type_!r:.80}.",
            expected="a server event of this dialect",
            actual=type_,
            basis=_basis(dialect.server.unlisted_event.fact),
            mend=_TELL_US,
            at=line,
        )
    message = f"{dialect.name} has no server event {type_!r}, it is one of {foreign.owners}"
    instead = ", then ".join(repr(place) for place in foreign.here)
    return Finding(
        code="rename.server-event",
        severity=Severity.FAIL if foreign.marks else Severity.DEVIATION,
        path="type",
        message=f"{message}; here it is {instead}." if instead else f"{message}; nothing here stands for it.",
        expected=", ".join(foreign.here) or "a server event of this dialect",
        actual=type_,
        basis=foreign.basis,
        mend=_OTHER_DIALECT if foreign.marks else _EITHER,
        at=line,
    )


def _unlisted_fields(dialect: Dialect, event: Json, line: int) -> Iterator[tuple[Finding, tuple[str, ...]]]:
    """Fields of an event, its session and its response that the tables do not list, and where theirs are."""
    vocabulary = dialect.server
    shape = vocabulary.shapes[vocabulary.events[event["type"]].shape]
    for holder in ("session", "response"):
        value = event.get(holder)
        held = shape.fields.get(holder)
        if not isinstance(value, dict) or held is None:
            continue
        fields = _chosen(dialect, held, value)
        for name in value:
            if fields is None or name in fields.fields or value[name] is None:
                continue  # an SDK that writes its own objects down gives null for what was not there
            foreign = foreign_field(dialect, event["type"], holder, name)
            place = f"{holder}.{name}"
            if foreign is None:
                yield _new_field(dialect, place, value[name], (), line), ()
            else:
                yield _foreign_field(dialect, place, value[name], foreign, line), foreign.here
    for name in sorted(event.keys() - shape.fields.keys() - {"type", "event_id"}):
        if event[name] is not None:
            having = fields_elsewhere(event["type"], name)
            yield _new_field(dialect, name, event[name], having, line), ()


def _chosen(dialect: Dialect, field: Field, value: Any) -> Shape | None:
    """The shape of an object, by its field and its own word; None where the tables have none for it."""
    shape = next((dialect.server.shapes[kind] for kind in field.kinds if kind in dialect.server.shapes), None)
    while shape is not None and shape.by is not None and shape.variants is not None:
        tag = value.get(shape.by) if isinstance(value, dict) else None
        name = shape.variants.get(tag, shape.otherwise) if isinstance(tag, str) else shape.otherwise
        shape = dialect.server.shapes[name] if name else None
    return shape


def _new_field(dialect: Dialect, path: str, value: object, having: tuple[str, ...], line: int) -> Finding:
    known = f"; {', '.join(having)} has it" if having else ""
    return Finding(
        code="schema.new-field",
        severity=Severity.NOTE,
        path=path,
        message=f"the tables of {dialect.name} have no {path}{known}. The service may add fields.",
        expected="a field the tables list",
        actual=value,
        basis=_basis(dialect.server.unlisted_event.fact),
        mend=_TELL_US,
        at=line,
    )


def _foreign_field(dialect: Dialect, path: str, value: object, foreign: Foreign, line: int) -> Finding:
    places = ", ".join(foreign.here)
    instead = f"{dialect.name} has {places}" if places else f"{dialect.name} has no place for it"
    return Finding(
        code="modality.field" if path.endswith(_MODALITIES) else "rename.session-shape",
        severity=Severity.FAIL if foreign.marks else Severity.DEVIATION,
        path=path,
        message=f"{path} is a field of {foreign.owners}; {instead}.",
        expected=places or f"no {path}",
        actual=value,
        basis=foreign.basis,
        mend=_OTHER_DIALECT if foreign.marks else _EITHER,
        at=line,
    )


# Shapes.


def _problems(dialect: Dialect, event: Json) -> list[Problem]:
    """What the event's schema says of it, once nulls that may as well be absent are taken for absent."""
    schema = compiled_schema(dialect, Side.SERVER, event["type"])
    assert schema is not None
    problems = schema.problems(event)
    nulls = [steps for problem in problems if _at(event, steps := _steps(problem)) is None and steps]
    if not nulls:
        return problems
    for steps in nulls:
        event = _without(event, steps)
    return schema.problems(event)


def _without(value: Any, steps: list[str]) -> Any:
    """A copy without the null key at a place; nulls in arrays stay, for they are elements."""
    first, *rest = steps
    if isinstance(value, dict) and first in value:
        if rest:
            return {**value, first: _without(value[first], rest)}
        return {key: inner for key, inner in value.items() if key != first or inner is not None}
    if isinstance(value, list) and rest and first.isdecimal() and int(first) < len(value):
        place = int(first)
        return [*value[:place], _without(value[place], rest), *value[place + 1 :]]
    return value


def _misshapen(dialect: Dialect, event: Json, problem: Problem, line: int) -> Finding:
    steps = _steps(problem)
    missing = _missing(problem)
    if missing:
        steps = missing.split(".")
    modality = next((name for name in _MODALITIES if name in steps), None)
    if modality and not missing:
        steps = steps[: steps.index(modality) + 1]
    field = _field_at(dialect, event, steps)
    actual = _at(event, steps)
    code, severity, expected, message = (
        "schema.server-event",
        Severity.FAIL,
        problem.expected,
        problem.message,
    )
    if missing:
        expected = _kinds(field)
        message = f"is required, and {'null' if _has(event, steps) else 'missing'}"
        actual = None if _has(event, steps) else "missing"
    elif modality:
        code, expected = "modality.value", _combinations(field)
        message = f"{actual!r:.120} is no combination {dialect.name} has"
    elif steps[-1:] == ["type"] and "content" in steps and isinstance(actual, str):
        here = part_here(dialect, actual)
        code, expected = "rename.content-part", here or expected
        severity = Severity.FAIL if here else Severity.DEVIATION  # without a counterpart, it may be new
        message = f"{dialect.name} has no content part {actual!r:.80}"
    path = ".".join(steps) or "(whole)"
    said = f"{event['type']}: {path} {message}." if missing else f"{event['type']}, {path}: {message}."
    return Finding(
        code=code,
        severity=severity,
        path=path,
        message=said,
        expected=expected,
        actual=actual,
        basis=_basis(field.fact if field else dialect.server.events[event["type"]].fact),
        mend=_EITHER,
        at=line,
    )


def _missing(problem: Problem) -> str | None:
    """The dotted path of a required key that is not there."""
    if problem.keyword != "required":
        return None
    return ".".join([*_steps(problem), problem.message.split("'")[1]])


def _field_at(dialect: Dialect, event: Json, steps: list[str]) -> Field | None:
    """The nearest field of the tables on the way to a place."""
    shape: Shape | None = dialect.server.shapes[dialect.server.events[event["type"]].shape]
    found: Field | None = None
    value: Any = event
    for step in steps:
        value = _at(value, [step])
        if step.isdecimal() and found is not None:
            shape = _chosen(dialect, Field(found.name, found.of, (), found.fact), value)
            continue
        inner = shape.fields.get(step) if shape is not None else None
        if inner is None:
            return found
        found = inner
        shape = _chosen(dialect, inner, value)
    return found


def _kinds(field: Field | None) -> str:
    if field is None:
        return "the key"
    if field.values:
        return " or ".join(repr(value) for value in field.values)
    known = ("string", "integer", "number", "boolean", "null", "array", "any")
    return " or ".join(dict.fromkeys(kind if kind in known else "object" for kind in field.kinds))


def _combinations(field: Field | None) -> str:
    sets = field.sets if field else ()
    return " or ".join(str(sorted(members)) for members in sets) or "what the dialect has"


def _steps(problem: Problem) -> list[str]:
    pointer = problem.pointer.removeprefix("/")
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")] if pointer else []


def _has(event: Json, steps: list[str]) -> bool:
    holder = _at(event, steps[:-1])
    return isinstance(holder, dict) and steps[-1] in holder


def _at(value: Any, steps: list[str]) -> Any:
    for step in steps:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


# Refusals.


def _refused(dialect: Dialect, event: Json, line: int) -> Iterator[Finding]:
    body = event.get("error")
    if not isinstance(body, dict):
        return
    code = body.get("code")
    harmless = isinstance(code, str) and any(
        spec.harmless and spec.code == code for spec in dialect.errors.values()
    )
    yield Finding(
        code="service.refusal",
        severity=Severity.NOTE if harmless else Severity.DEVIATION,
        path=str(body.get("param") or "error"),
        message=f"the service refused something: {body.get('message')}",
        expected="no error event",
        actual=code or body.get("type"),
        basis=(THIS_LOG,),
        mend="nothing is lost but the event it answers" if harmless else "see what the client sent before it",
        at=line,
    )


def _basis(*facts: Fact) -> tuple[Basis, ...]:
    return tuple(dict.fromkeys(Basis(fact.evidence, fact.source) for fact in facts))
