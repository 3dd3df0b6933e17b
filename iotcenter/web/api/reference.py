"""The OpenAPI document as people read it: each operation with what it takes and gives, and a line to try it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

JSON = "application/json"

SAMPLES = {"devices": "kitchen-pi", "users": "anna", "tokens": "graphs"}
"""What stands for a name in the examples, by what comes before it in the path; 1 for everything else."""

FIELDS = {
    "name": "kitchen-pi",
    "device": "kitchen-pi",
    "series": "temperature",
    "from": "now-6h",
    "password": "correct horse battery",
    "current": "correct horse",
}
"""The same by the field."""

OTHERS = ("identify", "00112233445566778899aabbccddeeff")
"""What is tried where that does not match the field's pattern."""

LIMITS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "over {}",
    "maximum": "at most {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "maxItems": "at most {} items",
    "description": "{}",
}

UNBOUND = 2**53
"""Bounds from here on are not told: they only keep numbers within the database."""


@dataclass(frozen=True)
class Field:
    """One parameter, one field of a struct, or what goes in or comes out. ``kind`` is in words, and ``structs`` are
    those that it names; ``place`` is where a parameter stands."""

    name: str
    kind: str
    required: bool = True
    structs: tuple[str, ...] = ()
    place: str = ""


@dataclass(frozen=True)
class Struct:
    """What has a name in JSON: an object with ``fields``, or one of some ``values``."""

    name: str
    about: str
    fields: tuple[Field, ...]
    values: str = ""


@dataclass(frozen=True)
class Operation:
    """One thing that can be asked for. ``needs`` is the role that it takes."""

    id: str
    method: str
    path: str
    about: str
    needs: str
    parameters: tuple[Field, ...]
    body: Field | None
    answer: Field | None
    example: str


def operations(document: dict[str, Any]) -> dict[str, list[Operation]]:
    """All operations, by what they are about, in the order of the document."""
    found: dict[str, list[Operation]] = {}
    for path, methods in document["paths"].items():
        for method, about in methods.items():
            found.setdefault(about["tags"][0], []).append(_operation(path, method.upper(), about, document))
    return found


def structs(document: dict[str, Any]) -> list[Struct]:
    """All structs, by name, and the enumerations among them: of those the values are told."""
    return [
        Struct(name, schema.get("description", ""), _fields(schema), kind_of(schema) if "enum" in schema else "")
        for name, schema in sorted(document["components"]["schemas"].items())
    ]


def kind_of(schema: dict[str, Any]) -> str:
    """A JSON Schema in words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(kind_of(each) for each in schema["anyOf"]))
    if "enum" in schema:
        return " or ".join(json.dumps(value) for value in schema["enum"])
    kind = str(schema.get("type", "anything"))
    if kind == "array" and isinstance(schema.get("items"), dict):
        kind = f"array of {kind_of(schema['items'])}"
    elif kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        kind = f"object of {kind_of(schema['additionalProperties'])}"
    limits = [words for key, form in LIMITS.items() if (words := _limit(schema, key, form))]
    return f"{kind} ({', '.join(limits)})" if limits else kind


def _operation(path: str, method: str, about: dict[str, Any], document: dict[str, Any]) -> Operation:
    good: dict[str, Any] = next((answer for status, answer in about["responses"].items() if status.startswith("2")), {})
    return Operation(
        about["operationId"],
        method,
        path,
        about["summary"],
        about["description"],
        tuple(_field(one["name"], one["schema"], one["required"], one["in"]) for one in about["parameters"]),
        _content(about.get("requestBody", {})),
        _content(good),
        _example(path, method, about, document),
    )


def _content(holder: dict[str, Any]) -> Field | None:
    for media, each in holder.get("content", {}).items():
        return _field("", each["schema"]) if media == JSON else Field("", media)
    return None


def _fields(schema: dict[str, Any]) -> tuple[Field, ...]:
    required = schema.get("required", ())
    return tuple(_field(name, each, name in required) for name, each in schema.get("properties", {}).items())


def _field(name: str, schema: dict[str, Any], required: bool = True, place: str = "") -> Field:
    return Field(name, kind_of(schema), required, tuple(dict.fromkeys(_named(schema))), place)


def _named(schema: dict[str, Any]) -> Iterator[str]:
    """The structs that a schema refers to."""
    if "$ref" in schema:
        yield kind_of(schema)
    inner = (schema.get("items"), schema.get("additionalProperties"), *schema.get("anyOf", ()))
    for each in inner:
        if isinstance(each, dict):
            yield from _named(each)


def _limit(schema: dict[str, Any], key: str, form: str) -> str:
    value = schema.get(key)
    if value is None or (isinstance(value, int | float) and abs(value) >= UNBOUND):
        return ""
    return form.format(f"{value:g}" if isinstance(value, float) else value)


def _example(path: str, method: str, about: dict[str, Any], document: dict[str, Any]) -> str:
    """A line for a shell, in which the address and the token are variables."""
    needed = [one for one in about["parameters"] if one["in"] == "query" and one["required"]]
    query = urlencode({one["name"]: _sample(one["name"], one["schema"], document) for one in needed})
    words = ["curl", '-H "Authorization: Bearer $TOKEN"', *([f"-X {method}"] if method != "GET" else [])]
    body = about.get("requestBody", {}).get("content", {}).get(JSON)
    if body is not None:
        sent = json.dumps(_sample("", body["schema"], document))
        words += [f"-H 'Content-Type: {JSON}'", f"-d '{sent}'"]
    return " ".join([*words, f'"$SERVER{_filled(path)}{"?" if query else ""}{query}"'])


def _filled(path: str) -> str:
    """``path`` with something in the places of its parameters."""
    parts = path.split("/")
    for place, part in enumerate(parts):
        if part.startswith("{"):
            parts[place] = SAMPLES.get(parts[place - 1], "1")
    return "/".join(parts)


def _sample(name: str, schema: dict[str, Any], document: dict[str, Any]) -> Any:
    """Something that fits ``schema``: of a struct the fields that it needs, the first one where it needs none."""
    if "$ref" in schema:
        return _sample(name, document["components"]["schemas"][kind_of(schema)], document)
    if "anyOf" in schema:
        return _sample(name, schema["anyOf"][0], document)
    if "enum" in schema:
        return schema["enum"][0]
    if "properties" in schema:
        wanted: Iterable[str] = schema.get("required") or list(schema["properties"])[:1]
        return {field: _sample(field, schema["properties"][field], document) for field in wanted}
    plain = {"string": _text(name, schema.get("pattern", "")), "integer": 1, "number": 1, "boolean": True, "array": []}
    return plain.get(str(schema.get("type")), {})


def _text(name: str, pattern: str) -> str:
    texts = (FIELDS.get(name, "text"), *OTHERS)
    return next((text for text in texts if re.search(pattern, text)), "text")
