"""Makes a dialect of the value of its file, and checks that all it names is there.

Three rules lighten the tables. `seen_on` names the dialects a fact was seen on: on
any other it is analogous. A field documented `since` later than the dialect's
own documents (`as_of`) is unknown. What `recorded` lists was seen in captures
of this dialect, whatever the table it comes from says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from harness.dialects.model import (
    Acceptance,
    CloseRule,
    Dialect,
    ErrorSpec,
    EventSpec,
    Evidence,
    Fact,
    Failure,
    Field,
    Known,
    MapRow,
    OrderRule,
    ServiceFacts,
    Shape,
    TranslationTable,
    Unlisted,
    Vocabulary,
)
from harness.dialects.notation import NotationError, expected_flags, read_kinds, read_notation
from harness.dialects.read_opening import read_handshake, read_keys
from harness.documents import Document
from harness.exceptions import DialectFault
from harness.messages import MISSING

JSON_KINDS = frozenset({"string", "integer", "number", "boolean", "null", "object", "array", "any"})

Raw = Mapping[str, Any]


def read_dialect(document: Document, whole: Raw) -> Dialect:
    """The dialect of a file, given its value over all it extends; raises DialectFault."""
    return _Reader(document, whole).dialect()


class _Reader:
    def __init__(self, document: Document, raw: Raw) -> None:
        self.document = document
        self.raw = raw
        self.name: str = raw["dialect"]
        self.as_of: str = raw["as_of"]
        self.sources: Raw = raw.get("sources", {})

    def dialect(self) -> Dialect:
        raw = self.raw
        result = Dialect(
            name=self.name,
            title=raw["title"],
            api_version=raw["api_version"],
            since=raw["since"],
            as_of=self.as_of,
            status=raw["status"],
            by_default=bool(raw.get("by_default")),
            sources=dict(self.sources),
            handshake=read_handshake(raw["host"], raw["handshake"], self._fact),
            keys=read_keys(raw.get("keys"), self._fact),
            service=self._service(raw["service"]),
            client=self._vocabulary("client"),
            server=self._vocabulary("server"),
            errors={name: self._error(name, spec) for name, spec in raw["errors"].items()},
            failures=tuple(self._failure(name, spec) for name, spec in raw["failures"].items()),
            closes=tuple(
                CloseRule(**{key: rule.get(key) for key in CloseRule.__slots__} | {"fact": self._fact(rule)})
                for rule in raw["closes"]
            ),
            limits=tuple(
                Known(name, rule["value"], self._fact(rule)) for name, rule in raw["limits"].items()
            ),
            orders={
                name: OrderRule(name, rule["says"], rule.get("fails", True), self._fact(rule))
                for name, rule in raw["orders"].items()
            },
            translation=_translation(raw["translation"]),
        )
        _References(self.document, result).check()
        return result

    def _fact(self, raw: Raw, default: Fact | None = None) -> Fact:
        source = raw.get("source", default.source if default else None)
        level = raw.get("evidence", default.evidence if default else None)
        if source is None or level is None:
            raise DialectFault(self.document.path, f"a fact without evidence and source: {dict(raw)!r:.120}")
        evidence = Evidence(level)
        if "seen_on" in raw and self.name not in raw["seen_on"] and evidence.can_fail:
            evidence = Evidence.ANALOGOUS
        return Fact(evidence, self.sources.get(source, source), raw.get("note"))

    # Event types, shapes and fields.

    def _unlisted(self, raw: Raw | None, default: Fact) -> Unlisted:
        if raw is None:
            return Unlisted(Acceptance.UNKNOWN, None, default)
        return Unlisted(Acceptance(raw["acceptance"]), raw.get("error"), self._fact(raw, default))

    def _vocabulary(self, side: str) -> Vocabulary:
        raw = self.raw[side]
        default = self._fact(raw)
        seen = self.raw.get("recorded", {})
        shown: Raw = seen.get(side, {})
        as_seen = (
            Fact(Evidence.RECORDED, self.sources.get(seen["source"], seen["source"])) if seen else default
        )
        shapes: dict[str, Shape] = {}

        def add(name: str, spec: Raw, fact: Fact) -> None:
            shape = self._shape(side, name, spec, fact)
            fields = dict(shape.fields)
            for field in shown.get("shapes", {}).get(name, ()):
                if field not in fields:
                    self._fail(f"/recorded/{side}/shapes/{name}", f"no field {field!r}")
                fields[field] = _as_seen(fields[field], as_seen, judged=side == "client")
            shapes[name] = replace(shape, fields=fields)

        for name, spec in raw["shapes"].items():
            add(name, spec or {}, default)
        events: dict[str, EventSpec] = {}
        for type_, spec in raw["events"].items():
            body = spec or {}
            fact = self._fact(body, default)
            shape = body.get("shape") or f"event {type_}"
            if "shape" not in body:
                add(shape, {"fields": body.get("fields", {})}, fact)
            since = body.get("since")
            acceptance, fact = self._by_age(side, Acceptance(body.get("acceptance", "accepted")), since, fact)
            if type_ in shown.get("events", ()):
                acceptance, fact = Acceptance.ACCEPTED, replace(as_seen, note=fact.note)
            events[type_] = EventSpec(type_, shape, acceptance, fact, since, body.get("id", True))
        for where, named, there in (
            ("events", shown.get("events", ()), events),
            ("shapes", shown.get("shapes", {}), shapes),
        ):
            for name in named:
                if name not in there:
                    self._fail(f"/recorded/{side}/{where}", f"there is no {name!r}")
        return Vocabulary(events, shapes, self._unlisted(raw.get("unlisted_event"), default))

    def _by_age(
        self, side: str, acceptance: Acceptance, since: str | None, fact: Fact
    ) -> tuple[Acceptance, Fact]:
        """What is newer than the dialect's documents is not known to be accepted, or sent, by its service."""
        if acceptance is Acceptance.ACCEPTED and since is not None and since > self.as_of:
            if side == "server":
                known = fact.evidence is not Evidence.DOCUMENTED
                return acceptance, fact if known else replace(fact, evidence=Evidence.ANALOGOUS)
            note = fact.note or f"documented from {since} on, this dialect as of {self.as_of}"
            return Acceptance.UNKNOWN, replace(fact, note=note)
        return acceptance, fact

    def _shape(self, side: str, name: str, raw: Raw, default: Fact) -> Shape:
        fact = self._fact(raw, default)
        fields = {key: self._field(side, key, spec, fact) for key, spec in raw.get("fields", {}).items()}
        return Shape(
            name=name,
            fields=fields,
            unlisted=self._unlisted(raw.get("unlisted"), fact),
            by=raw.get("by"),
            variants=raw.get("variants"),
            by_required=bool(raw.get("by_required")),
            by_fact=self._fact(raw["by_fact"], fact) if "by_fact" in raw else fact,
            otherwise=self._otherwise(side, name, raw),
        )

    def _otherwise(self, side: str, name: str, raw: Raw) -> str | None:
        wanted = raw.get("otherwise")
        variants = raw.get("variants") or {}
        if wanted is not None and wanted not in variants:
            self._fail(f"/{side}/shapes/{name}/otherwise", f"no variant {wanted!r}")
        return variants.get(wanted)

    def _field(self, side: str, name: str, written: str | Raw, default: Fact) -> Field:
        try:
            raw = (
                read_notation(written)
                if isinstance(written, str)
                else {**read_notation(written["is"]), **written}
            )
        except NotationError as error:
            problem = f"field {name!r} has {error}"
            raise DialectFault(self.document.path, problem, expected=expected_flags()) from None
        kinds, of = read_kinds(raw["is"].split(",")[0])
        fact = self._fact(raw, default)
        acceptance = Acceptance(raw.get("acceptance", "accepted"))
        outside, beyond = Acceptance(raw.get("outside", "unknown")), Acceptance(raw.get("beyond", "unknown"))
        contested = self.raw.get("contested") if side == "client" else None
        if contested and Acceptance.REFUSED in (acceptance, outside, beyond):
            fact = self._fact(contested)
            acceptance = Acceptance.UNKNOWN if acceptance is Acceptance.REFUSED else acceptance
            outside = beyond = Acceptance.UNKNOWN
        acceptance, fact = self._by_age(side, acceptance, raw.get("since"), fact)
        return Field(
            name=name,
            kinds=kinds,
            of=of,
            fact=fact,
            acceptance=acceptance,
            required=bool(raw.get("required")),
            values=tuple(raw.get("values", ())),
            sets=tuple(frozenset(members) for members in raw.get("sets", ())),
            outside=outside,
            closed=bool(raw.get("closed")),
            error=raw.get("error"),
            unproven=tuple(raw.get("unproven", ())),
            instead=raw.get("instead"),
            since=raw.get("since"),
            default=raw.get("default", MISSING),
            least=raw.get("least"),
            most=raw.get("most"),
            beyond=beyond,
            absent=Acceptance(raw.get("absent", "accepted")),
            content=raw.get("content"),
        )

    # Everything else.

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
            when=raw["when"],
            raised_by=raw.get("raised_by", "client"),
        )

    def _failure(self, name: str, raw: Raw) -> Failure:
        return Failure(
            name, raw["event"], raw["type"], raw["code"], raw["message"], raw["when"], self._fact(raw)
        )

    def _service(self, raw: Raw) -> ServiceFacts:
        known = {
            name: Known(name, rule["value"], self._fact(rule))
            for name, rule in raw.items()
            if isinstance(rule, dict) and "value" in rule
        }

        def value(name: str) -> Any:
            return known[name].value if name in known else None

        return ServiceFacts(
            session=raw["session"],
            transcription_session=raw["transcription_session"],
            fill=raw.get("fill", {}),
            session_seconds=value("session_seconds"),
            item_object=value("item_object"),
            content_part_copy=value("content_part_copy"),
            obfuscation=bool(value("obfuscation")),
            null_previous_on_done=bool(value("null_previous_on_done")),
            transcription_usage=bool(value("transcription_usage")),
            no_turn_detection=tuple(value("no_turn_detection") or ()),
            rate_limits=tuple(value("rate_limits") or ()),
            facts=tuple(known.values()),
        )

    def _fail(self, pointer: str, problem: str) -> None:
        line = self.document.line(pointer)
        raise DialectFault(self.document.path, problem, line=line, pointer=pointer)


