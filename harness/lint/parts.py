"""The order inside one item of a response: its parts, and the deltas of each part."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from harness.findings import Finding
from harness.lint.shown import PART_ADDED, PART_DONE, TRANSCRIPT, Shown
from harness.messages import Json

Report = Callable[..., Iterable[Finding]]
"""Makes a finding of: rule, line, path, message; and where they are values, expected and actual."""

_DELTAS = {
    "response.output_text.delta": "text",
    TRANSCRIPT: "transcript",
    "response.function_call_arguments.delta": "arguments",
    "response.output_audio.delta": "audio",
}
_DONES = {delta.removesuffix("delta") + "done": kind for delta, kind in _DELTAS.items()}
_ARGUMENTS = "arguments"
_UNSURE = re.compile("[\ufffd\ud800-\udfff]")
"""Where a character was cut in two between deltas, nobody has seen what the service puts in its place."""

PART_EVENTS = frozenset({PART_ADDED, PART_DONE, *_DELTAS, *_DONES})


@dataclass
class _Stream:
    """The deltas of one kind in one part."""

    pieces: list[str] = field(default_factory=list)
    deltas: int = 0
    done: bool = False


class PartJudge:
    """The parts and streams of every item of one session. `report` makes the findings."""

    def __init__(self, shown: Shown, report: Report) -> None:
        self._shown = shown
        self._report = report
        self._open: dict[tuple[str, int], bool] = {}
        """Parts that were added: True while open, False once done."""
        self._streams: dict[tuple[str, str, int], _Stream] = {}

    def take(
        self, event: Json, item_id: str, line: int, *, sure: bool, owed: list[Finding]
    ) -> Iterator[Finding]:
        """What is out of order with one event of a part.

        `sure`: the log shows the session from its beginning. `owed` collects
        what only a completed response owes: one that was cut off may break off
        anywhere.
        """
        index = event.get("content_index", 0)
        place = (item_id, index if isinstance(index, int) else 0)
        type_: str = event["type"]
        if type_ == PART_ADDED:
            if self._open.get(place):
                yield from self.out_of_frame(line, f"{type_} comes twice for one part.")
            self._open[place] = True
        elif type_ == PART_DONE:
            if not self._open.get(place, not sure):
                yield from self.out_of_frame(line, f"{type_} comes for a part that is not open.")
            self._open[place] = False
            if sure:
                owed.extend(self._streams_open(place, line))
        elif type_ in _DELTAS:
            yield from self._delta(event, _DELTAS[type_], place, line, sure=sure)
        else:
            yield from self._done(event, _DONES[type_], place, line, sure=sure, owed=owed)

    def left_open(self, items: Iterable[str], line: int) -> Iterator[Finding]:
        """Parts of a response's items that were added and never done, now that it is complete."""
        for (item_id, _), is_open in self._open.items():
            if is_open and item_id in items:
                yield from self.out_of_frame(line, "response.done comes while a part of it is open.")

    def _streams_open(self, place: tuple[str, int], line: int) -> Iterator[Finding]:
        for delta, kind in _DELTAS.items():
            stream = self._streams.get((kind, *place))
            if stream is not None and stream.deltas and not stream.done:
                done = delta.removesuffix("delta") + "done"
                yield from self.out_of_frame(line, f"{PART_DONE} comes without {done}.")

    def out_of_frame(self, line: int, message: str) -> Iterable[Finding]:
        return self._report("part-frame", line, "content_index", message)

    def _delta(
        self, event: Json, kind: str, place: tuple[str, int], line: int, *, sure: bool
    ) -> Iterator[Finding]:
        type_ = event["type"]
        stream = self._streams.setdefault((kind, *place), _Stream())
        if stream.done:
            yield from self.out_of_frame(line, f"{type_} comes after its done.")
        elif kind != _ARGUMENTS and not self._is_open(place, sure=sure):
            yield from self.out_of_frame(line, f"{type_} comes for a part that is not open.")
            self._open[place] = True  # told once
        if kind == "audio" and not stream.deltas and sure:
            yield from self._transcript_first(place, line)
        stream.deltas += 1
        if kind != "audio":
            delta = event.get("delta")
            stream.pieces.append(delta if isinstance(delta, str) else "")

    def _is_open(self, place: tuple[str, int], *, sure: bool) -> bool:
        if PART_ADDED not in self._shown.types and PART_DONE not in self._shown.types:
            return True  # nothing is said of parts
        return self._open.get(place, not sure)

    def _transcript_first(self, place: tuple[str, int], line: int) -> Iterable[Finding]:
        if TRANSCRIPT not in self._shown.types or ("transcript", *place) in self._streams:
            return ()
        return self._report(
            "transcript-first",
            line,
            "delta",
            "audio comes before the first word of its transcript.",
        )

    def _done(
        self,
        event: Json,
        kind: str,
        place: tuple[str, int],
        line: int,
        *,
        sure: bool,
        owed: list[Finding],
    ) -> Iterator[Finding]:
        type_ = event["type"]
        stream = self._streams.setdefault((kind, *place), _Stream())
        if stream.done:
            yield from self.out_of_frame(line, f"{type_} comes twice.")
        elif kind != _ARGUMENTS and self._open.get(place) is False:
            owed.extend(self.out_of_frame(line, f"{type_} comes after its part is done."))
        stream.done = True
        whole = event.get(kind)
        if not sure or not stream.deltas or not isinstance(whole, str):
            return
        joined = "".join(stream.pieces)
        if joined != whole and not _UNSURE.search(joined + whole):
            message = f"the deltas, joined, are not the {kind} that {type_} says."
            owed.extend(self._report("deltas-joined", line, kind, message, expected=whole, actual=joined))
