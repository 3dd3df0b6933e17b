"""How a handler says what it serves, and to whom.

A handler is an ``async`` method of a small class, marked with what it needs; ``iotcenter.web.serving`` sees to it that
nobody gets that far who may not, and that whatever goes wrong becomes an answer::

    class DevicePages:
        def __init__(self, parts: Parts) -> None: ...

        @page("/devices/<name>")
        async def show(self, request: Request, principal: Principal, name: str) -> str:
            return HTML

        @page("/devices/<name>/rename", role=Role.ADMIN, methods=("POST",))
        async def rename(self, request: Request, principal: Principal, name: str, form: Mapping[str, str]) -> Redirect:
            return Redirect("/devices/...")

Parts of the path come by name. A parameter ``form`` is given the fields that were sent, ``door`` the door that the
request came in by. In the API, ``body`` is given the JSON that was sent and ``query`` the query, as the structs that
they are annotated with; these, and the annotation of what is returned, are what the OpenAPI document says of the route.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar, get_type_hints

from iotcenter.model import Role

API = "/api/v1"

ID = "int(max=9223372036854775807)"
"""The converter of numbers that the database gives: larger ones are nobody's."""

Handler = Callable[..., Coroutine[Any, Any, Any]]
HandlerT = TypeVar("HandlerT", bound=Handler)


class Kind(Enum):
    """What a handler answers with.

    A page returns HTML or a ``Redirect``, an API handler a struct, and a stream writes to the request by itself, and is
    done with it when it returns.
    """

    PAGE = "page"
    API = "api"
    STREAM = "stream"


@dataclass(frozen=True)
class Redirect:
    """Send the browser on to ``url``, a path on this server, with GET."""

    url: str


@dataclass(frozen=True)
class Route:
    """What one handler serves. ``role`` None means everybody, even who has not signed in. ``media`` is what a stream
    writes."""

    path: str
    methods: tuple[str, ...]
    role: Role | None
    kind: Kind
    status: int = 200
    media: str = "application/json"
    failures: tuple[int, ...] = ()


@dataclass(frozen=True)
class Signature:
    """What a handler takes and gives, besides the parts of its path."""

    form: bool
    door: bool
    body: Any
    query: Any
    answer: Any


def page(
    path: str, *, role: Role | None = Role.VIEWER, methods: tuple[str, ...] = ("GET",)
) -> Callable[[HandlerT], HandlerT]:
    """The handler serves a page."""
    return _mark(Route(path, methods, role, Kind.PAGE))


def api(
    path: str, *, role: Role, method: str = "GET", status: int = 200, failures: tuple[int, ...] = ()
) -> Callable[[HandlerT], HandlerT]:
    """The handler serves JSON below ``/api/v1``. ``failures`` are the statuses it may fail with, beyond those of
    all."""
    return _mark(Route(API + path, (method,), role, Kind.API, status, failures=failures))


def stream(
    path: str, *, role: Role | None, media: str, failures: tuple[int, ...] = ()
) -> Callable[[HandlerT], HandlerT]:
    """The handler writes its answer to the request by itself; what it raises before it wrote is told like anybody's."""
    return _mark(Route(path, ("GET",), role, Kind.STREAM, media=media, failures=failures))


def routes_of(handlers: object) -> Iterator[tuple[Route, Handler]]:
    """The marked methods of ``handlers``, in the order in which they are written."""
    for name, function in vars(type(handlers)).items():
        route = getattr(function, _MARK, None)
        if isinstance(route, Route):
            yield route, getattr(handlers, name)


def signature_of(handler: Handler) -> Signature:
    """What ``handler`` takes and gives."""
    names = inspect.signature(handler).parameters
    hints = get_type_hints(handler, include_extras=True)
    return Signature("form" in names, "door" in names, hints.get("body"), hints.get("query"), hints.get("return"))


_MARK = "iotcenter_route"


def _mark(route: Route) -> Callable[[HandlerT], HandlerT]:
    def mark(function: HandlerT) -> HandlerT:
        setattr(function, _MARK, route)
        return function

    return mark
