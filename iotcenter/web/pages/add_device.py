"""Adding a device: a name, then the line to paste on it, then waiting until it is here."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

import msgspec
from markupsafe import Markup
from msgspec import Struct
from twisted.web.server import Request

from iotcenter.identity.enrollment import EnrollmentState
from iotcenter.identity.errors import Unfit
from iotcenter.identity.registrations import TRANSPORT
from iotcenter.interfaces import Refused
from iotcenter.model import Device, PresenceState, Role
from iotcenter.storage.enrollments import EnrollmentRow
from iotcenter.storage.errors import NameTaken, NotFound
from iotcenter.web.addresses import Addresses, Place
from iotcenter.web.doors import Door
from iotcenter.web.enrolling import Enrolling
from iotcenter.web.guard import Redirect, page
from iotcenter.web.hosts import bare
from iotcenter.web.pages.error import find_device
from iotcenter.web.pages.rendering import Renderer, explained
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal
from iotcenter.web.registering import Registering
from iotcenter.web.sketch import sketch
from iotcenter.web.udp_key import UdpKeyForms
from iotcenter.web.visit import Visit
from iotcenter.wire.token import Token, parse_token

MAX_TOKENS = 1000
"""The most tokens whose text is kept in memory, so that a reload shows the line again: as many as may be open."""

ID = "<int(max=9223372036854775807):id>"
"""A token's number in a path, as far as the database can count."""


class AddDeviceQuery(Struct, frozen=True):
    """``name`` fills the form in; ``first`` is set for those who come from setting the server up."""

    name: str = ""
    first: str = ""


class LineQuery(Struct, frozen=True):
    """``address`` is where the device reaches the server, if not where the browser does."""

    address: str = ""


