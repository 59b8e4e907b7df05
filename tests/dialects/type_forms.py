"""Compares a dialect's tables with event types that somebody else wrote down, as JSON Schemas.

Both are read into forms: what may stand in one place. Objects that go by their `type` are
kept apart by it, so that a field of one kind of item is not excused by another kind's.
Every difference is one line, `side event: place: what`, which a pattern can name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from harness.dialects import Acceptance, Dialect
from harness.dialects.model import Field, Vocabulary
from harness.messages import Side, json_type

SCALARS = frozenset({"string", "integer", "number", "boolean"})


@dataclass(frozen=True)
class Member:
    """One field of an object. `stance`: our table knows the field, and does not say it is accepted."""

    form: Form
    required: bool
    stance: str | None = None


@dataclass(frozen=True)
class Form:
    """What may stand in one place. `objects` by the value of `type`; under None those without one.

    `values` are the only ones of their kind, unless it is among the `open` kinds.
    `silent_on_null`: the writer marks what may be left out and what may be null in the same way.
    """

    kinds: frozenset[str]
    values: frozenset[Any] = frozenset()
    open: frozenset[str] = frozenset()
    element: Form | None = None
    objects: Mapping[str | None, Mapping[str, Member]] = field(default_factory=dict)
    silent_on_null: bool = False


ANYTHING = Form(frozenset({"any"}))


def merged(forms: Iterable[Form]) -> Form:
    """What may stand where any of `forms` may stand."""
    kinds: frozenset[str] = frozenset()
    values: frozenset[Any] = frozenset()
    opened: frozenset[str] = frozenset()
    element: Form | None = None
    objects: dict[str | None, Mapping[str, Member]] = {}
    for form in forms:
        kinds |= form.kinds
        values |= form.values
        opened |= form.open
        if form.element is not None:
            element = form.element if element is None else merged((element, form.element))
        for tag, members in form.objects.items():
            objects[tag] = _merged_members(objects[tag], members) if tag in objects else members
    return Form(kinds, values, opened, element, objects)


def _merged_members(left: Mapping[str, Member], right: Mapping[str, Member]) -> dict[str, Member]:
    result: dict[str, Member] = {}
    for name in (*left, *(name for name in right if name not in left)):
        both = [members[name] for members in (left, right) if name in members]
        silent = any(member.form.silent_on_null for member in both)
        form = replace(merged(member.form for member in both), silent_on_null=silent)
        required = len(both) == 2 and all(member.required for member in both)
        stance = both[0].stance if all(member.stance for member in both) else None
        result[name] = Member(form, required, stance)
    return result


def form_of_schema(schema: Any, whole: Mapping[str, Any]) -> Form:
    """Reads a JSON Schema as pydantic writes it; `whole` holds its definitions."""
    if not isinstance(schema, dict):
        return ANYTHING
    if "$ref" in schema:
        return form_of_schema(whole["$defs"][schema["$ref"].removeprefix("#/$defs/")], whole)
    for keyword in ("anyOf", "oneOf", "allOf"):  # allOf: around a single reference
        if keyword in schema:
            return merged(form_of_schema(inner, whole) for inner in schema[keyword])
    values = schema["enum"] if "enum" in schema else [schema["const"]] if "const" in schema else []
    if values:
        return Form(frozenset(map(json_type, values)), frozenset(values))
    kind = schema.get("type", "any")
    if kind == "array":
        return Form(frozenset({kind}), element=form_of_schema(schema.get("items"), whole))
    if kind == "object" and "properties" in schema:
        members = {
            name: _member_of_schema(inner, whole, required=name in schema.get("required", ()))
            for name, inner in schema["properties"].items()
        }
        return Form(frozenset({kind}), objects={_tag(members): members})
    return Form(frozenset({kind}), open=frozenset({kind}))


def _member_of_schema(schema: Any, whole: Mapping[str, Any], *, required: bool) -> Member:
    form = form_of_schema(schema, whole)
    silent = isinstance(schema, dict) and "default" in schema and schema["default"] is None
    return Member(replace(form, silent_on_null=silent), required)


def _tag(members: Mapping[str, Member]) -> str | None:
    if "type" not in members or len(members["type"].form.values) != 1:
        return None
    (value,) = members["type"].form.values
    return str(value)


class TableReader:
    """Reads one side of a dialect."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary

    def form(self, shape: str) -> Form:
        return Form(frozenset({"object"}), objects=self._shape(shape, ()))

    def _shape(self, name: str, inside: tuple[str, ...]) -> Mapping[str | None, Mapping[str, Member]]:
        if name in inside:  # a shape within itself
            return {}
        shape = self.vocabulary.shapes[name]
        own = {key: self._member(spec, (*inside, name)) for key, spec in shape.fields.items()}
        if shape.by is None or shape.variants is None:
            return {None: own}
        objects: dict[str | None, Mapping[str, Member]] = {}
        for value, variant in shape.variants.items():
            for tag, members in self._shape(variant, (*inside, name)).items():
                place = value if shape.by == "type" else tag
                insisted = shape.by_required or (shape.by in members and members[shape.by].required)
                choice = Member(Form(frozenset({"string"}), frozenset({value})), insisted)
                whole = {**own, **members, shape.by: choice}
                objects[place] = _merged_members(objects[place], whole) if place in objects else whole
        return objects

    def _member(self, spec: Field, inside: tuple[str, ...]) -> Member:
        stance = None if spec.acceptance is Acceptance.ACCEPTED else str(spec.acceptance)
        return Member(self._form(spec, inside), spec.required, stance)

    def _form(self, spec: Field, inside: tuple[str, ...]) -> Form:
        forms = [self._kind(kind, inside) for kind in spec.kinds if kind != "array"]
        if "array" in spec.kinds:
            element = merged(self._kind(kind, inside) for kind in spec.of) if spec.of else ANYTHING
            listed = frozenset().union(*spec.sets, () if set(spec.kinds) & SCALARS else spec.values)
            forms.append(Form(frozenset({"array"}), element=replace(element, values=listed)))
        form = merged(forms)
        return replace(form, values=frozenset(spec.values)) if form.kinds & SCALARS else form

    def _kind(self, kind: str, inside: tuple[str, ...]) -> Form:
        if kind not in self.vocabulary.shapes:
            return Form(frozenset({kind}))
        return Form(frozenset({"object"}), objects=self._shape(kind, inside))


