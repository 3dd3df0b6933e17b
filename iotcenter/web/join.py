"""The line to paste, seen from the other end: the script that it runs, and the agent's wheel that the script
installs."""

from __future__ import annotations

import shlex
from importlib.resources import files

from twisted.web.server import Request

from iotcenter.identity.enrollment import EnrollmentState
from iotcenter.storage.enrollments import EnrollmentRow
from iotcenter.texts import _
from iotcenter.web.doors import Door
from iotcenter.web.errors import HTTPProblem
from iotcenter.web.guard import stream
from iotcenter.web.hosts import host_of
from iotcenter.web.parts import Parts
from iotcenter.web.wheel import Wheel, make_wheel
from iotcenter.wire.errors import WireError
from iotcenter.wire.token import parse_token

SCRIPT = "text/x-shellscript; charset=utf-8"

UNKNOWN = "this token is not known, or was withdrawn. Ask for a new line to paste."
EXPIRED = "this token has expired. Ask for a new line to paste."
INSECURE = "this line works over HTTPS only. Copy it from the server again."


class JoinHandlers:
    """Serves new devices. Whoever has the token may come, over HTTPS, where the line's pin shows them the right server.

    A refusal is a script too, with status 200: ``curl -f`` pipes it to ``sh``, which says it to the person who waits.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._script = files("iotcenter").joinpath("assets", "join.sh").read_text()
        self._wheel: Wheel | None = None

    @stream("/join/<token>", role=None, media=SCRIPT)
    async def script(self, request: Request, principal: None, token: str, door: Door) -> None:
        """The script that makes a machine a device."""
        _write(request, (await self._script_for(request, token, door)).encode())

    @stream("/join/<token>/<wheel>", role=None, media="application/octet-stream")
    async def wheel(self, request: Request, principal: None, token: str, wheel: str) -> None:
        """The agent's wheel, for devices whose token is good or was used."""
        row = await self._find(token)
        if wheel != self._agent().name or row is None or self._state(row) is EnrollmentState.EXPIRED:
            raise HTTPProblem(404, "not_found", _("there is nothing here"))
        _write(request, self._agent().content)

    async def _script_for(self, request: Request, token: str, door: Door) -> str:
        row = await self._find(token)
        if door is not Door.HTTPS:
            return refusal(INSECURE)
        if row is None or self._state(row) is EnrollmentState.EXPIRED:
            return refusal(UNKNOWN if row is None else EXPIRED)
        values = {
            "token": token,
            "name": row.name,
            "device": row.device or "",
            "standing": "yes" if await self._is_in_standing(row) else "",
            "web": f"https://{host_of(request, door)}",
            "pin": self._parts.web_certificate.pin(),
            "wheel": self._agent().name,
        }
        settings = "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())
        return f"#!/bin/sh\n{settings}\n{self._script}"

    async def _find(self, token: str) -> EnrollmentRow | None:
        try:
            secret = parse_token(token).secret
        except WireError:
            return None
        return await self._parts.enrollments.find(secret)

    def _state(self, row: EnrollmentRow) -> EnrollmentState:
        return self._parts.enrollments.state(row)

    async def _is_in_standing(self, row: EnrollmentRow) -> bool:
        """Whether the device that the token is for may come in as it is, so that it needs no new certificate."""
        if row.device is None:
            return False
        device = await self._parts.store.devices.get(row.device)
        return device.key is not None and not device.revoked

    def _agent(self) -> Wheel:
        if self._wheel is None:
            self._wheel = make_wheel()
        return self._wheel


def refusal(words: str) -> str:
    """A script that says ``words`` and fails."""
    said = shlex.quote(f"IotCenter: {words}")
    return f"#!/bin/sh\niotcenter_join() {{\n    printf '%s\\n' {said} >&2\n    exit 1\n}}\n\niotcenter_join\n"


def _write(request: Request, body: bytes) -> None:
    request.setHeader("Content-Length", str(len(body)))
    request.write(body)
