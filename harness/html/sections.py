"""What a page shows, as values: the cases of a dialect, their matrix, counts and provenance.

Ids are made here, of safe characters only, and are the same for every page
that is built from the same cases in the same order.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from harness.findings import WORST_FIRST, Verdict

Record = dict[str, Any]
"""One line of the results, or a part of one; see result.schema.json."""


@dataclass(frozen=True, slots=True)
class CaseView:
    """A case with its id on the page, and the places its findings and messages point at."""

    anchor: str
    record: Record
    messages: dict[str, str]
    """The id of the message with a number."""
    marks: dict[str, list[tuple[str, str]]]
    """The findings that a message shows: by its id, theirs and their codes."""

    @property
    def line(self) -> tuple[str, ...]:
        """The scenario and its faults: a row of the matrix."""
        case = self.record["case"]
        return (case["scenario"], *case["faults"])


@dataclass(frozen=True, slots=True)
class Matrix:
    """Scenarios with their faults (rows) by implementations (columns): there are many of the former."""

    columns: list[tuple[str, list[str]]]
    """Implementation, and the versions its driver reports."""
    titles: dict[str, str]
    rows: list[tuple[tuple[str, ...], list[list[CaseView]]]]
    """Scenario and faults, cells."""


@dataclass(frozen=True, slots=True)
class Section:
    """Everything about one dialect."""

    dialect: Record
    href: str | None
    cases: list[CaseView]
    matrix: Matrix
    verdicts: dict[str, tuple[int, int]]
    """For each verdict: cases, and how many of them are known."""
    provenance: str


def gather_section(dialect: Record, cases: Sequence[Record], href: str | None) -> Section:
    """The values of one dialect's page; `href` is where that page stands, seen from elsewhere."""
    views: list[CaseView] = []
    for case in cases:
        anchor = unused_name("case-" + safe_name(case["case"]["id"]), (view.anchor for view in views))
        messages: dict[str, str] = {}
        for position, message in enumerate(case["wire"]):
            messages.setdefault(str(message["n"]), f"{anchor}--m{position}")
        marks: dict[str, list[tuple[str, str]]] = {}
        for position, finding in enumerate(case["findings"]):
            shown_by = messages.get(str(finding["at"]), "")
            marks.setdefault(shown_by, []).append((f"{anchor}--f{position}", finding["code"]))
        views.append(CaseView(anchor, case, messages, marks))
    return Section(dialect, href, views, _matrix(views), count_verdicts(cases), _provenance(cases))


def _matrix(views: Sequence[CaseView]) -> Matrix:
    titles = {view.record["case"]["scenario"]: view.record["case"]["title"] for view in views}
    columns = []
    for name in dict.fromkeys(view.record["case"]["implementation"] for view in views):
        mine = [view.record["case"] for view in views if view.record["case"]["implementation"] == name]
        versions = dict.fromkeys(case["version"] for case in mine)
        columns.append((name, [version for version in versions if version is not None]))
    rows = []
    for line in dict.fromkeys(view.line for view in views):
        mine_too = [view for view in views if view.line == line]
        cells = [[v for v in mine_too if v.record["case"]["implementation"] == name] for name, _ in columns]
        rows.append((line, cells))
    return Matrix(columns, titles, rows)


def count_verdicts(cases: Iterable[Record]) -> dict[str, tuple[int, int]]:
    """Counts, worst first. The three that matter most are there even where they are 0."""
    every = Counter(case["verdict"] for case in cases)
    known = Counter(case["verdict"] for case in cases if case["known"])
    order = [*WORST_FIRST, *(verdict for verdict in every if verdict not in list(WORST_FIRST))]
    shown = {Verdict.FAIL, Verdict.NOT_PROVEN, Verdict.PASS}
    return {str(v): (every[v], known[v]) for v in order if every[v] or v in shown}


def _provenance(cases: Sequence[Record]) -> str:
    """What the verdicts rest on, in plain sentences."""
    kinds = Counter(case["provenance"]["kind"] for case in cases)
    bare = kinds.pop("none", 0)
    seen = sum(b["evidence"] == "recorded" for c in cases for f in c["findings"] for b in f["basis"])
    sentences = []
    if set(kinds) == {"constructed"}:
        rest = "none is a recording of Azure" if seen else "no verdict here rests on a recording of Azure"
        sentences.append(
            f"All cassettes are constructed by a model of the service from facts with named sources; {rest}."
        )
        if seen:
            sentences.append(f"Recorded evidence is cited {counted(seen, 'time')}, each with its source.")
    elif kinds:
        words = {"recorded": "a live recording", "imported": "an imported recording"}
        words["constructed"] = "a cassette constructed from facts with named sources"
        parts = [f"{counted(n, 'case')} on {words.get(kind, kind)}" for kind, n in sorted(kinds.items())]
        sentences.append(f"What the verdicts rest on: {', '.join(parts)}.")
    if bare:
        sentences.append(f"No cassette stands behind {counted(bare, 'case')}.")
    return " ".join(sentences)


def not_whole(wire: Sequence[Record]) -> list[str]:
    """How answers ended that did not come whole: cancelled, failed, incomplete."""
    found = []
    for message in wire:
        event = message.get("event")
        response = event.get("response") if isinstance(event, dict) else None
        if message["type"] == "response.done" and isinstance(response, dict):
            found.append(str(response.get("status")))
    return [status for status in found if status != "completed"]


def apart(surfaced: Any, wire: Sequence[Record]) -> Any:
    """Text that surfaced, with each answer of the wire that it begins with on a line of its own."""
    if not isinstance(surfaced, str):
        return surfaced
    lines, rest = [], surfaced
    for message in wire:
        event = message.get("event")
        words = (event.get("text") or event.get("transcript")) if isinstance(event, dict) else None
        whole = str(message["type"]).endswith((".done", ".completed"))
        if whole and isinstance(words, str) and words and rest.startswith(words):
            lines.append(words)
            rest = rest[len(words) :]
    return "\n".join([*lines, rest] if rest else lines)


def safe_name(text: Any) -> str:
    """A text as an id, a class or the stem of a file: safe characters, single hyphens, never empty."""
    return re.sub(r"-{2,}", "-", re.sub(r"[^A-Za-z0-9._-]+", "-", str(text))).strip("-")[:120] or "x"


def unused_name(name: str, used: Iterable[str]) -> str:
    """The name, with a number where it is used already; case does not tell names apart."""
    taken = {other.lower() for other in used}
    number = 2
    candidate = name
    while candidate.lower() in taken:
        candidate, number = f"{name}-{number}", number + 1
    return candidate


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
