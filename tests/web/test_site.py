"""What holds for every answer."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.defer import Deferred
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from zope.interface import implementer

from iotcenter.model import Role
from iotcenter.storage.errors import DiskFull
from iotcenter.web import channel
from iotcenter.web.security import local_path
from tests.web.support import Visitor, WebTestCase


class AnswerTests(WebTestCase):
    """Headers, errors, and what the log says."""

    async def test_headers(self) -> None:
        """Every answer, of whatever kind, forbids what is not needed."""
        admin = await self.user(Role.ADMIN)
        for path in ("/", "/devices", "/nothing", "/api/v1/devices", "/api/v1/nothing", "/join/x", "/static/x/y"):
            answer = await self.ask("GET", path, admin)
            policy = answer.header("content-security-policy")
            with self.subTest(path):
                self.assertIn("default-src 'none'", policy)
                self.assertNotIn("unsafe", policy)
                self.assertEqual(answer.header("x-content-type-options"), "nosniff")
                self.assertEqual(answer.header("cache-control"), "no-store")
                self.assertNotIn("server", answer.headers)
                self.assertTrue(answer.header("content-type"))

    async def test_nothing_here(self) -> None:
        """What does not exist is said in the form that fits: JSON below /api, a page elsewhere."""
        answer = await self.ask("GET", "/api/v1/nothing")
        self.assertEqual((answer.status, answer.code()), (404, "not_found"))
        answer = await self.ask("GET", "/nothing")
        self.assertEqual((answer.status, answer.header("content-type")), (404, "text/html; charset=utf-8"))

    async def test_odd_paths(self) -> None:
        """Paths that are no paths of ours are not found, whatever is in them."""
        paths = ("/%00", "/%ff%fe", "/api/v1/devices/%2e%2e", "/static/x/../../setup.py", "/static/x/%2e%2e%2fjoin.sh")
        viewer = await self.program(Role.VIEWER)
        for path in (*paths, "/static/x//etc/passwd", "http://evil.example/", "*", "/api/v1/devices/" + "a" * 2000):
            answer = await self.ask("GET", path, viewer)
            self.assertIn(answer.status, (400, 404), path)

    async def test_methods(self) -> None:
        """A method that a path does not know is refused with those that it does."""
        answer = await self.ask("PUT", "/api/v1/devices")
        self.assertEqual((answer.status, answer.code()), (405, "bad_method"))
        self.assertEqual(answer.header("allow"), "GET, HEAD, POST")
        self.assertEqual((await self.ask("GET\xff", "/")).status, 400)

    async def test_head(self) -> None:
        """HEAD gives the headers alone, and does not wait on a stream."""
        viewer = await self.program(Role.VIEWER)
        for path in ("/api/v1/devices", "/api/v1/events", "/"):
            answer = await self.ask("HEAD", path, viewer)
            self.assertEqual((answer.status, answer.body), (200, b""), path)

    async def test_domain_errors(self) -> None:
        """What the parts below cannot do has a status, a word and a sentence."""
        self.patch(self.parts.center.devices, "all", _failing(DiskFull()))
        answer = await self.ask("GET", "/api/v1/devices", await self.program(Role.VIEWER))
        self.assertEqual((answer.status, answer.code()), (503, "storage"))
        self.assertTrue(answer.header("retry-after"))

    async def test_our_own_errors(self) -> None:
        """A bug is told by a mark that is also in the log, and nothing more of it."""
        for method in ("all", "briefs"):
            self.patch(self.parts.center.devices, method, _failing(RuntimeError("very secret")))
        viewer = await self.program(Role.VIEWER)
        for path in ("/api/v1/devices", "/devices"):
            lines = self.watch_log()
            answer = await self.ask("GET", path, viewer)
            self.assertEqual(answer.status, 500)
            self.assertNotIn(b"secret", answer.body)
            self.assertNotIn(b"Traceback", answer.body)
            self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
            [incident] = [line.split()[1].strip(":") for line in lines if line.startswith("Incident")]
            self.assertIn(incident.encode(), answer.body)

    async def test_secrets_stay_out_of_the_log(self) -> None:
        """No token, cookie, password or link ends up in the log, whether they are good or not."""
        lines = self.watch_log()
        enrollment = await self.parts.enrollments.issue("a", 60, "ann", ("192.0.2.1", 9998))
        program, admin = await self.program(Role.ADMIN), await self.user(Role.ADMIN)
        await self.ask("GET", f"/join/{enrollment}")
        await self.ask("GET", "/setup?t=s3cret-link")
        await self.ask("GET", "/api/v1/devices?token=s3cret-query", program)
        await self.ask("GET", "/api/v1/devices", Visitor({"Authorization": "Bearer s3cret-token"}))
        await self.ask("POST", "/sign-in", form={"name": "ann", "password": "s3cret-password"})
        await self.ask("POST", "/api/v1/nothing", admin, json={"s3cret": 1})
        said = "\n".join(lines)
        secrets = (enrollment, program.headers["Authorization"][7:], admin.headers["Cookie"].partition("=")[2])
        for secret in (*secrets, "s3cret", admin.csrf):
            self.assertNotIn(secret, said)

    async def test_refusals_are_logged(self) -> None:
        """Who was refused is in the log, with where they came from, but not so often that it fills the disk."""
        lines = self.watch_log()
        for _ in range(100):
            await self.ask("GET", "/api/v1/devices")
        refused = [line for line in lines if line.startswith("Refused 127.0.0.1 GET /api/v1/devices: not_signed_in")]
        self.assertTrue(0 < len(refused) < 100)

    async def test_work_outlives_its_browser(self) -> None:
        """What somebody asked to be done is done though they went away before."""
        admin = await self.user(Role.ADMIN)
        await self.device()
        begun: Deferred[None] = Deferred()
        going_on: Deferred[None] = Deferred()
        done: Deferred[None] = Deferred()

        async def remove(name: str, actor: str) -> None:
            begun.callback(None)
            await going_on
            done.callback(None)

        self.patch(self.parts.center.devices, "remove", remove)
        wire = await self.connect()
        wire.write(
            f"DELETE /api/v1/devices/kitchen-pi HTTP/1.1\r\nHost: 127.0.0.1\r\nX-CSRF-Token: {admin.csrf}\r\n"
            f"Cookie: {admin.headers['Cookie']}\r\n\r\n".encode()
        )
        await begun
        await wire.close()
        await self.ask("GET", "/api/v1/devices", admin)
        going_on.callback(None)
        await done

    async def test_local_paths(self) -> None:
        """Only a path on this server is a place to go to after the sign-in."""
        self.assertEqual(local_path("/devices?q=a"), "/devices?q=a")
        for text in (
            "",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/\t/evil.example",
            "/\n",
            "evil",
        ):
            self.assertEqual(local_path(text), "/")

    def watch_log(self) -> list[str]:
        """The lines of the log from now on, with all that events carry."""
        lines: list[str] = []

        @implementer(ILogObserver)
        def note(event: LogEvent) -> None:
            lines.append(formatEvent(event))
            lines.append(repr({key: value for key, value in event.items() if isinstance(value, str | bytes)}))

        globalLogPublisher.addObserver(note)
        self.addCleanup(globalLogPublisher.removeObserver, note)
        return lines


class HostTests(WebTestCase):
    """The names that the HTTP door answers to."""

    async def test_own_names(self) -> None:
        """Addresses and the names of this machine are answered."""
        for host in ("127.0.0.1:80", "localhost", "LOCALHOST:8080", "[::1]:8080", "192.0.2.77", "localhost."):
            answer = await self.ask("GET", "/sign-in", headers={"Host": host})
            self.assertEqual(answer.status, 200, host)

    async def test_foreign_names(self) -> None:
        """A stranger's name that leads here (DNS rebinding) is not, and the page says what to set."""
        answer = await self.ask("GET", "/metrics", headers={"Host": "rebind.evil.example:8080"})
        self.assertEqual(answer.status, 421)
        self.assertIn("names in [web]", answer.body.decode())

    async def test_bad_names(self) -> None:
        """What can be no name is refused, before it gets into any link."""
        bad = ("", "a b", "a'b", "<script>", "a/b", "a:b", "a:99999", "a@b", "[::1", "é", "a" * 300, "127.0.0.1:0")
        for host in bad:
            answer = await self.ask("GET", "/sign-in", headers={"Host": host})
            self.assertEqual(answer.status, 400, host)


