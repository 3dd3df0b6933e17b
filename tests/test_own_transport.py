"""A transport from a package of its own, as ``docs/transports.md`` shows it."""

from __future__ import annotations

import json
import re
import socket
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from tests.daemons import UP
from tests.processes import Program, free_port
from tests.support import ROOT, Environment, copy_of_the_tree

FILES = re.compile(r"^`([\w/.]+)`:\n\n```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def shown() -> dict[str, str]:
    """The files that the page shows, by their paths."""
    return dict(FILES.findall((ROOT / "docs/transports.md").read_text()))


def install(folder: Path) -> Environment:
    """A fresh environment with the server and, from a package of its own, the transport. It blocks."""
    package = folder / "package"
    for path, text in shown().items():
        (package / path).parent.mkdir(parents=True, exist_ok=True)
        (package / path).write_text(text)
    environment = Environment(folder / "environment")
    for each in (copy_of_the_tree(folder), package):
        environment.install(each, cwd=folder)
    return environment


def answer_of(environment: Environment, data: Path, *words: str) -> Any:
    """What ``iotcenter`` says of the server on ``data``. It blocks."""
    command: list[str | Path] = [environment.programs / "iotcenter", f"--data={data}", *words, "--json"]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=60).stdout)


class OwnTransportTests(TestCase):
    """What the page shows works, with nothing changed in the server."""

    def test_short(self) -> None:
        """A whole transport has fewer than 60 lines, blank ones not counted."""
        self.assertLess(len([line for line in shown()["lines_transport.py"].splitlines() if line]), 60)

    async def test_installed(self) -> None:
        """Installed beside the server, it takes devices in, and the server lists it."""
        from twisted.internet import reactor

        folder = Path(self.mktemp()).absolute()
        environment = await deferToThread(install, folder)
        port = free_port()
        config = folder / "iotcenter.toml"
        config.write_text(f'[lines]\nlisten = "127.0.0.1:{port}"\nkey = "a long secret"\n')
        off = [f"--{name}=off" for name in ("tls", "udp", "https", "web")]
        words = [environment.programs / "twistd", "-n", "--pidfile=", "iotcenter", *off]
        places = [f"--data={folder / 'data'}", f"--config={config}"]
        server = Program(reactor, [*map(str, words), *places], {"PYTHONPATH": ""})
        await server.until(UP)
        try:
            await deferToThread(self.talk, port)
            ask = partial(answer_of, environment, folder / "data")
            status = await deferToThread(ask, "status")
            self.assertEqual(status["transports"], {"lines": port})
            device = await deferToThread(ask, "device", "show", "shed")
            self.assertEqual((device["transport"], device["state"]), ("lines", "offline"))
            self.assertEqual([(one["name"], one["value"]) for one in device["series"]], [("t", 22.0)])
        finally:
            await server.end()

    def talk(self, port: int) -> None:
        """A device that knows the key is answered, and others are not."""
        for lines, answers in ((b"shed a long secret\n", 0), (b"barn no secret\n", None)):
            with socket.create_connection(("127.0.0.1", port), 10) as sock, sock.makefile("rb") as answered:
                sock.sendall(lines)
                if answers is None:
                    self.assertEqual(answered.read(), b"")
                    continue
                for line in (b"", b"t=21.5\n", b"t=22\n"):
                    sock.sendall(line)
                    self.assertEqual(answered.readline(), b"ok\n")
