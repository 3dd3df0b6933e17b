"""What the server was told, how it fares, and what can be set while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import Struct
from twisted.web.server import Request

from iotcenter.config import BackupSettings, Config, StorageSettings
from iotcenter.model import Device, Role
from iotcenter.texts import _
from iotcenter.web.guard import Redirect, page
from iotcenter.web.keeping import RetentionChange, change_retention
from iotcenter.web.pages.about import in_pairs
from iotcenter.web.pages.error import find_device
from iotcenter.web.pages.rendering import Renderer
from iotcenter.web.parts import Parts
from iotcenter.web.principal import Principal

LEVELS = ("raw", "minutes", "hours", "days")
"""What is kept for so many days each, from fine to coarse."""


class SettingsQuery(Struct, frozen=True):
    """``device`` is the one whose series are shown."""

    device: str = ""


@dataclass(frozen=True)
class Listening:
    """Something that listens: the ``key`` of the configuration that says where, and where it does, None for nowhere."""

    words: str
    key: str
    place: tuple[str, int] | None


class SettingsPages:
    """For admins. What only the configuration can change is shown with the name of its key."""

    def __init__(self, parts: Parts, renderer: Renderer) -> None:
        self._parts = parts
        self._renderer = renderer

    @page("/settings", role=Role.ADMIN)
    async def show(self, request: Request, principal: Principal, query: SettingsQuery) -> str:
        """All of it."""
        device = find_device(self._parts, query.device) if query.device else None
        return await self._render(principal, device)

    @page("/settings/retention", role=Role.ADMIN, methods=("POST",))
    async def keep(self, request: Request, principal: Principal, form: Mapping[str, str]) -> str | Redirect:
        """Keep a series for longer or shorter from now on."""
        device = find_device(self._parts, form.get("device", ""))
        series = form.get("series", "")
        try:
            change = _change(series, form)
        except (ValueError, msgspec.ValidationError):
            request.setResponseCode(422)
            problem = _("Write whole days, 0 for ever, or nothing for as configured.")
            return await self._render(principal, device, problems={series: problem}, form=form)
        await change_retention(self._parts, principal, device.name, change)
        return Redirect(f"/settings?device={device.name}#retention")

    async def _render(self, principal: Principal, device: Device | None, **context: Any) -> str:
        parts, config = self._parts, self._parts.config
        last, due = parts.backup_times()
        return self._renderer.render(
            "settings.html",
            principal,
            **{"place": "more", "form": {}, **context},
            file=parts.configuration,
            storage=config.storage if config is not None else StorageSettings(),
            backup=config.backup if config is not None else BackupSettings(),
            level=config.log.level if config is not None else "info",
            disk=await parts.store.disk(),
            backup_state=parts.backup_state(),
            last=last,
            due=due,
            listening=_listening(parts, config),
            names=parts.names,
            web=parts.web_certificate.credentials().chain[0],
            web_fingerprint=in_pairs(parts.web_certificate.fingerprint()),
            own=parts.web_certificate.own,
            root=parts.authority.root,
            root_fingerprint=in_pairs(parts.authority.fingerprint.hex()),
            devices=parts.center.devices.names(),
            device=device,
            kept=await parts.store.readings.keep(device.id) if device is not None else {},
            levels=LEVELS,
        )


def _change(series: str, form: Mapping[str, str]) -> RetentionChange:
    """What a form wants of a series. Raises ``ValueError`` or ``ValidationError``."""
    days = {level: int(text) for level in LEVELS if (text := form.get(level, "").strip())}
    return msgspec.convert({"series": series, **days}, RetentionChange)


def _listening(parts: Parts, config: Config | None) -> list[Listening]:
    ports = parts.ports
    ways = [
        Listening("HTTPS", "web.https", ports.https),
        Listening("HTTP", "web.http", ports.http),
        Listening("SSH", "ssh.listen", ports.ssh),
    ]
    names = {*ports.transports, *(config.transports if config is not None else ())}
    return ways + [Listening(name.upper(), f"{name}.listen", ports.transports.get(name)) for name in sorted(names)]
