"""Starts a response, and cuts one short."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.dialects import Evidence
from harness.messages import Json
from harness.service.agenda import Queued
from harness.service.answers import ResponseFrame
from harness.service.durations import LATENCY, THINKING
from harness.service.effective import effective_session
from harness.service.exchange import Origin, ResponseStart
from harness.service.registry import CAPTURE_BETA, TYPES, rule
from harness.service.running import Running
from harness.service.supply import Passage, ResponseRequest, Supplied
from harness.service.usage import usage

if TYPE_CHECKING:
    from harness.service.model import Service


@rule(
    "responses.out-of-band",
    "a response with `conversation: none` has no conversation_id, and no conversation.item event tells "
    "of its items, as those tell what was added to the conversation",
    evidence=Evidence.DOCUMENTED,
    source=f"{TYPES}: RealtimeResponseCreateParams.conversation, ConversationItemAdded",
)
def start_response(service: Service, overrides: Json, *, refused: bool, by_service: bool) -> None:
    """Asks for an answer and queues it; `refused` where the service would not have started it."""
    outside = overrides.get("conversation") == "none"
    frame = ResponseFrame(
        service.mint.mint("resp"),
        None if outside else service.conversation_id,
        effective_session(service.session, overrides),
        overrides.get("metadata"),
    )
    supply = service.supply(ResponseRequest(frame, refused, outside, by_service))
    events = supply.events
    if outside:
        events = tuple(one for one in events if not _of_conversation(one))
    if not events:
        return
    start = ResponseStart(0, frame.session, (), supply.origin, supply.why_modelled)
    given = overrides.get("input")
    service.running[frame.response_id] = Running(
        frame, supply.origin, start, outside, supply.hold, given if isinstance(given, list) else None
    )
    if not outside:
        service.active = frame.response_id
    for index, supplied in enumerate(events):
        if not isinstance(supplied, Supplied):
            service.emit_passage(
                supplied, origin=supply.origin, delay=THINKING, response_id=frame.response_id
            )
            continue
        service.emit(
            supplied.event,
            origin=supply.origin,
            delay=THINKING + supplied.t,
            thinking=index == 0,
            response_id=frame.response_id,
            prepared=supplied.prepared,
        )


@rule(
    "responses.cut.long",
    "a response cut short closes all it had opened, with what was really sent; its items are incomplete",
    evidence=Evidence.DOCUMENTED,
    source=f"{TYPES}: *.done events are sent too when a response is interrupted, incomplete, or cancelled",
)
@rule(
    "responses.cut.short",
    "one that had sent no item has an empty output; response.created is sent even then",
    evidence=Evidence.RECORDED,
    source=CAPTURE_BETA,
)
def cut_response(
    service: Service, response_id: str, status: str, details: Json, origin: Origin = Origin.MODELLED
) -> None:
    """Cuts a running response short: what it had not yet said is never said, what is open is closed."""
    run = service.running[response_id]
    if run.ending:
        return
    run.ending, run.hold = True, False
    service.agenda.drop(lambda queued: queued.response_id == response_id and not _opens(queued))
    opening = [q.t - service.t for q in service.agenda.queued() if q.response_id == response_id]
    delay = max([*opening, LATENCY])
    closing = tuple(run.closing())
    output = [event["item"] for event in closing if event["type"] == "response.output_item.done"]
    cost = usage(run.cost if run.items else None)
    response = run.frame.response(status, [*run.output, *output], cost)
    response["status_details"] = details
    for event in (*closing, {"type": "response.done", "response": response}):
        service.emit(event, origin=origin, delay=delay, response_id=response_id)


def _of_conversation(supplied: Supplied | Passage) -> bool:
    return isinstance(supplied, Supplied) and supplied.event["type"].startswith("conversation.item.")


def _opens(queued: Queued) -> bool:
    """`response.created` is sent even of a response that is cancelled at once."""
    return queued.event is not None and bool(queued.event["type"] == "response.created")
