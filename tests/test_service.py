"""``twistd -n iotcenter`` as people start it: what stops it says so in one line, and what it prints is true."""

from __future__ import annotations

import re
import shutil
import socket
import sqlite3
import ssl
from contextlib import closing
from pathlib import Path
from signal import SIGTERM
from tempfile import mkdtemp
from typing import Any
from urllib.parse import urlsplit

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from iotcenter.service import MAX_FILES
from tests.daemons import TWISTD, ServerProcess, ask
from tests.processes import Program, free_port

ALL_OFF = ("--tls=off", "--udp=off", "--ssh=off", "--https=off", "--web=off")

LONGEST_SOCKET = 107
"""Bytes that the path of a Unix socket may have."""


class ServiceTestCase(TestCase):
    """Has a folder for a data directory, and starts the server in it."""

    def setUp(self) -> None:
        """Make the folder."""
        from twisted.internet import reactor

        self.reactor: Any = reactor
        self.folder = Path(mkdtemp(prefix="iotcenter-service-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.data = self.folder / "data"

    def run_server(self, *words: str) -> Program:
        """Start it with these words."""
        program = Program(self.reactor, [*TWISTD, "iotcenter", *words])
        self.addCleanup(program.end)
        return program

    async def server(self, *flags: str, data: Path | None = None) -> ServerProcess:
        """One that is up."""
        server = ServerProcess(self.reactor, data or self.data, *flags)
        self.addCleanup(server.kill)
        await server.start()
        return server


class RefusalTests(ServiceTestCase):
    """What cannot work ends the program: status 1, one line, no traceback."""

    async def complaint(self, *words: str, data: Path | None = None) -> str:
        """The one line with which it ends."""
        program = self.run_server(f"--data={data or self.data}", *words)
        status = await program.outcome()
        self.assertEqual(status, 1, program.said)
        self.assertNotIn("Traceback", program.said)
        self.assertEqual(program.output, "")
        [line] = program.errors.splitlines()
        self.assertTrue(line.startswith("iotcenter: "), line)
        return line

    async def test_settings(self) -> None:
        """A setting that is wrong, in the file or in a flag, is named; nothing is left behind."""
        file = self.folder / "config.toml"
        file.write_text("[tls]\nheartbeats = 10")
        line = await self.complaint(f"--config={file}")
        self.assertEqual(line, "iotcenter: unknown key tls.heartbeats; allowed: listen, heartbeat")
        self.assertEqual(await self.complaint("--tls=70000"), "iotcenter: tls.listen: port 70000 is over 65535")
        self.assertFalse(self.data.exists())

    async def test_busy_port(self) -> None:
        """A port that is taken is named, with what it was for."""
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            for flag, what in (
                ("tls", "devices over TLS"),
                ("https", "the web over HTTPS"),
                ("web", "the web over HTTP"),
                ("ssh", "the SSH gateway"),
            ):
                with self.subTest(flag):
                    line = await self.complaint(*ALL_OFF, f"--{flag}=127.0.0.1:{port}")
                    self.assertIn(what, line)
                    self.assertIn(f"127.0.0.1:{port}: Address already in use", line)

    async def test_unwritable(self) -> None:
        """A data directory that cannot be made, or not be written, is named."""
        in_the_way = self.folder / "file"
        in_the_way.touch()
        for place in (in_the_way, in_the_way / "below", Path("/proc/iotcenter")):
            with self.subTest(place):
                self.assertIn(str(place), await self.complaint(*ALL_OFF, data=place))

    async def test_second_server(self) -> None:
        """A second server on the same directory names the process of the first, which goes on."""
        first = await self.server()
        line = await self.complaint(*ALL_OFF)
        self.assertIn(str(first.program.pid), line)
        self.assertIn(str(self.data), line)
        self.assertEqual((await first.ask("status"))["devices"], 0)

    async def test_cannot_begin(self) -> None:
        """Where what is kept cannot be loaded, once the ports are open, it ends like that too."""
        await (await self.server()).kill()
        with closing(sqlite3.connect(self.data / "iotcenter.db")) as database:
            database.execute("DROP TABLE enrollment")
            database.execute("DROP TABLE command")
        self.assertIn("no such table", await self.complaint(*ALL_OFF))


class LifeTests(ServiceTestCase):
    """From start to stop."""

    async def test_stops(self) -> None:
        """SIGTERM ends it in good order; the control socket is gone, and the directory free for the next."""
        server = await self.server()
        self.assertEqual((self.data / "control.sock").stat().st_mode & 0o777, 0o600)
        self.assertEqual(
            await server.program.end(SIGTERM), -SIGTERM
        )  # twistd's way to say that it ended as it was told
        self.assertFalse((self.data / "control.sock").exists())
        self.assertEqual(server.program.errors, "")
        self.assertNotIn("Traceback", self.log())
        await server.start()

    async def test_after_a_crash(self) -> None:
        """A control socket that a killed server left behind is in nobody's way."""
        server = await self.server()
        await server.kill()
        self.assertTrue((self.data / "control.sock").exists())
        await server.start()
        self.assertEqual((await server.ask("status"))["storage"], "ok")

    async def test_deep_directory(self) -> None:
        """A data directory whose path is longer than a socket's may be works all the same."""
        deep = self.folder / ("d" * 100) / ("e" * 100)
        self.assertGreater(len(bytes(deep / "control.sock")), LONGEST_SOCKET)
        await self.server(data=deep)
        status, answer = await ask(self.reactor, deep, "status")
        self.assertEqual((status, answer["devices"]), (200, 0))

    async def test_many_connections(self) -> None:
        """It may open as many as it is made for, or as the system allows, not only the usual thousand."""
        server = await self.server()
        limits = Path(f"/proc/{server.program.pid}/limits").read_text()
        [(soft, hard)] = re.findall(r"Max open files +(\d+) +(\w+)", limits)
        most = MAX_FILES if hard == "unlimited" else min(MAX_FILES, int(hard))
        self.assertGreaterEqual(int(soft), most)

    async def test_private(self) -> None:
        """What it keeps is for its owner's eyes alone."""
        await self.server()
        open_to_others = [path for path in self.data.rglob("*") if path.stat().st_mode & 0o077]
        self.assertEqual(open_to_others, [])

    def log(self) -> str:
        """What stands in the log's file."""
        return (self.data / "log/server.log").read_text()


class BannerTests(ServiceTestCase):
    """What the terminal shows."""

    async def test_setup_link(self) -> None:
        """The first start prints a link that works; it is not in the log, and the second start prints none."""
        server = await self.server()
        [link] = re.findall(r"https://\S+/setup\?t=(\S+)", server.program.output)
        status, page = await self.fetch(f"http://127.0.0.1:{server.http}/setup?t={link}")
        self.assertEqual(status, 200)
        self.assertIn(b"<form", page)
        self.assertNotIn(link, (self.data / "log/server.log").read_text())
        await server.program.end(SIGTERM)
        await server.start()
        self.assertNotIn("setup?t=", server.program.output)

    async def test_addresses(self) -> None:
        """Under each address that it names there is an answer, and the certificate's fingerprint is the one shown."""
        server = await self.server()
        output = server.program.output
        urls = re.findall(r"(https?://\S+?/)\s", output)
        self.assertEqual(len(urls), 2)
        for url in urls:
            with self.subTest(url):
                status, _ = await self.fetch(url)
                self.assertIn(status, (200, 303))
        [shown] = re.findall(r"SHA-256 ([0-9A-F:]+)\.\.\.", output)
        status = await server.ask("status")
        self.assertTrue(status["fingerprint"].upper().startswith(shown.replace(":", "")))
        self.assertIn(f"TLS {server.tls}", output)

    async def test_everywhere(self) -> None:
        """A server that listens on all interfaces names an address of the machine."""
        port = free_port("")
        server = await self.server(f"--https={port}")
        [url] = re.findall(r"(https://\S+?/)\s", server.program.output)
        self.assertEqual(urlsplit(url).port, port)
        status, _ = await self.fetch(url)
        self.assertIn(status, (200, 303))

    async def test_all_off(self) -> None:
        """A server with every listener off says so; the control socket is still there."""
        server = await self.server(*ALL_OFF)
        self.assertIn("no transport is on", server.program.output)
        self.assertEqual((await server.ask("status"))["devices"], 0)

    async def fetch(self, url: str) -> tuple[int, bytes]:
        """The status and the page under ``url``, from a thread."""
        fetched: tuple[int, bytes] = await deferToThread(get, url)
        return fetched


def get(url: str) -> tuple[int, bytes]:
    """Ask once, and follow nothing; any certificate is good."""
    from http.client import HTTPConnection, HTTPSConnection

    parts = urlsplit(url)
    context = ssl._create_unverified_context()
    host, port = parts.hostname or "", parts.port
    connection = HTTPSConnection(host, port, timeout=60, context=context) if parts.scheme == "https" else None
    connection = connection or HTTPConnection(host, port, timeout=60)  # type: ignore[assignment]
    assert connection is not None
    try:
        connection.request("GET", f"{parts.path}?{parts.query}")
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()
