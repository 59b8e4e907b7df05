"""Takes secrets out of everything before it reaches a disk, a terminal or a report.

Rules of this module: it errs on the side of removing; it works on values, not
on files, so nothing unredacted is ever written first and cleaned later; the
secrets of a run are known and are removed wherever they stand, whole or
encoded, besides everything that looks like one.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus

REDACTED = "[redacted]"

_SECRET_KEYS = frozenset(
    {
        "api-key",
        "api_key",
        "apikey",
        "authorization",
        "client_secret",
        "access_token",
        "x-api-key",
        "ocp-apim-subscription-key",
        "subscription-key",
        "sig",
        "cookie",
        "set-cookie",
        "proxy-authorization",
    }
)

_SECRET_PARAMETERS = frozenset({"token", "key"})

_NAMES = r"(?:api[-_]?key|subscription-key|access_token|client_secret)"
_IS = r"(?:\\*[\"']?\s*[:=]\s*\\*[\"']?|[\"']\s*,\s*b?[\"'])"
"""Between a name and its value: in a header, a query, JSON (also inside a JSON string), a Python pair."""
_REST = r"(?!\s|\[redacted\]|null\b|None\b)"

_PATTERNS = (
    re.compile(r"(?i)(bearer(?:\s|%20|\+)+)" + _REST + r"[^\s\"',;&\\]+"),
    re.compile(r"(?i)(client_secret\\*[\"']?\s*[:=]\s*)\{[^}]*\}?"),
    re.compile(rf"(?i)({_NAMES}{_IS})" + _REST + r"[^\s\"',;&}\]\\{]+"),
    re.compile(rf"(?i)(authorization{_IS})(?!bearer)" + _REST + r"[^\r\n\"',;&}\]\\]+"),
    re.compile(r"(?i)(api[-_ ]?key\s+)" + _REST + r"[A-Za-z0-9_-]{16,}"),
    re.compile(r"(openai-insecure-api-key\.)" + _REST + r"[^\s\"',;\\]+"),
    re.compile(r"()\b(?:sk|ek)[-_][A-Za-z0-9_-]{8,}"),
    re.compile(r"(?i)(\b(?:https?|wss?)://)" + _REST + r"[^\s/@\"']+(?=@)"),
    re.compile(r"(?i)([?&](?:sig|token|key|access_token)=)" + _REST + r"[^\s&\"']+"),
)


_HINT = re.compile(r"(?i)bearer|secret|key|token|authorization|[se]k[-_]|://|sig=")
"""What every pattern has in it; most text has none of it, and is not searched further."""


_SHORT, _REMEMBERED = 200, 1000
"""Characters of a text that is remembered, and how many are."""


_LONGEST = 512
"""Characters that are left out at most."""

_LAST_WORD = re.compile(r"[^\s\"'\\,{}\[\]<>\x80-\U0010ffff]+$")
"""What may be the beginning of a secret: all that people write one with (JSON's own signs apart)."""


def cut(text: str, most: int) -> str:
    """The beginning of a text, and an ellipsis; nobody would know a secret that is cut in two.

    So a last word that does not come whole is left out.
    """
    if len(text) <= most:
        return text
    kept = text[: most - 1]
    # Only the end is searched: a peer may send a word that never ends.
    return f"{kept[:-_LONGEST]}{_LAST_WORD.sub('', kept[-_LONGEST:])}…"


class Redactor:
    """Removes known secrets and whatever looks like one."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {form for secret in secrets if secret for form in _forms(secret)}
        self._secrets = sorted(known, key=len, reverse=True)
        self._remembered = lru_cache(_REMEMBERED)(self._clean)

    def text(self, text: str) -> str:
        """The text without secrets; headers and the like come over and over, so short ones are remembered."""
        return self._remembered(text) if len(text) <= _SHORT else self._clean(text)

    def _clean(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, REDACTED)
        if _HINT.search(text) is None:
            return text
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

    def query(self, query: dict[str, str]) -> dict[str, str]:
        """The parameters of a URL, where more is a secret by its name than in JSON."""
        clean: dict[str, str] = self.value(query)
        return {name: REDACTED if name.lower() in _SECRET_PARAMETERS else clean[name] for name in clean}

    def _entry(self, key: str, value: Any) -> Any:
        # Findings name a field by its path: `session.tools[0].authorization`.
        if key.rpartition(".")[2].lower() in _SECRET_KEYS and value is not None:
            return REDACTED
        return self.value(value)


def _forms(secret: str) -> set[str]:
    """The ways a secret is written: as it stands, percent-encoded, inside JSON and inside JSON in JSON."""
    encoded = {quote(secret, safe=""), quote(secret), quote_plus(secret), quote_plus(secret, safe="/")}
    lower = {re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), form) for form in encoded}
    once = {json.dumps(secret, ensure_ascii=ascii_)[1:-1] for ascii_ in (True, False)}
    twice = {json.dumps(form)[1:-1] for form in once}
    return {secret, base64.b64encode(secret.encode()).decode()} | encoded | lower | once | twice
