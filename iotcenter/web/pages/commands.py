"""Commands: the form of each as a page, and what becomes of it when it is sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta, Struct
from twisted.web.server import Request

from iotcenter.center.errors import DeviceOffline, TooManyCommands, UnknownCommand
from iotcenter.model import CommandOffer, Device, Role
from iotcenter.texts import _
from iotcenter.web.guard import Redirect, page
from iotcenter.web.pages.arguments import given, texts
from iotcenter.web.pages.command_forms import LIFETIMES, CommandForm, command_form
from iotcenter.web.pages.error import find_device
from iotcenter.web.pages.rendering import Renderer
from iotcenter.web.parts import Parts
from iotcenter.web.phrases import retold
from iotcenter.web.principal import Principal
from iotcenter.wire.arguments import ArgumentsError


class CommandQuery(Struct, frozen=True):
    """``again`` is the number of a command whose arguments the form begins with."""

    again: Annotated[int, Meta(ge=1, le=2**63 - 1)] | None = None


class CommandPages:
    """Sends commands for people. Scripts put the same form into a dialog, and send it the same way."""

    def __init__(self, parts: Parts, renderer: Renderer) -> None:
        self._parts = parts
        self._renderer = renderer

    @page("/devices/<name>/commands/<command>", role=Role.OPERATOR)
    async def show(self, request: Request, principal: Principal, name: str, command: str, query: CommandQuery) -> str:
        """The form, empty or with the arguments of a former time."""
        device, offer = self._find(name, command)
        moment = self._renderer.moment(principal)
        values = None
        if query.again is not None:
            former = await self._parts.center.commands.get(query.again)
            if (former.device, former.name) == (name, command):
                values = texts(offer, former.args, moment)
        return self._render(principal, device, command_form(offer, moment, values))

    @page("/devices/<name>/commands/<command>", role=Role.OPERATOR, methods=("POST",))
    async def send(
        self, request: Request, principal: Principal, name: str, command: str, form: Mapping[str, str]
    ) -> str | Redirect:
        """Send it, and go where one sees what becomes of it."""
        _device, offer = self._find(name, command)
        problems: dict[str, str] = {}
        try:
            args = given(offer, form, self._renderer.moment(principal))
            return await self._send(principal, name, command, args, form.get("lifetime", ""))
        except ArgumentsError as error:
            status, words, problems = 422, "", error.problems
        except DeviceOffline:
            status = 409
            words = _("%(name)s has gone offline. Choose how long the command may wait, and send it again.", name=name)
        except TooManyCommands as error:
            status, words = 429, retold(str(error))
        request.setResponseCode(status)
        filled = command_form(offer, self._renderer.moment(principal), form, problems, words)
        return self._render(principal, find_device(self._parts, name), filled)

    @page("/commands/<int(max=9223372036854775807):id>/cancel", role=Role.OPERATOR, methods=("POST",))
    async def cancel(self, request: Request, principal: Principal, id: int) -> Redirect:
        """Take back a command that still waits for its device."""
        command = await self._parts.center.commands.cancel(id, principal.actor)
        return Redirect(f"/devices/{command.device}#command-{id}")

    async def _send(
        self, principal: Principal, name: str, command: str, args: dict[str, Any], lifetime: str
    ) -> Redirect:
        waits = float(lifetime) if lifetime in LIFETIMES else 0.0
        sent = await self._parts.center.commands.send(name, command, args, principal.actor, lifetime=waits)
        return Redirect(f"/devices/{name}#command-{sent.id}")

    def _find(self, name: str, command: str) -> tuple[Device, CommandOffer]:
        device = find_device(self._parts, name)
        for offer in device.commands:
            if offer.name == command:
                return device, offer
        raise UnknownCommand(_("there is no command %(command)s on %(name)s", command=command[:64], name=name))

    def _render(self, principal: Principal, device: Device, form: CommandForm) -> str:
        return self._renderer.render("command.html", principal, place="devices", device=device, form=form)
