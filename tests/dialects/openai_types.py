"""Prints the Realtime event types of the `openai` package it runs beside, as JSON Schemas.

A program of its own, run by path with an environment's Python: standard library, `openai`
and `pydantic` only. Its argument is the namespace: `realtime` (GA) or `beta.realtime`.
What a client may send is read from the `...Param` types: unlike the models, they tell a
field that may be left out from one that may be null.
"""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any, get_args, get_origin

import openai
from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema


class _Quiet(GenerateJsonSchema):
    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012 - as pydantic has it


def members(alias: Any) -> list[Any]:
    """The types of a union, through `Annotated` and unions in unions."""
    if hasattr(alias, "__metadata__"):
        return members(get_args(alias)[0])
    if get_origin(alias) is None:
        return [alias]
    return [inner for argument in get_args(alias) for inner in members(argument)]


def schemas(namespace: str, module: str, union: str) -> dict[str, Any]:
    """One JSON Schema for each member of a union of events, by event type."""
    found: dict[str, Any] = {}
    for member in members(getattr(importlib.import_module(f"openai.types.{namespace}.{module}"), union)):
        schema = TypeAdapter(member).json_schema(schema_generator=_Quiet)
        found[schema["properties"]["type"]["const"]] = schema
    return found


def main() -> None:
    (namespace,) = sys.argv[1:]
    json.dump(
        {
            "version": openai.__version__,
            "client": schemas(namespace, "realtime_client_event_param", "RealtimeClientEventParam"),
            "server": schemas(namespace, "realtime_server_event", "RealtimeServerEvent"),
        },
        sys.stdout,
    )


if __name__ == "__main__":
    main()
