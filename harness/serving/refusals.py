"""What is said of refusals beyond the tables of fields: of handshakes, and of events out of place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlencode

from harness.checks.refusals import refusal_finding
from harness.dialects import Acceptance, Dialect, Evidence, Refusal, bundled_dialect, dialect_names
from harness.dialects.model import DEPLOYMENT
from harness.findings import Basis, Finding, Severity
from harness.messages import TOO_DEEP
from harness.redaction import cut
from harness.service import Entry, Handshake

_MOST_SHOWN = 160
"""Characters of what a client sent."""

_STATES: Mapping[str, tuple[str, str]] = {
    "active_response": (
        "response.create when no response is active",
        "wait for response.done, or send response.cancel first",
    ),
    "cancel_not_active": (
        "response.cancel between response.created and response.done",
        "nothing is lost: the answer was over. Cancel only what is active, or pass over this error",
    ),
    "commit_empty": (
        "100 ms of audio or more since the last commit",
        "append the audio first; with turn_detection the service commits by itself, so send no commit",
    ),
    "invalid_audio": (
        "base64 of the bytes of the audio",
        "encode the audio as base64: no data: URL, no hex, no spaces",
    ),
    "invalid_json": (
        "one JSON object in each text frame",
        "send the event as JSON text, the whole of it at once, in a text frame and no binary one",
    ),
    "invalid_event": ("an object with a type", 'give it a "type", such as "response.create"'),
    "delete_unknown_item": ("an id the service told of", "take it from conversation.item.added"),
    "retrieve_unknown_item": ("an id the service told of", "take it from conversation.item.added"),
    "truncate_unknown_item": ("an id the service told of", "take it from response.output_item.added"),
    "truncate_past_end": (
        "audio_end_ms within the audio that was sent",
        "send how much of this item was played, not of the whole session",
    ),
    "truncate_no_audio": (
        "an item with audio of the model",
        "truncate only spoken answers; a written one is cut by response.cancel",
    ),
    "voice_after_audio": ("the voice as it is", "choose the voice before the first answer is spoken"),
    "previous_item_unknown": ("an id the service told of, or none", "leave previous_item_id away to append"),
    "turn_detection_unsupported": (
        "turn_detection null",
        "end the turns with input_audio_buffer.commit, or choose another model for the transcription",
    ),
    "wrong_session_kind_realtime": (
        "session.type transcription",
        "open the connection without intent=transcription for a session that answers",
    ),
    "wrong_session_kind": (
        "session.type realtime",
        "open the connection with intent=transcription for a session that only hears",
    ),
}
"""By the name of the error in the catalogue: what was expected, and how to mend it."""


def event_finding(dialect: Dialect, refusal: Refusal, *, at: int, first: bool, lenient: bool) -> Finding:
    """An event that the tables refuse; a list of all names that there are is said once."""
    finding = refusal_finding(dialect, refusal, at=at, first=first, lenient=lenient)
    if refusal.path != "type" or finding.expected != refusal.expected:
        return finding
    message = finding.message.replace(str(refusal.expected), "…")
    return replace(finding, message=message, mend="send one of those")


def state_finding(dialect: Dialect, entry: Entry) -> Finding:
    """An event that the state of the session forbids; the error that answers it comes next."""
    assert entry.refused_by_state is not None
    spec = dialect.errors[entry.refused_by_state]
    what = entry.event["type"] if entry.event is not None else "a frame that is no event"
    other = (f"not: {spec.when}", "wait for the service's own event before the next step")
    expected, mend = _STATES.get(spec.name, other)
    failing = spec.fact.evidence.can_fail and not spec.harmless
    if entry.problem is not None and entry.problem.startswith(TOO_DEEP):
        return _too_deep(entry, entry.problem)
    return Finding(
        code=spec.name,
        severity=Severity.FAIL if failing else Severity.DEVIATION,
        path=str(what),
        message=f"{spec.when or spec.message}: the service answers with an error, and nothing else happens.",
        expected=expected,
        actual=entry.problem,
        basis=(Basis(spec.fact.evidence, spec.fact.source),),
        mend=mend,
        at=entry.number,
    )


def _too_deep(entry: Entry, problem: str) -> Finding:
    return Finding(
        code="limit.nesting",
        severity=Severity.NOTE,
        path="a frame that is no event",
        message=f"{problem}, a limit of this server: it answers with an error, and nothing else happens.",
        expected=problem.replace(f"{TOO_DEEP} than", "at most"),
        actual=cut(entry.raw or "", _MOST_SHOWN),
        basis=(Basis(Evidence.ASSUMED, "how deep a message may nest, nobody has published"),),
        mend="serve with a higher --limit nesting, up to 64; real events have ten levels at most",
        at=entry.number,
    )


def handshake_reason(dialect: Dialect, handshake: Handshake, origin: str) -> tuple[str, str, str | None]:
    """Why a handshake was refused, what was expected instead of it at `origin`, and how that is known."""
    rules, sent = dialect.handshake, dict(handshake.query)
    right = origin + right_url(dialect, sent)
    if handshake.refusal == "wrong_path":
        return "wrong path", right, None
    for rule in rules.query:
        refused = rule.acceptance is Acceptance.REFUSED and rule.name in sent
        evidence = f"{rule.fact.evidence}: {rule.fact.source}"
        if refused:
            return f"{rule.name} has no place on {rules.path}", right, evidence
        if handshake.refusal == "wrong_key":
            continue
        needless = rule.needless_in(sent)
        if needless is not None:
            return f"{needless} has no place beside {rule.name}={sent[rule.name]}", right, evidence
        if rule.missing_from(sent):
            return f"{rule.name} is missing", right, evidence
        if rule.name in sent and not rule.takes(sent[rule.name]):
            why = f"{rule.name} is {cut(sent[rule.name], _MOST_SHOWN)}, not {rule.value}"
            return why, right, evidence
    for header in rules.headers:
        if handshake.refusal == "refused_header" and header.refuses(handshake.header(header.name)):
            expected = f"{right}, without the header {header.name}"
            return f"the header {header.name}", expected, f"{header.fact.evidence}: {header.fact.source}"
    if handshake.refusal == "wrong_key":
        # Commas: a word that follows `bearer` is taken for a key, and redacted.
        expected = f"{right}, and the key that is shown at the start, as {', '.join(rules.auth)}"
        return "wrong key" if _has_key(handshake) else "no key", expected, None
    return (handshake.refusal or "").replace("_", " "), right, None


def _has_key(handshake: Handshake) -> bool:
    """Whether any key came with it, be it in a place where the service looks."""
    headers = any(handshake.header(name) is not None for name in ("api-key", "authorization"))
    return (
        headers or "api-key" in dict(handshake.query) or any("key" in one for one in handshake.subprotocols)
    )


def dialects_at(handshake: Handshake) -> tuple[str, ...]:
    """The bundled dialects that are dialled as this one is, for people who cannot change their client."""
    sent = dict(handshake.query)
    return tuple(
        dialect.name
        for dialect in map(bundled_dialect, dialect_names())
        if dialect.handshake.path == handshake.path and _fits(dialect, sent, handshake)
    )


def _fits(dialect: Dialect, sent: Mapping[str, str], handshake: Handshake) -> bool:
    query = all(
        not rule.missing_from(sent) and (rule.name not in sent or rule.takes(sent[rule.name]))
        for rule in dialect.handshake.query
    )
    headers = dialect.handshake.headers
    wanted = all(handshake.header(rule.name) == rule.value for rule in headers if rule.required)
    return query and wanted and not any(rule.refuses(handshake.header(rule.name)) for rule in headers)


def right_url(dialect: Dialect, sent: Mapping[str, str]) -> str:
    """Path and query of a right handshake, for transcription where that was asked for."""
    rules = dialect.handshake
    hears = any(rule.means == "transcription" and rule.name in sent for rule in rules.query)
    return f"{rules.path}?{urlencode(rules.right_query(DEPLOYMENT, transcription=hears))}"
