"""Translates one session from one dialect into another, through canonical form.

A client event comes out valid in the other dialect, or not at all and with its
reason; a server event comes out as the other service would send it. What was
lost is named by its place in the event it came from. What the other dialect must
have and the source did not say is made up from the session as it was last told,
or else from the other service's defaults, and named too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.dialects import Dialect
from harness.messages import MISSING, Json, Side, copied, get_path
from harness.translation.absent import Absent
from harness.translation.fit import fit_event
from harness.translation.objects import Loss, Rows, canonical_paths, objects_to_wire, wire_paths
from harness.translation.translator import Translation, Translator


class Bridge:
    """Carries one session from one dialect to another. Feed it every event, in order."""

    def __init__(self, source: Dialect, target: Dialect) -> None:
        self.source = source
        self.target = target
        self._reader = Translator(source)
        self._writer = Translator(target)
        self._absent = Absent()
        self._session: Json = {}
        """As the service last told it, in canonical form."""

    def carry(self, side: Side, event: Json) -> Translation:
        """What one wire event of the source is on the target's wire, what was lost, and what was made up."""
        if self.source is self.target:
            return Translation((event,))
        canonical = self._reader.to_canonical(side, event)
        places = self._reader.objects(side, event["type"])
        losses = list(canonical.losses)
        events: list[Json] = []
        made_up: list[str] = []
        for one in canonical.events:
            self._remember(side, one)
            written = self._writer.to_wire(side, one)
            losses.extend(_placed(loss, {}, places) for loss in written.losses)
            if not written.events and one["type"] != "conversation.item.done":
                self._absent.note(one)
            for wire in written.events:
                fitted, left_out, new = self._fit(side, one, wire)
                losses.extend(
                    _placed(loss, self._writer.objects(side, wire["type"]), places) for loss in left_out
                )
                made_up.extend(new)
                events.extend(fitted)
        made_up.extend(_own_ids(events))
        return Translation(tuple(events), _each_place_once(losses), tuple(made_up))

    def end(self) -> tuple[tuple[Json, Loss], ...]:
        """At the end of the session: canonical events that were left to others that did not come."""
        return tuple(self._writer.end())

    def _fit(self, side: Side, canonical: Json, wire: Json) -> tuple[list[Json], list[Loss], list[str]]:
        losses: list[Loss] = []
        mended = self._absent.mend(wire, losses)
        if mended is None:
            return [], losses, []
        fitted = fit_event(self.target, side, mended, lambda holder: self._stock(wire["type"], holder))
        if fitted.event is None:
            self._absent.note(canonical)
            return [], [*losses, *fitted.losses], []
        return [fitted.event], [*losses, *fitted.losses], fitted.made_up

    def _remember(self, side: Side, canonical: Json) -> None:
        session = canonical.get("session")
        if side is Side.SERVER and isinstance(session, dict):
            self._session = session

    def _stock(self, wire_type: str, holder: str) -> Iterator[Json]:
        """What a session or a response of the target would say: of this session, and by default."""
        rows = self._writer.objects(Side.SERVER, wire_type).get(holder)
        if rows is None:
            return
        facts = self.target.service
        hears = self._session.get("type") == "transcription"
        default = dict(facts.transcription_session if hears else facts.session)
        for session in (_over(default, self._session), default):
            told = session if holder == "session" else _of_response(session)
            yield objects_to_wire(rows, copied(told), [], holder)


def _of_response(session: Json) -> Json:
    """What a response repeats of its session."""
    voice = get_path(session, "audio.output")
    output = {"audio": {"output": voice}} if voice is not MISSING else {}
    return {**{k: session[k] for k in ("output_modalities", "max_output_tokens") if k in session}, **output}


def _over(base: Any, over: Any) -> Any:
    if isinstance(base, dict) and isinstance(over, dict):
        return {**base, **{key: _over(base.get(key), value) for key, value in over.items()}}
    return over


def _placed(loss: Loss, written: dict[str, Rows], read: dict[str, Rows]) -> Loss:
    """A loss by its place in the source, from its place on the target's wire or in canonical form."""
    holder, dot, inside = loss.path.partition(".")
    if not dot or holder not in read:
        return loss
    (canonical, *_) = canonical_paths(written[holder], inside) if holder in written else (inside,)
    (place, *_) = wire_paths(read[holder], canonical)
    return Loss(f"{holder}.{place}", loss.reason)


def _each_place_once(losses: list[Loss]) -> tuple[Loss, ...]:
    """The first reason is the nearest to the source."""
    found: dict[str, Loss] = {}
    for loss in losses:
        found.setdefault(loss.path, loss)
    return tuple(found.values())


def _own_ids(events: list[Json]) -> Iterator[str]:
    """Where one event became two, the half that was made cannot have the same id."""
    for event in events:
        if len(events) > 1 and event["type"] == "conversation.item.done" and "event_id" in event:
            event["event_id"] = f"{event['event_id']}_done"
            yield "event_id"
