"""How a session hears the audio it is sent: its format and rate, as the log tells them."""

from __future__ import annotations

from typing import Any

from harness.dialects import Dialect
from harness.lint.names import object_fields
from harness.messages import MISSING, Json, get_path

_FORMAT = "audio.input.format.type"
_RATE = "input_audio_sampling_rate"
"""Where a dialect lets its client choose the rate of what it sends."""
_DEFAULT_RATE = 24000


class Hearing:
    """Told of every session object, in canonical form; what was said last counts."""

    def __init__(self, dialect: Dialect) -> None:
        self._chosen = _RATE in object_fields(dialect, "session.updated", "session")
        self._complete = False
        self._known: dict[str, Any] = {}

    def told(self, session: Json) -> None:
        """By `session.created` or `session.updated`: always the whole session."""
        self._complete = True
        self._known = {}
        self.asked(session)

    def asked(self, session: Json) -> None:
        """By `session.update`: only what is to change."""
        for path in (_FORMAT, _RATE):
            value = get_path(session, path)
            if value is not MISSING:
                self._known[path] = value

    @property
    def rate(self) -> int | None:
        """Samples a second of raw PCM; None where the audio is no PCM, or the log does not tell."""
        if self._known.get(_FORMAT) in ("audio/pcmu", "audio/pcma"):
            return None
        if not self._chosen:
            return _DEFAULT_RATE  # the one rate that is taken: another in a session.update is refused
        rate = self._known.get(_RATE)
        if isinstance(rate, int) and not isinstance(rate, bool):
            return rate
        return _DEFAULT_RATE if self._complete else None