class CrowdTests(WebTestCase):
    """Many who ask for nothing."""

    async def test_slow_loris(self) -> None:
        """Of 500 connections that drip, none outlives the deadline, and others are served well within it meanwhile."""
        self.patch(channel, "HEADERS_WITHIN", 2.0)
        drips = [await self.connect() for _ in range(500)]
        for wire in drips:
            wire.write(b"GET / HTTP/1.1\r\nX: ")
        durations = []
        while not all(wire.lost.called for wire in drips):
            start = self.reactor.seconds()
            answer = await self.ask("GET", "/sign-in")
            self.assertEqual(answer.status, 200)
            durations.append(self.reactor.seconds() - start)
            for wire in drips:
                if not wire.lost.called:
                    wire.write(b"a")
        self.assertLess(sorted(durations)[int(len(durations) * 0.99)], 1.0)

    async def test_many_requests_at_once(self) -> None:
        """Who sends a thousand requests at once and takes no answer gets the next only when they took the last."""
        wire = await self.connect()
        wire.transport.pauseProducing()  # type: ignore[union-attr]
        request = f"GET /static/{self.parts.build}/style.css HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        size = len((STATIC / "style.css").read_bytes())
        count = 8_000_000 // size
        wire.write(request * count)
        most = 0
        for _ in range(200):
            await self.store.devices.all()
            most = max(most, self.held())
        self.assertTrue(0 < most < 256 * 1024, most)
        wire.transport.resumeProducing()  # type: ignore[union-attr]
        wire.write(b"GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        self.assertEqual((await wire.lost).count(b"HTTP/1.1 200 OK"), count)

    async def test_shut(self) -> None:
        """When the port is shut, nobody stays connected."""
        wire = await self.connect()
        wire.write(b"GET /sign-in HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await wire.until(b"</html>")
        await self.port.stopListening()
        await wire.lost


def _failing(error: Exception) -> object:
    def fail(*_: object) -> None:
        raise error

    return fail


STATIC = Path(__file__).parent.parent.parent / "web" / "static"


class AssetTests(WebTestCase):
    """The static files."""

    async def test_cached_for_ever(self) -> None:
        """A file under its build's address may be kept for ever, and comes packed to who takes it so."""
        path = f"/static/{self.parts.build}/style.css"
        plain = await self.ask("GET", path)
        self.assertEqual((plain.status, plain.header("content-type")), (200, "text/css; charset=utf-8"))
        self.assertIn("immutable", plain.header("cache-control"))
        self.assertEqual(plain.body, (STATIC / "style.css").read_bytes())
        packed = await self.ask("GET", path, headers={"Accept-Encoding": "gzip, br"})
        self.assertEqual(packed.header("content-encoding"), "gzip")
        self.assertLess(len(packed.body), len(plain.body))

    async def test_old_build(self) -> None:
        """A page of an older build still gets its files, but keeps none of them."""
        answer = await self.ask("GET", "/static/older/style.css")
        self.assertEqual((answer.status, answer.header("cache-control")), (200, "no-store"))

    async def test_nothing_else(self) -> None:
        """Templates and scripts of ours are not served."""
        for path in ("templates/base.html", "../templates/base.html", "join.sh", "../join.sh", "__init__.py", ""):
            self.assertEqual((await self.ask("GET", f"/static/x/{path}")).status, 404, path)
