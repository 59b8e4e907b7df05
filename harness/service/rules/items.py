"""Rules of the conversation's items."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.dialects import Evidence
from harness.messages import Json
from harness.service.errors import Refused
from harness.service.registry import CAPTURES, TYPES, rule

if TYPE_CHECKING:
    from harness.service.model import Service

_SPOKEN = ("input_audio", "output_audio")


@rule(
    "items.create",
    "an item is told of with the id the client gave it, or a new one; added and done are equal and adjacent",
    evidence=Evidence.RECORDED,
    source=f"{CAPTURES}: 18 of 18",
)
@rule(
    "items.create.at-the-end",
    "an item created when only `response.done` is still to come of a response is added and told of after it",
    evidence=Evidence.RECORDED,
    source=f"{CAPTURES}: 2 of 2 tool results sent before response.done",
)
@rule(
    "items.create.during-answer",
    "one created earlier in an answer is added and told of at once, after what the model has added so far",
    evidence=Evidence.ASSUMED,
    source="no frame published; who waits for the item is not kept waiting on a guess",
)
@rule(
    "items.create.twice",
    "an id that is there already is not refused: the item follows itself and stays as it was",
    evidence=Evidence.REPORTED,
    source="speaches-ai/speaches tests against OpenAI GA; gpt-realtime-1.5 is said to append it",
)
@rule(
    "items.create.unknown-previous",
    "a `previous_item_id` that is not there is refused",
    evidence=Evidence.REPORTED,
    source="rtclient client_test.py (Azure 2024-10), speaches-ai/speaches tests against OpenAI GA",
)
@rule(
    "items.many",
    "a conversation holds as many items as the client makes; their memory ends with the session",
    evidence=Evidence.ASSUMED,
    source="the service truncates by tokens and names no number of items",
)
def create(service: Service, event: Json) -> None:
    given = event["item"]
    wanted, after = given.get("id"), event.get("previous_item_id")
    item = {
        "id": wanted if isinstance(wanted, str) and wanted else service.mint.mint("item"),
        "type": given["type"],
    }
    if given["type"] != "function_call_output":
        item["status"] = "completed"
    item.update({key: value for key, value in given.items() if key not in ("id", "object", "status")})
    if given["type"] == "function_call" and not isinstance(given.get("call_id"), str):
        item["call_id"] = service.mint.mint("call")
    sounds = _taken_sounds(item)
    origin = service.acknowledgement(event)
    try:
        service.create_item(item, after if after is None else str(after), origin)
    except KeyError:
        raise Refused("previous_item_unknown", after) from None
    for part, sound in sounds:
        service.conversation.keep_sound(item["id"], sound, part)
    service.created(item)


def _taken_sounds(item: Json) -> list[tuple[int, str]]:
    """The audio of an item, by part; the item is left without: no event but one that was asked for has it."""
    parts = item.get("content")
    if not isinstance(parts, list):
        return []
    sounds = {
        number: part["audio"]
        for number, part in enumerate(parts)
        if isinstance(part, dict) and part.get("type") in _SPOKEN and isinstance(part.get("audio"), str)
    }
    item["content"] = [
        {key: value for key, value in part.items() if key != "audio"} if number in sounds else part
        for number, part in enumerate(parts)
    ]
    return list(sounds.items())


@rule(
    "items.retrieve",
    "an item that is there is shown as the service has it, another refused",
    evidence=Evidence.REPORTED,
    source="speaches-ai/speaches tests against OpenAI GA",
)
def retrieve(service: Service, event: Json) -> None:
    service.release_items()
    item = service.conversation.retrieved(event["item_id"])
    if item is None:
        raise Refused("retrieve_unknown_item", event["item_id"])
    service.emit({"type": "conversation.item.retrieved", "item": item}, origin=service.acknowledgement(event))


@rule(
    "items.delete",
    "an item that is there is deleted and told of, another refused",
    evidence=Evidence.REPORTED,
    source="speaches-ai/speaches tests against OpenAI GA",
)
def delete(service: Service, event: Json) -> None:
    service.release_items()
    if not service.conversation.remove(event["item_id"]):
        raise Refused("delete_unknown_item", event["item_id"])
    deleted = {"type": "conversation.item.deleted", "item_id": event["item_id"]}
    service.emit(deleted, origin=service.acknowledgement(event))


@rule(
    "items.truncate",
    "only what the model spoke can be truncated",
    evidence=Evidence.REPORTED,
    source="livekit/agents#6158, livekit/agents#1016",
)
@rule(
    "items.truncate.past-the-end",
    "a truncation past the end of the audio is an error, and what there is is truncated all the same",
    evidence=Evidence.REPORTED,
    source="ReviewStage/luke#564 (2026-08)",
)
@rule(
    "items.truncate.content-index",
    "a `content_index` other than that of the audio changes nothing and is answered all the same",
    evidence=Evidence.ASSUMED,
    source=f"{TYPES}: `set this to 0`; what comes of another is not published",
)
def truncate(service: Service, event: Json) -> None:
    item_id, index = event["item_id"], int(event["content_index"])
    wanted = max(int(event["audio_end_ms"]), 0)
    service.release_items()
    if service.conversation.position(item_id) is None:
        raise Refused("truncate_unknown_item", item_id)
    made = service.conversation.audio_ms.get(item_id)
    if made is None:
        raise Refused("truncate_no_audio")
    if wanted > made:
        service.complain(Refused("truncate_past_end", wanted, made), event)
    if index == 0:
        service.conversation.truncate(item_id, wanted)
    truncated = {"item_id": item_id, "content_index": index, "audio_end_ms": min(wanted, made)}
    service.emit({"type": "conversation.item.truncated", **truncated}, origin=service.acknowledgement(event))
