"""Rules of starting, cancelling and ending responses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.dialects import Evidence
from harness.messages import Json
from harness.service.durations import RATE_LIMITS
from harness.service.errors import Refused
from harness.service.registry import CAPTURE_BETA, CAPTURES, TYPES, rule
from harness.service.rules.time import start_idling
from harness.service.running import Running

if TYPE_CHECKING:
    from harness.service.model import Service

_LIMITS = {"requests": 20_000, "tokens": 15_000_000}
"""As captured."""


@rule(
    "responses.create",
    "overrides hold for one response and leave the session alone",
    evidence=Evidence.DOCUMENTED,
    source=f"{TYPES}: ResponseCreateEvent",
)
@rule(
    "responses.create.active",
    "a second response in the conversation is refused while one is active",
    evidence=Evidence.REPORTED,
    source="tleyden/arty#81, livekit/agents#6818: neither response.created nor response.done follows",
)
@rule(
    "responses.create.beside",
    "one out of band may run beside others",
    evidence=Evidence.DOCUMENTED,
    source=f"{TYPES}: ResponseCreateEvent, which lets only one at a time write to the conversation",
)
@rule(
    "responses.create.ending",
    "one asked for while the response before is being cut short waits for its response.done",
    evidence=Evidence.ASSUMED,
    source="no frame published; it may be refused, but nobody is refused on a guess",
)
@rule(
    "responses.create.transcription",
    "a transcription session answers nothing, and says nothing to being asked",
    evidence=Evidence.ASSUMED,
    source="documented is only that such a session has no responses",
)
def create(service: Service, event: Json) -> None:
    if service.only_hears:
        return
    overrides = event.get("response") or {}
    active = service.running.get(service.active or "")
    if active is not None and overrides.get("conversation") != "none":
        if not active.ending or service.asked_meanwhile is not None:
            raise Refused("active_response", service.active)
        service.asked_meanwhile = overrides
        return
    service.respond(overrides, refused=False)


@rule(
    "responses.cancel",
    "a cancel ends the response it names, or else that of the conversation; with none it is refused",
    evidence=Evidence.DOCUMENTED,
    source=f"{TYPES}: ResponseCancelEvent",
)
@rule(
    "responses.cancel.twice",
    "a second cancel of a response that is being cancelled finds none active",
    evidence=Evidence.ASSUMED,
    source="no frame published",
)
def cancel(service: Service, event: Json) -> None:
    run = service.running.get(event.get("response_id") or service.active or "")
    if run is None or run.ending:
        raise Refused("cancel_not_active")
    service.cancel_response(run.id, "client_cancelled")


@rule(
    "responses.rate-limits",
    "services that tell of rate limits do so after response.done, but not where nothing was said",
    evidence=Evidence.RECORDED,
    source=f"{CAPTURES}: OpenAI GA, and none on Azure GA; without output: {CAPTURE_BETA}, which has them "
    "directly after response.created",
)
def after_response(service: Service, run: Running, response: Json) -> None:
    """What follows the end of a response."""
    if run.items:
        used = (response.get("usage") or {}).get("total_tokens") or 0
        spent = {"requests": 1, "tokens": used}
        limits = [
            {
                "name": name,
                "limit": _LIMITS[name],
                "remaining": _LIMITS[name] - spent[name],
                "reset_seconds": 0.0,
            }
            for name in service.dialect.service.rate_limits
        ]
        if limits:
            service.emit({"type": "rate_limits.updated", "rate_limits": limits}, delay=RATE_LIMITS)
    if not run.outside:
        start_idling(service, run.audio_ms)
