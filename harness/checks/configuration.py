"""The effective session: what the scenario asks for must be in it whenever an answer begins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from harness.checks.record import CaseRecord, basis_of
from harness.checks.registry import NotApplicable, NotProven, check
from harness.diff import changes
from harness.findings import Basis, Finding, Severity
from harness.messages import MISSING, Json, get_path
from harness.service import Origin

_LEAVES = (
    "instructions",
    "audio.output.voice",
    "audio.output.speed",
    "audio.output.format",
    "audio.input.format",
    "audio.input.turn_detection",
    "audio.input.transcription",
    "audio.input.noise_reduction",
    "tools",
    "tool_choice",
    "max_output_tokens",
    "temperature",
)


@dataclass(frozen=True)
class _Moment:
    """What was wanted and what held when an answer began; `at` is the message that shows it."""

    wanted: Json
    session: Json
    at: int | None


def _moments(record: CaseRecord) -> list[_Moment]:
    """The scenario's answers, each with its session; where there was none, the end of the session."""
    if not record.connected:
        raise NotApplicable("no session was opened")
    wanted = record.plan.sessions
    starts = [start for start in record.exchange.responses if start.origin is not Origin.MODELLED]
    if starts:
        return [
            _Moment(wanted[min(index, len(wanted) - 1)], start.session, start.entry)
            for index, start in enumerate(starts)
        ]
    if record.exchange.session is None or not record.spoke:
        raise NotProven("the client never configured the session nor asked for an answer")
    return [_Moment(wanted[0], record.exchange.session, None)]


@check("session.lost", "everything the scenario asks of the session is in the effective session")
def lost(record: CaseRecord) -> Iterator[Finding]:
    moments = _moments(record)
    for path in _LEAVES:
        for moment in moments:
            finding = _lost(record, moment, path)
            if finding is not None:
                yield finding
                break  # the first answer that lacks it shows it


def _lost(record: CaseRecord, moment: _Moment, path: str) -> Finding | None:
    value, actual = get_path(moment.wanted, path), get_path(moment.session, path)
    if value is MISSING or _holds(value, actual):
        return None
    if record.observed.capabilities and record.observed.capabilities.reason_it_cannot(path, value):
        return None
    refused, assumed = _refused_updates(record)
    shown = None if actual is MISSING else actual
    because = " (the update that held it was refused)" if refused and not record.lenient else ""
    return Finding(
        code="session.lost",
        severity=Severity.DEVIATION if assumed else Severity.FAIL,
        path=f"session.{path}",
        message=f"{path} was asked for and is not in the effective session{because}.",
        expected=value,
        actual=shown,
        basis=(record.basis, *_field_basis(record, path)),
        mend=_mend(record, path),
        diff=changes(value, _comparable(value, shown), path),
        at=moment.at,
    )


def _refused_updates(record: CaseRecord) -> tuple[bool, bool]:
    """Whether an update was refused, and whether each such refusal is only assumed (then it fails nobody)."""
    answers = [
        entry.refusals[0].error
        for entry in record.exchange.client_entries()
        if entry.refusals and entry.event is not None and entry.event["type"] == "session.update"
    ]
    known = [name for name in answers if record.dialect.errors[name].fact.evidence.can_fail]
    return bool(answers), bool(answers) and not known


@check("modality.effective", "answers are asked for in the modalities the scenario wants")
def effective_modality(record: CaseRecord) -> Iterator[Finding]:
    for moment in _moments(record):
        wanted = moment.wanted.get("output_modalities", ["audio"])
        actual, at = moment.session.get("output_modalities"), moment.at
        if actual == wanted:
            continue
        yield Finding(
            code="modality.effective",
            severity=Severity.FAIL,
            path="session.output_modalities",
            message=f"the scenario wants {wanted} and the effective session says {actual} (canonical form).",
            expected=wanted,
            actual=actual,
            basis=(record.basis,),
            mend=_mend(record, "output_modalities"),
            diff=changes(wanted, actual, "output_modalities"),
            at=at,
        )
        return


def _holds(wanted: Any, actual: Any) -> bool:
    """Whether the effective value carries the wanted one; the service may add to it."""
    if isinstance(wanted, dict) and isinstance(actual, dict):
        return all(key in actual and _holds(value, actual[key]) for key, value in wanted.items())
    if isinstance(wanted, list) and isinstance(actual, list):
        if all(isinstance(item, dict) and "name" in item for item in wanted):
            return all(any(_same_tool(tool, other) for other in actual) for tool in wanted)
        return len(wanted) == len(actual) and all(map(_holds, wanted, actual))
    if isinstance(wanted, str) and isinstance(actual, str):
        return wanted.strip() == actual.strip()
    return bool(wanted == actual)


def _same_tool(wanted: Json, actual: Any) -> bool:
    """A tool is the same by name and parameter names; frameworks rewrite schemas in harmless ways."""
    if not isinstance(actual, dict) or actual.get("name") != wanted["name"]:
        return False
    names = set((wanted.get("parameters") or {}).get("properties", {}))
    return names == set((actual.get("parameters") or {}).get("properties", {}))


def _comparable(wanted: Any, actual: Any) -> Any:
    """The actual value without what the service added by itself, so that a diff shows only the loss."""
    if isinstance(wanted, dict) and isinstance(actual, dict):
        return {key: actual[key] for key in wanted if key in actual}
    return actual


def _field_basis(record: CaseRecord, path: str) -> tuple[Basis, ...]:
    """What says that the dialect has a place for the field."""
    wire = next((row.wire for row in record.dialect.translation.session if row.canonical == path), None)
    shape = record.dialect.client.shapes["session_request"]
    spec = shape.fields.get(wire or path.split(".", maxsplit=1)[0])
    return basis_of(spec.fact) if spec is not None else ()


def _mend(record: CaseRecord, path: str) -> str:
    for row in record.dialect.translation.session:
        if row.canonical == path and row.wire is not None:
            return f"for {record.dialect.name}, send it as session.{row.wire} in session.update"
    return f"send it as session.{path} in session.update"
