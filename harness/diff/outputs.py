"""Lines up the items inside two responses, so that one item more does not shift all that follow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from harness.diff.model import Aside, Message
from harness.findings import Change
from harness.messages import Json

_AT = "response.output"


def line_up(a: Message, b: Message, partner: Callable[[str], str | None]) -> tuple[Message, Message]:
    """Two messages whose outputs stand by the item and not by the number, where numbers would mislead.

    The items become fields `[0]`, `[1]` of A; one that only B has is called `[1 of B]`.
    """
    mine, theirs = _outputs(a), _outputs(b)
    if mine is None or theirs is None:
        return a, b
    ids_a, ids_b = _ids(a), _ids(b)
    if len(ids_a) != len(mine) or len(ids_b) != len(theirs):
        return a, b
    places = {value: number for number, value in ids_b.items()}
    matched = {
        number: places[other]
        for number, value in ids_a.items()
        if (other := partner(value)) is not None and other in places
    }
    if len(mine) == len(theirs) and all(matched.get(number, number) == number for number in ids_a):
        return a, b
    turned = {j: i for i, j in matched.items()}
    names_a = {i: f"[{i}]" for i in range(len(mine))}
    names_b = {j: f"[{turned[j]}]" if j in turned else f"[{j} of B]" for j in range(len(theirs))}
    return _renamed(a, mine, names_a, set(matched)), _renamed(b, theirs, names_b, set(turned))


def with_plain_path(change: Change) -> Change:
    """`output.[0]` as `output[0]`."""
    return replace(change, path=change.path.replace(f"{_AT}.[", f"{_AT}["))


def _outputs(message: Message) -> list[Any] | None:
    response = message.body.get("response")
    output = response.get("output") if isinstance(response, dict) else None
    return output if isinstance(output, list) else None


def _ids(message: Message) -> dict[int, str]:
    found: dict[int, str] = {}
    for aside in message.asides:
        number = _number(aside)
        if number is not None and aside.path.endswith("].id") and isinstance(aside.value, str):
            found[number] = aside.value
    return found


def _number(aside: Aside) -> int | None:
    if not aside.path.startswith(f"{_AT}["):
        return None
    return int(aside.path[len(_AT) + 1 :].partition("]")[0])


def _renamed(message: Message, items: list[Any], names: dict[int, str], matched: set[int]) -> Message:
    response: Json = {**message.body["response"], "output": {names[n]: item for n, item in enumerate(items)}}
    asides: list[Aside] = []
    for aside in message.asides:
        number = _number(aside)
        if number is None:
            asides.append(aside)
        elif number in matched:  # an item without a counterpart is reported as a whole
            rest = aside.path[len(_AT) :].partition("]")[2]
            asides.append(aside._replace(path=f"{_AT}{names[number]}{rest}"))
    return message._replace(body={**message.body, "response": response}, asides=tuple(asides))
