"""Who gets in: the checks around every handler, on the table of all routes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from iotcenter.model import Role
from iotcenter.web.doors import Door
from iotcenter.web.guard import API, Kind, Route, routes_of, signature_of
from iotcenter.web.site import all_handlers
from tests.web.support import NOBODY, Visitor, WebTestCase
from tests.web.wire import Answer

FOREIGN = "https://evil.example"


class GuardTestCase(WebTestCase):
    """Knows all routes."""

    def routes(self) -> Iterator[tuple[Route, str, str]]:
        """Every route with each of its methods, and a path that fits it."""
        for handlers in all_handlers(self.parts):
            for route, _ in routes_of(handlers):
                path = re.sub(r"<(?:int[^:]*):\w+>", "1", route.path)
                for method in route.methods:
                    yield route, method, re.sub(r"<[^>]+>", "kitchen-pi", path)

    async def send(self, route: Route, method: str, path: str, visitor: Visitor, **headers: str) -> Answer:
        """Ask for a route with a body of its kind."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if route.kind is Kind.PAGE:
            return await self.ask(method, path, visitor, form={"name": "x"}, headers=named)
        return await self.ask(method, path, visitor, json={}, headers=named)


class ForeignTests(GuardTestCase):
    """Other sites' pages get nothing done."""

    async def test_every_change_is_guarded(self) -> None:
        """Each route that changes something answers 403 to another site's page, and to a session without its token."""
        admin = await self.user(Role.ADMIN)
        tokenless = Visitor(admin.headers)
        wrong = Visitor(admin.headers, admin.csrf[::-1])
        guarded = 0
        for route, method, path in self.routes():
            if method == "GET":
                continue
            guarded += 1
            cases = {
                "origin": (admin, {"Origin": FOREIGN}, "foreign_origin"),
                "null": (admin, {"Origin": "null"}, "foreign_origin"),
                "site": (admin, {"Sec_Fetch_Site": "cross-site"}, "foreign_origin"),
                "same site": (admin, {"Sec_Fetch_Site": "same-site"}, "foreign_origin"),
                "nobody": (NOBODY, {"Origin": FOREIGN}, "foreign_origin"),
                "no token": (tokenless, {}, "csrf"),
                "wrong token": (wrong, {}, "csrf"),
            }
            for name, (visitor, headers, code) in cases.items():
                with self.subTest(f"{method} {path}: {name}"):
                    answer = await self.send(route, method, path, visitor, **headers)
                    self.assertEqual(answer.status, 403)
                    if route.path.startswith(API):
                        self.assertEqual(answer.code(), code)
        self.assertGreater(guarded, 15)

    async def test_no_frames(self) -> None:
        """No answer of any route may be shown within another site's page, or be read by one."""
        for _, method, path in self.routes():
            answer = await self.ask(method, path, headers={"Origin": FOREIGN})
            with self.subTest(f"{method} {path}"):
                self.assertEqual(answer.header("x-frame-options"), "DENY")
                self.assertIn("frame-ancestors 'none'", answer.header("content-security-policy"))
                self.assertFalse([name for name in answer.headers if name.startswith("access-control-")])

    async def test_foreign_names(self) -> None:
        """No route answers, whoever asks, under a name that is a stranger's."""
        admin = await self.user(Role.ADMIN)
        for route, method, path in self.routes():
            with self.subTest(f"{method} {path}"):
                answer = await self.send(route, method, path, admin, Host="rebind.evil.example")
                self.assertEqual(answer.status, 421)

    async def test_own_pages(self) -> None:
        """Our own pages get through, by a hidden field or a header."""
        admin = await self.user(Role.ADMIN)
        own = {"Origin": f"http://127.0.0.1:{self.port.getHost().port}", "Sec-Fetch-Site": "same-origin"}
        answer = await self.ask("POST", "/api/v1/tokens", admin, json={"name": "a"}, headers=own)
        self.assertEqual(answer.status, 201)
        answer = await self.ask("POST", "/sign-out", admin, form={}, headers=own)
        self.assertEqual((answer.status, answer.header("location").partition("?")[0]), (303, "/sign-in"))

    async def test_tokens_of_the_api(self) -> None:
        """A program with an API token needs no token of a session, since no browser adds it by itself."""
        program = await self.program(Role.ADMIN)
        answer = await self.ask("POST", "/api/v1/tokens", program, json={"name": "a"}, headers={"Origin": FOREIGN})
        self.assertEqual(answer.status, 201)

    async def test_forms_are_no_json(self) -> None:
        """What a form of another site could send is not taken for JSON, by any route that takes some."""
        program = await self.program(Role.ADMIN)
        taking = 0
        for handlers in all_handlers(self.parts):
            for route, handler in routes_of(handlers):
                if signature_of(handler).body is None:
                    continue
                taking += 1
                path = re.sub(r"<[^>]+>", "kitchen-pi", re.sub(r"<(?:int[^:]*):\w+>", "1", route.path))
                answer = await self.ask(
                    route.methods[0], path, program, body=b"{}", headers={"Content-Type": "text/plain"}
                )
                self.assertEqual((answer.status, answer.code()), (415, "bad_type"), path)
        self.assertGreater(taking, 10)

    async def test_kinds_of_forms(self) -> None:
        """All kinds of bodies that a form can send are refused alike."""
        program = await self.program(Role.ADMIN)
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
            headers = {"Content-Type": kind} if kind else {}
            answer = await self.ask("POST", "/api/v1/tokens", program, body=b'{"name": "a"}', headers=headers)
            self.assertEqual((answer.status, answer.code()), (415, "bad_type"))

    async def test_no_sharing(self) -> None:
        """No answer lets other sites read it, and there is nothing to ask before."""
        answer = await self.ask("GET", "/api/v1/devices", await self.user(Role.VIEWER), headers={"Origin": FOREIGN})
        self.assertFalse([name for name in answer.headers if name.startswith("access-control-")])
        self.assertEqual((await self.ask("OPTIONS", "/api/v1/devices")).status, 405)


