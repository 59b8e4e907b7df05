"""The lines a driver writes: what they say, and what is wrong with those that are no notices."""

from __future__ import annotations

import difflib
import json
from typing import Any

from harness.messages import Json
from harness.validation import Problem, subschema

_VALUE_IS_WRONG = ("const", "enum", "type")


class Notices:
    """Reads lines of the driver protocol."""

    def __init__(self) -> None:
        self._schema = subschema("driver", "from_driver")

    def read(self, line: str) -> tuple[Json | None, str]:
        """The object a line holds, None without one, and in words what keeps it from being a notice."""
        try:
            notice = json.loads(line)
        except (ValueError, RecursionError):
            return None, ""
        if not isinstance(notice, dict):
            return None, ""
        hello = is_hello(notice)
        # Without a type every rule of every type would hold, by the meaning of `if`.
        problems = self._schema.problems({"type": "hello", **notice} if hello else notice)
        absent = [] if "type" in notice else ["'type' is missing"]
        if not problems and not absent:
            return notice, ""
        name = "hello" if hello else notice.get("type")
        unknown = [one for one in problems if one.pointer == "/type"]
        if unknown or not isinstance(name, str):
            return notice, "no notice: " + "; ".join(absent or [_in_words(notice, one) for one in unknown])
        return notice, f"{name}: " + "; ".join(absent + [_in_words(notice, one) for one in problems])


def is_hello(notice: Json) -> bool:
    """Whether an object is meant as a hello, which may lack its type."""
    return notice.get("type") == "hello" or ("type" not in notice and "protocol" in notice)


def _in_words(notice: Json, problem: Problem) -> str:
    if problem.keyword not in _VALUE_IS_WRONG:
        place = f"{problem.pointer[1:]}: " if problem.pointer else ""
        return place + problem.message.replace("is a required property", "is missing")
    value: Any = notice
    for part in problem.pointer.split("/")[1:]:
        value = value[int(part)] if isinstance(value, list) else value[part]
    said = json.dumps(value)
    said = said if len(said) <= 60 else f"{said[:60]}…"
    return f"{problem.pointer[1:]} is {said}, expected {problem.expected}{_near(value, problem)}"


def _near(value: Any, problem: Problem) -> str:
    """The name that was probably meant; `expected` lists them as JSON."""
    known = json.loads(f"[{problem.expected.removeprefix('one of ')}]") if problem.keyword == "enum" else []
    close = difflib.get_close_matches(value, known, 1) if isinstance(value, str) else []
    return f' ("{close[0]}" is near)' if close else ""