class _References:
    """Every shape, event and error that is named must exist: a typing slip in a table is found on load."""

    def __init__(self, document: Document, dialect: Dialect) -> None:
        self.document = document
        self.dialect = dialect

    def check(self) -> None:
        for side, vocabulary in (("client", self.dialect.client), ("server", self.dialect.server)):
            for event in vocabulary.events.values():
                if event.shape not in vocabulary.shapes:
                    self._fail(f"/{side}/events/{event.type}", f"unknown shape {event.shape!r}")
            for shape in vocabulary.shapes.values():
                self._check_shape(
                    f"/{side}/shapes/{shape.name}", shape, vocabulary.shapes.keys() | JSON_KINDS
                )
        self._check_opening()
        for failure in self.dialect.failures:
            if failure.event not in self.dialect.server.events:
                self._fail(f"/failures/{failure.name}", f"unknown event {failure.event!r}")

    def _check_opening(self) -> None:
        handshake = self.dialect.handshake
        for late in handshake.late.values():
            self._check_error(f"/handshake/late/{late.name}", late.error)
        needed = [(f"query/{rule.name}", "needless_query") for rule in handshake.query if rule.without]
        needed += [
            (f"headers/{rule.name}", "refused_header")
            for rule in handshake.headers
            if rule.acceptance is Acceptance.REFUSED
        ]
        for at, refusal in needed:
            if refusal not in handshake.refusals and refusal not in handshake.late:
                self._fail(f"/handshake/{at}", f"it wants a refusal {refusal!r}, and there is none")

    def _check_shape(self, at: str, shape: Shape, known: set[str]) -> None:
        for variant in (shape.variants or {}).values():
            if variant not in known:
                self._fail(f"{at}/variants", f"unknown shape {variant!r}")
        self._check_error(f"{at}/unlisted", shape.unlisted.error)
        for spec in shape.fields.values():
            for kind in (*spec.kinds, *spec.of):
                if kind not in known:
                    self._fail(f"{at}/fields/{spec.name}", f"unknown kind {kind!r}")
            self._check_error(f"{at}/fields/{spec.name}", spec.error)

    def _check_error(self, at: str, error: str | None) -> None:
        if error is not None and error not in self.dialect.errors:
            self._fail(at, f"unknown error {error!r}")

    def _fail(self, pointer: str, problem: str) -> None:
        line = self.document.line(pointer)
        raise DialectFault(self.document.path, problem, line=line, pointer=pointer)


def _as_seen(field: Field, as_seen: Fact, *, judged: bool) -> Field:
    """A field that stands in a capture: what the service sent or took, it has.

    What can be refused keeps its own evidence: no capture shows a refusal.
    """
    refusable = field.required or Acceptance.REFUSED in (field.acceptance, field.outside, field.beyond)
    if judged and refusable:
        return field
    unknown = field.acceptance is Acceptance.UNKNOWN
    acceptance = Acceptance.ACCEPTED if unknown else field.acceptance
    return replace(
        field, acceptance=acceptance, fact=replace(as_seen, note=None if unknown else field.fact.note)
    )


def _translation(raw: Raw) -> TranslationTable:
    def rows(name: str) -> tuple[MapRow, ...]:
        return tuple(
            MapRow(
                wire=row["wire"],
                canonical=row["canonical"],
                values=tuple((wire, canonical) for wire, canonical in row.get("values", ())),
                fixed=row.get("fixed"),
            )
            for row in raw.get(name, ())
        )

    return TranslationTable(
        events=raw["events"],
        client_events=raw.get("client_events", {}),
        item_done=raw["item_done"],
        parts=raw["parts"],
        session=rows("session"),
        response=rows("response"),
        transcription=rows("transcription"),
    )
