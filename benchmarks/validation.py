"""Validating one event, against `jsonschema` on that event's own schema, compiled once.

Ours is what the harness does with each event it judges: find the schema by dialect, side and
type, and ask for problems. Its peers are the schema we publish for the event, and a plain one
written by hand; both are given the event without any finding. A `oneOf` over all the types of a
side is what one compiles who does not look at the type first.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from jsonschema import Draft202012Validator

from benchmarks.measure import Row, median_times, report
from benchmarks.plain_schemas import EVENTS, SCHEMAS
from harness.dialects import Dialect, bundled_dialect, compiled_schema, event_schema
from harness.messages import Side

TO_ONE_SCHEMA = 1.5
ONE_OF_AT_LEAST = 4
ROUNDS = 15
CALLS = 40
DIALECT = "azure-v1"


def one_of(dialect: Dialect, side: Side) -> Draft202012Validator:
    """All event types of a side in one schema."""
    vocabulary = dialect.client if side is Side.CLIENT else dialect.server
    found = [event_schema(dialect, side, type_) for type_ in vocabulary.events]
    schemas = [schema for schema in found if schema is not None]
    definitions = {name: inner for schema in schemas for name, inner in schema["$defs"].items()}
    branches = [{key: value for key, value in schema.items() if key != "$defs"} for schema in schemas]
    return Draft202012Validator({"oneOf": branches, "$defs": definitions})


def rows_of(dialect: Dialect, type_: str, whole: dict[Side, Draft202012Validator]) -> list[Row]:
    """The ratios for one event."""
    event = EVENTS[type_]
    side = Side.CLIENT if type_ in dialect.client.events else Side.SERVER
    own = Draft202012Validator(event_schema(dialect, side, type_) or False)
    plain = Draft202012Validator(SCHEMAS[type_])

    def ours() -> list[Any]:
        schema = compiled_schema(dialect, side, type_)
        return schema.problems(event) if schema else ["no schema"]

    def errors(validator: Draft202012Validator) -> Callable[[], list[Any]]:
        return lambda: list(validator.iter_errors(event))

    candidates = {"ours": ours, "own": errors(own), "plain": errors(plain), "oneOf": errors(whole[side])}
    for name, call in candidates.items():
        assert not call(), f"{name} finds something wrong with {type_}: {call()}"
    times = median_times(candidates, rounds=ROUNDS, calls=CALLS)
    took = {name: f"{time * 1e6:.0f} us" for name, time in times.items()}
    return [
        Row(
            f"{type_}: ours : {name} schema",
            times["ours"] / times[key],
            at_most=TO_ONE_SCHEMA,
            note=f"{took['ours']} : {took[key]}",
        )
        for key, name in (("own", "the same"), ("plain", "a plain"))
    ] + [
        Row(
            f"{type_}: oneOf of all : ours",
            times["oneOf"] / times["ours"],
            at_least=ONE_OF_AT_LEAST,
            note=f"{took['oneOf']} : {took['ours']}",
        )
    ]


def main() -> int:
    """Prints the table; the exit status says whether all limits are kept."""
    dialect = bundled_dialect(DIALECT)
    whole = {side: one_of(dialect, side) for side in Side}
    rows = [row for type_ in EVENTS for row in rows_of(dialect, type_, whole)]
    return report(f"validation: one valid event of {DIALECT}", rows)


if __name__ == "__main__":
    sys.exit(main())
