"""The session's settings: as they were told, and as the client has asked for them since."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from harness.messages import Json
from tests.service.witness.names import ABSENT, setting


class Settings:
    """Every accepted update is answered in its turn, by a session that shows what was asked for."""

    def __init__(self) -> None:
        self.told: Json = {}
        self._asked: deque[Json] = deque()
        """Updates that are not answered yet."""

    @property
    def sure(self) -> bool:
        """What was told is what holds: nothing was asked for since."""
        return not self._asked

    def ask(self, wanted: Json) -> None:
        self._asked.append(wanted)

    def created(self, session: Json) -> None:
        self.told = session

    def updated(self, session: Json) -> None:
        assert self._asked, "session.updated answers nothing"
        for path, wanted, shown in _differing(self._asked.popleft(), session):
            raise AssertionError(f"an update asked for {path}: {wanted!r}, the session shows {shown!r}")
        assert session.get("id") == self.told.get("id"), "an update changes the session's id"
        self.told = session

    def all_was_heard(self) -> None:
        assert not self._asked, "an update is never answered"

    # What holds.

    def __getitem__(self, path: str) -> Any:
        """A setting as it was told last."""
        return setting(self.told, path)

    def now(self, path: str) -> Any:
        """A setting as it is from what was asked for last, told or not."""
        asked = (setting(wanted, path) for wanted in (*reversed(self._asked), self.told))
        return next((value for value in asked if value is not ABSENT), ABSENT)

    @property
    def listens(self) -> bool:
        return _on(self["audio.input.turn_detection"])

    @property
    def may_listen(self) -> bool:
        return _on(self.now("audio.input.turn_detection"))

    def of_turns(self, name: str) -> Any:
        detection = self["audio.input.turn_detection"]
        return detection.get(name) if isinstance(detection, dict) else None


def _on(detection: Any) -> bool:
    return isinstance(detection, dict) and detection.get("type") != "none"


def _differing(wanted: Json, shown: Json, above: str = "") -> Iterator[tuple[str, Any, Any]]:
    """What was wanted and is shown otherwise; of names the session has, as nobody knows what others do."""
    for name in wanted.keys() & shown.keys():
        path, asked, told = f"{above}{name}", wanted[name], shown[name]
        if name == "turn_detection" and not _on(asked):
            if told is not None:
                yield path, asked, told
        elif isinstance(asked, dict) and isinstance(told, dict):
            yield from _differing(asked, told, f"{path}.")
        elif asked != told and not _means_the_same(name, asked, told):
            yield path, asked, told


def _means_the_same(name: str, asked: Any, told: Any) -> bool:
    """The older generation's modalities stand in any order; a voice may be told of as an object."""
    if name == "modalities":
        return ("audio" in asked) == ("audio" in told)
    return name == "voice" and isinstance(told, dict) and told.get("name") == asked
