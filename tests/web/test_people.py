"""The API's users, tokens and enrollments, and the server itself."""

from __future__ import annotations

from msgspec.structs import replace
from twisted.internet.defer import Deferred

from iotcenter.model import Role, SshOffer
from iotcenter.wire.messages import Tunnel
from tests.center.support import HELLO
from tests.center.test_open_ports import Door
from tests.processes import until
from tests.web.support import PASSWORD, Visitor, WebTestCase


class UserTests(WebTestCase):
    """The people who may sign in."""

    async def test_their_life(self) -> None:
        """A user is added, changed and removed, and no answer holds a password."""
        admin = await self.program(Role.ADMIN)
        body = {"name": "Ann", "role": "operator", "password": PASSWORD}
        answer = await self.ask("POST", "/api/v1/users", admin, json=body)
        self.assertEqual((answer.status, answer.json()["name"], answer.json()["role"]), (201, "ann", "operator"))
        both = {"role": "admin", "password": PASSWORD + "2"}
        self.assertEqual((await self.ask("PATCH", "/api/v1/users/ann", admin, json=both)).status, 422)
        answer = await self.ask("PATCH", "/api/v1/users/ann", admin, json={"role": "admin"})
        self.assertEqual((answer.status, answer.json()["role"]), (200, "admin"))
        answer = await self.ask("GET", "/api/v1/users", admin)
        self.assertEqual([user["name"] for user in answer.json()], ["ann"])
        self.assertNotIn(b"password", answer.body)
        await self.parts.users.add("bob", Role.ADMIN, PASSWORD)
        self.assertEqual((await self.ask("DELETE", "/api/v1/users/ann", admin)).status, 204)
        self.assertEqual((await self.ask("DELETE", "/api/v1/users/ann", admin)).status, 404)
        self.assertEqual((await self.ask("PATCH", "/api/v1/users/ann", admin, json={"role": "viewer"})).status, 404)

    async def test_bad_ones(self) -> None:
        """What does not fit is said at its field."""
        admin = await self.program(Role.ADMIN)
        good = {"name": "ann", "role": "viewer", "password": PASSWORD}
        for field, value in {"name": "a b", "role": "king", "password": "short", "time_zone": "Mars"}.items():
            answer = await self.ask("POST", "/api/v1/users", admin, json={**good, field: value})
            self.assertEqual((answer.status, list(answer.json()["error"]["fields"])), (422, [field]))

    async def test_last_admin(self) -> None:
        """The last admin cannot be removed or demoted."""
        admin = await self.user(Role.ADMIN, "ann")
        self.assertEqual((await self.ask("DELETE", "/api/v1/users/ann", admin)).code(), "last_admin")
        answer = await self.ask("PATCH", "/api/v1/users/ann", admin, json={"role": "viewer"})
        self.assertEqual((answer.status, answer.code()), (409, "last_admin"))

    async def test_demoted(self) -> None:
        """Who may do less finds so with the next request; whose password was changed is signed out."""
        admin = await self.program(Role.ADMIN)
        ann, _ = await self.user(Role.ADMIN, "ann"), await self.user(Role.ADMIN, "bob")
        await self.ask("PATCH", "/api/v1/users/ann", admin, json={"role": "viewer"})
        self.assertEqual((await self.ask("GET", "/api/v1/users", ann)).status, 403)
        await self.ask("PATCH", "/api/v1/users/ann", admin, json={"password": "another password"})
        self.assertEqual((await self.ask("GET", "/api/v1/devices", ann)).status, 401)


