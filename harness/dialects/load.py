"""Reads dialect files. A new dialect is a new file in `data/` and no code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from harness.dialects.model import (
    Acceptance,
    Dialect,
    ErrorSpec,
    EventSpec,
    Evidence,
    Fact,
    Field,
    Handshake,
    HandshakeRefusal,
    HeaderRule,
    MapRow,
    QueryRule,
    ServiceFacts,
    Shape,
    TranslationTable,
    Unlisted,
    Vocabulary,
)
from harness.documents import Document, read_document
from harness.exceptions import DialectFault, UsageFault
from harness.validation import bundled_schema, check_document, subschema

JSON_KINDS = frozenset({"string", "integer", "number", "boolean", "null", "object", "array", "any"})

Raw = Mapping[str, Any]


def data_folder() -> Path:
    """The folder of the bundled dialect files."""
    return Path(str(resources.files("harness.dialects").joinpath("data")))


@cache
def dialect_names() -> tuple[str, ...]:
    """The bundled dialects, by name, in alphabetical order."""
    return tuple(sorted(path.stem for path in data_folder().glob("*.yaml") if path.stem != "common"))


@cache
def bundled_dialect(name: str) -> Dialect:
    """A bundled dialect; raises UsageFault with the known names where there is none."""
    if name not in dialect_names():
        raise UsageFault(f"there is no dialect {name!r}", known=dialect_names())
    return load_dialect(data_folder() / f"{name}.yaml")


def load_dialect(path: Path) -> Dialect:
    """Reads one dialect file with what it extends; raises DialectFault."""
    document = read_document(path, DialectFault)
    check_document(document, bundled_schema("dialect"), DialectFault)
    whole = _extended(document, path, (path.resolve(),))
    check_document(replace(document, value=whole), subschema("dialect", "whole"), DialectFault)
    return _Reader(document, whole).dialect()


def _extended(document: Document, path: Path, seen: tuple[Path, ...]) -> Any:
    """A file's value over that of the file it extends, and of the one that extends in turn."""
    raw = document.value
    if not isinstance(raw, dict) or "extends" not in raw:
        return raw
    name = f"{raw['extends']}.yaml"
    base = next((file for file in (path.parent / name, data_folder() / name) if file.exists()), None)
    if base is None or base.resolve() in seen:
        problem = "is not there" if base is None else "extends this one in turn"
        line = document.line("/extends")
        raise DialectFault(document.path, f"{name!r} {problem}", line=line, pointer="/extends")
    under = _extended(read_document(base, DialectFault), base, (*seen, base.resolve()))
    return _merge(under, raw)


def _merge(base: Any, over: Any) -> Any:
    if isinstance(base, dict) and isinstance(over, dict):
        return {**base, **{key: _merge(base.get(key), value) for key, value in over.items()}}
    return over


