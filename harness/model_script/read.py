"""Reads model scripts. Their answers are those of scenario files, and are read by the same reader."""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from harness.dialects import Dialect, check_event_pattern
from harness.documents import Document, read_document
from harness.exceptions import ModelScriptFault, ScenarioFault, UsageFault
from harness.faults import Fault, checked_fault
from harness.model_script.patterns import Said, regular, words
from harness.scenario import Answer, AnswerReader
from harness.validation import bundled_schema, check_document

AT_ONCE = "max"

_SECONDS = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s)?")
_LONGEST = 600.0
_SLOWEST, _FASTEST = 0.001, 1000.0
"""Slower a word takes minutes; faster is at once."""
_WORD = re.compile(r"\{(\w+)\}")
_PUT_IN = ("said", "result")
_CONDITIONS = ("when", "times")
_STOCK = Path(__file__).with_name("stock.yaml")


@dataclass(frozen=True)
class When:
    """When an answer is given. Each part looks at what the client did since the answer before."""

    said: Said | None = None
    result: str | None = None
    """The name of a tool whose result came; `*` for any."""
    response: int | None = None


@dataclass(frozen=True)
class Entry:
    """An answer, and when it is given; without `when` it is given in turn."""

    answer: Answer
    name: str
    """Where it stands, for people: `answers/0, line 3`; the stock model is no file of theirs."""
    when: When | None = None
    times: int | None = None


@dataclass(frozen=True)
class ModelScript:
    """What a model says, hears, and does wrong. A pace that is None is left to the command line."""

    path: str
    entries: tuple[Entry, ...] = ()
    heard: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()
    speed: str | None = None
    latency: float | None = None
    delays: tuple[tuple[str, float], ...] = ()


def load_model_script(path: Path, dialects: Iterable[Dialect] = ()) -> ModelScript:
    """Reads one script; raises ModelScriptFault with line and pointer.

    The events it names are those of the bundled dialects, and of `dialects`.
    """
    document = read_document(path, ModelScriptFault)
    reader = _Reader(document, path.parent, tuple(dialects))
    reader.say_plainly()
    check_document(document, bundled_schema("model"), ModelScriptFault)
    return reader.script()


def stock_script() -> ModelScript:
    """What is answered where nobody wrote a script."""
    return load_model_script(_STOCK)


def read_seconds(text: str, *, unit: bool = False) -> float:
    """`1.5s`, `200ms` or `1.5`, in seconds; raises ValueError with what was expected.

    With `unit`, a bare number other than 0 is refused: who writes 200 rarely means 200 seconds.
    """
    found = _SECONDS.fullmatch(text.strip())
    if unit and found and not found[2] and float(found[1]) > 0:
        raise ValueError(f"{found[1]}ms or {found[1]}s: a time needs its unit")
    value = float(found[1]) / (1000 if found[2] == "ms" else 1) if found else math.inf
    if value > _LONGEST:
        raise ValueError(f"a time from 0 to {_LONGEST:g} s, such as 200ms or 1.5s")
    return value


def read_speed(text: str) -> float | None:
    """A factor, or None for `max`; raises ValueError with what was expected."""
    if text == AT_ONCE:
        return None
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not _SLOWEST <= value <= _FASTEST:
        raise ValueError(f"a factor from {_SLOWEST:g} to {_FASTEST:g}, or {AT_ONCE}")
    return value