class RoleTests(GuardTestCase):
    """Who may do what."""

    async def test_nobody(self) -> None:
        """Without session and token, the API says 401 and pages lead to the sign-in; what is for everybody is not
        many."""
        open_to_all = set()
        for route, method, path in self.routes():
            if route.role is None:
                open_to_all.add(route.path)
                continue
            with self.subTest(f"{method} {path}"):
                answer = await self.send(route, method, path, NOBODY)
                if route.kind is Kind.PAGE:
                    self.assertEqual((answer.status, answer.header("location")[:8]), (303, "/sign-in"))
                else:
                    self.assertEqual((answer.status, answer.code()), (401, "not_signed_in"))
        expected = {"/sign-in", "/setup", "/reset", "/metrics", "/join/<token>", "/join/<token>/<wheel>"}
        screens = {"/display", "/display/sign-in", "/feed.atom", "/rss"}
        self.assertEqual(open_to_all, expected | screens | {"/static/<build>/<path:path>"})

    async def test_lower_roles(self) -> None:
        """A role that does not suffice is named, together with the one that would."""
        viewer, operator = await self.program(Role.VIEWER), await self.program(Role.OPERATOR)
        for route, method, path in self.routes():
            if route.role in (None, Role.VIEWER):
                continue
            for visitor, role in ((viewer, Role.VIEWER), (operator, Role.OPERATOR)):
                if route.role is not None and not role.covers(route.role):
                    with self.subTest(f"{role.value} {method} {path}"):
                        answer = await self.send(route, method, path, visitor)
                        self.assertEqual(answer.status, 403)
                        self.assertIn(route.role.value, answer.body.decode())

    async def test_what_changes_needs_more(self) -> None:
        """Viewers change nothing in the API but what is their own."""
        own = {f"{API}/users/<name>/{what}" for what in ("preferences", "password", "sessions", "sessions/<session>")}
        own |= {f"{API}/tokens", f"{API}/tokens/<name>"}
        for route, method, path in self.routes():
            if route.path.startswith(API) and method != "GET" and route.path not in own:
                self.assertIn(route.role, (Role.OPERATOR, Role.ADMIN), path)

    async def test_bad_token(self) -> None:
        """A token that is not good is refused, even beside a session that is."""
        admin = await self.user(Role.ADMIN)
        for value in ("Bearer iotc_" + "a" * 43, "Bearer", "Bearer \xff", "Basic YTpi", "", "Bearer " + "a" * 5000):
            visitor = Visitor({**admin.headers, "Authorization": value})
            answer = await self.ask("GET", "/api/v1/devices", visitor)
            self.assertEqual((answer.status, answer.code()), (401, "bad_token"), value)
            self.assertEqual(answer.header("www-authenticate"), "Bearer")

    async def test_bad_cookie(self) -> None:
        """A session that is over, or never was, is nobody's."""
        for value in ("a" * 43, "", "\xff", "a" * 5000, "a;b=c"):
            visitor = Visitor({"Cookie": f"iotcenter_session={value}"})
            answer = await self.ask("GET", "/api/v1/devices", visitor)
            self.assertEqual((answer.status, answer.code()), (401, "not_signed_in"))

    async def test_after_sign_in(self) -> None:
        """The way to the sign-in remembers where somebody wanted to go."""
        answer = await self.ask("GET", "/devices?state=late")
        self.assertEqual(answer.header("location"), "/sign-in?next=%2Fdevices%3Fstate%3Dlate")


class ControlTests(GuardTestCase):
    """The control socket."""

    door = Door.CONTROL

    async def test_local(self) -> None:
        """Whoever can open it is admin, under any host name, and named ``local``."""
        answer = await self.ask("POST", "/api/v1/enrollments", json={"name": "a"}, headers={"Host": "iotcenter"})
        self.assertEqual(answer.status, 201, answer.body)
        [row] = await self.parts.enrollments.open()
        self.assertEqual(row.actor, "local")
