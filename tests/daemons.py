"""The server and the agent as they are run: ``twistd``, a process each, on a data directory of their own."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import structs
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.web.client import URI, Agent, FileBodyProducer, readBody
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from iotcenter.wire.token import parse_token
from iotdevice.enrollment import enroll
from tests.processes import Program, free_port

TWISTD = (sys.executable, "-c", "from twisted.scripts.twistd import run; run()", "--nodaemon", "--pidfile=")

UP = "Stop: Ctrl+C"
"""The last words of a server that lets everybody in."""


class ApiError(AssertionError):
    """The API refused something."""

    def __init__(self, status: int, answer: Any) -> None:
        super().__init__(f"{status}: {answer}")
        self.status = status
        self.answer = answer


class ServerProcess:
    """``twistd iotcenter`` on ports of loopback that it keeps when it is started again.

    ``host`` is where devices find it. ``within`` are words to put before the command, such as those that choose a
    network namespace; ``flags`` win over the ports that are chosen here.
    """

    def __init__(
        self,
        reactor: Any,
        directory: Path,
        *flags: str,
        host: str = "127.0.0.1",
        within: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.directory = directory
        self.host = host
        self._environment = environment
        self.tls, self.udp, self.http, self.https, self.ssh = (free_port() for _ in range(5))
        self._reactor = reactor
        ports = [f"--tls={host}:{self.tls}", f"--udp={host}:{self.udp}", f"--ssh={host}:{self.ssh}"]
        ports += [f"--https=127.0.0.1:{self.https}", f"--web=127.0.0.1:{self.http}"]
        self._words = [*within, *TWISTD, "iotcenter", f"--data={directory}", *ports, *flags]
        self._program: Program | None = None

    @property
    def program(self) -> Program:
        """The process, also when it has ended."""
        assert self._program is not None, "it was never started"
        return self._program

    async def start(self) -> float:
        """Start it; the answer is after how many seconds everybody was let in."""
        began = self._reactor.seconds()
        await self.spawn().until(UP)
        return float(self._reactor.seconds() - began)

    def spawn(self) -> Program:
        """Start it, and do not wait."""
        self._program = Program(self._reactor, self._words, self._environment)
        return self._program

    async def kill(self) -> None:
        """``kill -9``, and wait until it is gone."""
        if self._program is not None:
            await self._program.end()

    async def ask(self, path: str, body: Any = None, method: str = "") -> Any:
        """What the API says on the control socket. Raises ``ApiError``."""
        status, answer = await ask(self._reactor, self.directory, path, body, method)
        if not 200 <= status < 300:
            raise ApiError(status, answer)
        return answer

    async def devices(self) -> dict[str, dict[str, Any]]:
        """Its devices, by name."""
        return {device["name"]: device for device in await self.ask("devices")}

    async def token(self, name: str) -> str:
        """A token for the device ``name``."""
        return str((await self.ask("enrollments", {"name": name, "address": self.host}))["token"])

    async def enroll(self, name: str, directory: Path, door: int | None = None) -> None:
        """Make ``directory`` that of a device which is enrolled under ``name``, as ``iotdevice enroll`` does. ``door``
        is the port by which it finds the server, where that is not the server's own."""
        directory.mkdir(parents=True)
        token = parse_token(await self.token(name))
        await enroll(self._reactor, structs.replace(token, port=door or self.tls), directory)


class AgentProcess:
    """``twistd iotdevice`` on the directory of an enrolled device, with an application."""

    def __init__(
        self,
        reactor: Any,
        directory: Path,
        app: Path,
        environment: Mapping[str, str] | None = None,
        within: Sequence[str] = (),
    ) -> None:
        self.directory = directory
        self._reactor = reactor
        self._words = [*within, *TWISTD, "iotdevice", f"--data={directory}", f"--app={app}"]
        self._environment = environment
        self._program: Program | None = None

    @property
    def program(self) -> Program:
        """The process, also when it has ended."""
        assert self._program is not None, "it was never started"
        return self._program

    def start(self) -> Program:
        """Start it."""
        self._program = Program(self._reactor, self._words, self._environment)
        return self._program

    async def kill(self) -> None:
        """``kill -9``, and wait until it is gone."""
        if self._program is not None:
            await self._program.end()


async def ask(reactor: Any, directory: Path, path: str, body: Any = None, method: str = "") -> tuple[int, Any]:
    """The status and the answer of the API of the server on ``directory``, over its control socket."""
    folder = os.open(directory, os.O_PATH | os.O_DIRECTORY)  # the path of a socket is short, that of a directory not
    try:
        agent = Agent.usingEndpointFactory(reactor, _ControlSocket(reactor, f"/proc/self/fd/{folder}/control.sock"))
        headers = Headers({"Content-Type": ["application/json"]} if body is not None else {})
        content = FileBodyProducer(_file(body)) if body is not None else None
        verb = method or ("GET" if body is None else "POST")
        response: Any = await agent.request(verb.encode(), f"http://iotcenter/api/v1/{path}".encode(), headers, content)
        answer = await readBody(response)
    finally:
        os.close(folder)
    return int(response.code), json.loads(answer) if answer else None


def _file(body: Any) -> Any:
    from io import BytesIO

    return BytesIO(json.dumps(body).encode())


@implementer(IAgentEndpointFactory)
class _ControlSocket:
    """Leads every request to one Unix socket."""

    def __init__(self, reactor: Any, path: str) -> None:
        self._reactor = reactor
        self._path = path

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """See ``IAgentEndpointFactory``."""
        return UNIXClientEndpoint(self._reactor, self._path)
