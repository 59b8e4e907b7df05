"""The list of rules in docs/service.md; `python -m tests.service.rules_document` writes it anew."""

from __future__ import annotations

import re
from pathlib import Path

import harness.service  # noqa: F401 - brings every rule with it
from harness.service.registry import Rule, rules

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "service.md"

_LIST = re.compile(r"(?<=<!-- rules -->\n).*(?=<!-- end of rules -->)", re.DOTALL)

TOPICS = {
    "session": "Session",
    "audio": "Input audio",
    "speech": "Speech",
    "items": "Items",
    "responses": "Responses",
    "time": "Time",
    "events": "Events",
}


def rendered() -> str:
    """The list as it has to stand in the document."""
    parts: list[str] = []
    for topic, title in TOPICS.items():
        parts += [
            f"\n### {title}\n",
            "| rule | what the service does | evidence | source |",
            "| --- | --- | --- | --- |",
        ]
        parts += [_row(rule) for rule in rules() if topic_of(rule) == topic]
    return "\n".join(parts) + "\n\n"


def _row(rule: Rule) -> str:
    return f"| `{rule.name}` | {rule.says} | {rule.evidence} | {rule.source} |"


def topic_of(rule: Rule) -> str:
    return rule.name.split(".")[0]


def listed() -> str:
    """The list as it stands in the document."""
    found = _LIST.search(DOCUMENT.read_text("utf-8"))
    assert found is not None, f"{DOCUMENT} has no place for the rules"
    return found[0]


if __name__ == "__main__":
    text = DOCUMENT.read_text("utf-8")
    DOCUMENT.write_text(_LIST.sub(lambda _: rendered(), text), "utf-8")
