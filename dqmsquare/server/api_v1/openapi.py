"""The OpenAPI document, made from the table of operations and from the dataclasses that the answers are."""

from typing import Any

from dqmsquare import __version__
from dqmsquare.server.api_v1.clusters import ClusterList
from dqmsquare.server.api_v1.operation import BASE, JSON, PLACES, Operation
from dqmsquare.server.api_v1.operations import OPERATIONS
from dqmsquare.server.api_v1.parameters import Question, parameter_schemas
from dqmsquare.server.api_v1.schema import Schema, components, schema_of
from dqmsquare.server.problems import PROBLEM_JSON, ProblemDetails
from dqmsquare.server.site import Site

_DESCRIPTION = """\
CMS's online data-quality jobs, seen from outside Point 5. Times are ISO 8601 in UTC, sizes bytes, rates Hz, states the
words of the pages' legend. Every object has exactly the keys that are written here; what is not known is null. Errors
are problem documents (RFC 9457). Answers carry an ETag; If-None-Match gets a 304 while nothing has changed. Lists go
on at the address in `next`."""
_EVENTS = """\
A stream of server-sent events that does not end: `change`, `beat` every 5 s, `reload`. It goes on after the event that
Last-Event-ID or `after` names; changes are kept for ten minutes."""
_PROBLEMS = {400: "The parameters are not as described", 404: "There is no such thing", 503: "No database; come back"}


def openapi_document(site: Site) -> Schema:
    """The description of everything below BASE at this site."""
    answers = {operation.answer for operation in OPERATIONS if operation.answer is not str}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "DQM² Mirror",
            "version": __version__,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": site.url(BASE)}],
        "paths": {
            "/openapi.json": {"get": _fixed("openapi", "This document", {"type": "object"})},
            "/clusters": {"get": _fixed("clusters", "The clusters", schema_of(ClusterList))},
            **{operation.path: {"get": _operation(operation)} for operation in OPERATIONS},
            "/clusters/{cluster}/events": {"get": _events()},
        },
        "components": {
            "schemas": components([*answers, ClusterList, ProblemDetails]),
            "responses": {f"Problem{status}": _problem(status, words) for status, words in _PROBLEMS.items()},
            "headers": {
                "ETag": {"description": "Of this content, for If-None-Match.", "schema": {"type": "string"}},
                "Event-Id": {
                    "description": "Newest event that is surely in it: the stream is opened after this one.",
                    "schema": {"type": "string"},
                },
            },
        },
    }


def _fixed(name: str, summary: str, schema: Schema) -> Schema:
    return {
        "operationId": name,
        "summary": summary,
        "responses": {"200": _success(JSON, schema, "ETag"), "304": _NOT_MODIFIED, **_refused(400)},
    }


def _operation(operation: Operation) -> Schema:
    schema = {"type": "string"} if operation.answer is str else schema_of(operation.answer)
    return {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": [*map(_place, operation.places), *_query(operation.query)],
        "responses": {
            "200": _success(operation.media, schema, "ETag", "Event-Id"),
            "304": _NOT_MODIFIED,
            **_refused(400, 404, 503),
        },
    }


def _events() -> Schema:
    resume = {"name": "Last-Event-ID", "in": "header", "required": False, "schema": {"type": "string"}}
    return {
        "operationId": "events",
        "summary": "Changes as they come",
        "description": _EVENTS,
        "parameters": [_place("cluster"), *_query(Question), resume],
        "responses": {"200": _success("text/event-stream; charset=utf-8", {"type": "string"}), **_refused(404, 503)},
    }


_NOT_MODIFIED = {"description": "As you have it"}


def _success(media: str, schema: Schema, *headers: str) -> Schema:
    answer: Schema = {"description": "The answer", "content": {media: {"schema": schema}}}
    if headers:
        answer["headers"] = {name: {"$ref": f"#/components/headers/{name}"} for name in headers}
    return answer


def _refused(*statuses: int) -> Schema:
    return {str(status): {"$ref": f"#/components/responses/Problem{status}"} for status in statuses}


def _problem(status: int, words: str) -> Schema:
    waits = {"headers": {"Retry-After": {"description": "s", "schema": {"type": "string"}}}} if status == 503 else {}
    return {"description": words, **waits, "content": {PROBLEM_JSON: {"schema": schema_of(ProblemDetails)}}}


def _place(name: str) -> Schema:
    return _parameter(name, "path", schema_of(PLACES[name]))


def _query(kind: type) -> list[Schema]:
    return [_parameter(name, "query", schema) for name, schema in parameter_schemas(kind).items()]


def _parameter(name: str, where: str, schema: dict[str, Any]) -> Schema:
    described = {"description": schema["description"]} if "description" in schema else {}
    bare = {key: value for key, value in schema.items() if key != "description"}
    return {"name": name, "in": where, "required": where == "path", **described, "schema": bare}
