"""What a client did since the last answer, and what that leaves to be done for a recorded one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from harness.messages import Json
from harness.recording import Barrier, RecordedAnswer, Recording, Waiting, without_event_ids
from harness.recording.lanes import APPEND
from harness.recording.model import missing_of


class Progress:
    """What the client did since the last answer."""

    def __init__(self) -> None:
        self.user_items = 0
        self.outputs: set[str] = set()
        self.audio_ms = 0.0
        self.turns = 0
        self.sent: list[Json] = []
        """Its events, canonical and without ids."""

    def created(self, item: Json) -> None:
        if item["type"] == "function_call_output":
            self.outputs.add(item["call_id"])
        else:
            self.user_items += 1
        self.sent.append(without_event_ids({"type": "conversation.item.create", "item": item}))

    def heard(self, ms: float, *, spoken: bool) -> None:
        """Audio became an item: a turn of speech ended, or the client committed it."""
        self.audio_ms += ms
        self.turns += spoken
        self.sent.append(APPEND)
        if not spoken:
            self.sent.append({"type": "input_audio_buffer.commit"})

    def unmet(self, barrier: Barrier, ids: Mapping[str, str], *, by_service: bool = False) -> str | None:
        """What is still missing for an answer behind a barrier, for people; None where nothing is."""
        if self.user_items < barrier.user_items:
            return f"{barrier.user_items - self.user_items} more item(s) of the user"
        missing = [call for call in barrier.outputs if ids.get(call, call) not in self.outputs]
        if missing:
            return f"the result of {len(missing)} call(s)"
        if barrier.of_silence and not by_service:
            return "the user's silence"
        if not self._turns_heard(barrier):
            return f"{barrier.turns - self.turns} more turn(s) of speech"
        by_hand = barrier.audio_ms + barrier.spoken_ms if barrier.audio_ms else 0
        if self.audio_ms < by_hand:
            return f"{by_hand - self.audio_ms:.0f} ms more of committed audio"
        return None

    def _turns_heard(self, barrier: Barrier) -> bool:
        """A client that commits by hand has said as much once the audio is as long."""
        return self.turns >= barrier.turns or (0 < barrier.spoken_ms <= self.audio_ms)

    def waiting(self, barrier: Barrier, needed: tuple[Json, ...], holds: str) -> Waiting:
        missing = missing_of(needed, self.sent)
        return Waiting(str(barrier), missing, holds, met=missing_of(needed, missing))


def waiting(
    recording: Recording,
    remaining: Sequence[RecordedAnswer],
    outside: Iterable[RecordedAnswer],
    progress: Progress,
) -> Iterator[Waiting]:
    """What each answer that was not given waits for; what the client did counts for the next one alone."""
    total = len(recording.answers)
    for number, answer in enumerate(remaining, total - len(remaining) + 1):
        holds = f"response.created of answer {number} of {total}"
        yield progress.waiting(answer.barrier, answer.needed, holds)
        progress = Progress()
    for answer in outside:
        holds = "response.created of an answer out of band"
        yield Waiting("response.create, out of band", answer.needed, holds)
