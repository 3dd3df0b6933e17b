"""What comes with a request: its query, a form, or JSON; bounded, in strict UTF-8, and checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar, cast
from urllib.parse import parse_qsl

import msgspec
from msgspec import Struct
from twisted.web.server import Request

from iotcenter.model import DEVICE_NAME, IDENTIFIER, SERIES_NAME
from iotcenter.texts import N_, _, gettext
from iotcenter.web.errors import HTTPProblem
from iotcenter.web.headers import header
from iotcenter.wire.errors import UNDECODABLE

JSON = "application/json"

MAX_BODY = 64 * 1024
"""The longest body in bytes: the longest text argument of a command fits four times over."""

MAX_FIELDS = 200
"""The most fields of a form or a query: a command has at most 32 arguments."""

_PATTERNS = {
    DEVICE_NAME: N_("a device's name has up to 63 letters (a to z), digits and hyphens, none at its ends"),
    SERIES_NAME: N_("a series' name has up to 64 letters, digits and : . / _ -"),
    IDENTIFIER: N_("the name of a command has up to 64 letters, digits and underscores"),
}
"""What a pattern means to people."""

_EXPECTED = re.compile(r"Expected (?P<wanted>.+?)(?:, got (?P<found>.+))?")
"""How msgspec says what does not fit."""

T = TypeVar("T")


def read_query(request: Request, kind: type[T]) -> T:
    """The query of the request as a ``kind``, in whose tuples a field may come several times. Raises ``HTTPProblem``
    where it does not fit."""
    pairs = _pairs(request.uri.partition(b"?")[2])
    fields: dict[str, str | list[str]] = dict(pairs)
    for field in msgspec.structs.fields(cast(type[Struct], kind)):
        if isinstance(field.default, tuple):
            fields[field.encode_name] = [value for name, value in pairs if name == field.encode_name]
    return _convert(fields, kind)


def read_form(request: Request) -> dict[str, str]:
    """The fields of a form that was sent; of a field that comes twice, the last: a checkbox after its hidden ``off``.

    Raises ``HTTPProblem`` where the body is no form.
    """
    body = _content(request)
    if not body:
        return {}
    _demand_type(request, "application/x-www-form-urlencoded")
    return dict(_pairs(body))


def read_json(request: Request, kind: type[T]) -> T:
    """The JSON that was sent, as a ``kind``. Raises ``HTTPProblem`` where it does not fit."""
    _demand_type(request, JSON)
    try:
        return msgspec.json.decode(_content(request), type=kind)
    except msgspec.ValidationError as error:
        raise _invalid(error) from None
    except UNDECODABLE:
        raise HTTPProblem(400, "bad_json", _("the body is not JSON")) from None


def _content(request: Request) -> bytes:
    content: Any = request.content
    return bytes(content.read())


def _demand_type(request: Request, wanted: str) -> None:
    """A form of another site can send only three types without being asked; insisting on JSON shuts it out once
    more. Nothing is unpacked: 64 KiB of it could fill the memory."""
    if (header(request, "content-encoding") or "identity").lower() != "identity":
        words = _("the body must not be compressed: send it without Content-Encoding")
        raise HTTPProblem(415, "bad_encoding", words)
    kind, _semicolon, parameters = (header(request, "content-type") or "").lower().partition(";")
    charset = parameters.strip().removeprefix("charset=").strip('"')
    if kind.strip() != wanted or charset not in ("", "utf-8"):
        raise HTTPProblem(415, "bad_type", _("the body must be %(type)s", type=wanted))


def _pairs(text: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(text.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError:
        words = _("the fields of the request are not in UTF-8, or too many")
        raise HTTPProblem(400, "bad_form", words) from None


def _convert(fields: Mapping[str, object], kind: type[T]) -> T:
    try:
        return msgspec.convert(fields, kind, strict=False)
    except msgspec.ValidationError as error:
        raise _invalid(error) from None


def _invalid(error: msgspec.ValidationError) -> HTTPProblem:
    """msgspec's words, ``Expected `int` - at `$.limit` ``, as a problem of the field ``limit``."""
    words, _at, place = str(error).partition(" - at `$")
    field = place.strip("`").lstrip(".")
    words = next((gettext(said) for pattern, said in _PATTERNS.items() if repr(pattern) in words), _expected(words))
    unknown = re.search(r"(?:unknown|required) field (\S+)", words)
    if not field and unknown is not None:
        field = unknown.group(1)
    return HTTPProblem(422, "invalid", f"{field}: {words}" if field else words, {field: words} if field else {})


def _expected(words: str) -> str:
    """msgspec's words, in the reader's language; what else it may say is for programs alone."""
    words = words.replace("`", "")
    found = _EXPECTED.fullmatch(words)
    if found is None:
        return words
    if found["found"] is None:
        return _("Expected %(wanted)s", **found.groupdict())
    return _("Expected %(wanted)s, got %(found)s", **found.groupdict())
