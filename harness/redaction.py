"""Takes secrets out of everything before it reaches a disk, a terminal or a report.

Rules of this module: it errs on the side of removing; it works on values, not
on files, so nothing unredacted is ever written first and cleaned later; the
secrets of a run are known and are removed wherever they stand, whole or
percent-encoded, besides everything that looks like one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

REDACTED = "[redacted]"

_SECRET_KEYS = frozenset(
    {"api-key", "api_key", "apikey", "authorization", "client_secret", "access_token", "x-api-key"}
)

_PATTERNS = (
    re.compile(r"(?i)(bearer(?:\s|%20|\+)+)[^\s\"',;&]+"),
    re.compile(r"(?i)(api[-_]?key\"?'?\s*[:=]\s*\"?'?)[^\s\"',;&}\]]+"),
    re.compile(r"(?i)(authorization\"?'?\s*[:=]\s*\"?'?)(?!bearer)[^\s\"',;&}\]]+"),
    re.compile(r"(openai-insecure-api-key\.)[^\s\"',;]+"),
    re.compile(r"()\b(?:sk|ek)[-_][A-Za-z0-9_-]{8,}"),
    re.compile(r"(?i)([?&](?:sig|token|access_token)=)[^\s&\"']+"),
)


class Redactor:
    """Removes known secrets and whatever looks like one."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {form for secret in secrets if secret for form in (secret, quote(secret, safe=""))}
        self._secrets = sorted(known, key=len, reverse=True)

    def text(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, REDACTED)
        for pattern in _PATTERNS:
            text = pattern.sub(rf"\g<1>{REDACTED}", text)
        return text

    def value(self, value: Any) -> Any:
        """A JSON value with every string in it redacted, and the values of secret-bearing keys removed."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {self.text(str(key)): self._entry(str(key), inner) for key, inner in value.items()}
        return value

    def _entry(self, key: str, value: Any) -> Any:
        if key.lower() in _SECRET_KEYS and value is not None:
            return REDACTED
        return self.value(value)