class OwnTests(WebTestCase):
    """What people see to themselves."""

    async def test_of_others(self) -> None:
        """Nobody but an admin sees or changes what is somebody else's; a token is not its owner."""
        await self.user(Role.ADMIN, "ann")
        bob = await self.user(Role.OPERATOR, "bob")
        answer = await self.ask("POST", "/api/v1/tokens", bob, json={"name": "bobs", "role": "operator"})
        program = Visitor({"Authorization": f"Bearer {answer.json()['token']}"})
        for visitor, name in ((bob, "ann"), (program, "bob")):
            for method, what, body in (
                ("GET", "", None),
                ("PATCH", "/preferences", {"theme": "dark"}),
                ("POST", "/password", {"current": PASSWORD, "password": "another password"}),
                ("GET", "/sessions", None),
                ("DELETE", "/sessions", None),
                ("DELETE", "/sessions/1", None),
            ):
                answer = await self.ask(method, f"/api/v1/users/{name}{what}", visitor, json=body)
                self.assertIn(answer.status, (403, 422), (method, what))
        self.assertEqual(len(await self.parts.sessions.of("ann")), 1)

    async def test_preferences(self) -> None:
        """Everybody says how they like to see things; what they leave out stays."""
        bob = await self.user(Role.VIEWER, "bob")
        path = "/api/v1/users/bob/preferences"
        await self.ask("PATCH", path, bob, json={"time_zone": "Asia/Tokyo", "hours": "12"})
        answer = await self.ask("PATCH", path, bob, json={"theme": "dark", "language": "de"})
        liked = {"time_zone": "Asia/Tokyo", "hours": "12", "units": "declared", "theme": "dark", "language": "de"}
        self.assertEqual((answer.status, answer.json()), (200, liked))
        self.assertEqual((await self.ask("GET", "/api/v1/users/bob", bob)).json()["preferences"], liked)
        for wrong in ({"time_zone": "Mars"}, {"hours": "13"}, {"language": "../x"}, {"colour": "red"}):
            self.assertEqual((await self.ask("PATCH", path, bob, json=wrong)).status, 422)

    async def test_password(self) -> None:
        """Who knows the password changes it, and is signed out everywhere; others are not told whether they guessed."""
        bob = await self.user(Role.VIEWER, "bob")
        path = "/api/v1/users/bob/password"
        wrong = await self.ask("POST", path, bob, json={"current": "guess", "password": "another password"})
        self.assertEqual((wrong.status, list(wrong.json()["error"]["fields"])), (422, ["current"]))
        right = await self.ask("POST", path, bob, json={"current": PASSWORD, "password": "another password"})
        self.assertEqual(right.status, 204)
        self.assertEqual((await self.ask("GET", "/api/v1/users/bob", bob)).status, 401)
        self.assertIsNotNone(await self.parts.users.authenticate("bob", "another password"))

    async def test_guessing(self) -> None:
        """A browser that was left open is no way to guess the password for ever."""
        bob = await self.user(Role.VIEWER, "bob")
        body = {"current": "guess", "password": "another password"}
        answers = [await self.ask("POST", "/api/v1/users/bob/password", bob, json=body) for _ in range(11)]
        self.assertEqual(answers[-1].status, 429)

    async def test_sessions(self) -> None:
        """Browsers are listed with where they came from, and signed out one by one, or all but the one that asks."""
        bob = await self.user(Role.VIEWER, "bob")
        for number in range(3):
            await self.parts.sessions.create("bob", f"192.0.2.{number}", "Mozilla/5.0 (X11; Linux) Firefox/140.0")
        path = "/api/v1/users/bob/sessions"
        listed = (await self.ask("GET", path, bob)).json()
        self.assertEqual(len(listed), 4)
        one = next(session for session in listed if session["address"] == "192.0.2.1")
        self.assertEqual((await self.ask("DELETE", f"{path}/{one['id']}", bob)).status, 204)
        self.assertEqual((await self.ask("DELETE", f"{path}/{one['id']}", bob)).status, 404)
        self.assertEqual((await self.ask("DELETE", path, bob)).status, 204)
        [left] = (await self.ask("GET", path, bob)).json()
        self.assertEqual(left["address"], "")
        admin = await self.program(Role.ADMIN)
        self.assertEqual((await self.ask("DELETE", path, admin)).status, 204)
        self.assertEqual((await self.ask("GET", path, bob)).status, 401)
        self.assertEqual((await self.ask("DELETE", "/api/v1/users/eve/sessions", admin)).status, 404)
        await self.parts.sessions.create("bob")  # waits for what is written
        texts = [event.text for event in await self.center.events.recent(3)]
        self.assertEqual(texts[0], "token admin program signed a browser of bob out")
        self.assertEqual(texts[1:], ["bob signed 2 browsers of bob out", "bob signed a browser of bob out"])

    async def test_reset_link(self) -> None:
        """An admin's link gives somebody another password, once; the sessions end."""
        admin, bob = await self.program(Role.ADMIN), await self.user(Role.VIEWER, "bob")
        answer = await self.ask("POST", "/api/v1/users/bob/reset-link", admin, json={})
        link = answer.json()["link"]
        self.assertEqual((answer.status, link.partition("?t=")[0]), (201, "https://127.0.0.1:8443/reset"))
        form = {"t": link.partition("?t=")[2], "password": "another password"}
        self.assertEqual((await self.ask("POST", "/reset", form={**form, "password": "short"})).status, 422)
        self.assertEqual((await self.ask("GET", f"/reset?t={form['t']}")).status, 200)
        answer = await self.ask("POST", "/reset", form=form)
        self.assertEqual((answer.status, answer.header("location")), (303, "/"))
        self.assertIn("HttpOnly", answer.header("set-cookie"))
        self.assertEqual((await self.ask("GET", "/api/v1/devices", bob)).status, 401)
        for wrong in (form["t"], "", "x" * 43, "x" * 5000, "\xff"):
            self.assertEqual((await self.ask("POST", "/reset", form={**form, "t": wrong})).status, 403)
        self.assertEqual((await self.ask("GET", "/reset?t=nothing")).status, 403)
        self.assertEqual((await self.ask("POST", "/api/v1/users/eve/reset-link", admin, json={})).status, 404)

    async def test_a_setup_link_is_no_reset_link(self) -> None:
        """The secret of the setup link resets nobody's password."""
        secret = await self.parts.setup_link.issue()
        self.assertEqual((await self.ask("GET", f"/reset?t={secret}")).status, 403)


