"""What happens to each request around its handler: who asks, whether they may, and what becomes of errors."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import urlencode

import msgspec
from klein import Klein
from twisted.internet.defer import CancelledError
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.server import Request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from iotcenter.finishing import finishing
from iotcenter.logs import LogLimit
from iotcenter.texts import _, speak
from iotcenter.web.body import JSON, read_form, read_json, read_query
from iotcenter.web.channel import cut
from iotcenter.web.clocks import asked_languages
from iotcenter.web.csrf import SAFE_METHODS, check_origin, check_token
from iotcenter.web.doors import door_of
from iotcenter.web.errors import HTTPProblem, problem_of
from iotcenter.web.guard import Handler, Kind, Redirect, Route, Signature, routes_of, signature_of
from iotcenter.web.headers import peer
from iotcenter.web.hosts import Hosts
from iotcenter.web.packing import LEAST, may_pack, pack
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal, Via, find_principal
from iotcenter.web.security import set_headers

ErrorPage = Callable[[HTTPProblem, Principal | None], str]
"""Makes the page that tells somebody of a problem."""

REFUSALS = frozenset((401, 403, 421, 429))
"""The statuses that go to the log: somebody wanted what they may not."""

HTML = "text/html; charset=utf-8"

log = Logger()


class Serving:
    """Serves handlers through all doors: their routes take a megabyte."""

    def __init__(self, parts: Parts, hosts: Hosts, error_page: ErrorPage) -> None:
        self._parts = parts
        self._hosts = hosts
        self._error_page = error_page
        self._refusals = LogLimit(parts.reactor.seconds)
        self.klein = Klein()
        self.klein.url_map.strict_slashes = False
        self.klein.url_map.merge_slashes = False
        self.klein.handle_errors(HTTPException)(self._no_route)  # type: ignore[arg-type]  # which forgets coroutines

    def mount(self, handlers: object) -> None:
        """Serve the marked methods of ``handlers``."""
        for route, handler in routes_of(handlers):
            self._mount(route, handler, signature_of(handler))

    def _mount(self, route: Route, handler: Handler, signature: Signature) -> None:
        async def serve(request: Request, **arguments: str) -> bytes:
            return await self._answer(
                request, route, lambda: self._serve(request, route, handler, signature, arguments)
            )

        endpoint = f"{route.path} {route.methods}"
        self.klein.route(route.path, methods=route.methods, endpoint=endpoint)(serve)

    async def _answer(
        self, request: Request, route: Route | None, work: Callable[[], Coroutine[Any, Any, bytes]]
    ) -> bytes:
        set_headers(request, door_of(request))
        self._speak(request, None)
        try:
            return await work()
        except CancelledError:
            raise
        except Exception as error:
            return await self._explain(request, route, problem_of(error))

    async def _serve(
        self, request: Request, route: Route, handler: Handler, signature: Signature, arguments: dict[str, Any]
    ) -> bytes:
        door = door_of(request)
        self._hosts.check(request, door)
        check_origin(request, door)
        principal = await self._admit(request, route)
        form = read_form(request) if route.kind is Kind.PAGE and request.method not in SAFE_METHODS else None
        check_token(request, principal, form)
        if signature.form:
            arguments["form"] = form or {}
        if signature.door:
            arguments["door"] = door
        if signature.query is not None:
            arguments["query"] = read_query(request, signature.query)
        if signature.body is not None:
            arguments["body"] = read_json(request, signature.body)
        if route.kind is Kind.STREAM:
            request.setHeader("Content-Type", route.media)
            if request.method == b"HEAD":
                return b""
        # What changes something goes on though the browser that asked for it is gone: see klein#546.
        handle = handler if request.method in SAFE_METHODS else finishing(handler)
        return _rendered(request, route, await handle(request, principal, **arguments))

    async def _admit(self, request: Request, route: Route) -> Principal | None:
        """Who asks, where the route is for them. What is written to everybody alike, such as files, does not ask who it
        is for."""
        if route.role is None and route.kind is Kind.STREAM:
            return None
        principal = await find_principal(request, self._parts, door_of(request))
        self._speak(request, principal)
        if route.role is None:
            return principal
        if principal is None:
            words = _("sign in first, or send an API token")
            raise HTTPProblem(401, "not_signed_in", words, headers={"WWW-Authenticate": "Bearer"})
        if not principal.role.covers(route.role):
            raise HTTPProblem(
                403,
                "role",
                _(
                    "this needs the role %(role)s; %(name)s has the role %(own)s",
                    role=_(route.role),
                    name=principal.name,
                    own=_(principal.role),
                ),
            )
        return principal

    async def _explain(self, request: Request, route: Route | None, problem: HTTPProblem) -> bytes:
        if problem.status in REFUSALS and self._refusals.allow():
            self._note(request, route, problem)
        if request.startedWriting:
            cut(request)  # so that nobody takes a part for the whole
            return b""
        if route is not None and route.kind is Kind.PAGE and route.role is not None and problem.status == 401:
            return _redirect(request, _sign_in(request))
        request.setResponseCode(problem.status)
        for name, value in problem.headers.items():
            request.setHeader(name, value)
        if request.path.startswith(b"/api/"):
            return _body(request, JSON, problem.as_json())
        principal = await self._principal(request)
        self._speak(request, principal)
        return _body(request, HTML, self._error_page(problem, principal).encode())

    def _speak(self, request: Request, principal: Principal | None) -> None:
        """Answer in the reader's language; programs get English. Scripts of pages show what the API tells them."""
        if not request.path.startswith(b"/api/") or (principal is not None and principal.via is Via.SESSION):
            preferred = principal.language if principal is not None else ""
            speak(self._parts.assets.languages.choose(preferred, asked_languages(request)))

    def _note(self, request: Request, route: Route | None, problem: HTTPProblem) -> None:
        """A line in the log. It names the route and not the path, which may bear a secret."""
        skipped = self._refusals.skipped()
        log.info(
            "Refused {address} {method} {path}: {code}{more}",
            address=peer(request),
            method=str(request.method, "ascii"),
            path=route.path if route is not None else "an unknown path",
            code=problem.code,
            more=f" ({skipped} lines like this were left out)" if skipped else "",
        )

    async def _principal(self, request: Request) -> Principal | None:
        """Who sees an error page, so that it has their menu; nobody where even that cannot be found out."""
        try:
            return await find_principal(request, self._parts, door_of(request))
        except CancelledError:
            raise
        except Exception:
            return None

    async def _no_route(self, request: Request, failure: Failure) -> bytes:
        """No handler fits the path, or none the method."""

        async def tell() -> bytes:
            self._hosts.check(request, door_of(request))
            if isinstance(failure.value, MethodNotAllowed):
                allow = ", ".join(sorted(failure.value.valid_methods or ()))
                raise HTTPProblem(
                    405, "bad_method", _("this takes %(methods)s alone", methods=allow), headers={"Allow": allow}
                )
            raise HTTPProblem(404, "not_found", _("there is nothing here"))

        return await self._answer(request, None, tell)


