"""One's own SSH keys."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from twisted.web.server import Request

from iotcenter.identity.errors import Unfit
from iotcenter.model import Role
from iotcenter.storage.errors import NameTaken, NotFound
from iotcenter.storage.ssh_keys import TooManyKeys
from iotcenter.web.guard import Redirect, page
from iotcenter.web.key_ring import KeyRing
from iotcenter.web.pages.rendering import Renderer, explained
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal


class SshKeyPages:
    """Where people put the keys by which they reach devices."""

    def __init__(self, parts: Parts, renderer: Renderer) -> None:
        self._ring = KeyRing(parts)
        self._renderer = renderer

    @page("/ssh-keys", role=Role.OPERATOR)
    async def show(self, request: Request, principal: Principal) -> str:
        """The keys on file, and the form for another."""
        return await self._render(principal)

    @page("/ssh-keys", role=Role.OPERATOR, methods=("POST",))
    async def add(self, request: Request, principal: Principal, form: Mapping[str, str]) -> str | Redirect:
        """Put a key on file."""
        text = form.get("key", "")
        try:
            await self._ring.add(principal, principal.name, text)
        except (Unfit, NameTaken, TooManyKeys) as error:
            request.setResponseCode(422)
            return await self._render(principal, text, {"key": explained(error)})
        return Redirect("/ssh-keys")

    @page("/ssh-keys/remove", role=Role.OPERATOR, methods=("POST",))
    async def remove(self, request: Request, principal: Principal, form: Mapping[str, str]) -> Redirect:
        """Take a key off; one that is gone already is what was wanted."""
        with suppress(NotFound):
            await self._ring.remove(principal, principal.name, form.get("fingerprint", ""))
        return Redirect("/ssh-keys")

    async def _render(self, principal: Principal, text: str = "", problems: dict[str, str] | None = None) -> str:
        keys = await self._ring.list(principal, principal.name)
        return self._renderer.render(
            "ssh_keys.html", principal, place="more", keys=keys, text=text, problems=problems or {}
        )