class TokenTests(WebTestCase):
    """The tokens of programs."""

    async def test_ones_own(self) -> None:
        """Everybody makes tokens that do no more than they, and sees and removes their own; admins see to all."""
        ann, bob = await self.user(Role.ADMIN, "ann"), await self.user(Role.OPERATOR, "bob")
        eve = await self.user(Role.VIEWER, "eve")
        for visitor, name, role in ((ann, "anns", "admin"), (bob, "bobs", "operator"), (eve, "eves", "viewer")):
            answer = await self.ask("POST", "/api/v1/tokens", visitor, json={"name": name, "role": role})
            self.assertEqual(answer.status, 201)
        answer = await self.ask("POST", "/api/v1/tokens", eve, json={"name": "more", "role": "operator"})
        self.assertEqual(answer.status, 403)
        names = [
            [token["name"] for token in (await self.ask("GET", "/api/v1/tokens", who)).json()] for who in (ann, eve)
        ]
        self.assertEqual(names, [["anns", "bobs", "eves"], ["eves"]])
        self.assertEqual((await self.ask("DELETE", "/api/v1/tokens/bobs", eve)).status, 404)
        self.assertEqual((await self.ask("DELETE", "/api/v1/tokens/eves", eve)).status, 204)
        program = await self.program(Role.OPERATOR)
        self.assertEqual((await self.ask("GET", "/api/v1/tokens", program)).json(), [])
        self.assertEqual((await self.ask("POST", "/api/v1/tokens", program, json={"name": "x"})).status, 403)

    async def test_owner_gone(self) -> None:
        """A token does less when its owner may, and nothing when they are gone."""
        admin, bob = await self.program(Role.ADMIN), await self.user(Role.OPERATOR, "bob")
        answer = await self.ask("POST", "/api/v1/tokens", bob, json={"name": "bobs", "role": "operator"})
        program = Visitor({"Authorization": f"Bearer {answer.json()['token']}"})
        self.assertEqual((await self.ask("GET", "/api/v1/events/log", program)).status, 200)
        await self.ask("PATCH", "/api/v1/users/bob", admin, json={"role": "viewer"})
        self.assertEqual((await self.ask("GET", "/api/v1/events/log", program)).status, 403)
        await self.ask("DELETE", "/api/v1/users/bob", admin)
        self.assertEqual((await self.ask("GET", "/api/v1/devices", program)).code(), "bad_token")

    async def test_their_life(self) -> None:
        """A token is told once, works, is listed without its secret, and is refused once removed."""
        admin = await self.user(Role.ADMIN)
        body = {"name": "graphs", "role": "viewer", "lifetime": 60}
        answer = await self.ask("POST", "/api/v1/tokens", admin, json=body)
        secret = answer.json()["token"]
        self.assertEqual(answer.status, 201)
        self.assertLess(abs(answer.json()["expires"] - self.reactor.seconds() - 60), 5)
        program = Visitor({"Authorization": f"bearer {secret}"})
        self.assertEqual((await self.ask("GET", "/api/v1/devices", program)).status, 200)
        answer = await self.ask("GET", "/api/v1/tokens", admin)
        self.assertEqual(answer.json()[0]["name"], "graphs")
        self.assertNotIn(secret.encode(), answer.body)
        self.assertEqual((await self.ask("DELETE", "/api/v1/tokens/graphs", admin)).status, 204)
        self.assertEqual((await self.ask("GET", "/api/v1/devices", program)).status, 401)

    async def test_ports_that_it_opened(self) -> None:
        """A port that leads to a device is closed when the token is removed by which it was opened."""
        self.center.open_ports.listen = lambda host, port, connected: Door()
        await self.device(hello=replace(HELLO, ssh=SshOffer((22,))))
        program = await self.program(Role.OPERATOR, "graphs")
        answer = await self.ask("POST", "/api/v1/devices/kitchen-pi/open-ports", program, json={"port": 22})
        self.assertEqual((answer.status, answer.json()["actor"]), (201, "token graphs"))
        admin = await self.program(Role.ADMIN)
        self.assertEqual((await self.ask("DELETE", "/api/v1/tokens/graphs", admin)).status, 204)
        self.assertEqual((await self.ask("GET", "/api/v1/open-ports", admin)).json(), [])

    async def test_ports_when_it_ends(self) -> None:
        """A port that a token opened is closed when the token ends, though it was to be open for longer."""
        self.center.open_ports.listen = lambda host, port, connected: Door()
        await self.device(hello=replace(HELLO, ssh=SshOffer((22,))))
        ends = self.reactor.seconds() + 60
        secret = await self.parts.tokens.create("graphs", Role.OPERATOR, ends)
        program = Visitor({"Authorization": f"Bearer {secret}"})
        wanted = {"port": 22, "lifetime": 3600}
        answer = await self.ask("POST", "/api/v1/devices/kitchen-pi/open-ports", program, json=wanted)
        self.assertLess(abs(answer.json()["expires"] - ends), 1)

    async def test_ports_of_one_that_is_gone(self) -> None:
        """No port is opened by a token that was removed while the device was asked."""
        self.center.open_ports.listen = lambda host, port, connected: Door()
        link, _ = await self.device(hello=replace(HELLO, ssh=SshOffer((22,))))
        asked: list[Tunnel] = []
        dial, link.dials = link.dials, asked.append
        program = await self.program(Role.OPERATOR, "graphs")
        wanted = self.ask("POST", "/api/v1/devices/kitchen-pi/open-ports", program, json={"port": 22})
        asking = Deferred.fromCoroutine(wanted)
        await until(self.reactor, lambda: asked, "the device is not asked")
        admin = await self.program(Role.ADMIN)
        await self.ask("DELETE", "/api/v1/tokens/graphs", admin)
        dial(asked[0])
        self.assertEqual((await asking).status, 401)
        self.assertEqual((await self.ask("GET", "/api/v1/open-ports", admin)).json(), [])

    async def test_no_longer_than_their_maker(self) -> None:
        """What a token makes ends with it at the latest."""
        ends = self.reactor.seconds() + 60
        secret = await self.parts.tokens.create("short", Role.ADMIN, ends)
        program = Visitor({"Authorization": f"Bearer {secret}"})
        answer = await self.ask("POST", "/api/v1/tokens", program, json={"name": "forever"})
        self.assertLess(abs(answer.json()["expires"] - ends), 1)

    async def test_bad_ones(self) -> None:
        """A name that is taken, and a time that is over, are refused."""
        admin = await self.user(Role.ADMIN)
        await self.ask("POST", "/api/v1/tokens", admin, json={"name": "graphs"})
        answer = await self.ask("POST", "/api/v1/tokens", admin, json={"name": "graphs"})
        self.assertEqual((answer.status, answer.code()), (409, "name_taken"))
        answer = await self.ask("POST", "/api/v1/tokens", admin, json={"name": "old", "expires": 1.0})
        self.assertEqual((answer.status, list(answer.json()["error"]["fields"])), (422, ["expires"]))


