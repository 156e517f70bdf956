"""Makes the OpenAPI document true: what Litestar leaves out of it is put in here.

Litestar knows the handlers and their types. It doesn't say that unknown fields are refused, nor which refusals follow
from the shape of a request: a body can be malformed or too large, a token can be missing, a path can lead nowhere.
"""

from typing import Any

Document = dict[str, Any]  # JSON

_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}
_PROBLEM_SCHEMA = {
    "type": "object",
    "title": "ProblemDetails",
    "description": "RFC 9457",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference", "description": "stable: /problems/<name>"},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string"},
        "saga_id": {"type": "string"},
        "trace_id": {"type": "string"},
    },
}
_MEANINGS = {
    "400": "Malformed, of the wrong type, out of bounds, or with an unknown field",
    "401": "Not signed in",
    "404": "There is no such thing, or it belongs to somebody else",
    "409": "Impossible in the present state",
    "413": "The body is larger than 64 KiB",
    "422": "The idempotency key was used for another request",
    "429": "Too often: come back after `Retry-After` seconds",
    "503": "Too much in flight: come back after `Retry-After` seconds",
}
_BEARER = {"type": "http", "scheme": "bearer"}


def true_document(document: Document) -> Document:
    """Completes the document in place."""
    for schema in _schemas(document).values():
        _narrow(schema)
    _schemas(document)["ProblemDetails"] = _PROBLEM_SCHEMA
    operations = [(path, each) for path, item in document.get("paths", {}).items() for each in item.values()]
    for path, operation in operations:
        _complete(path, operation)
    if any(operation.get("security") for _, operation in operations):
        document["components"]["securitySchemes"] = {"bearer": _BEARER}
    return document


def _schemas(document: Document) -> Document:
    schemas: Document = document.setdefault("components", {}).setdefault("schemas", {})
    return schemas


def _narrow(schema: Document) -> None:
    """Unknown fields are refused; an element of a tuple of any length is never just anything."""
    properties: Document = schema.get("properties", {})
    if properties:
        schema["additionalProperties"] = False
    for each in properties.values():
        choices = each.get("items", {}).get("oneOf", [])
        if {} in choices and len(choices) == 2:
            each["items"] = choices[0]


def _complete(path: str, operation: Document) -> None:
    described: str = operation.get("description") or operation["summary"]
    operation["summary"] = described.partition("\n")[0]
    responses = operation["responses"]
    for response in responses.values():
        response.pop("headers", None)
    declared = {status for status in responses if status >= "400"}
    for status in sorted(declared | _implied(path, operation)):
        described = responses.get(status, {}).get("description", "")
        meaning = described if declared and described and status != "400" else _MEANINGS.get(status, "Refused")
        responses[status] = {"description": meaning, "content": _PROBLEM}


def _implied(path: str, operation: Document) -> set[str]:
    """The refusals that any request of this shape may meet."""
    implied = {"429"}
    if operation.get("requestBody"):
        implied |= {"400", "413"}
    if operation.get("parameters"):
        implied.add("400")
    if "{" in path:
        implied.add("404")
    if operation.get("security"):
        implied.add("401")
    return implied
