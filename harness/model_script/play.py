"""The service, answering as a script says.

An answer is chosen by what the client did since the answer before: so the rule
that calls a tool does not call it again when its result comes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from itertools import cycle

from harness.dialects import Dialect
from harness.faults import FaultLine
from harness.messages import Json
from harness.model_script.patterns import MOST_SAID
from harness.model_script.read import Entry, ModelScript, When
from harness.scenario import Answer, Call, Cut, Failure, Incomplete, Several, Speech, Text
from harness.service import ResponseRequest, Service, Supply
from harness.service.agenda import Queued

NOTHING_FITS = Text("The script has no answer for this.")

_PLACES = re.compile(r"\{(?:result|said)\}")


class ScriptedModel(Service):
    """One session of a service that answers as a script says."""

    def __init__(
        self,
        dialect: Dialect,
        script: ModelScript,
        *,
        seed: int,
        unix_time: int,
        model: str | None = None,
        transcription: bool = False,
        settings: Json | None = None,
        faults: FaultLine | None = None,
    ) -> None:
        super().__init__(
            dialect,
            seed=seed,
            unix_time=unix_time,
            model=model,
            heard=self._hearing(),
            supplier=self._supply,
            transcription=transcription,
            settings=settings,
            faults=faults,
        )
        self._script = script
        self._turns = cycle(script.heard or ("",))
        self._spoken = ""
        """What the turn of speech that was just committed is heard as."""
        self._given: Counter[int] = Counter()
        self._next = 0
        self._responses = 0
        self._said = ""
        self._said_new = False
        self._result = ""
        self._results: set[str] = set()
        self._called: dict[str, str] = {}
        """The tools that the model called, by call id: out of band they are in no conversation."""

    # What the client does.

    def created(self, item: Json) -> None:
        super().created(item)
        if item["type"] == "function_call_output":
            self._result = str(item.get("output", ""))
            self._results.add(self._tool_of(item.get("call_id")))
        elif item.get("role") == "user":
            self._note_said(_text_of(item))
        elif self.conversation.last_id == item["id"] and item.get("role") != "system":
            # The client puts an answer of earlier back in: what stands before it was answered by it.
            self._said_new, self._results = False, set()

    def committed(self, ms: float) -> None:
        super().committed(ms)
        self._spoken = next(self._turns)
        self._note_said(self._spoken)

    def _note_said(self, text: str) -> None:
        self._said, self._said_new = text[:MOST_SAID], True

    def settle(self, queued: Queued, event: Json) -> None:
        super().settle(queued, event)
        item = event.get("item") or {}
        if event["type"] == "response.output_item.done" and item.get("type") == "function_call":
            self._called[item["call_id"]] = str(item["name"])

    def _tool_of(self, call_id: object) -> str:
        """The name of the tool that was called, by the model or in a history that the client put in."""
        calls = (item for item in self.conversation.items if item["type"] == "function_call")
        told = {str(item.get("call_id")): str(item["name"]) for item in calls}
        return (self._called | told).get(str(call_id), "")

    def _hearing(self) -> Iterator[str]:
        """What transcription says of each turn; where it is off, nobody asks."""
        while True:
            yield self._spoken

    # What it answers.

    def _supply(self, request: ResponseRequest) -> Supply:
        self._responses += 1
        found = self._choose()
        if not request.outside:
            self._said_new, self._results = False, set()
        if found is None:
            return self.modelled(NOTHING_FITS, request, "no answer of the script fits")
        place, entry = found
        self._given[place] += 1
        return self.modelled(self._filled(entry.answer), request, entry.name)

    def _choose(self) -> tuple[int, Entry] | None:
        left = [
            (place, entry)
            for place, entry in enumerate(self._script.entries)
            if entry.times is None or self._given[place] < entry.times
        ]
        for place, entry in left:
            if entry.when is not None and self._fits(entry.when):
                return place, entry
        in_turn = [(place, entry) for place, entry in left if entry.when is None]
        if not in_turn:
            return None
        found = next((one for one in in_turn if one[0] >= self._next), in_turn[0])
        self._next = found[0] + 1
        return found

    def _fits(self, when: When) -> bool:
        if when.said is not None and not (self._said_new and when.said.within(self._said)):
            return False
        if when.result is not None and not any(fnmatchcase(name, when.result) for name in self._results):
            return False
        return when.response is None or when.response == self._responses

    def _filled(self, answer: Answer) -> Answer:
        """The answer with what was said, and what the tool returned, put into its words."""
        if isinstance(answer, Incomplete | Cut):
            return replace(answer, answer=self._spelled(answer.answer))
        if isinstance(answer, Several):
            return Several(tuple(map(self._item, answer.answers)))
        return answer if isinstance(answer, Failure) else self._item(answer)

    def _item(self, answer: Speech | Text | Call) -> Speech | Text | Call:
        return answer if isinstance(answer, Call) else self._spelled(answer)

    def _spelled(self, words: Speech | Text) -> Speech | Text:
        if isinstance(words, Text):
            return Text(self._words(words.text))
        return replace(words, transcript=self._words(words.transcript))

    def _words(self, text: str) -> str:
        words = {"{result}": self._result, "{said}": self._said}
        return _PLACES.sub(lambda found: words[found[0]], text)


def _text_of(item: Json) -> str:
    parts = item.get("content") or []
    words = [part.get("text") or part.get("transcript") or "" for part in parts if isinstance(part, dict)]
    return " ".join(word for word in words if isinstance(word, str) and word)
