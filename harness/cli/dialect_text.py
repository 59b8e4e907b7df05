"""Dialects as text for people: plain lines of a given width, headings at the margin.

A source is written out once, at the end; wherever it is meant, its number stands.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from harness.cli.dialect_json import turned
from harness.cli.field_text import MARKS, field_text, number, unlisted_text
from harness.dialects import Acceptance, Dialect, Evidence, Fact
from harness.dialects.facts import Place, Step, default_of, modality_rules, places, shares
from harness.dialects.model import MapRow, Vocabulary

NARROWEST, WIDEST = 80, 160
_NAME = 28
_CITED = 17
"""Columns of a name, and of `documented [12]`."""

_TOGETHER = "\N{NO-BREAK SPACE}"
"""Between words that stay on one line."""


def overview_lines(dialects: Iterable[Dialect], width: int) -> Iterator[str]:
    """All dialects as a table."""
    levels = [str(level) for level in Evidence]
    yield f"{'dialect':<25}{'events':>7}  {'✓/✗/?':<11}" + "".join(
        f"{name:>{len(name) + 2}}" for name in levels
    )
    for dialect in dialects:
        known = shares(dialect)
        events = f"{len(dialect.client.events)}/{len(dialect.server.events)}"
        client = "/".join(str(known.client[acceptance]) for acceptance in MARKS)
        percents = (f"{_percent(known.share(level)):>{len(level) + 2}}" for level in Evidence)
        yield f"  {dialect.name:<25}{events:>5}  {client:<11}" + "".join(percents)
        about = f"api-version {dialect.api_version}, {dialect.handshake.path}; {dialect.status}"
        yield from _wrapped(about, "      ", _fit(width))
    yield ""
    for text in (
        "events: types the client has / types the service has.",
        "✓ accepted / ✗ refused / ? unknown: events and fields of the client.",
        "recorded to assumed: how well what is stated is known, in percent of all that is stated; "
        "what is unknown is no statement.",
    ):
        yield from _wrapped(text, "  ", _fit(width))


def dialect_lines(dialect: Dialect, width: int) -> list[str]:
    """One dialect in full."""
    return _Page(dialect, _fit(width)).lines()


def _fit(width: int) -> int:
    return max(NARROWEST, min(width, WIDEST))


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share == 0 or share >= 0.005 else "<1 %"


def _wrapped(text: str, indent: str, width: int) -> list[str]:
    return textwrap.wrap(
        text, width, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    ) or [indent.rstrip()]


class _Page:
    def __init__(self, dialect: Dialect, width: int) -> None:
        self.dialect = dialect
        self.width = width
        self.sources: dict[str, int] = {}
        self._lines: list[str] = []

    def lines(self) -> list[str]:
        self._title()
        self._handshake()
        self._session()
        self._modalities()
        self._vocabulary("What the client may send", self.dialect.client)
        self._vocabulary("What the service sends", self.dialect.server)
        self._errors()
        self._failures()
        self._orders()
        self._names()
        self._head("Sources")
        for source, at in self.sources.items():
            self._row(f"[{at}]".rjust(5), source, None, name_width=6)
        return self._lines

    # The parts of a line.

    def cite(self, fact: Fact) -> str:
        at = self.sources.setdefault(fact.source, len(self.sources) + 1)
        return f"{fact.evidence} [{at}]"

    def _head(self, text: str) -> None:
        self._lines += ["", text]

    def _row(
        self,
        name: str,
        text: str,
        fact: Fact | None,
        *,
        mark: str = " ",
        indent: int = 2,
        name_width: int = _NAME,
    ) -> None:
        """A name, what is said of it, and at the right how that is known."""
        cited = self.cite(fact) if fact else ""
        if mark == MARKS[Acceptance.UNKNOWN]:
            cited = cited.partition(" ")[2]  # where it is read of; that it is accepted, nobody knows
        text = _joined([text, fact.note or "" if fact else ""])
        left = f"{'':{indent}}{mark} {name}".rstrip()
        column = indent + 2 + name_width + 1
        inner = self.width - column - (_CITED + 1 if fact else 0)
        texts = textwrap.wrap(text, inner, break_on_hyphens=False) or [""]
        if len(left) >= column and texts != [""]:
            self._lines.append(left)
            left = ""
        for at, line in enumerate(texts):
            start = f"{left if at == 0 else '':<{column}}{line.replace(_TOGETHER, ' ')}"
            right = f"{cited:>{_CITED}}" if at == 0 else ""
            self._lines.append(f"{start:<{self.width - _CITED}}{right}".rstrip() if fact else start.rstrip())

    def _say(self, text: str, indent: str = "    ") -> None:
        self._lines += _wrapped(text, indent, self.width)

    # The parts of a dialect.

    def _title(self) -> None:
        dialect, known = self.dialect, shares(self.dialect)
        self._lines.append(f"{dialect.name}: {dialect.title}")
        self._say(f"api-version {dialect.api_version}; first served {dialect.since}; {dialect.status}")
        self._say(f"judged by documents as of {dialect.as_of}; what is newer is unknown")
        levels = ", ".join(f"{level} {_percent(known.share(level))}" for level in Evidence)
        self._say(f"{known.stated} statements: {levels}")
        client = ", ".join(f"{mark} {name} {known.client[name]}" for name, mark in MARKS.items())
        self._say(f"the client's events and fields: {client}")

    def _handshake(self) -> None:
        handshake = self.dialect.handshake
        self._head("Handshake")
        self._row("URL", f"wss://{handshake.host}{handshake.path}", None)
        self._row("key", ", ".join(handshake.auth), handshake.auth_fact)
        for rule in handshake.query:
            says = [
                "required" if rule.required else "",
                f"is {' or '.join((rule.value, *rule.also))}" if rule.value else "",
                f"not with {' or '.join(rule.unless)}" if rule.unless else "",
                f"refuses {' and '.join(rule.without)} beside it" if rule.without else "",
                f"stands for {rule.means}" if rule.means else "",
                f"refused with {rule.status}" if rule.status else "",
            ]
            self._row(f"?{rule.name}", _joined(says), rule.fact, mark=MARKS[rule.acceptance])
        for header in handshake.headers:
            says = ["required" if header.required else "", header.value or ""]
            self._row(f"{header.name}:", _joined(says), header.fact, mark=MARKS[header.acceptance])
        for refusal in handshake.refusals.values():
            body = f"{refusal.code}: {refusal.message} (the body: {refusal.body_evidence})"
            says = [f"HTTP {refusal.status}", refusal.when, body]
            self._row(refusal.name, _joined(says), refusal.fact)
        for late in handshake.late.values():
            says = [f"after the handshake: the error {late.error}", f"close {late.close}"]
            self._row(late.name, _joined(says), late.fact)

        keys = self.dialect.keys
        if keys is None:
            return
        query = "".join(f"?{name}={value}" for name, value in keys.query.items())
        within = "the key comes within the session" if keys.within else "the key comes beside the session"
        self._row("POST", f"{keys.path}{query} mints a key for browsers; {within}", keys.fact)
        bounds = (
            f", {keys.least_seconds} to {keys.most_seconds} by expires_after" if keys.least_seconds else ""
        )
        self._row("lasts", f"{keys.seconds} s{bounds}", keys.seconds_fact)
        for outage in keys.outages:
            self._row(outage.field, f"answered with HTTP {outage.status} there", outage.fact)

    def _session(self) -> None:
        dialect = self.dialect
        self._head("Session, limits, closes")
        for known in (*dialect.service.facts, *dialect.limits):
            minutes = f" ({known.value / 60:g} minutes)" if known.name == "session_seconds" else ""
            self._row(known.name, _json(known.value) + minutes, known.fact)
        for path, filled in dialect.service.fill.items():
            self._row("fill", f"{path}, given in part, is filled up with {_json(filled)}", None)
        for rule in dialect.closes:
            reason = f"reason {rule.reason}" if rule.reason else ""
            self._row(f"close {rule.code} by {rule.by}", _joined([rule.when, reason]), rule.fact)

    def _modalities(self) -> None:
        self._head("Modalities")
        for rule in modality_rules(self.dialect):
            field = rule.place.field
            sets = " or ".join(f"[{', '.join(members)}]" for members in rule.allowed)
            allowed = sets or f"any of {', '.join(map(str, field.values))}"
            refused = field.outside is Acceptance.REFUSED
            other = (
                f"anything else is refused: {field.error}" if refused else "of anything else nothing is known"
            )
            self._row(rule.place.path, f"{allowed}; {other}", field.fact)

    # Events and fields. Every object is shown where it stands first.

    def _vocabulary(self, title: str, vocabulary: Vocabulary) -> None:
        judged = vocabulary is self.dialect.client
        self._head(title)
        shown: dict[str, str] = {}
        for event in vocabulary.events.values():
            self._lines.append("")
            says = [
                f"since {event.since}" if event.since else "",
                "" if event.has_id else "without event_id",
                "whether it is sent is unknown"
                if not judged and event.acceptance is Acceptance.UNKNOWN
                else "",
            ]
            mark = MARKS[event.acceptance] if judged else "·"
            # The longest event name is one of input transcription; its text goes beneath it.
            self._row(event.type, _joined(says), event.fact, mark=mark, name_width=52)
            self._fields(vocabulary, [*places(vocabulary, event.type)], shown)
        if judged:
            self._lines.append("")
            rule = vocabulary.unlisted_event
            fact = None if rule.acceptance is Acceptance.UNKNOWN else rule.fact
            self._row("any other event", unlisted_text(rule), fact, mark=MARKS[rule.acceptance])

    def _fields(self, vocabulary: Vocabulary, fields: list[Place], shown: dict[str, str]) -> None:
        groups: dict[tuple[Step, ...], list[Place]] = {}
        for place in fields:
            groups.setdefault(place.steps, []).append(place)
        elsewhere: dict[tuple[Step, ...], str] = {}
        for steps, group in groups.items():
            if any(steps[:length] in elsewhere for length in range(len(steps) + 1)):
                continue
            shape = vocabulary.shapes[group[0].shape]
            # An object of several kinds is referred to as a whole.
            path = ".".join(map(str, (*steps[:-1], replace(steps[-1], kinds=())))) if steps else ""
            if shape.name in shown:
                reference = f"{path or 'all of it'} as in {shown[shape.name]}"
                if reference not in elsewhere.values():
                    self._say(reference, "      ")
                elsewhere[steps] = reference
                continue
            shown[shape.name] = f"{group[0].event}: {path}" if path else group[0].event
            if steps:
                self._lines.append(f"      {group[0].holder}")
            for place in group:
                self._field(vocabulary, place)
            if shape.unlisted.acceptance is Acceptance.REFUSED:
                mark = MARKS[shape.unlisted.acceptance]
                text = unlisted_text(shape.unlisted)
                self._row("any other field", text, shape.unlisted.fact, mark=mark, indent=6)

    def _field(self, vocabulary: Vocabulary, place: Place) -> None:
        judged = vocabulary is self.dialect.client
        default = default_of(self.dialect, place) if judged else None
        text = field_text(vocabulary, place.field, default, judged=judged)
        for kind in place.field.kinds + place.field.of:
            shape = vocabulary.shapes.get(kind)
            if judged and shape is not None and shape.by_required and shape.by_fact is not None:
                text += f"; its {shape.by} is required: {self.cite(shape.by_fact).replace(' ', _TOGETHER)}"
        mark = MARKS[place.field.acceptance] if judged else "·"
        self._row(place.field.name, text, place.field.fact, mark=mark, indent=6)

    # What goes wrong, what comes when, and what things are called.

    def _errors(self) -> None:
        self._head("Errors")
        for error in self.dialect.errors.values():
            self._row(error.name, error.when, error.fact)
            code = "null" if error.code is None else error.code
            param = "null" if error.param is None else error.param
            id_ = {"client": "the client's", "null": "null", "absent": "no such key"}[error.event_id]
            self._say(f"code {code}; param {param}; event_id {id_}; type {error.type}", "        ")
            words = "verbatim" if error.verbatim else "the sentence is ours"
            self._say(f"“{error.message}” ({words})", "        ")

    def _failures(self) -> None:
        self._head("Failures inside other events")
        for failure in self.dialect.failures:
            self._row(failure.name, failure.when, failure.fact)
            said = f"; “{failure.message}”" if failure.message else ""
            self._say(
                f"in {failure.event}; type {failure.type or 'null'}; code {failure.code or 'null'}{said}",
                "        ",
            )

    def _orders(self) -> None:
        self._head("Order of the service's events, in canonical names")
        for rule in self.dialect.orders.values():
            self._row(rule.name, _joined([rule.says, "" if rule.fails else "otherwise a note"]), rule.fact)

    def _names(self) -> None:
        table = self.dialect.translation
        maps: dict[str, tuple[Mapping[str, str], Collection[str]]] = {
            "event": (table.events, self.dialect.server.events),
            "client event": (table.client_events, self.dialect.client.events),
            "content part": (table.parts, ()),
        }
        rows = {"session": table.session, "response": table.response, "transcription": table.transcription}
        self._head("From the wire to canonical form")
        done = {
            "separate": "conversation.item.done is an event of the wire",
            "made": "conversation.item.done is made: one event of the wire stands for .added and .done",
            "committed": "conversation.item.done is on the wire for items of committed audio, else made",
        }
        self._say(f"{done[table.item_done]}; what is not listed has one name in both")
        for title, (names, _) in maps.items():
            for wire, canonical in names.items():
                self._renamed(title, wire, canonical)
        for title, listed in rows.items():
            for row in listed:
                self._mapped(title, row, to_wire=False)
        self._head("From canonical form to the wire")
        for title, (names, on_wire) in maps.items():
            for canonical, wires in sorted(turned(names, on_wire).items()):
                self._renamed(title, canonical, " or ".join(wires))
        for title, listed in rows.items():
            for row in sorted(listed, key=lambda row: row.canonical or ""):
                self._mapped(title, row, to_wire=True)

    def _mapped(self, title: str, row: MapRow, *, to_wire: bool) -> None:
        here, there = (row.canonical, row.wire) if to_wire else (row.wire, row.canonical)
        if here is None and not (row.fixed is not None and not to_wire):
            return  # shown in the other direction
        pairs = ((b, a) if to_wire else (a, b) for a, b in row.values)
        values = ", ".join(f"{_json(a)} is {_json(b)}" for a, b in pairs)
        fixed = f"always {_json(row.fixed)}" if row.fixed is not None else ""
        self._renamed(title, here or "—", _joined([there or "has no place", fixed, values]))

    def _renamed(self, title: str, here: str, there: str) -> None:
        self._row(f"{title:<14}{here}", f"→ {there}", None, name_width=54)


def _joined(parts: Iterable[str]) -> str:
    return "; ".join(part for part in parts if part)


def _json(value: Any) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return number(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
