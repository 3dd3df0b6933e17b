"""The wall display: a few values, large, for a screen on a wall."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from msgspec import Struct
from twisted.web.server import Request

from iotcenter.model import Device, EventKind, Role, SeriesValue
from iotcenter.texts import _
from iotcenter.web.doors import Door
from iotcenter.web.guard import Redirect, page
from iotcenter.web.headers import peer
from iotcenter.web.pages.bookmarks import bookmark
from iotcenter.web.pages.rendering import Renderer
from iotcenter.web.pages.warmth import warmth
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal, actor_of_token, keep_screen
from iotcenter.web.security import local_path

MOST = 12
"""Values on one display: more could not be read from across a room."""


class DisplayQuery(Struct, frozen=True):
    """What stands in the address: ``s`` are series as ``DEVICE.SERIES``. With ``choose`` they are being chosen, and
    ``device`` is the one whose series are offered."""

    s: tuple[str, ...] = ()
    choose: str = ""
    device: str = ""

    def link(self, s: Iterable[str], choose: str = "yes") -> str:
        """The address of a display with these series."""
        return bookmark("/display", self, s=tuple(s), choose=choose, device=self.device if choose else "")


@dataclass(frozen=True)
class Tile:
    """One value of a display. ``series`` is None where there is no such device or series: ``problem`` says so."""

    key: str
    device: Device | None
    series: SeriesValue | None
    problem: str = ""

    @property
    def warmth(self) -> str:
        """How warm it is, where the value is a temperature."""
        return warmth(self.series.value, self.series.unit) if self.series is not None else ""


class DisplayPages:
    """The display, where its series are chosen, and the way in for a screen that nobody signs in on."""

    def __init__(self, parts: Parts, renderer: Renderer) -> None:
        self._parts = parts
        self._renderer = renderer

    @page("/display", role=None)
    async def show(self, request: Request, principal: Principal | None, query: DisplayQuery) -> str:
        """The display; without series the page to choose some on; to nobody yet, how to let the screen in."""
        if principal is None:
            request.setResponseCode(403)
            return self._refuse(str(request.uri, "ascii", "replace"))
        keys = tuple(dict.fromkeys(query.s))[:MOST]
        devices = self._parts.center.devices.some((query.device, *map(_device_of, keys)))
        tiles = [_tile(key, devices) for key in keys]
        if tiles and not query.choose:
            return self._renderer.render("display.html", principal, tiles=tiles, link=query.link(query.s))
        return self._renderer.render(
            "display_choice.html",
            principal,
            place="more",
            query=query,
            tiles=tiles,
            chosen=[tile.key for tile in tiles],
            names=self._parts.center.devices.names(),
            offered=devices.get(query.device),
            most=MOST,
        )

    @page("/display/sign-in", role=None, methods=("POST",))
    async def let_in(
        self, request: Request, principal: Principal | None, form: Mapping[str, str], door: Door
    ) -> str | Redirect:
        """Keep an API token in the screen's browser. It must be a viewer's: anybody can touch a screen on a wall."""
        wanted, secret = local_path(form.get("next", "/display")), form.get("token", "").strip()
        token = await self._parts.tokens.find(secret) if secret.isascii() and secret else None
        if token is None:
            request.setResponseCode(403)
            return self._refuse(wanted, _("This token is not known, or has expired."))
        if token.role is not Role.VIEWER:
            request.setResponseCode(403)
            return self._refuse(wanted, _("Anybody can touch a screen: make a token with the role viewer for it."))
        text, actor = f"A screen at {peer(request)} was let in by the token {token.name}", actor_of_token(token.name)
        self._parts.center.events.note(EventKind.SIGNED_IN, actor, token.name, text, address=peer(request))
        keep_screen(request, door, secret)
        return Redirect(wanted)

    def _refuse(self, wanted: str, problem: str = "") -> str:
        return self._renderer.render("display_out.html", None, next=local_path(wanted), problem=problem)


def _device_of(key: str) -> str:
    return key.partition(".")[0]


def _tile(key: str, devices: Mapping[str, Device]) -> Tile:
    name, _dot, wanted = key.partition(".")
    device = devices.get(name)
    if device is None:
        return Tile(key, None, None, _("There is no device called %(name)s.", name=name))
    series = next((one for one in device.series if one.name == wanted), None)
    if series is None:
        return Tile(key, device, None, _("%(name)s has no value called %(series)s.", name=name, series=wanted))
    return Tile(key, device, series)
