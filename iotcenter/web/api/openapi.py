"""The OpenAPI document, made of the routes and the structs themselves, so that it says what is served."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from types import NoneType, UnionType
from typing import Any, get_args

import msgspec
from twisted.web.server import Request

from iotcenter import __version__
from iotcenter.model import Role
from iotcenter.web.body import JSON
from iotcenter.web.errors import ErrorAnswer
from iotcenter.web.guard import Handler, Kind, Route, Signature, routes_of, signature_of, stream

TITLE = "IotCenter"
ABOUT = "What the pages of IotCenter, its command line and other programs use. Times are Unix seconds (UTC)."

REF = "#/components/schemas/{name}"

EVERYWHERE = {
    400: "The request is malformed.",
    401: "Nobody is signed in, and there is no good API token.",
    403: "The role does not allow it, or the session's request does not bear its token.",
    422: "Something in the request does not fit; `fields` says what.",
    429: "Too much at once.",
    503: "The server cannot do it now, such as while its disk is full.",
}
ELSEWHERE = {404: "There is no such thing.", 409: "It does not go together with what there is."}
WITH_A_BODY = {413: "That is too much.", 415: "A body is JSON, and says so."}

_PART = re.compile(r"<(?:(\w+)(?:\([^)]*\))?:)?(\w+)>")


class OpenAPIHandlers:
    """Serves the document that ``describe`` makes."""

    def __init__(self, document: Callable[[], dict[str, Any]]) -> None:
        self._document = document

    @stream("/api/openapi.json", role=Role.VIEWER, media=JSON)
    async def show(self, request: Request, principal: object) -> None:
        """The document."""
        encoded = msgspec.json.encode(self._document())
        request.setHeader("Content-Length", str(len(encoded)))
        request.write(encoded)


class Schemas:
    """The JSON Schemas of types, with what they share in ``components``."""

    def __init__(self, kinds: Iterable[Any]) -> None:
        self._kinds = list(dict.fromkeys(each for kind in kinds for each in _alternatives(kind)))
        self._schemas, self.components = msgspec.json.schema_components([*self._kinds, ErrorAnswer], ref_template=REF)

    def of(self, kind: Any) -> dict[str, Any]:
        """The schema of one of the types."""
        found = [self._schemas[self._kinds.index(each)] for each in _alternatives(kind)]
        return found[0] if len(found) == 1 else {"anyOf": found}


def describe(handlers: Iterable[object]) -> dict[str, Any]:
    """The OpenAPI 3.1 document for the marked methods of ``handlers``."""
    found = [(route, handler, signature_of(handler)) for each in handlers for route, handler in routes_of(each)]
    schemas = Schemas(kind for _, _, signature in found for kind in (signature.answer, signature.body))
    paths: dict[str, Any] = {}
    for route, handler, signature in found:
        operation = _operation(route, handler, signature, schemas)
        paths.setdefault(_PART.sub(r"{\2}", route.path), {})[route.methods[0].lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "version": __version__, "description": ABOUT},
        "servers": [{"url": "/"}],
        "security": [{"token": []}, {"session": []}],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "responses": {str(code): _error(words) for code, words in (EVERYWHERE | ELSEWHERE | WITH_A_BODY).items()},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "__Host-iotcenter_session"},
            },
        },
    }


def _operation(route: Route, handler: Handler, signature: Signature, schemas: Schemas) -> dict[str, Any]:
    assert route.role is not None
    group, _, name = handler.__qualname__.partition(".")
    operation: dict[str, Any] = {
        "operationId": f"{group.removesuffix('Handlers').lower()}.{name}",
        "tags": [group.removesuffix("Handlers").lower()],
        "summary": " ".join((inspect.getdoc(handler) or "").split()),
        "description": f"Needs the role {route.role.value}.",
        "parameters": [*_path_parameters(route), *_query_parameters(signature.query)],
        "responses": _responses(route, signature, schemas),
    }
    if signature.body is not None:
        operation["requestBody"] = {"required": True, "content": {JSON: {"schema": schemas.of(signature.body)}}}
    return operation


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "integer" if kind == "int" else "string"}}
        for kind, name in _PART.findall(route.path)
    ]


def _query_parameters(query: Any) -> list[dict[str, Any]]:
    if query is None:
        return []
    (reference,), components = msgspec.json.schema_components([query], ref_template="{name}")
    schema = components[reference["$ref"]]
    needed = schema.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in needed, "schema": _inlined(each, components)}
        for name, each in schema["properties"].items()
    ]


def _inlined(schema: Any, components: dict[str, Any]) -> Any:
    """``schema`` with what it refers to in its place: parameters are small."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            return components[schema["$ref"]]
        return {key: _inlined(value, components) for key, value in schema.items()}
    return [_inlined(value, components) for value in schema] if isinstance(schema, list) else schema


def _responses(route: Route, signature: Signature, schemas: Schemas) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": "Done."}
    if route.kind is Kind.STREAM:
        answer["content"] = {route.media: {"schema": {"type": "string"}}}
    elif route.status != 204:
        answer["content"] = {JSON: {"schema": schemas.of(signature.answer)}}
    failures = sorted({*EVERYWHERE, *route.failures, *(WITH_A_BODY if signature.body is not None else ())})
    references = {str(code): {"$ref": f"#/components/responses/{code}"} for code in failures}
    return {str(route.status): answer, **references}


def _alternatives(kind: Any) -> tuple[Any, ...]:
    """The members of a union, which msgspec does not take whole, since JSON does not tell structs apart."""
    if isinstance(kind, UnionType):
        return get_args(kind)
    return () if kind in (None, NoneType) else (kind,)


def _error(words: str) -> dict[str, Any]:
    return {"description": words, "content": {JSON: {"schema": {"$ref": REF.format(name=ErrorAnswer.__name__)}}}}
