"""Measures what a recorded event costs for one more client, against serialising it anew.

Both give the same frame: ours fills ids into text that was compiled when the
recording was read, the peer puts the ids into a copy and calls `json.dumps`.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from benchmarks.measure import Row, median_times, report
from harness.messages import Json
from harness.recording import Template, replaced

EVENTS = 400

_IDS = {
    "resp_recorded0000000000": "resp_ofThisSession000000",
    "item_recorded0000000000": "item_ofThisSession000000",
}


def _delta(kind: str, delta: str, **more: Any) -> Json:
    return {
        "type": f"response.{kind}.delta",
        "event_id": "event_recorded000000000",
        "response_id": "resp_recorded0000000000",
        "item_id": "item_recorded0000000000",
        "output_index": 0,
        "content_index": 0,
        "delta": delta,
        **more,
    }


def _item_done() -> Json:
    content = [{"type": "output_audio", "transcript": "It is sunny in Paris, at 21 degrees. " * 6}]
    item = {"id": "item_recorded0000000000", "type": "message", "status": "completed", "role": "assistant"}
    return {
        "type": "response.output_item.done",
        "event_id": "event_recorded000000000",
        "response_id": "resp_recorded0000000000",
        "output_index": 0,
        "item": {**item, "content": content},
    }


KINDS: dict[str, tuple[Json, float]] = {
    "a delta of text": (_delta("output_text", " sunny", obfuscation="x7Kq20LmPz"), 0.6),
    "a delta of audio, 16 kB of base64": (_delta("output_audio", "UklGR" * 3200), 0.15),
    "a finished item": (_item_done(), 0.75),
}
"""Each with the greatest ratio allowed."""


def main() -> int:
    rows = []
    for what, (event, limit) in KINDS.items():
        template = Template(event, event, frozenset(_IDS))

        def fill(template: Template = template) -> None:
            for number in range(EVENTS):
                template.filled({"event_id": f"event_{number}"}, _IDS)

        def dump(event: Json = event) -> None:
            for number in range(EVENTS):
                one = replaced(event, _IDS)
                one["event_id"] = f"event_{number}"
                json.dumps(one, ensure_ascii=False, separators=(",", ":"))

        wire, frame = template.filled({"event_id": "event_1"}, _IDS)
        assert json.loads(frame) == wire == {**replaced(event, _IDS), "event_id": "event_1"}
        times = median_times({"fill": fill, "dump": dump}, rounds=15)
        note = f"{times['fill'] / EVENTS * 1e6:.1f} µs an event"
        rows.append(
            Row(f"{what}, as a part of json.dumps", times["fill"] / times["dump"], at_most=limit, note=note)
        )
    return report("A recorded event for one more client", rows)


if __name__ == "__main__":
    sys.exit(main())
