"""Order and causality: what the client did when, and what the service made of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.checks.record import CaseRecord, basis_of
from harness.checks.registry import NotApplicable, check
from harness.dialects import ErrorSpec, Evidence
from harness.findings import Basis, Finding, Severity
from harness.messages import Json
from harness.service import Entry, Origin

_OWN_CODES = {
    "active_response": "order.response-while-active",
    "truncate_past_end": "order.truncate",
    "truncate_unknown_item": "order.truncate",
    "truncate_no_audio": "order.truncate",
}


@check("order.response-while-active", "no second response is asked for while one is active")
def response_while_active(record: CaseRecord) -> Iterator[Finding]:
    yield from refused_by_state(record, "order.response-while-active")


@check("order.refused-event", "nothing is asked for that the state of the session forbids")
def refused_event(record: CaseRecord) -> Iterator[Finding]:
    yield from refused_by_state(record, "order.refused-event")


def refused_by_state(record: CaseRecord, code: str) -> Iterator[Finding]:
    """What the state of the session forbids, as far as it stands under that code."""
    if not record.spoke:
        raise NotApplicable("the client sent nothing")
    errors = list(record.errors_sent())
    for entry, name in record.refused_by_state():
        answer = _answer(entry, record.dialect.errors[name], errors)
        if _OWN_CODES.get(name, "order.refused-event") != code:
            continue
        spec = record.dialect.errors[name]
        what = entry.event["type"] if entry.event else f"a frame that is no event ({entry.raw!r:.80})"
        assumed = not spec.fact.evidence.can_fail
        yield Finding(
            code=code,
            severity=Severity.DEVIATION if assumed or spec.harmless else Severity.FAIL,
            path=entry.event["type"] if entry.event else "frame",
            message=f"{what} came when the service refuses it: {answer or spec.code or name}",
            expected="what the state of the session allows",
            actual=what,
            basis=basis_of(spec.fact),
            mend="wait for the service's own event before the next step",
            at=entry.number,
        )


def _answer(refused: Entry, spec: ErrorSpec, errors: list[tuple[Entry, Json]]) -> str | None:
    """What the service really said to it; `errors` are those that answer nothing yet."""
    for one in errors:
        sent, error = one
        later = sent.number > refused.number and sent.connection == refused.connection
        if later and error.get("code") == spec.code:
            errors.remove(one)
            return str(error.get("message"))
    return None


@check("order.tool-result", "every tool call gets its result, and no result comes without its call")
def tool_result(record: CaseRecord) -> Iterator[Finding]:
    made = _calls_made(record)
    results = _results(record)
    if not made and not results:
        raise NotApplicable("no tool was called")
    known: set[str] = set()
    for entry in record.exchange.entries:
        for event in entry.canonical:
            item = event.get("item")
            if event["type"] == "response.output_item.added" and isinstance(item, dict):
                known.add(str(item.get("call_id")))
            if event["type"] == "conversation.item.create" and isinstance(item, dict):
                call_id = item.get("call_id")
                if item.get("type") == "function_call_output" and call_id not in known:
                    yield Finding(
                        code="order.tool-result",
                        severity=Severity.FAIL,
                        path="item.call_id",
                        message=f"a tool result came for the call {call_id!r}, which the service never made.",
                        expected=f"one of {sorted(known)}" if known else "no tool result before a call",
                        actual=call_id,
                        basis=(
                            Basis(Evidence.DOCUMENTED, "API reference: call_id is that of the function call"),
                        ),
                        mend="send the call_id of the function_call item",
                        at=entry.number,
                    )
    scripted = {tool.name: tool.result for tool in record.scenario.tools}
    for call_id, name in made.items():
        if call_id in results and name in scripted and not _carries(results[call_id], scripted[name]):
            yield Finding(
                code="order.tool-result",
                severity=Severity.FAIL,
                path="item.output",
                message=f"what the tool {name!r} returned is not in the result the service got.",
                expected=scripted[name],
                actual=results[call_id],
                basis=(record.basis,),
                mend="send what the tool returned, in whatever form, as the output of function_call_output",
            )
        if call_id not in results:
            yield Finding(
                code="order.tool-result",
                severity=Severity.FAIL,
                path="item.call_id",
                message=f"the result of the call to {name!r} never reached the service.",
                expected=f"a function_call_output with call_id {call_id!r}",
                actual=sorted(results) or "none",
                basis=(record.basis,),
                mend="answer each function_call with a function_call_output item, then response.create",
            )


def _calls_made(record: CaseRecord) -> dict[str, str]:
    return {
        event["item"]["call_id"]: event["item"]["name"]
        for entry in record.exchange.server_entries()
        for event in entry.canonical
        if event["type"] == "response.output_item.done" and event["item"]["type"] == "function_call"
    }


def _carries(output: str, result: Any) -> bool:
    """Whether an output holds a result. Its form is free, and frameworks differ: each value must be in it."""
    if isinstance(result, dict):
        return all(_carries(output, value) for value in result.values())
    if isinstance(result, list):
        return all(_carries(output, value) for value in result)
    if result is None or isinstance(result, bool):
        return True  # null, None, nil: every language spells them its own way
    return str(result) in output


def _results(record: CaseRecord) -> dict[str, str]:
    return {
        str(event["item"].get("call_id")): str(event["item"].get("output"))
        for entry in record.exchange.client_entries()
        if not entry.refusals and entry.refused_by_state is None
        for event in entry.canonical
        if event["type"] == "conversation.item.create" and event["item"].get("type") == "function_call_output"
    }


@check("order.extra-answer", "no answer is asked for that the scenario does not have")
def extra_answer(record: CaseRecord) -> Iterator[Finding]:
    if not record.exchange.responses:
        raise NotApplicable("no answer was asked for")
    for start in record.exchange.responses:
        # Who comes back by itself after a loss asks again for what was lost with the connection.
        again = record.exchange.entries[start.entry].connection > len(record.scenario.connections)
        if start.origin is Origin.MODELLED and not again:
            yield Finding(
                code="order.extra-answer",
                severity=Severity.DEVIATION,
                path="response.create",
                message=f"an answer was asked for that is not the scenario's: {start.why_modelled}.",
                expected="one response.create for each answer of the scenario",
                actual="one more, answered by the service model",
                basis=(record.basis,),
                mend="ask for an answer once, when the turn is over and tool results are in",
                at=start.entry,
            )