class EnrollmentTests(WebTestCase):
    """The tokens of devices."""

    async def test_their_life(self) -> None:
        """A token comes with the line to paste, is listed without its text, and can be withdrawn."""
        admin = await self.program(Role.ADMIN)
        body = {"name": "attic", "lifetime": 60, "address": "center.example.org"}
        answer = await self.ask("POST", "/api/v1/enrollments", admin, json=body)
        issued = answer.json()
        pin = self.parts.web_certificate.pin()
        url = f"https://center.example.org:8443/join/{issued['token']}"
        self.assertEqual(answer.status, 201)
        self.assertEqual(issued["line"], f"curl -fsSk --pinnedpubkey '{pin}' {url} | sh")
        answer = await self.ask("GET", "/api/v1/enrollments", admin)
        self.assertEqual([(one["id"], one["name"]) for one in answer.json()], [(issued["id"], "attic")])
        self.assertNotIn(issued["token"].encode(), answer.body)
        path = f"/api/v1/enrollments/{issued['id']}"
        self.assertEqual((await self.ask("DELETE", path, admin)).status, 204)
        self.assertEqual((await self.ask("DELETE", path, admin)).status, 404)

    async def test_no_door_for_devices(self) -> None:
        """Where devices cannot come in, no token is given out."""
        self.parts.ports.transports = {}
        answer = await self.ask("POST", "/api/v1/enrollments", await self.program(Role.ADMIN), json={"name": "attic"})
        self.assertEqual((answer.status, answer.code()), (409, "tls_off"))


