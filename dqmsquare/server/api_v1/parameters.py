"""What may stand in an address: checked by the very schema that is published, so that the two cannot differ."""

import re
from collections.abc import Iterable
from dataclasses import MISSING, dataclass, fields
from functools import cache
from typing import Annotated, Any, TypeVar

from dqmsquare.server.api_v1.schema import Schema, field_kinds, schema_of
from dqmsquare.server.responses import problem

_Query = TypeVar("_Query")
_WHOLE_NUMBER = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
_TRUTH = {"true": True, "false": False}

HIGHEST_RUN = 9_999_999
RunNumber = Annotated[int, "Run number.", {"minimum": 1, "maximum": HIGHEST_RUN}]
JobId = Annotated[str, "Public id of a job, as in lists of jobs.", {"pattern": "^[a-z2-7]{16}$"}]
HostId = Annotated[str, "Public id of a host, as in the list of hosts.", {"pattern": "^[a-z2-7]{16}$"}]


@dataclass(frozen=True, slots=True)
class NoQuestion:
    """No parameter at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The parameters that every question has."""

    after: Annotated[
        str,
        "Id of an event: the answer then has at least what that event told of.",
        {"pattern": "^[0-9a-f]{1,16}-[0-9]{1,18}$"},
    ] = ""


def read_query(kind: type[_Query], given: Iterable[tuple[str, str]]) -> _Query:
    """The parameters as one object. Raises a 400 for one that is not known, given twice or not as published."""
    schemas: dict[str, Schema] = parameter_schemas(kind)  # type: ignore[arg-type]  # a class is hashable
    values: dict[str, Any] = {}
    for name, text in given:
        if name not in schemas:
            raise problem(400, f"Parameters that are known here: {', '.join(schemas) or 'none'}.")
        if name in values:
            raise problem(400, f"{name} is given twice.")
        values[name] = _value(text, schemas[name])
        if values[name] is None:
            raise problem(400, f"{name} must be {_words(schemas[name])}.")
    return kind(**values)


def matches(text: str, kind: Any) -> bool:
    """Whether a piece of the path is what may stand there."""
    return _value(text, schema_of(kind)) is not None


@cache
def parameter_schemas(kind: Any) -> dict[str, Schema]:
    """The schema of each parameter, with its default where it has one; an empty text means that nothing is said."""
    defaults = {field.name: field.default for field in fields(kind) if field.default not in {MISSING, ""}}
    return {
        name: schema_of(field) | ({"default": defaults[name]} if name in defaults else {})
        for name, field in field_kinds(kind).items()
    }


def _value(text: str, schema: Schema) -> Any:
    """The value, or None where the schema does not allow it."""
    if schema["type"] == "boolean":
        return _TRUTH.get(text)
    if schema["type"] == "integer":
        number = int(text) if _WHOLE_NUMBER.fullmatch(text) else -1
        return number if schema["minimum"] <= number <= schema["maximum"] else None
    if "enum" in schema:
        return text if text in schema["enum"] else None
    return text if re.fullmatch(schema["pattern"], text, re.ASCII) else None


def _words(schema: Schema) -> str:
    if schema["type"] == "boolean":
        return "true or false"
    if schema["type"] == "integer":
        return f"a whole number from {schema['minimum']} to {schema['maximum']}"
    return " or ".join(schema["enum"]) if "enum" in schema else f"of the form {schema['pattern']}"
