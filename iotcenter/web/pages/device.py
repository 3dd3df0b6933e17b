"""One device: its values, commands, log and books; and what an admin may do to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from msgspec import Meta, Struct
from twisted.web.server import Request

from iotcenter.center.subscribers import StoredFile, StoredLine
from iotcenter.model import AppState, Command, LogLevel, Role, is_device_name
from iotcenter.storage.errors import NameTaken
from iotcenter.storage.events import EventFilter
from iotcenter.texts import N_, _
from iotcenter.web.doors import Door
from iotcenter.web.guard import Redirect, page
from iotcenter.web.pages.add_device import render_udp_key
from iotcenter.web.pages.command_forms import command_forms
from iotcenter.web.pages.error import find_device
from iotcenter.web.pages.events import KINDS
from iotcenter.web.pages.link import WORDS, link_view
from iotcenter.web.pages.rendering import Renderer
from iotcenter.web.pages.ssh_view import SshViews
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal
from iotcenter.web.udp_key import UdpKeyForms
from iotcenter.web.visit import Visit

LINES = 100
"""Lines of the log on one page."""

SEARCHED = 1000
"""The newest lines that are searched for a text."""

COMMANDS = 50
"""The last commands that are listed."""

FILES = 8
"""The newest files that are shown: a row or two."""

YEAR = 365 * 86400.0
"""The longest time that a device may be silent and well."""

EVENTS = 6
"""The last events of the device that are shown; the others are a page away."""

FEW = 4
"""How many of them are shown at once; the others are behind a click."""

APP_WORDS = {
    AppState.RUNNING: N_("Its app runs."),
    AppState.FAILED: N_("Its app failed."),
    AppState.HUNG: N_("Its app hangs."),
    AppState.MISSING: N_("Its app is missing."),
}
"""How an application fares."""


class DeviceQuery(Struct, frozen=True):
    """Which lines of the log to show: from that level on, with that text, older than the line ``before``."""

    level: str = LogLevel.DEBUG
    text: str = ""
    before: Annotated[int, Meta(ge=1, le=2**63 - 1)] | None = None


class DevicePages:
    """The page of one device. A form that does not fit shows the page again, with what was wrong."""

    def __init__(self, parts: Parts, renderer: Renderer) -> None:
        self._parts = parts
        self._renderer = renderer
        self._ssh = SshViews(parts)

    @page("/devices/<name>")
    async def show(self, request: Request, principal: Principal, name: str, query: DeviceQuery, door: Door) -> str:
        """All about the device."""
        return await self._render(Visit(request, principal, door), name, query)

    @page("/devices/<name>/rename", role=Role.ADMIN, methods=("POST",))
    async def rename(
        self, request: Request, principal: Principal, name: str, form: Mapping[str, str], door: Door
    ) -> str | Redirect:
        """Call it something else."""
        find_device(self._parts, name)
        new = form.get("name", "").strip()
        if new == name:
            return Redirect(f"/devices/{name}")
        if not is_device_name(new):
            return await self._refuse(
                Visit(request, principal, door), name, {"name": _("Use small letters, digits and hyphens.")}, new
            )
        try:
            await self._parts.center.devices.rename(name, new, principal.actor)
        except NameTaken:
            return await self._refuse(
                Visit(request, principal, door), name, {"name": _("Another device is called %(name)s.", name=new)}, new
            )
        return Redirect(f"/devices/{new}")

    @page("/devices/<name>/expect", role=Role.ADMIN, methods=("POST",))
    async def expect(
        self, request: Request, principal: Principal, name: str, form: Mapping[str, str], door: Door
    ) -> str | Redirect:
        """Expect to hear of it so often."""
        find_device(self._parts, name)
        seconds = _seconds(form.get("expected", "").strip())
        if seconds is None:
            problem = {"expected": _("A number of seconds, from 1 to a year, or nothing.")}
            return await self._refuse(Visit(request, principal, door), name, problem)
        await self._parts.center.devices.expect(name, seconds, principal.actor)
        return Redirect(f"/devices/{name}#settings")

    @page("/devices/<name>/revoke", role=Role.ADMIN, methods=("POST",))
    async def revoke(
        self, request: Request, principal: Principal, name: str, form: Mapping[str, str], door: Door
    ) -> str | Redirect:
        """Keep it out from now on."""
        find_device(self._parts, name)
        if form.get("sure") != "yes":
            return await self._refuse(
                Visit(request, principal, door), name, {"sure": _("Tick the box to revoke %(name)s.", name=name)}
            )
        await self._parts.center.devices.revoke(name, principal.actor)
        return Redirect(f"/devices/{name}")

    @page("/devices/<name>/udp-key", role=Role.ADMIN, methods=("POST",))
    async def new_udp_key(
        self, request: Request, principal: Principal, name: str, form: Mapping[str, str], door: Door
    ) -> str | Redirect:
        """Give it a new key for UDP, and show that this once."""
        device = find_device(self._parts, name)
        if form.get("sure_key") != "yes":
            problem = {"sure_key": _("Tick the box to give %(name)s a new key.", name=name)}
            return await self._refuse(Visit(request, principal, door), name, problem)
        key = await self._parts.accounts.renew_udp(device.id, principal.actor)
        visit = Visit(request, principal, door)
        return render_udp_key(self._renderer, self._parts, visit, name, UdpKeyForms(device.id, key.hex()))

    @page("/devices/<name>/reset-counter", role=Role.ADMIN, methods=("POST",))
    async def reset_counter(self, request: Request, principal: Principal, name: str) -> Redirect:
        """Take its next packet of version 1 whatever its counter."""
        await self._parts.accounts.udp.reset_counter(find_device(self._parts, name).id)
        return Redirect(f"/devices/{name}#settings")

    @page("/devices/<name>/allow-v1", role=Role.ADMIN, methods=("POST",))
    async def allow_version1(self, request: Request, principal: Principal, name: str) -> Redirect:
        """Take version 1 from it again."""
        await self._parts.accounts.udp.allow_version1(find_device(self._parts, name).id, True)
        return Redirect(f"/devices/{name}#settings")

    @page("/devices/<name>/remove", role=Role.ADMIN, methods=("POST",))
    async def remove(
        self, request: Request, principal: Principal, name: str, form: Mapping[str, str], door: Door
    ) -> str | Redirect:
        """Forget it, where its name was typed to show that it is meant."""
        find_device(self._parts, name)
        if form.get("confirm", "").strip() != name:
            return await self._refuse(
                Visit(request, principal, door),
                name,
                {"confirm": _("Type %(name)s here. Nothing was removed.", name=name)},
            )
        await self._parts.center.devices.remove(name, principal.actor)
        return Redirect("/devices")

    async def _refuse(self, visit: Visit, name: str, problems: dict[str, str], renamed: str | None = None) -> str:
        visit.request.setResponseCode(422)
        return await self._render(visit, name, DeviceQuery(), problems, renamed)

    async def _render(
        self,
        visit: Visit,
        name: str,
        query: DeviceQuery,
        problems: dict[str, str] | None = None,
        renamed: str | None = None,
    ) -> str:
        device = find_device(self._parts, name)
        lines, older = await self._lines(name, query)
        commands = await self._parts.center.commands.recent(name, COMMANDS)
        return self._renderer.render(
            "device.html",
            visit.principal,
            place="devices",
            device=device,
            forms=command_forms(device, self._renderer.moment(visit.principal)),
            commands=commands,
            results=await self._results(name, commands),
            files=await self._parts.center.files.recent(name, FILES),
            link=await link_view(self._parts, device, self._parts.clock.seconds()),
            here_words=WORDS,
            events=await self._parts.center.events.recent(EVENTS, EventFilter(object=name)),
            event_kinds=KINDS,
            says=min((series.every for series in device.series if series.every), default=0.0),
            expected=f"{device.expected:g}" if device.expected else "",
            few=FEW,
            query=query,
            lines=lines,
            older=older,
            levels=list(LogLevel),
            app_words=APP_WORDS,
            problems=problems or {},
            renamed=name if renamed is None else renamed,
            ssh=await self._ssh.view(visit, device),
            udp=self._parts.accounts.udp.find(bytes.fromhex(device.id)),
        )

    async def _results(self, name: str, commands: Sequence[Command]) -> dict[int, list[StoredFile]]:
        """The files that commands gave, by the commands' numbers."""
        found: dict[int, list[StoredFile]] = {}
        if commands:
            for file in await self._parts.center.files.of_commands(name, commands[-1].id):
                found.setdefault(file.command or 0, []).append(file)
        return found

    async def _lines(self, name: str, query: DeviceQuery) -> tuple[list[StoredLine], int | None]:
        """The lines that are asked for, oldest first, and before which one to go on, where there are older ones."""
        level = LogLevel(query.level) if query.level in list(LogLevel) else LogLevel.DEBUG
        limit = SEARCHED if query.text else LINES + 1
        found = await self._parts.center.logs.recent(name, limit, before=query.before, level=level)
        text = query.text.lower()
        fitting = [line for line in found if text in line.text.lower()]
        shown = fitting[:LINES]
        older = shown[-1].id if len(fitting) > LINES else found[-1].id if text and len(found) == SEARCHED else None
        return shown[::-1], older


def _seconds(text: str) -> float | None:
    """What was typed as a length of time: 0 for nothing, None for what is none."""
    if not text:
        return 0.0
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if 1 <= seconds <= YEAR else None