class _Reader:
    def __init__(self, document: Document, folder: Path, dialects: tuple[Dialect, ...]) -> None:
        self.document = document
        self.dialects = dialects
        self.answers = AnswerReader(document, folder)

    def fail(self, pointer: str, problem: str, expected: str | None = None) -> NoReturn:
        line = self.document.line(pointer)
        raise ModelScriptFault(self.document.path, problem, line=line, pointer=pointer, expected=expected)

    def say_plainly(self) -> None:
        """Refuses first what the schema could only say in its own language."""
        raw = self.document.value if isinstance(self.document.value, dict) else {}
        if "speed" in raw:
            self._speed(str(raw["speed"]))
        if "latency" in raw:
            self._seconds(raw["latency"], "/latency")
        delays = raw.get("delays")
        for type_, wait in delays.items() if isinstance(delays, dict) else ():
            self._seconds(wait, f"/delays/{type_}")
        answers = raw.get("answers")
        for number, entry in enumerate(answers if isinstance(answers, list) else ()):
            condition = next((key for key in _CONDITIONS if isinstance(entry, dict) and key in entry), None)
            beside = [key for key in entry if key not in _CONDITIONS] if condition else []
            if beside and "answer" not in entry:
                problem = f"`{beside[0]}` stands beside `{condition}`"
                expected = f"beside `{condition}` the words stand under `answer`: {{{beside[0]}: …}}"
                self.fail(f"/answers/{number}", problem, expected)

    def script(self) -> ModelScript:
        raw = self.document.value
        latency = raw.get("latency")
        return ModelScript(
            path=self.document.path,
            entries=tuple(self._entry(one, f"/answers/{n}") for n, one in enumerate(raw.get("answers", ()))),
            heard=tuple(raw.get("heard", ())),
            faults=tuple(self._fault(one, f"/faults/{n}") for n, one in enumerate(raw.get("faults", ()))),
            speed=self._speed(str(raw["speed"])) if "speed" in raw else None,
            latency=None if latency is None else self._seconds(latency, "/latency"),
            delays=tuple(
                self._delay(type_, wait, f"/delays/{type_}") for type_, wait in raw.get("delays", {}).items()
            ),
        )

    def _entry(self, raw: Any, at: str) -> Entry:
        stock = self.document.path == str(_STOCK)
        name = "the stock model" if stock else f"{at[1:]}, line {self.document.line(at)}"
        if not (isinstance(raw, dict) and "answer" in raw):
            return Entry(self._answer(raw, at), name)
        when = self._when(raw["when"], f"{at}/when") if "when" in raw else None
        return Entry(self._answer(raw["answer"], f"{at}/answer"), name, when, raw.get("times"))

    def _answer(self, raw: Any, at: str) -> Answer:
        for word in _WORD.findall(json.dumps(raw, ensure_ascii=False)):
            close = difflib.get_close_matches(word, _PUT_IN, 1, 0.7)
            if close and word not in _PUT_IN:
                self.fail(at, f"{{{word}}} stands for nothing", f"{{{close[0]}}}, or other words")
        try:
            return self.answers.answer(raw, at)
        except ScenarioFault as fault:
            problem = fault.problem.replace("the scenario's folder", "the script's folder")
            expected = fault.expected and fault.expected.replace("the scenario", "the script")
            self.fail(fault.pointer or at, problem, expected)

    def _when(self, raw: Any, at: str) -> When:
        if isinstance(raw, str):
            return When(self._said(raw, at))
        said = self._said(raw["said"], f"{at}/said") if "said" in raw else None
        return When(said, raw.get("result"), raw.get("response"))

    def _said(self, text: str, at: str) -> Said:
        if len(text) > 2 and text[0] == text[-1] == "/":
            try:
                return regular(text[1:-1])
            except ValueError as error:
                self.fail(at, f"{text!r:.200} {error}", "words, or a pattern such as /rain|snow/")
        if not text.strip():
            self.fail(at, f"{text!r} is no word", "words of the user, or a regular expression")
        return words(text.strip())

    def _fault(self, text: str, at: str) -> Fault:
        try:
            return checked_fault(text, self.dialects)
        except UsageFault as fault:
            known = f"one of {', '.join(fault.known)}" if fault.known else fault.hint
            self.fail(at, fault.problem, known)

    def _delay(self, type_: str, wait: float | str, at: str) -> tuple[str, float]:
        seconds = self._seconds(wait, at)
        try:
            check_event_pattern(type_, "delays", self.dialects)
        except UsageFault as fault:
            self.fail(at, fault.problem, fault.hint)
        return type_, seconds

    def _seconds(self, value: float | str, at: str) -> float:
        try:
            return read_seconds(str(value))
        except ValueError as error:
            self.fail(at, f"{value!r} is no such time", str(error))

    def _speed(self, value: str) -> str:
        try:
            read_speed(value)
        except ValueError as error:
            self.fail("/speed", f"{value:.40} is no speed", str(error))
        return value
