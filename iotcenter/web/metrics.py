"""Numbers for Prometheus and others that read its text format."""

from __future__ import annotations

from collections import Counter

import psutil
from twisted.web.server import Request

from iotcenter import __version__
from iotcenter.model import PresenceState
from iotcenter.web.doors import Door
from iotcenter.web.errors import HTTPProblem
from iotcenter.web.guard import stream
from iotcenter.web.headers import headers, peer
from iotcenter.web.parts import Parts
from iotcenter.web.peers import LOOPBACK
from iotcenter.web.principal import find_principal

MEDIA = "text/plain; version=0.0.4; charset=utf-8"


class MetricHandlers:
    """Serves ``/metrics``."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._process = psutil.Process()

    @stream("/metrics", role=None, media=MEDIA)
    async def show(self, request: Request, principal: None, door: Door) -> None:
        """The numbers, for whoever has a token of the API, and for programs on this machine."""
        if not _is_local(request) and await find_principal(request, self._parts, door) is None:
            raise HTTPProblem(401, "not_signed_in", "metrics need an API token", headers={"WWW-Authenticate": "Bearer"})
        request.write(self._text().encode())

    def _text(self) -> str:
        devices = self._parts.center.devices.all()
        states = Counter(device.state for device in devices)
        accounts = [device.account for device in devices]
        families = (
            _family("iotcenter_info", "gauge", "The version that runs.", {f'{{version="{__version__}"}}': 1}),
            _family(
                "iotcenter_devices",
                "gauge",
                "Devices by whether they can be reached.",
                {f'{{state="{state.value}"}}': states[state] for state in PresenceState},
            ),
            _total("readings_received", "Readings that were stored.", sum(one.received for one in accounts)),
            _total("readings_duplicate", "Readings that came again.", sum(one.duplicates for one in accounts)),
            _total("readings_late", "Readings that came late.", sum(one.late for one in accounts)),
            _total("readings_lost", "Readings that devices threw away.", sum(one.lost for one in accounts)),
            _family("iotcenter_event_streams", "gauge", "Open event streams.", {"": len(self._parts.streams)}),
            _family(
                "iotcenter_storage_ok",
                "gauge",
                "Whether readings can be stored.",
                {"": int(not self._parts.store.trouble)},
            ),
            *self._of_process(),
        )
        return "".join(families)

    def _of_process(self) -> tuple[str, ...]:
        with self._process.oneshot():
            cpu = self._process.cpu_times()
            memory = self._process.memory_info().rss
            started = self._process.create_time()
        seconds = {"": round(cpu.user + cpu.system, 2)}
        return (
            _family("process_cpu_seconds_total", "counter", "Processor time.", seconds),
            _family("process_resident_memory_bytes", "gauge", "Memory.", {"": memory}),
            _family("process_start_time_seconds", "gauge", "When the server started, in Unix seconds.", {"": started}),
        )


def _is_local(request: Request) -> bool:
    """Whether a program on this machine asks, and not a proxy here for somebody elsewhere. See also
    ``iotcenter.web.hosts``."""
    forwarded = headers(request, "x-forwarded-for") or headers(request, "forwarded")
    return peer(request) in LOOPBACK and not forwarded


def _total(name: str, help: str, value: float) -> str:
    return _family(f"iotcenter_{name}_total", "counter", help, {"": value})


def _family(name: str, kind: str, help: str, values: dict[str, float]) -> str:
    head = f"# HELP {name} {help}\n# TYPE {name} {kind}\n"
    return head + "".join(f"{name}{labels} {value}\n" for labels, value in values.items())
