"""Leaves out of an event what a dialect does not have, so that what is left is valid in it.

One walk over the dialect's tables. Left out is the smallest thing that may be
missing: a field, an element of an array, and where a field cannot be missing
the object that holds it, up to the event. What the tables do not name is not
written; what they name without knowing its fate is. Paths are those of the
event as it came, so that each loss can be found in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from harness.dialects import Acceptance, Dialect
from harness.dialects.acceptance import is_of
from harness.dialects.model import Field, Shape, Vocabulary
from harness.messages import MISSING, Json, Side, copied, get_path, json_type
from harness.translation.objects import Loss

Stock = Callable[[str], Iterable[Json]]
"""Objects to take a missing field from, best first, by the name of the object that lacks it."""


@dataclass
class Fitted:
    """An event as a dialect can have it; None where nothing valid is left of it."""

    event: Json | None
    losses: list[Loss] = field(default_factory=list)
    made_up: list[str] = field(default_factory=list)


class _Misfit(Exception):
    """A value that the dialect does not have, and that is not a field of its own to leave out."""

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason


def fit_event(dialect: Dialect, side: Side, event: Json, stock: Stock = lambda _: ()) -> Fitted:
    """An event of a type that the dialect has, without what the dialect has not."""
    walk = _Walk(dialect.client if side is Side.CLIENT else dialect.server, side, stock)
    try:
        fitted = walk.event(event)
    except _Misfit as misfit:
        return Fitted(None, [Loss("type", f"{misfit.path}: {misfit.reason}")])
    return Fitted(fitted, walk.losses, walk.made_up)


class _Walk:
    def __init__(self, vocabulary: Vocabulary, side: Side, stock: Stock) -> None:
        self.vocabulary = vocabulary
        self.strict = side is Side.CLIENT
        self.stock = stock
        self.losses: list[Loss] = []
        self.made_up: list[str] = []

    def event(self, event: Json) -> Json:
        head: Json = {name: event[name] for name in ("type", "event_id") if name in event}
        body = {name: value for name, value in event.items() if name not in head}
        shape = self.vocabulary.shapes[self.vocabulary.events[event["type"]].shape]
        return {**head, **self.object(shape, body, "")}

    def object(self, shape: Shape, value: Json, at: str) -> Json:
        found = self.variant(shape, value, at)
        if found is None:
            return value
        result: Json = {}
        for name, inner in value.items():
            path = f"{at}.{name}" if at else name
            spec = found.fields.get(name)
            if spec is None or (self.strict and spec.acceptance is Acceptance.REFUSED):
                self.losses.append(Loss(path, "no such field"))
                continue
            try:
                result[name] = self.attempt(spec, inner, path)
            except _Misfit as misfit:
                if spec.required or _tells_kind(shape, spec):
                    self.make_up(spec, result, path, misfit)
                self.losses.append(Loss(path, _reason(misfit, path)))
        for spec in found.fields.values():
            if spec.required and spec.name not in value:
                path = f"{at}.{spec.name}" if at else spec.name
                self.make_up(spec, result, path, _Misfit(path, "must be there"))
        return result

    def variant(self, shape: Shape, value: Json, at: str) -> Shape | None:
        """The shape that tells an object's fields; None where nobody knows them."""
        while shape.by is not None and shape.variants is not None:
            path = f"{at}.{shape.by}" if at else shape.by
            tag = value.get(shape.by)
            if shape.by not in value and (shape.by_required or not self.strict):
                raise _Misfit(path, "must be there")
            if shape.by not in value and shape.otherwise is None:
                return None
            name = (shape.variants.get(tag) if isinstance(tag, str) else None) or shape.otherwise
            if name is None:
                raise _Misfit(path, f"no such kind: {tag!r:.60}")
            shape = self.vocabulary.shapes[name]
        return shape

    def attempt(self, spec: Field, value: Any, path: str) -> Any:
        """A value of a field; on a misfit, nothing that was lost inside it is remembered."""
        losses, made_up = len(self.losses), len(self.made_up)
        try:
            return self.value(spec, value, path)
        except _Misfit:
            del self.losses[losses:], self.made_up[made_up:]
            raise

    def value(self, spec: Field, value: Any, path: str) -> Any:
        if self.strict and (spec.acceptance is Acceptance.UNKNOWN or json_type(value) in spec.unproven):
            return value
        if not is_of(self.vocabulary, spec.kinds, value):
            if self.strict and value is None:
                return None  # explicit nulls: not known to be refused
            raise _Misfit(path, f"must be {self.names(spec.kinds)}")
        self.check(spec, value, path)
        if isinstance(value, dict):
            return self.inside(spec.kinds, value, path)
        if isinstance(value, list) and spec.of:
            return self.elements(spec, value, path)
        return value

    def inside(self, kinds: tuple[str, ...], value: Json, path: str) -> Json:
        named = [kind for kind in kinds if kind in self.vocabulary.shapes]
        return self.object(self.vocabulary.shapes[named[0]], value, path) if named else value

    def elements(self, spec: Field, values: list[Any], path: str) -> list[Any]:
        element = Field(spec.name, spec.of, (), spec.fact)
        result = []
        for index, value in enumerate(values):
            at = f"{path}[{index}]"
            if value is None and not is_of(self.vocabulary, spec.of, value):
                self.losses.append(Loss(at, f"must be {self.names(spec.of)}"))
                continue
            try:
                result.append(self.attempt(element, value, at))
            except _Misfit as misfit:
                self.losses.append(Loss(at, _reason(misfit, at)))
        return result

    def check(self, spec: Field, value: Any, path: str) -> None:
        """Refuses a value that the dialect is known not to take, or the service never to send."""
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        bounded = number and self.strict and spec.beyond is Acceptance.REFUSED
        if bounded and spec.least is not None and value < spec.least:
            raise _Misfit(path, f"must be at least {spec.least:g}")
        if spec.sets and isinstance(value, list):
            known = all(isinstance(member, str) for member in value) and frozenset(value) in spec.sets
        elif spec.values and (isinstance(value, str) or number):
            typed = [known for known in spec.values if isinstance(known, str) == isinstance(value, str)]
            known = not typed or value in typed
        else:
            return
        ruled = spec.outside is Acceptance.REFUSED if self.strict else spec.closed
        if not known and (ruled or spec.name == "type"):  # what tells an object's kind is never open
            raise _Misfit(path, f"no such value: {value!r:.60}")

    def make_up(self, spec: Field, result: Json, path: str, misfit: _Misfit) -> None:
        """Puts what the service would say in place of a field that must be there, or gives up."""
        holder, _, inside = path.partition(".")
        for candidate in () if self.strict or not inside else self.stock(holder):
            value = get_path(candidate, inside)
            if value is MISSING:
                continue
            try:
                result[spec.name] = self.attempt(spec, copied(value), path)
            except _Misfit:
                continue
            self.made_up.append(path)
            return
        raise misfit

    def names(self, kinds: tuple[str, ...]) -> str:
        return " or ".join("object" if kind in self.vocabulary.shapes else kind for kind in kinds)


def _tells_kind(shape: Shape, spec: Field) -> bool:
    """Whether an object without this field would be no object of its kind."""
    return spec.name in (shape.by, "type") and bool(spec.values or shape.by)


def _reason(misfit: _Misfit, path: str) -> str:
    inside = misfit.path[len(path) :].lstrip(".")
    return f"{inside}: {misfit.reason}" if inside else misfit.reason