def differences(here: Form, there: Form, place: str) -> Iterator[str]:
    """Where two forms differ, each as `place: what`. `any` there says nothing, so it agrees."""
    if "any" in there.kinds:
        return
    if not there.silent_on_null and ("null" in here.kinds) != ("null" in there.kinds):
        yield f"{place}: null only {'here' if 'null' in here.kinds else 'there'}"
    if "any" in here.kinds:
        yield f"{place}: anything here, {' or '.join(sorted(there.kinds - {'null'}))} there"
        return
    for kind in sorted((here.kinds ^ there.kinds) - {"null"}):
        yield f"{place}: {kind} only {'here' if kind in here.kinds else 'there'}"
    if here.kinds & there.kinds & SCALARS:
        yield from _value_differences(here, there, place)
    if "array" in here.kinds & there.kinds and here.element and there.element:
        yield from differences(here.element, there.element, f"{place}[]")
    if "object" in here.kinds & there.kinds:
        yield from _object_differences(here, there, place)


def _value_differences(here: Form, there: Form, place: str) -> Iterator[str]:
    """Only of the kinds that are closed there: among open values, theirs are examples."""
    for left, right, side in ((here, there, "here"), (there, here, "there")):
        alone = {value for value in left.values - right.values if json_type(value) not in there.open}
        if alone:
            yield f"{place}: values only {side}: {', '.join(sorted(map(str, alone)))}"


def _object_differences(here: Form, there: Form, place: str) -> Iterator[str]:
    if not here.objects or not there.objects:
        if here.objects or there.objects:
            yield f"{place}: fields only {'here' if here.objects else 'there'}"
        return
    if None in here.objects or None in there.objects:
        yield from _member_differences(_as_one(here), _as_one(there), place)
        return
    for tag in sorted({*here.objects, *there.objects}, key=str):
        if tag in here.objects and tag in there.objects:
            yield from _member_differences(here.objects[tag], there.objects[tag], f"{place}<{tag}>")
        else:
            yield f"{place}<{tag}>: only {'here' if tag in here.objects else 'there'}"


def _as_one(form: Form) -> Mapping[str, Member]:
    first, *others = form.objects.values()
    for members in others:
        first = _merged_members(first, members)
    return first


def _member_differences(here: Mapping[str, Member], there: Mapping[str, Member], place: str) -> Iterator[str]:
    for name in sorted({*here, *there}):
        at = f"{place}.{name}" if place else name
        if name not in there:
            if here[name].stance is None:
                yield f"{at}: only here"
        elif name not in here:
            yield f"{at}: only there"
        elif here[name].stance is not None:
            yield f"{at}: {here[name].stance} here"
        else:
            if here[name].required != there[name].required:
                yield f"{at}: required {'here' if here[name].required else 'there'}"
            yield from differences(here[name].form, there[name].form, at)


def disagreements(dialect: Dialect, types: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """All differences between a dialect and the event types of both sides, one JSON Schema each."""
    found: set[str] = set()
    for side, vocabulary in ((Side.CLIENT, dialect.client), (Side.SERVER, dialect.server)):
        for type_ in vocabulary.events.keys() | types[side].keys():
            lines = _event_differences(vocabulary, side, type_, types[side].get(type_))
            found |= {f"{side} {type_}: {line}" for line in lines}
    return found


def _event_differences(vocabulary: Vocabulary, side: Side, type_: str, schema: Any) -> Iterator[str]:
    spec = vocabulary.events.get(type_)
    if spec is None:
        yield "only there"
        return
    if schema is None:
        if spec.acceptance is Acceptance.ACCEPTED:
            yield "only here"
        return
    if spec.acceptance is not Acceptance.ACCEPTED:
        yield f"{spec.acceptance} here"
    text = Form(frozenset({"string"}))
    frame = {"type": Member(replace(text, values=frozenset({type_})), required=True)}
    if spec.has_id:
        frame["event_id"] = Member(text, required=side is Side.SERVER)
    own = _as_one(TableReader(vocabulary).form(spec.shape))
    yield from _member_differences({**frame, **own}, _as_one(form_of_schema(schema, schema)), "")
