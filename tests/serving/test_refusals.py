from __future__ import annotations

import re
from pathlib import Path

import harness.service
from harness.serving.refusals import _STATES


def test_whatever_the_state_forbids_has_its_own_words() -> None:
    folder = Path(harness.service.__file__).parent
    source = "".join(path.read_text("utf-8") for path in folder.rglob("*.py"))
    names = set(re.findall(r'Refused\(\s*"(\w+)"', source)) - {"invalid_type"}
    assert names <= set(_STATES)