class ServerTests(WebTestCase):
    """The server itself."""

    async def test_status(self) -> None:
        """It says how it fares."""
        await self.device()
        answer = await self.ask("GET", "/api/v1/status", await self.program(Role.VIEWER))
        status = answer.json()
        self.assertEqual((status["devices"], status["online"], status["storage"]), (1, 1, "ok"))
        self.assertEqual(status["fingerprint"], self.parts.web_certificate.fingerprint())

    async def test_setup_link(self) -> None:
        """A setup link leads to the web, and is refused once there are users."""
        program = await self.program(Role.ADMIN)
        answer = await self.ask("POST", "/api/v1/setup-link", program, json={})
        link, _, secret = answer.json()["link"].partition("?t=")
        self.assertEqual(link, "https://127.0.0.1:8443/setup")
        self.assertTrue(await self.parts.setup_link.check(secret))
        await self.user(Role.ADMIN)
        answer = await self.ask("POST", "/api/v1/setup-link", program)
        self.assertEqual((answer.status, answer.code()), (403, "refused"))

    async def test_metrics(self) -> None:
        """Numbers are for programs on this machine, or with a token: not for those who come through a proxy on it."""
        await self.device()
        answer = await self.ask("GET", "/metrics")
        lines = answer.body.decode().splitlines()
        self.assertIn('iotcenter_devices{state="online"} 1', lines)
        self.assertIn("iotcenter_storage_ok 1", lines)
        self.assertTrue(all(line.startswith("#") or float(line.rpartition(" ")[2]) >= 0 for line in lines))
        for header in ("X-Forwarded-For", "Forwarded"):
            answer = await self.ask("GET", "/metrics", headers={header: "192.0.2.1"})
            self.assertEqual(answer.status, 401)
            answer = await self.ask("GET", "/metrics", await self.program(Role.VIEWER, header), headers={header: "x"})
            self.assertEqual(answer.status, 200)
