"""A fuzzer that reads the OpenAPI document tries everything that stands in it, on a real server."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from urllib.request import Request, urlopen

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.daemons import ServerProcess
from tests.processes import Program

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")

CONFIG = """\
[parameters]
"path.name" = ["kitchen-pi", "attic", "ann"]
"path.id" = [1, 2]
"""
"""Half of what there is to find is behind names that there are."""

ENDLESS = ("GET /api/v1/events",)
"""What never ends, and so is no answer."""

FATAL = (
    "DELETE /api/v1/devices/{name}",
    "PATCH /api/v1/devices/{name}",
    "POST /api/v1/devices/{name}/revoke",
    "DELETE /api/v1/users/{name}",
)
"""After which nothing is left of what the rest is tried on: whoever may do nothing tries these too."""

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance"
"""What is looked at in each answer."""

SHAPES = f"{CHECKS},response_schema_conformance"
"""The same, and its shape."""

KEPT = ("devices", "users", "enrollments", "open-ports", "devices/kitchen-pi/retention")
"""What is looked at before and after: all that somebody without rights could have changed."""


class FuzzTests(TestCase):
    """With the rights of an admin, of a viewer, and with none."""

    if not SCHEMATHESIS.exists():
        skip = "not installed: schemathesis (see tests/requirements.txt)"

    async def setUp(self) -> None:  # type: ignore[override]
        """A server with two devices and a user."""
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.folder = Path(mkdtemp(prefix="iotcenter-api-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.server = ServerProcess(reactor, self.folder / "server")
        self.addCleanup(self.server.kill)
        await self.server.start()
        for name in ("kitchen-pi", "attic"):
            await self.server.ask("devices", {"name": name, "transport": "udp"})
        await self.server.ask("users", {"name": "ann", "role": "viewer", "password": "correct horse"})
        (self.folder / "schemathesis.toml").write_text(CONFIG)
        (self.folder / "openapi.json").write_bytes(await deferToThread(self.document, await self.token("operator")))

    def document(self, header: str) -> bytes:
        """The OpenAPI document."""
        name, _, value = header.removeprefix("--header=").partition(": ")
        asked = Request(f"http://127.0.0.1:{self.server.http}/api/openapi.json", headers={name: value})
        with urlopen(asked) as answer:
            return bytes(answer.read())

    async def fuzz(self, *words: str, leave_out: tuple[str, ...] = ENDLESS, checks: str = CHECKS) -> None:
        """Try everything; what is wrong with an answer is printed."""
        line = [str(SCHEMATHESIS), "--config-file", str(self.folder / "schemathesis.toml"), "run", "--no-color"]
        line += [str(self.folder / "openapi.json"), f"--url=http://127.0.0.1:{self.server.http}"]
        line += [f"--checks={checks}", "--phases=coverage,fuzzing", "--request-timeout=20"]
        line += ["--generation-database=none"]
        line += [word for name in leave_out for word in ("--exclude-name", name)]
        program = Program(self.reactor, [*line, *words])
        self.addCleanup(program.end)
        self.assertEqual(await program.outcome(), 0, program.said[-20_000:])

    async def token(self, role: str) -> str:
        """The header of a program with that role."""
        made = await self.server.ask("tokens", {"name": f"fuzzer-{role}", "role": role})
        return f"--header=Authorization: Bearer {made['token']}"

    async def state(self) -> list[Any]:
        """What must not change."""
        return [await self.server.ask(path) for path in KEPT]

    async def test_admin(self) -> None:
        """Whatever an admin sends, every answer is one that the document knows, and none is an error of ours."""
        await self.fuzz(await self.token("admin"), "--max-examples=5", leave_out=(*ENDLESS, *FATAL), checks=SHAPES)
        self.assertNotIn("Traceback", (self.server.directory / "log/server.log").read_text())

    async def test_without_rights(self) -> None:
        """A viewer, and somebody who has not signed in, change nothing, whatever they send."""
        before = await self.state()
        await self.fuzz(await self.token("viewer"), "--max-examples=2")
        await self.fuzz("--max-examples=2")
        self.assertEqual(await self.state(), before)
