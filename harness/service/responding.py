"""Starts a response, and cuts one short."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.messages import Json
from harness.service.agenda import Queued
from harness.service.answers import ResponseFrame
from harness.service.effective import effective_session
from harness.service.exchange import Origin, ResponseStart
from harness.service.rules import LATENCY
from harness.service.running import Running
from harness.service.supply import ResponseRequest

if TYPE_CHECKING:
    from harness.service.model import Service

THINKING = 0.25
"""Seconds from `response.create` to the first event of the answer."""


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
        events = tuple(e for e in events if not e.event["type"].startswith("conversation.item."))
    if not events:
        return
    items = tuple(service.conversation.snapshot())
    start = ResponseStart(0, frame.session, items, supply.origin, supply.why_modelled)
    service.running[frame.response_id] = Running(frame, supply.origin, start, outside, supply.hold)
    if not outside:
        service.active = frame.response_id
    for index, supplied in enumerate(events):
        service.emit(
            supplied.event,
            origin=supply.origin,
            delay=THINKING + supplied.t,
            thinking=index == 0,
            response_id=frame.response_id,
            prepared=supplied.prepared,
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
    response = run.frame.response(status, [*run.output, *output], None)
    response["status_details"] = details
    for event in (*closing, {"type": "response.done", "response": response}):
        service.emit(event, origin=origin, delay=delay, response_id=response_id)


def _opens(queued: Queued) -> bool:
    """`response.created` is sent even of a response that is cancelled at once."""
    return queued.event is not None and bool(queued.event["type"] == "response.created")
