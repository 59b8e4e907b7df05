"""Comparing two long sessions, against `DeepDiff` on the two lists of events.

The one session is made here; the other is the same with every id new and 5 % of its events
dropped, doubled, changed, renamed, or made to refer to something else. `DeepDiff` gets the bare
events, without the client's or the service's name.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from itertools import takewhile

from deepdiff import DeepDiff

from benchmarks.measure import Row, median_times, report
from harness.diff import Kind, SessionDiff, diff_sessions
from harness.diff.masks import mask
from harness.logs import Log
from tests.diff.edits import Edit, edited
from tests.diff.sessions import Entry, log_of, voice_session, with_fresh_ids

TO_DEEPDIFF = 1 / 8
GROWTH = 13
CHANGES_PER_EDIT = 1.5
SHARE = 0.05
SMALL, LARGE = 500, 5000
CHUNK = 9600
"""Bytes of audio: a chunk is a third to a half of it, 70 to 100 ms."""
ROUNDS = 7


def session_of(size: int) -> list[Entry]:
    """The first `size` events of a session that is longer."""
    return voice_session(seed=7, turns=size // 40, chunk=CHUNK)[:size]


def pair_of(size: int, share: float) -> tuple[Log, Log, list[Edit]]:
    """A session, another run of it with edits, and the edits."""
    entries = session_of(size)
    assert len(entries) == size, f"the generated session has {len(entries)} events"
    other, edits = with_fresh_ids(entries), []
    if share:
        other, edits = edited(other, share, random.Random(3))  # noqa: S311 - the same edits every time
    return log_of(entries), log_of(other), edits


def renamed_pair(size: int) -> tuple[Log, Log]:
    """A session, and the same with every delta under another name."""
    entries = session_of(size)
    other = [
        (side, {**event, "type": event["type"].replace(".output_", ".")})
        for side, event in with_fresh_ids(entries)
    ]
    return log_of(entries), log_of(other)


def missed(edits: list[Edit], diff: SessionDiff, a: Log, b: Log) -> list[Edit]:
    """The edits that no difference shows.

    Which of several equal events in a row was dropped or doubled cannot be known: any of them will do.
    """
    shown_a, shown_b = set(), set()
    lone: Counter[str] = Counter()
    for difference in (each for lane in diff.lanes for each in lane.differences):
        shown_a |= {line for message in difference.a for line in message.lines}
        shown_b |= {line for message in difference.b for line in message.lines}
        if difference.kind is not Kind.CHANGED:  # what was dropped here and doubled there has moved
            lone.update(message.key for message in (*difference.a, *difference.b))
    lost = []
    for edit in edits:
        if edit.a is not None and _place(edit.a, a) in shown_a:
            continue
        if edit.b is not None and _place(edit.b, b) in shown_b:
            continue
        entry = a.entries[edit.a - 1] if edit.a is not None else b.entries[(edit.b or 1) - 1]
        key = mask(entry.event or {}, entry.side, entry.line).key
        if edit.kind in ("drop", "insert") and lone[key]:
            lone[key] -= 1
        else:
            lost.append(edit)
    return lost


def _place(line: int, log: Log) -> int:
    """Where an event shows: audio that was appended shows in the commit of its turn."""
    entries = log.entries[line - 1 :]
    appended = takewhile(lambda e: e.event is None or not e.event["type"].endswith(".commit"), entries)
    is_append = (log.entries[line - 1].event or {}).get("type") == "input_audio_buffer.append"
    return line + len(list(appended)) if is_append else line


def main() -> int:
    a, b, edits = pair_of(LARGE, SHARE)
    small_a, small_b, _ = pair_of(SMALL, SHARE)
    same_a, same_b, _ = pair_of(LARGE, 0)
    renamed_a, renamed_b = renamed_pair(LARGE)
    bare_a, bare_b = ([entry.event for entry in log.entries] for log in (a, b))
    times = median_times(
        {
            "deepdiff": lambda: DeepDiff(bare_a, bare_b),
            "ours": lambda: diff_sessions(a, b),
            "small": lambda: diff_sessions(small_a, small_b),
            "same": lambda: diff_sessions(same_a, same_b),
            "renamed": lambda: diff_sessions(renamed_a, renamed_b),
        },
        rounds=ROUNDS,
    )
    took = {name: f"{time * 1000:.0f} ms" for name, time in times.items()}
    diff = diff_sessions(a, b)
    lost = missed(edits, diff, a, b)
    assert diff_sessions(same_a, same_b).same
    rows = [
        Row(
            "ours : DeepDiff of the lists",
            times["ours"] / times["deepdiff"],
            at_most=TO_DEEPDIFF,
            note=f"{took['ours']} : {took['deepdiff']}",
        ),
        Row(
            f"{LARGE} events : {SMALL} events",
            times["ours"] / times["small"],
            at_most=GROWTH,
            note=f"{took['ours']} : {took['small']}",
        ),
        Row(
            "all streams renamed : nothing edited",
            times["renamed"] / times["same"],
            at_most=4,
            note=f"{took['renamed']} : {took['same']}",
        ),
        Row(
            "differences reported : edits made",
            diff.count / len(edits),
            at_most=CHANGES_PER_EDIT,
            note=f"{diff.count} : {len(edits)}; {diff.counts}",
        ),
        Row(
            "edits found : edits made",
            (len(edits) - len(lost)) / len(edits),
            at_least=1,
            note=", ".join(f"{edit.kind} {edit.type} A:{edit.a} B:{edit.b}" for edit in lost[:5]),
        ),
    ]
    return report(f"Two sessions of {LARGE} events, {SHARE:.0%} of them edited (CPU time)", rows)


if __name__ == "__main__":
    sys.exit(main())