class AddDevicePages:
    """Makes enrollment tokens for people. Storage has only their hashes, so their text is kept here, for reloads."""

    def __init__(self, parts: Parts, renderer: Renderer) -> None:
        self._parts = parts
        self._renderer = renderer
        self._enrolling = Enrolling(parts)
        self._registering = Registering(parts)
        self._tokens: OrderedDict[int, Token] = OrderedDict()

    @page("/add-device", role=Role.ADMIN)
    async def show(self, request: Request, principal: Principal, query: AddDeviceQuery) -> str:
        """The form that asks for the name, and the tokens that nobody has used yet."""
        return await self._form(principal, query.name, first=bool(query.first))

    @page("/add-device", role=Role.ADMIN, methods=("POST",))
    async def issue(
        self, request: Request, principal: Principal, form: Mapping[str, str], door: Door
    ) -> str | Redirect:
        """Make a token."""
        name = form.get("name", "").strip()
        try:
            place = self._enrolling.place(request, door)
            issued = await self._enrolling.issue(place, name, None, principal.actor)
        except Refused as error:
            request.setResponseCode(422)
            field = "name" if isinstance(error, Unfit) and error.field == "name" else "form"
            return await self._form(principal, name, {field: explained(error)})
        self._remember(issued.id, parse_token(issued.token))
        return Redirect(f"/add-device/{issued.id}")

    @page("/add-udp-device", role=Role.ADMIN, methods=("POST",))
    async def add_udp(self, request: Request, principal: Principal, form: Mapping[str, str], door: Door) -> str:
        """Make a device over UDP, and show its id and its key this once."""
        name, version1 = form.get("name", "").strip(), form.get("version1") == "yes"
        try:
            row, key = await self._parts.accounts.add_udp(name, version1, principal.actor)
        except (Refused, NameTaken) as error:
            request.setResponseCode(422)
            return await self._form(principal, name, {"udp": explained(error)}, transport="udp")
        visit = Visit(request, principal, door)
        return render_udp_key(self._renderer, self._parts, visit, row.name, UdpKeyForms(row.id, key.hex()), version1)

    @page("/add-registrar-device", role=Role.ADMIN, methods=("POST",))
    async def add_to_registrar(self, request: Request, principal: Principal, form: Mapping[str, str]) -> str | Redirect:
        """Let a device register with a password of its own."""
        name = form.get("name", "").strip()
        try:
            row = await self._registering.add(name, principal.actor)
        except (Refused, NameTaken) as error:
            request.setResponseCode(422)
            return await self._form(principal, name, {"registrar": explained(error)}, transport="registrar")
        return Redirect(f"/devices/{row.name}/registration")

    @page("/devices/<name>/registration", role=Role.ADMIN)
    async def registration(self, request: Request, principal: Principal, name: str, door: Door) -> str | Redirect:
        """What to run on a device that shall register."""
        device = find_device(self._parts, name)
        if device.transport != TRANSPORT:
            return Redirect(f"/devices/{device.name}")
        line = self._registering.line(device.name, request, door)
        return self._renderer.render("registration.html", principal, place="add", name=device.name, line=line)

    @page(f"/add-device/{ID}", role=Role.ADMIN)
    async def wait(
        self, request: Request, principal: Principal, id: int, query: LineQuery, door: Door
    ) -> str | Redirect:
        """The line, and whether the device came."""
        token = self._tokens.get(id)
        row = await (self._parts.enrollments.find(token.secret) if token is not None else self._open(id))
        if row is None:
            return Redirect("/add-device")
        device = self._device(row)
        shown: dict[str, object] = {"row": row, "device": device, "phase": self._phase(row, token, device)}
        if token is not None and shown["phase"] == "open":
            shown |= self._line(token, self._place(request, door, query.address, shown), query.address)
        return self._renderer.render("enrollment.html", principal, place="add", **shown)

    @page(f"/add-device/{ID}/withdraw", role=Role.ADMIN, methods=("POST",))
    async def withdraw(self, request: Request, principal: Principal, id: int) -> Redirect:
        """Make a token worthless; one that was used meanwhile stays as it is."""
        try:
            await self._parts.enrollments.withdraw(id)
        except NotFound:
            return Redirect(f"/add-device/{id}")
        self._tokens.pop(id, None)
        return Redirect("/add-device")

    async def _form(
        self,
        principal: Principal,
        name: str,
        problems: dict[str, str] | None = None,
        first: bool = False,
        transport: str = "tls",
    ) -> str:
        return self._renderer.render(
            "add_device.html",
            principal,
            place="add",
            names={transport: name},
            registrar=self._registering.open,
            first=first,
            devices=self._parts.center.devices.names() if first else (),
            waiting=await self._parts.enrollments.open(),
            problems=problems or {},
        )

    async def _open(self, id: int) -> EnrollmentRow | None:
        return next((row for row in await self._parts.enrollments.open() if row.id == id), None)

    def _remember(self, id: int, token: Token) -> None:
        self._tokens[id] = token
        while len(self._tokens) > MAX_TOKENS:
            self._tokens.popitem(last=False)

    def _device(self, row: EnrollmentRow) -> Device | None:
        """The device that the token let in."""
        if row.used is None or row.device is None:
            return None
        known = self._parts.center.devices.find(row.device)
        return self._parts.center.devices.get(known.name) if known is not None else None

    def _phase(self, row: EnrollmentRow, token: Token | None, device: Device | None) -> str:
        state = self._parts.enrollments.state(row)
        if state is EnrollmentState.USED:
            return "connected" if device is not None and device.state is not PresenceState.OFFLINE else "enrolled"
        if state is EnrollmentState.EXPIRED:
            return "expired"
        return "open" if token is not None else "unknown"

    def _place(self, request: Request, door: Door, wanted: str, shown: dict[str, object]) -> Place:
        """Where the device shall find this server: what somebody entered, or where the browser found it."""
        try:
            return self._enrolling.place(request, door, wanted.strip() or None)
        except Unfit as error:
            shown["problems"] = {error.field: explained(error)}
            return self._enrolling.place(request, door)

    def _line(self, token: Token, place: Place, wanted: str) -> dict[str, object]:
        """What the page shows of a token that is open."""
        text = msgspec.structs.replace(token, host=place.host, port=place.port).text()
        line = self._enrolling.line(place, text)
        return {"line": line, "token": text, "qr": qr(line), "server": place, "address": wanted or place.host}


def render_udp_key(
    renderer: Renderer, parts: Parts, visit: Visit, name: str, forms: UdpKeyForms, version1: bool = False
) -> str:
    """The page that shows the id and the key of a device over UDP, and a sketch, unless it runs one of version 1."""
    shown: dict[str, object] = {"name": name, "forms": forms, "qr": qr(forms.qr_text()), "port": None, "sketch": ""}
    if where := parts.ports.transports.get("udp"):
        interface, port = where
        host = bare(Addresses(parts).host(interface, visit.request, visit.door))
        shown |= {"host": host, "port": port, "sketch": "" if version1 else sketch(name, forms, host, port)}
    return renderer.render("udp_key.html", visit.principal, place="add", **shown)


def qr(text: str) -> Markup:
    """``text`` as a drawing for phones' cameras: black on white, also on dark pages, or some cannot read it."""
    looks = {"border": 4, "dark": "#000", "light": "#fff", "svgclass": "qr-code", "lineclass": None, "omitsize": True}
    from segno import make  # for this page alone: it takes its time and memory

    return Markup(make(text, error="l", micro=False).svg_inline(**looks))