def _rendered(request: Request, route: Route, result: Any) -> bytes:
    """What a handler returned, as bytes."""
    if route.kind is Kind.STREAM:
        return b""
    if isinstance(result, Redirect):
        return _redirect(request, result.url)
    if route.status != 200:
        request.setResponseCode(route.status)
    if route.kind is Kind.PAGE:
        return _body(request, HTML, result.encode())
    return _body(request, JSON, msgspec.json.encode(result)) if route.status != 204 else b""


def _body(request: Request, media: str, body: bytes) -> bytes:
    request.setHeader("Content-Type", media)
    if len(body) >= LEAST:
        request.setHeader("Vary", "Accept-Encoding")
        if may_pack(request, door_of(request)):
            request.setHeader("Content-Encoding", "gzip")
            body = pack(body)
    request.setHeader("Content-Length", str(len(body)))
    return body


def _redirect(request: Request, url: str) -> bytes:
    request.setResponseCode(303)
    request.setHeader("Location", url)
    request.setHeader("Content-Length", "0")
    return b""


def _sign_in(request: Request) -> str:
    """The page to sign in on, which leads back to a page that was to be read; what was sent with a form is lost."""
    wanted = str(request.uri, "ascii", "replace") if request.method == b"GET" else "/"
    return "/sign-in" if wanted == "/" else "/sign-in?" + urlencode({"next": wanted})
