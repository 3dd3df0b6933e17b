"""Signing in and out."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from twisted.web.server import Request

from iotcenter.identity.errors import Overloaded, TooManyTries
from iotcenter.logs import LogLimit
from iotcenter.model import EventKind
from iotcenter.texts import _
from iotcenter.web.doors import Door
from iotcenter.web.guard import Redirect, page
from iotcenter.web.headers import peer
from iotcenter.web.pages.rendering import Renderer, explained
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal, Via, begin_session, drop_session, session_secret
from iotcenter.web.security import local_path


class SignInQuery(Struct, frozen=True):
    """``next`` is the page that was asked for; ``out`` is set for those who come from signing out."""

    next: str = "/"
    out: str = ""


class SignInPages:
    """The way in for those who have a name and a password."""

    def __init__(self, parts: Parts, renderer: Renderer) -> None:
        self._parts = parts
        self._renderer = renderer
        self._refusals = LogLimit(parts.clock.seconds)

    @page("/sign-in", role=None)
    async def show(self, request: Request, principal: Principal | None, query: SignInQuery) -> str | Redirect:
        """The form; who is signed in goes on at once. Without users it says how to make the first."""
        if principal is not None and principal.via is not Via.SCREEN:
            return Redirect(local_path(query.next))
        return await self._render(local_path(query.next), signed_out=bool(query.out))

    @page("/sign-in", role=None, methods=("POST",))
    async def sign_in(
        self, request: Request, principal: Principal | None, form: Mapping[str, str], door: Door
    ) -> str | Redirect:
        """Sign in, and go on to the page that was asked for."""
        name, wanted = form.get("name", "").strip(), local_path(form.get("next", "/"))
        try:
            user = await self._parts.users.authenticate(name, form.get("password", ""), peer(request))
        except (TooManyTries, Overloaded) as error:
            request.setResponseCode(429)
            if isinstance(error, TooManyTries):
                request.setHeader("Retry-After", str(error.retry_after))
            return await self._render(wanted, name, {"form": explained(error)})
        if user is None:
            if self._refusals.allow():
                text = f"A sign-in from {peer(request)} was refused"
                self._parts.center.events.note(EventKind.SIGN_IN_REFUSED, "", "", text, address=peer(request))
            request.setResponseCode(403)
            return await self._render(wanted, name, {"password": _("The name or the password is wrong.")})
        text = f"{user.name} signed in from {peer(request)}"
        self._parts.center.events.note(EventKind.SIGNED_IN, user.name, user.name, text, address=peer(request))
        await begin_session(request, self._parts, door, user.name)
        return Redirect(wanted)

    @page("/sign-out", methods=("POST",))
    async def sign_out(self, request: Request, principal: Principal, door: Door) -> Redirect:
        """End this browser's session, and the streams that it has open."""
        secret = session_secret(request, door)
        if secret is not None:
            await self._parts.sessions.end(secret)
        self._parts.streams.end_session(principal.key)
        drop_session(request, door)
        return Redirect("/sign-in?out=yes")

    async def _render(
        self, wanted: str, name: str = "", problems: dict[str, str] | None = None, signed_out: bool = False
    ) -> str:
        return self._renderer.render(
            "sign_in.html",
            None,
            users=await self._parts.users.count(),
            next=wanted,
            name=name,
            signed_out=signed_out,
            problems=problems or {},
        )
