"""The effective session: what the scenario asks for must be in it whenever an answer begins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from harness.checks.record import CaseRecord, basis_of
from harness.checks.registry import NotApplicable, NotProven, check
from harness.checks.scripted import answers_given
from harness.diff import changes
from harness.findings import Basis, Finding, Severity
from harness.messages import MISSING, Json, get_path

LEAVES = (
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
class Moment:
    """What was wanted and what held when an answer began; `at` is the message that shows it."""

    wanted: Json
    session: Json
    at: int | None
    connection: int = 1


def moments(record: CaseRecord) -> list[Moment]:
    """The scenario's answers, each with its session; where there was none, the end of the session."""
    if not record.connected:
        raise NotApplicable("no session was opened")
    wanted = wanted_sessions(record)
    given = answers_given(record)
    if given:
        last = len(wanted) - 1
        return [
            Moment(wanted[min(one.place, last)], one.start.session, one.start.entry, one.due.connection)
            for one in given
        ]
    if record.exchange.session is None or not record.spoke:
        raise NotProven("the client never configured the session nor asked for an answer")
    return [Moment(wanted[0], record.exchange.session, None)]


_OF_RESPONSE_ALONE = ("conversation", "input", "metadata")


def wanted_sessions(record: CaseRecord) -> list[Json]:
    """The wanted session at each answer; one that is asked for with more has that on top."""
    sessions = list(record.plan.sessions)
    answers = [intent for intent in record.plan.intents for _ in range(intent.answers)]
    for place, intent in enumerate(answers):
        response = dict(intent.fields).get("response") or {}
        more = {key: value for key, value in response.items() if key not in _OF_RESPONSE_ALONE}
        sessions[place] = _over(sessions[place], more)
    return sessions


def _over(session: Json, more: Json) -> Json:
    both = {
        key: _over(session[key], value)
        if isinstance(session.get(key), dict) and isinstance(value, dict)
        else value
        for key, value in more.items()
    }
    return {**session, **both}


def _before_any_loss(record: CaseRecord) -> list[Moment]:
    """What holds on a further connection is for `reconnect.restored` to say."""
    return [moment for moment in moments(record) if moment.connection == 1]


@check("session.lost", "everything the scenario asks of the session is in the effective session")
def lost(record: CaseRecord) -> Iterator[Finding]:
    answers = _before_any_loss(record)
    for path in LEAVES:
        for moment in answers:
            finding = _lost(record, moment, path)
            if finding is not None:
                yield finding
                break  # the first answer that lacks it shows it


def _lost(record: CaseRecord, moment: Moment, path: str) -> Finding | None:
    value, actual = get_path(moment.wanted, path), get_path(moment.session, path)
    if not is_lost(record, path, value, actual):
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
        mend=where_to_send(record, path),
        diff=changes(value, _comparable(value, shown), path),
        at=moment.at,
    )


def is_lost(record: CaseRecord, path: str, value: Any, actual: Any) -> bool:
    """Whether a wanted value does not hold, though the framework has a way to ask for it."""
    capabilities = record.observed.capabilities
    if value is MISSING or (capabilities and capabilities.reason_it_cannot(path, value)):
        return False
    if path == "instructions" and not str(value or "").strip() and actual in _first_instructions(record):
        return False
    return not _holds(capabilities.expressible(path, value) if capabilities else value, actual)


def _first_instructions(record: CaseRecord) -> list[str]:
    """What each session began with: empty instructions bring that back, as captures of GA show.

    So whether a client sent them or left them away, the session is the same.
    """
    return [
        event["session"].get("instructions")
        for entry in record.exchange.server_entries()
        for event in entry.canonical
        if event["type"] == "session.created"
    ]


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
    if record.scenario.of_transcription:
        raise NotApplicable("the session only hears")
    for moment in _before_any_loss(record):
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
            mend=where_to_send(record, "output_modalities"),
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


def where_to_send(record: CaseRecord, path: str) -> str:
    for row in record.dialect.translation.session:
        if row.canonical == path and row.wire is not None:
            return f"for {record.dialect.name}, send it as session.{row.wire} in session.update"
    return f"send it as session.{path} in session.update"
