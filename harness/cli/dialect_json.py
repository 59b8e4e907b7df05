"""Dialects as JSON, for other programs: the shape is `harness/schemas/facts.schema.json`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from harness import __version__
from harness.dialects import Acceptance, Dialect, Evidence, Fact
from harness.dialects.facts import (
    Place,
    default_of,
    field_name,
    modality_rules,
    places,
    reached_shapes,
    shares,
)
from harness.dialects.model import Field, Known, MapRow, Shape, Unlisted, Vocabulary
from harness.messages import MISSING, Json

FORMAT = 1


def overview_json(dialects: Iterable[Dialect]) -> Json:
    """What is known of each dialect, in numbers."""
    return {**_head("overview"), "dialects": [_summary(dialect) for dialect in dialects]}


def dialect_json(dialect: Dialect) -> Json:
    """All that a dialect states, with sources."""
    handshake, service = dialect.handshake, dialect.service
    return {
        **_head("dialect"),
        **_summary(dialect),
        "handshake": {
            "host": handshake.host,
            "path": handshake.path,
            "auth": {"schemes": list(handshake.auth), **_fact(handshake.auth_fact)},
            "query": [
                _given(
                    name=rule.name,
                    required=rule.required,
                    acceptance=rule.acceptance,
                    value=rule.value,
                    also=list(rule.also) or None,
                    unless=list(rule.unless) or None,
                    without=list(rule.without) or None,
                    means=rule.means,
                    status=rule.status,
                    **_fact(rule.fact),
                )
                for rule in handshake.query
            ],
            "headers": [
                _given(
                    name=header.name,
                    required=header.required,
                    acceptance=header.acceptance,
                    value=header.value,
                    **_fact(header.fact),
                )
                for header in handshake.headers
            ],
            "refusals": [
                {
                    "name": refusal.name,
                    "when": refusal.when,
                    "status": refusal.status,
                    "code": refusal.code,
                    "message": refusal.message,
                    "body_evidence": refusal.body_evidence,
                    **_fact(refusal.fact),
                }
                for refusal in handshake.refusals.values()
            ],
            "late": [
                {"name": late.name, "error": late.error, "close": late.close, **_fact(late.fact)}
                for late in handshake.late.values()
            ],
        },
        "keys": _keys(dialect),
        "service": {
            "session": service.session,
            "transcription_session": service.transcription_session,
            "fill": service.fill,
            "facts": [_known(known) for known in service.facts],
        },
        "limits": [_known(known) for known in dialect.limits],
        "closes": [
            {"code": rule.code, "by": rule.by, "reason": rule.reason, "when": rule.when, **_fact(rule.fact)}
            for rule in dialect.closes
        ],
        "modalities": [
            {
                "event": rule.place.event,
                "path": rule.place.path,
                "allowed": [list(members) for members in rule.allowed],
                "outside": rule.place.field.outside,
            }
            for rule in modality_rules(dialect)
        ],
        "client": _side(dialect, dialect.client),
        "server": _side(dialect, dialect.server),
        "errors": [
            {
                "name": error.name,
                "when": error.when,
                "raised_by": error.raised_by,
                "type": error.type,
                "code": error.code,
                "message": error.message,
                "param": error.param,
                "event_id": error.event_id,
                "verbatim": error.verbatim,
                "harmless": error.harmless,
                **_fact(error.fact),
            }
            for error in dialect.errors.values()
        ],
        "failures": [
            {
                "name": failure.name,
                "when": failure.when,
                "event": failure.event,
                "type": failure.type,
                "code": failure.code,
                "message": failure.message,
                **_fact(failure.fact),
            }
            for failure in dialect.failures
        ],
        "orders": [
            {"name": rule.name, "says": rule.says, "fails": rule.fails, **_fact(rule.fact)}
            for rule in dialect.orders.values()
        ],
        "translation": _translation(dialect),
    }


def _keys(dialect: Dialect) -> Json | None:
    """How keys for browsers are minted."""
    keys = dialect.keys
    if keys is None:
        return None
    return {
        "path": keys.path,
        "query": dict(keys.query),
        "settings": keys.settings,
        "answer": "within" if keys.within else "beside",
        "seconds": _given(
            value=keys.seconds, least=keys.least_seconds, most=keys.most_seconds, **_fact(keys.seconds_fact)
        ),
        "refusal_evidence": keys.refusal_evidence,
        "outages": [{"field": one.field, "status": one.status, **_fact(one.fact)} for one in keys.outages],
        **_fact(keys.fact),
    }


def _head(shows: str) -> Json:
    return {"facts": FORMAT, "tool": f"realtime-harness {__version__}", "shows": shows}


def _summary(dialect: Dialect) -> Json:
    known = shares(dialect)
    return {
        "name": dialect.name,
        "title": dialect.title,
        "api_version": dialect.api_version,
        "since": dialect.since,
        "as_of": dialect.as_of,
        "status": dialect.status,
        "path": dialect.handshake.path,
        "events": {"client": len(dialect.client.events), "server": len(dialect.server.events)},
        "stated": {
            "count": known.stated,
            **{str(level): known.levels[level] for level in Evidence},
        },
        "client_side": {str(acceptance): known.client[acceptance] for acceptance in Acceptance},
    }


def _fact(fact: Fact) -> Json:
    return _given(evidence=fact.evidence, source=fact.source, note=fact.note)


def _given(**values: Any) -> Json:
    """The values that there are; a key that is left out says nothing."""
    return {name: value for name, value in values.items() if value is not None}


def _known(known: Known) -> Json:
    return {"name": known.name, "value": known.value, **_fact(known.fact)}


def _side(dialect: Dialect, vocabulary: Vocabulary) -> Json:
    reached = reached_shapes(vocabulary)
    return {
        "unlisted_event": _unlisted(vocabulary.unlisted_event),
        "events": {
            event.type: {
                **_given(acceptance=event.acceptance, since=event.since, **_fact(event.fact)),
                "has_id": event.has_id,
                "fields": {
                    place.path: _place(dialect, vocabulary, place) for place in places(vocabulary, event.type)
                },
            }
            for event in vocabulary.events.values()
        },
        "fields": {
            field_name(shape.name, field): _field(field)
            for shape in reached.values()
            if shape.variants is None
            for field in shape.fields.values()
        },
        "objects": {shape.name: _object(shape) for shape in reached.values()},
    }


def _place(dialect: Dialect, vocabulary: Vocabulary, place: Place) -> Json:
    result: Json = {"field": place.statement}
    default = default_of(dialect, place) if vocabulary is dialect.client else None
    if default is not None:
        result["default" if default.of_field else "starts_as"] = default.value
    return result


def _field(field: Field) -> Json:
    result = _given(
        kinds=list(field.kinds),
        elements=list(field.of) or None,
        acceptance=field.acceptance,
        required=field.required,
        values=list(field.values) or None,
        sets=[sorted(members) for members in field.sets] or None,
        outside=field.outside if field.values or field.sets else None,
        closed=field.closed or None,
        least=field.least,
        most=field.most,
        beyond=field.beyond if field.least is not None else None,
        unproven=list(field.unproven) or None,
        error=field.error,
        instead=field.instead,
        since=field.since,
        content=field.content,
        **_fact(field.fact),
    )
    return result if field.default is MISSING else {**result, "default": field.default}


def _object(shape: Shape) -> Json:
    result: Json = {"unlisted": _unlisted(shape.unlisted)}
    if shape.variants is not None:
        result |= {"by": shape.by, "by_required": shape.by_required, "variants": dict(shape.variants)}
        if shape.otherwise is not None:
            result["otherwise"] = shape.otherwise
        if shape.by_required and shape.by_fact is not None:
            result["by_fact"] = _fact(shape.by_fact)
    return result


def _unlisted(rule: Unlisted) -> Json:
    """What becomes of other names. That nothing is known of them has no evidence."""
    if rule.acceptance is Acceptance.UNKNOWN:
        return {"acceptance": rule.acceptance}
    return _given(acceptance=rule.acceptance, error=rule.error, **_fact(rule.fact))


def _translation(dialect: Dialect) -> Json:
    table = dialect.translation
    return {
        "item_done": table.item_done,
        "to_canonical": {
            "server_events": dict(table.events),
            "client_events": dict(table.client_events),
            "content_parts": dict(table.parts),
        },
        "to_wire": {
            "server_events": turned(table.events, dialect.server.events),
            "client_events": turned(table.client_events, dialect.client.events),
            "content_parts": turned(table.parts, ()),
        },
        "session": [_row(row) for row in table.session],
        "response": [_row(row) for row in table.response],
        "transcription_session": [_row(row) for row in table.transcription],
    }


def turned(names: Mapping[str, str], on_wire: Collection[str]) -> dict[str, list[str]]:
    """Canonical names with what the wire calls them; two where one is for transcription sessions."""
    result: dict[str, list[str]] = {}
    for wire, canonical in names.items():
        result.setdefault(canonical, [canonical] if canonical in on_wire else []).append(wire)
    return result


def _row(row: MapRow) -> Json:
    result: Json = {"wire": row.wire, "canonical": row.canonical}
    if row.values:
        result["values"] = [list(pair) for pair in row.values]
    if row.fixed is not None:
        result["fixed"] = row.fixed
    return result
