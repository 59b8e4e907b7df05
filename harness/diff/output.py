"""A comparison as JSON: the shape of `diff.schema.json`, which has a version of its own."""

from __future__ import annotations

from harness import __version__
from harness.diff.model import Difference, Kind, LaneDiff, Message, SessionDiff, SideOf
from harness.findings import Change
from harness.messages import Json

FORMAT = 1


def to_json(diff: SessionDiff) -> Json:
    """The whole comparison as plain values."""
    return {
        "diff": FORMAT,
        "tool": f"realtime-harness {__version__}",
        "same": diff.same,
        "a": _side(diff.a),
        "b": _side(diff.b),
        "compared": "canonical" if diff.canonical else "wire",
        "left_out": list(diff.options.left_out),
        "count": diff.count,
        "counts": diff.counts,
        "lanes_compared": diff.compared,
        "notes": list(diff.notes),
        "renames": [{"kind": rename.kind, "a": rename.a, "b": rename.b} for rename in diff.renames],
        "lanes": [_lane(lane) for lane in diff.lanes],
    }


def _side(side: SideOf) -> Json:
    return {
        "path": side.path,
        "format": side.format,
        "dialect": side.dialect,
        "messages": side.messages,
        "sessions": side.sessions,
        "losses": [{"line": loss.line, "path": loss.path, "reason": loss.reason} for loss in side.losses],
    }


def _lane(lane: LaneDiff) -> Json:
    return {
        "kind": str(lane.kind),
        "session": lane.session,
        "a": lane.name_a,
        "b": lane.name_b,
        "differences": [_difference(difference) for difference in lane.differences],
    }


def _difference(difference: Difference) -> Json:
    whole = difference.kind is not Kind.CHANGED  # what is on both sides, the changes say
    return {
        "kind": str(difference.kind),
        "a": [_message(message, whole=whole) for message in difference.a],
        "b": [_message(message, whole=whole) for message in difference.b],
        "changes": [_change(change) for change in difference.changes],
        "echoes": [_change(change) for change in difference.echoes],
    }


def _message(message: Message, *, whole: bool) -> Json:
    value: Json = {
        "type": message.type,
        "side": None if message.side is None else str(message.side),
        "lines": list(message.lines),
        "joined": message.joined,
        "extent": str(message.extent),
    }
    if whole:
        value["event"] = message.body
    return value


def _change(change: Change) -> Json:
    value: Json = {"kind": change.kind, "path": change.path}
    if change.kind != "added":
        value["a"] = change.expected
    if change.kind != "removed":
        value["b"] = change.actual
    return value
