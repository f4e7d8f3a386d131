"""JSON Schema of the published dataclasses, so that an answer and its description are one piece of text."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

Schema = dict[str, Any]

_PLAIN: dict[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    datetime: {"type": "string", "format": "date-time", "pattern": "Z$"},
}


def schema_of(kind: Any) -> Schema:
    """The schema of a field's type: a plain one, an enumeration, a tuple of one kind, a dataclass (by reference).

    Of `Annotated[int, "Hz", {"minimum": 0}]` the text is the description, the mapping is added as it stands.

    >>> schema_of(Annotated[int | None, "Bytes."])
    {'type': ['integer', 'null'], 'description': 'Bytes.'}
    """
    make = _GENERIC.get(get_origin(kind))
    return make(*get_args(kind)) if make else _named(kind)


def _named(kind: type) -> Schema:
    if kind in _PLAIN:
        return dict(_PLAIN[kind])
    if is_dataclass(kind):
        return {"$ref": f"#/components/schemas/{kind.__name__}"}
    if issubclass(kind, StrEnum):
        return _one_of(*(member.value for member in kind))
    raise TypeError(f"no schema for {kind}")


def _one_of(*words: str) -> Schema:
    return {"type": "string", "enum": list(words)}


def _many(kind: Any, _: Any) -> Schema:
    return {"type": "array", "items": schema_of(kind)}


def _annotated(kind: Any, *notes: str | Schema) -> Schema:
    schema = schema_of(kind)
    for note in notes:
        schema |= {"description": note} if isinstance(note, str) else note
    return schema


def _optional(kind: Any, _: type[None]) -> Schema:
    schema = schema_of(kind)
    if "enum" in schema or "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    return schema | {"type": [schema["type"], "null"]}


_GENERIC: dict[Any, Callable[..., Schema]] = {
    Annotated: _annotated,
    Literal: _one_of,
    UnionType: _optional,
    Union: _optional,
    tuple: _many,
}


@cache
def field_kinds(kind: type) -> dict[str, Any]:
    """The type of each field of a dataclass, with its notes, in the order of the fields."""
    hints = get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in fields(kind)}


def closed_object(kind: type) -> Schema:
    """A dataclass as an object that has each of its fields and no other."""
    properties = {name: schema_of(field) for name, field in field_kinds(kind).items()}
    return {
        "type": "object",
        "description": (kind.__doc__ or "").strip(),
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def components(kinds: Iterable[type]) -> dict[str, Schema]:
    """The schemas of these dataclasses and of all that they are made of, by name."""
    found: dict[str, type] = {}
    waiting = list(kinds)
    while waiting:
        kind = waiting.pop()
        if kind.__name__ not in found:
            found[kind.__name__] = kind
            waiting += [inner for field in field_kinds(kind).values() for inner in _dataclasses_in(field)]
    return {name: closed_object(found[name]) for name in sorted(found)}


def _dataclasses_in(kind: Any) -> Iterator[type]:
    if isinstance(kind, type) and is_dataclass(kind):
        yield kind
    for argument in get_args(kind):
        yield from _dataclasses_in(argument)
