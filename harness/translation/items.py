"""The conversation items inside an event, and the names of their content parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.messages import Json
from harness.translation.objects import OTHER_NAME, Loss


def items_of(event: Json) -> list[Json]:
    """The conversation items inside an event: its own, and those of a response's output or input."""
    return [item for _, item in placed_items(event)]


def placed_items(event: Json) -> Iterator[tuple[str, Json]]:
    """The items of an event, each with its dotted path."""
    item = event.get("item")
    if isinstance(item, dict):
        yield "item", item
    response = event.get("response")
    if not isinstance(response, dict):
        return
    for key in ("output", "input"):
        items: Any = response.get(key)
        for index, inner in enumerate(items if isinstance(items, list) else ()):
            if isinstance(inner, dict):
                yield f"response.{key}[{index}]", inner


def rename_parts(event: Json, names: Mapping[str, str], losses: list[Loss]) -> None:
    """Renames, in place, the content parts of the assistant's items; everybody else's have one name."""
    if not names:
        return
    for at, item in placed_items(event):
        content = item.get("content")
        if item.get("role") != "assistant" or not isinstance(content, list):
            continue
        for index, part in enumerate(content):
            name = part.get("type") if isinstance(part, dict) else None
            if not isinstance(name, str):
                continue
            if name in names:
                part["type"] = names[name]
            elif name in names.values():
                losses.append(Loss(f"{at}.content[{index}].type", OTHER_NAME))
