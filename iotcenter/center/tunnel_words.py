"""Why a device cannot be reached by a tunnel, for the person who tried."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from iotcenter.center.known import KnownDevice

DAY = 86400.0


def cannot_reach(known: KnownDevice, port: int, now: float, zone: str) -> str:
    """The reason, with what can be done about it; empty where nothing is in the way."""
    name, ports = known.name, known.ssh.ports
    if known.video is not None:
        ports = (*ports, known.video.port)
    if known.revoked:
        return f"{name} was revoked: give it a new token to let it in again"
    if not known.linked:
        return _offline(name, known.last_seen, now, zone)
    if not ports:
        return f"{name} takes no tunnels: [ssh] is not enabled in its configuration, or its agent has none"
    if port not in ports:
        allowed = ", ".join(map(str, ports))
        return f"port {port} is not open on {name}: its configuration allows {allowed}"
    return ""


def _offline(name: str, seen: float | None, now: float, zone: str) -> str:
    if seen is None:
        return f"{name} is offline: it was never here"
    moment = datetime.fromtimestamp(seen, ZoneInfo(zone))
    when = f"{moment:%H:%M}" if now - seen < DAY else f"{moment:%Y-%m-%d %H:%M}"
    return f"{name} is offline since {when}"