class _Reader:
    def __init__(self, document: Document, raw: Raw) -> None:
        self.document = document
        self.raw = raw
        self.sources: Raw = raw.get("sources", {})

    def dialect(self) -> Dialect:
        raw = self.raw
        result = Dialect(
            name=raw["dialect"],
            title=raw["title"],
            api_version=raw["api_version"],
            status=raw["status"],
            handshake=self._handshake(raw["handshake"]),
            service=self._service(raw["service"]),
            client=self._vocabulary(raw["client"]),
            server=self._vocabulary(raw["server"]),
            errors={name: self._error(name, spec) for name, spec in raw["errors"].items()},
            translation=_translation(raw["translation"]),
        )
        self._check_references(result)
        return result

    def _fact(self, raw: Raw, default: Fact | None = None) -> Fact:
        source = raw.get("source", default.source if default else None)
        level = raw.get("evidence", default.evidence if default else None)
        if source is None or level is None:
            raise DialectFault(self.document.path, f"a fact without evidence and source: {dict(raw)!r:.120}")
        return Fact(Evidence(level), self.sources.get(source, source), raw.get("note"))

    def _unlisted(self, raw: Raw | None, default: Fact) -> Unlisted:
        if raw is None:
            return Unlisted(Acceptance.UNKNOWN, None, default)
        return Unlisted(Acceptance(raw["acceptance"]), raw.get("error"), self._fact(raw, default))

    def _vocabulary(self, raw: Raw) -> Vocabulary:
        default = self._fact(raw)
        shapes = {name: self._shape(name, spec or {}, default) for name, spec in raw["shapes"].items()}
        events: dict[str, EventSpec] = {}
        for type_, spec in raw["events"].items():
            body = spec or {}
            fact = self._fact(body, default)
            shape = body.get("shape") or f"event {type_}"
            if "shape" not in body:
                shapes[shape] = self._shape(shape, {"fields": body.get("fields", {})}, fact)
            events[type_] = EventSpec(type_, shape, Acceptance(body.get("acceptance", "accepted")), fact)
        unlisted = self._unlisted(raw.get("unlisted_event"), default)
        return Vocabulary(events, shapes, unlisted)

    def _shape(self, name: str, raw: Raw, default: Fact) -> Shape:
        fact = self._fact(raw, default)
        fields = {key: self._field(key, spec, fact) for key, spec in raw.get("fields", {}).items()}
        unlisted = self._unlisted(raw.get("unlisted"), fact)
        required = bool(raw.get("by_required"))
        return Shape(name, fields, unlisted, raw.get("by"), raw.get("variants"), required)

    def _field(self, name: str, raw: str | Raw, default: Fact) -> Field:
        if isinstance(raw, str):
            written, *flags = (part.strip() for part in raw.split(","))
            raw = {"is": written, "required": "required" in flags}
            for flag in flags:
                if flag in ("unknown", "refused"):
                    raw = {**raw, "acceptance": flag}
                elif flag != "required":
                    raise DialectFault(
                        self.document.path,
                        f"field {name!r} has the flag {flag!r}",
                        expected="required, unknown or refused",
                    )
        kinds, of = _kinds(raw["is"])
        return Field(
            name=name,
            kinds=kinds,
            of=of,
            fact=self._fact(raw, default),
            acceptance=Acceptance(raw.get("acceptance", "accepted")),
            required=bool(raw.get("required")),
            values=tuple(raw.get("values", ())),
            sets=tuple(frozenset(members) for members in raw.get("sets", ())),
            outside=Acceptance(raw.get("outside", "unknown")),
            closed=bool(raw.get("closed")),
            error=raw.get("error"),
            unproven=tuple(raw.get("unproven", ())),
            instead=raw.get("instead"),
        )

    def _error(self, name: str, raw: Raw) -> ErrorSpec:
        return ErrorSpec(
            name=name,
            type=raw["type"],
            code=raw["code"],
            message=raw["message"],
            param=raw["param"],
            event_id=raw["event_id"],
            verbatim=raw["verbatim"],
            fact=self._fact(raw),
            harmless=bool(raw.get("harmless")),
        )

    def _handshake(self, raw: Raw) -> Handshake:
        return Handshake(
            path=raw["path"],
            query=tuple(
                QueryRule(
                    name=name,
                    required=bool(rule.get("required")),
                    value=rule.get("value"),
                    means=rule.get("means"),
                    acceptance=Acceptance(rule.get("acceptance", "accepted")),
                    status=rule.get("status"),
                    fact=self._fact(rule),
                )
                for name, rule in raw["query"].items()
            ),
            headers=tuple(
                HeaderRule(name, Acceptance(rule["acceptance"]), self._fact(rule))
                for name, rule in raw.get("headers", {}).items()
            ),
            auth=tuple(raw["auth"]["schemes"]),
            auth_fact=self._fact(raw["auth"]),
            refusals={
                name: HandshakeRefusal(
                    name=name,
                    status=rule["status"],
                    code=rule["code"],
                    message=rule["message"],
                    body_evidence=Evidence(rule["body_evidence"]),
                    fact=self._fact(rule),
                )
                for name, rule in raw["refusals"].items()
            },
        )

    def _service(self, raw: Raw) -> ServiceFacts:
        def value(name: str) -> Any:
            fact = raw.get(name)
            return fact["value"] if fact else None

        return ServiceFacts(
            session=raw["session"],
            fill=raw.get("fill", {}),
            session_seconds=value("session_seconds"),
            item_object=value("item_object"),
            content_part_copy=value("content_part_copy"),
            obfuscation=bool(value("obfuscation")),
            null_previous_on_done=bool(value("null_previous_on_done")),
        )

    def _check_references(self, dialect: Dialect) -> None:
        """Every shape and error that is named must exist: a typing slip in a table is found on load."""
        for side, vocabulary in (("client", dialect.client), ("server", dialect.server)):
            known = vocabulary.shapes.keys() | JSON_KINDS
            for event in vocabulary.events.values():
                if event.shape not in vocabulary.shapes:
                    self._fail(f"/{side}/events/{event.type}", f"unknown shape {event.shape!r}")
            for shape in vocabulary.shapes.values():
                for variant in (shape.variants or {}).values():
                    if variant not in vocabulary.shapes:
                        self._fail(f"/{side}/shapes/{shape.name}/variants", f"unknown shape {variant!r}")
                if shape.unlisted.error is not None and shape.unlisted.error not in dialect.errors:
                    self._fail(
                        f"/{side}/shapes/{shape.name}/unlisted", f"unknown error {shape.unlisted.error!r}"
                    )
                for spec in shape.fields.values():
                    for kind in (*spec.kinds, *spec.of):
                        if kind not in known:
                            self._fail(
                                f"/{side}/shapes/{shape.name}/fields/{spec.name}", f"unknown kind {kind!r}"
                            )
                    if spec.error is not None and spec.error not in dialect.errors:
                        self._fail(
                            f"/{side}/shapes/{shape.name}/fields/{spec.name}", f"unknown error {spec.error!r}"
                        )

    def _fail(self, pointer: str, problem: str) -> None:
        line = self.document.line(pointer)
        raise DialectFault(self.document.path, problem, line=line, pointer=pointer)


def _kinds(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    kinds: list[str] = []
    of: tuple[str, ...] = ()
    for kind in text.split("|"):
        name = kind.strip()
        if name.startswith("[") and name.endswith("]"):
            kinds.append("array")
            of = (name[1:-1],)
        else:
            kinds.append(name)
    return tuple(kinds), of


def _translation(raw: Raw) -> TranslationTable:
    def rows(name: str) -> tuple[MapRow, ...]:
        return tuple(
            MapRow(
                wire=row["wire"],
                canonical=row["canonical"],
                values=tuple((wire, canonical) for wire, canonical in row.get("values", ())),
                fixed=row.get("fixed"),
            )
            for row in raw[name]
        )

    return TranslationTable(
        events=raw["events"],
        item_done=raw["item_done"],
        parts=raw["parts"],
        session=rows("session"),
        response=rows("response"),
    )
