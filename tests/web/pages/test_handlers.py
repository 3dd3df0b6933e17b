"""The pages as the server answers them: statuses, redirects, who sees what. ``tests/browser`` has the browsers."""

from __future__ import annotations

import re

from iotcenter.model import LogLevel, LogLine, Preferences, Reading, Role
from iotcenter.wire.messages import Log
from tests.web.support import NOBODY, PASSWORD, WebTestCase
from tests.web.wire import Answer


def text(answer: Answer) -> str:
    """The page."""
    return answer.body.decode()


class PageTests(WebTestCase):
    """Pages that show something."""

    async def test_values_are_there_without_scripts(self) -> None:
        """The dashboard, the list and the device's page have values with units, and times that machines can read."""
        _, attachment = await self.device()
        await self.report(attachment, Reading("temperature", 21.625, self.reactor.seconds()), Reading("door", "open"))
        viewer = await self.user(Role.VIEWER)
        for path in ("/", "/devices", "/devices/kitchen-pi"):
            page = text(await self.ask("GET", path, viewer))
            self.assertIn('<span class="number">21.6</span><span class="unit">°C</span>', page)
            self.assertIn('<span class="number">open</span>', page)
            self.assertRegex(page, r'<time datetime="20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00" title="\d+ \w+ 20\d\d, ')

    async def test_settings_are_for_admins(self) -> None:
        """What somebody may not do they are not offered."""
        await self.device()
        offers = {
            role: text(await self.ask("GET", "/devices/kitchen-pi", await self.user(role)))
            for role in (Role.VIEWER, Role.OPERATOR, Role.ADMIN)
        }
        self.assertEqual(["/commands/identify" in page for page in offers.values()], [False, True, True])
        self.assertEqual(["/remove" in page for page in offers.values()], [False, False, True])
        self.assertEqual(['href="/add-device"' in page for page in offers.values()], [False, False, True])

    async def test_queries_that_make_no_sense(self) -> None:
        """Any address shows a page: what means nothing is ignored, or said to be wrong; it is no error of ours."""
        await self.device()
        viewer = await self.user(Role.VIEWER)
        cases = {
            "/devices?state=up&sort=size&page=7": 200,
            "/devices?page=many": 422,
            "/devices?q=%3Cb%3E": 200,
            "/devices/kitchen-pi?level=loud&text=x": 200,
            "/devices/kitchen-pi?before=x": 422,
            "/devices/kitchen-pie": 404,
            "/devices/%3Cb%3E": 404,
        }
        for path, status in cases.items():
            self.assertEqual((await self.ask("GET", path, viewer)).status, status, path)

    async def test_the_log(self) -> None:
        """The log is filtered by level and text, and goes on to older lines."""
        _, attachment = await self.device()
        lines = tuple(LogLine(0.0, LogLevel.INFO, f"line {place:03}") for place in range(100))
        for _ in range(2):
            attachment.received(Log(lines))
        attachment.received(Log((LogLine(0.0, LogLevel.ERROR, "the bus is gone"),)))
        await self.store.devices.all()
        await self.store.devices.seen(attachment.known.id, self.reactor.seconds(), "192.0.2.7")
        viewer = await self.user(Role.VIEWER)
        newest = text(await self.ask("GET", "/devices/kitchen-pi", viewer))
        self.assertEqual(newest.count('class="log-line"'), 100)
        older = re.search(r"before=(\d+)", newest)
        assert older is not None
        page = text(await self.ask("GET", f"/devices/kitchen-pi?before={older[1]}", viewer))
        self.assertEqual(page.count('class="log-line"'), 100)
        for query in ("level=error", "text=BUS"):
            page = text(await self.ask("GET", f"/devices/kitchen-pi?{query}", viewer))
            self.assertEqual(page.count('class="log-line"'), 1)

    async def test_about(self) -> None:
        """The server tells of its certificates, as browsers show them, and of the room that it has."""
        page = text(await self.ask("GET", "/about", await self.user(Role.VIEWER)))
        self.assertEqual(len(re.findall(r"<code>(?:[0-9A-F]{2}:){31}[0-9A-F]{2}</code>", page)), 2)
        self.assertIn("Known after 6 hours of measuring", page)


class ChangeTests(WebTestCase):
    """Forms that change something."""

    async def test_renaming(self) -> None:
        """A device is renamed, unless the name is unfit or taken; then nothing changes."""
        await self.device()
        await self.device("attic")
        admin = await self.user(Role.ADMIN)
        for name, status in (
            ("Attic!", 422),
            ("attic", 422),
            ("", 422),
            ("-", 422),
            ("kitchen-pi", 303),
            ("loft", 303),
        ):
            answer = await self.ask("POST", "/devices/kitchen-pi/rename", admin, form={"name": name})
            self.assertEqual(answer.status, status, name)
        self.assertEqual([device.name for device in self.center.devices.all()], ["attic", "loft"])

    async def test_removing(self) -> None:
        """A device is removed only where its name was typed, and revoked only where that was ticked."""
        await self.device()
        admin = await self.user(Role.ADMIN)
        for action, form in (("remove", {"confirm": "kitchen"}), ("remove", {}), ("revoke", {})):
            answer = await self.ask("POST", f"/devices/kitchen-pi/{action}", admin, form=form)
            self.assertEqual(answer.status, 422)
        self.assertFalse(self.center.devices.get("kitchen-pi").revoked)
        await self.ask("POST", "/devices/kitchen-pi/revoke", admin, form={"sure": "yes"})
        self.assertTrue(self.center.devices.get("kitchen-pi").revoked)
        answer = await self.ask("POST", "/devices/kitchen-pi/remove", admin, form={"confirm": "kitchen-pi"})
        self.assertEqual((answer.status, answer.header("location")), (303, "/devices"))
        self.assertEqual(self.center.devices.all(), ())

    async def test_ports_that_are_none(self) -> None:
        """What is typed where a port belongs, and is none, is said to be wrong."""
        await self.device()
        operator = await self.user(Role.OPERATOR)
        for port in ("", "ssh", "\u00b2", "-1", "70000", "9" * 5000):
            answer = await self.ask("POST", "/devices/kitchen-pi/ssh", operator, form={"port": port})
            self.assertIn(answer.status, (409, 422), port[:9])

    async def test_a_command(self) -> None:
        """A command is sent once its arguments fit, and leads to where it is listed."""
        link, _ = await self.device()
        operator = await self.user(Role.OPERATOR)
        path = "/devices/kitchen-pi/commands/identify"
        answer = await self.ask("POST", path, operator, form={"arg-seconds": "99"})
        self.assertEqual(answer.status, 422)
        self.assertIn("must be at most 60", text(answer))
        answer = await self.ask("POST", path, operator, form={"arg-seconds": "9"})
        self.assertEqual((answer.status, answer.header("location")), (303, "/devices/kitchen-pi#command-1"))
        self.assertEqual(len(link.sent), 1)
        again = text(await self.ask("GET", f"{path}?again=1", operator))
        self.assertIn('value="9"', again)
        self.assertEqual((await self.ask("GET", "/devices/kitchen-pi/commands/explode", operator)).status, 404)

    async def test_a_command_for_later(self) -> None:
        """Without a lifetime a device that is offline gets no command; with one, it waits and can be taken back."""
        _, attachment = await self.device()
        attachment.detached("gone")
        operator = await self.user(Role.OPERATOR)
        path = "/devices/kitchen-pi/commands/reboot"
        self.assertEqual((await self.ask("POST", path, operator, form={"lifetime": "forever"})).status, 409)
        self.assertEqual((await self.ask("POST", path, operator, form={"lifetime": "3600"})).status, 303)
        answer = await self.ask("POST", "/commands/1/cancel", operator, form={})
        self.assertEqual(answer.header("location"), "/devices/kitchen-pi#command-1")
        [command] = await self.center.commands.recent("kitchen-pi")
        self.assertEqual(command.state, "cancelled")

    async def test_adding_a_device(self) -> None:
        """A name gives the line; it stays through reloads, takes another address, and can be withdrawn."""
        admin = await self.user(Role.ADMIN)
        self.assertEqual((await self.ask("POST", "/add-device", admin, form={"name": "No!"})).status, 422)
        where = (await self.ask("POST", "/add-device", admin, form={"name": "attic"})).header("location")
        for _ in range(2):
            self.assertIn("--pinnedpubkey", text(await self.ask("GET", where, admin)))
        self.assertIn(
            "https://iot.example:444/join/", text(await self.ask("GET", f"{where}?address=iot.example:444", admin))
        )
        self.assertIn("address-fault", text(await self.ask("GET", f"{where}?address=a%20b", admin)))
        self.assertIn(f'href="{where}"', text(await self.ask("GET", "/add-device", admin)))
        answer = await self.ask("POST", f"{where}/withdraw", admin, form={})
        self.assertEqual((answer.status, answer.header("location")), (303, "/add-device"))
        self.assertEqual((await self.ask("GET", where, admin)).header("location"), "/add-device")

    async def test_a_line_from_before_a_restart(self) -> None:
        """Of a token whose text is lost the page says so, and offers another."""
        await self.parts.enrollments.issue("attic", 60, "ann", ("192.0.2.1", 9998))
        page = text(await self.ask("GET", "/add-device/1", await self.user(Role.ADMIN)))
        self.assertIn("The line cannot be shown again.", page)


class ComingInTests(WebTestCase):
    """Setting up, and signing in."""

    async def test_setting_up(self) -> None:
        """The link makes an admin who is signed in; it works once, and a form that does not fit leaves it good."""
        secret = await self.parts.setup_link.issue()
        self.assertEqual((await self.ask("GET", f"/setup?t={secret}")).status, 200)
        form = {"t": secret, "name": "Ann", "password": "short", "time_zone": "Europe/Berlin"}
        for changed in ({}, {"password": PASSWORD, "time_zone": "Mars/Base"}, {"password": PASSWORD, "name": "a b"}):
            self.assertEqual((await self.ask("POST", "/setup", form={**form, **changed})).status, 422)
        answer = await self.ask("POST", "/setup", form={**form, "password": PASSWORD})
        self.assertEqual((answer.status, answer.header("location")), (303, "/add-device?first=yes"))
        self.assertIn("HttpOnly", answer.header("set-cookie"))
        self.assertEqual((await self.ask("POST", "/setup", form={**form, "password": PASSWORD})).status, 403)
        [user] = await self.parts.users.list()
        self.assertEqual((user.name, user.role, user.preferences.time_zone), ("ann", Role.ADMIN, "Europe/Berlin"))

    async def test_without_users(self) -> None:
        """Before there are users, every page leads to how to make the first."""
        answer = await self.ask("GET", "/devices")
        self.assertEqual((answer.status, answer.header("location")), (303, "/sign-in?next=%2Fdevices"))
        self.assertIn("This server has no users yet", text(await self.ask("GET", "/sign-in")))

    async def test_signing_in(self) -> None:
        """One goes on to the page that was asked for, on this server alone; a wrong password is refused."""
        ann = await self.user(Role.VIEWER, "ann")
        form = {"name": "ann", "password": PASSWORD}
        for wanted, where in (("/devices?q=x", "/devices?q=x"), ("//evil.example", "/"), ("https://evil.example", "/")):
            answer = await self.ask("POST", "/sign-in", form={**form, "next": wanted})
            self.assertEqual((answer.status, answer.header("location")), (303, where))
        self.assertEqual((await self.ask("POST", "/sign-in", form={**form, "password": "x"})).status, 403)
        self.assertEqual((await self.ask("GET", "/sign-in?next=/devices", ann)).header("location"), "/devices")

    async def test_too_many_tries(self) -> None:
        """Who guesses has to wait, and is told how long."""
        await self.user(Role.VIEWER, "ann")
        for _ in range(11):
            answer = await self.ask("POST", "/sign-in", NOBODY, form={"name": "ann", "password": "guess"})
        self.assertEqual(answer.status, 429)
        self.assertGreater(int(answer.header("retry-after")), 0)
        self.assertIn("Too many tries", text(answer))


class ColumnTests(WebTestCase):
    """What the list of devices shows of each."""

    async def test_chosen(self) -> None:
        """The columns are those that the address names, in their order; what means nothing is left out."""
        await self.device()
        viewer = await self.user(Role.VIEWER)
        usual = ["list-values", "list-seen", "list-address", "list-agent"]
        for query, columns in (
            ("", usual),
            ("?c=king", usual),
            ("?c=lost&c=transport", ["list-transport", "list-lost"]),
        ):
            page = text(await self.ask("GET", f"/devices{query}", viewer))
            self.assertEqual(re.findall(r'<td class="(list-\w+)">', page)[1:], columns)
        self.assertIn("c=transport&amp;c=lost", page)


class ProfileTests(WebTestCase):
    """How somebody likes to see things."""

    FORM = {"time_zone": "Asia/Tokyo", "hours": "12", "units": "imperial", "theme": "dark", "language": ""}

    async def test_what_is_chosen_counts(self) -> None:
        """What was chosen holds on every page from then on, and in the CSV that pages lead to."""
        _, attachment = await self.device()
        await self.report(attachment, Reading("temperature", 21.5, 1795356202.0))
        ann, bob = await self.user(Role.VIEWER, "ann"), await self.user(Role.VIEWER, "bob")
        answer = await self.ask("POST", "/profile", ann, form=self.FORM)
        self.assertEqual((answer.status, answer.header("location")), (303, "/profile?saved=yes"))
        page = text(await self.ask("GET", "/devices/kitchen-pi", ann))
        for mark in ('data-zone="Asia/Tokyo"', 'data-hours="12"', 'data-units="imperial"', 'data-theme="dark"'):
            self.assertIn(mark, page)
        self.assertRegex(page, r'<span class="number">70.7</span>\s*<span class="unit">°F</span>')
        self.assertIn("22 Nov 2026, 11:03:22\N{NARROW NO-BREAK SPACE}pm", page)
        others = text(await self.ask("GET", "/devices/kitchen-pi", bob))
        self.assertRegex(others, r'<span class="number">21.5</span>\s*<span class="unit">°C</span>')
        charts = "/charts?s=kitchen-pi.temperature&from=2026-11-22&to=2026-11-23"
        self.assertIn("units=imperial", text(await self.ask("GET", charts, ann)))
        csv = "/api/v1/readings.csv?device=kitchen-pi&series=temperature&from=0"
        self.assertIn("70.7", text(await self.ask("GET", f"{csv}&units=imperial", ann)))
        self.assertIn(
            "time,count,min temperature (degF)", text(await self.ask("GET", f"{csv}&units=imperial&step=60", ann))
        )
        self.assertIn("2026-11-22T23:03:22.000+09:00,21.5", text(await self.ask("GET", csv, ann)))

    async def test_what_no_form_offers(self) -> None:
        """What cannot be chosen is refused, and changes nothing."""
        ann = await self.user(Role.VIEWER, "ann")
        for name, value in {"hours": "13", "theme": "<b>", "time_zone": "Mars/Base", "language": "../de"}.items():
            self.assertEqual((await self.ask("POST", "/profile", ann, form={**self.FORM, name: value})).status, 422)
        [user] = await self.parts.users.list()
        self.assertEqual(user.preferences, Preferences())

    async def test_programs_have_none(self) -> None:
        """A program is told that it has no account."""
        self.assertEqual((await self.ask("GET", "/profile", await self.program(Role.ADMIN))).status, 403)


class PeoplePageTests(WebTestCase):
    """Users and tokens, as pages see to them."""

    async def test_a_users_life(self) -> None:
        """An admin adds somebody, gives them another role and password, a link, and removes them by typing the name."""
        ann = await self.user(Role.ADMIN, "ann")
        form = {"name": "Bob", "role": "viewer", "password": PASSWORD}
        for wrong in ({"name": "a b"}, {"password": "short"}, {"name": "ann"}):
            answer = await self.ask("POST", "/users", ann, form={**form, **wrong})
            self.assertEqual(answer.status, 422)
            self.assertIn(f"{next(iter(wrong))}-fault", text(answer))
        self.assertEqual((await self.ask("POST", "/users", ann, form=form)).header("location"), "/users/bob")
        self.assertIn('href="/users/bob"', text(await self.ask("GET", "/users", ann)))
        bob = await self.parts.sessions.create("bob")
        await self.ask("POST", "/users/bob/role", ann, form={"role": "operator"})
        self.assertIn("/reset?t=", text(await self.ask("POST", "/users/bob/reset-link", ann, form={})))
        self.assertEqual((await self.ask("POST", "/users/bob/password", ann, form={"password": "short"})).status, 422)
        await self.ask("POST", "/users/bob/password", ann, form={"password": "another password"})
        self.assertIsNone(await self.parts.sessions.find(bob))
        self.assertEqual((await self.ask("POST", "/users/bob/remove", ann, form={"confirm": "bo"})).status, 422)
        answer = await self.ask("POST", "/users/bob/remove", ann, form={"confirm": "bob"})
        self.assertEqual((answer.status, answer.header("location")), (303, "/users"))
        self.assertEqual((await self.ask("GET", "/users/bob", ann)).status, 404)
        await self.parts.sessions.create("ann")  # waits for what is written
        kinds = [event.kind for event in await self.center.events.recent(9)]
        self.assertEqual(kinds, ["user.removed", *["user.changed"] * 3, "user.added"])

    async def test_the_last_admin(self) -> None:
        """The last admin can neither leave nor become less; the page says so at the field."""
        ann = await self.user(Role.ADMIN, "ann")
        for path, form, place in (("role", {"role": "viewer"}, "role"), ("remove", {"confirm": "ann"}, "confirm")):
            answer = await self.ask("POST", f"/users/ann/{path}", ann, form=form)
            self.assertEqual(answer.status, 422)
            self.assertIn(f'id="{place}-fault"', text(answer))
        [user] = await self.parts.users.list()
        self.assertEqual(user.role, Role.ADMIN)

    async def test_ones_own_password(self) -> None:
        """Who changes their password stays signed in here, and nowhere else."""
        ann, other = await self.user(Role.VIEWER, "ann"), await self.parts.sessions.create("ann")
        form = {"current": "guess", "password": "another password"}
        self.assertIn('id="current-fault"', text(await self.ask("POST", "/profile/password", ann, form=form)))
        answer = await self.ask("POST", "/profile/password", ann, form={**form, "current": PASSWORD})
        self.assertEqual(answer.status, 303)
        self.assertIn("iotcenter_session=", answer.header("set-cookie"))
        self.assertIsNone(await self.parts.sessions.find(other))
        self.assertEqual(len(await self.parts.sessions.of("ann")), 1)

    async def test_ones_own_browsers(self) -> None:
        """The profile lists where one is signed in, by browser and address, and signs others out."""
        ann = await self.user(Role.VIEWER, "ann")
        agent = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/148.0 Safari/537.36 Edg/148.0"
        other = await self.parts.sessions.create("ann", "192.0.2.9", agent)
        page = text(await self.ask("GET", "/profile", ann))
        self.assertIn("Edge, Windows", page)
        self.assertIn("192.0.2.9", page)
        sessions = {one.address: one.id for one in await self.parts.sessions.of("ann")}
        await self.ask("POST", "/users/ann/sessions/end", ann, form={"session": sessions["192.0.2.9"]})
        self.assertIsNone(await self.parts.sessions.find(other))
        bob = await self.user(Role.VIEWER, "bob")
        self.assertEqual((await self.ask("POST", "/users/ann/sessions/end", bob, form={})).status, 403)

    async def test_tokens(self) -> None:
        """A token is shown once, with a line to try it, and listed without its secret until it is removed."""
        bob = await self.user(Role.OPERATOR, "bob")
        page = text(await self.ask("POST", "/tokens", bob, form={"name": "graphs", "role": "viewer", "days": "30"}))
        [secret] = set(re.findall(r"iotc_[A-Za-z0-9_-]{43}", page))
        self.assertIn("curl -k -H", page)
        token = await self.parts.tokens.find(secret)
        assert token is not None and token.expires is not None
        self.assertEqual((token.name, token.role, token.owner), ("graphs", Role.VIEWER, "bob"))
        self.assertNotIn("iotc_", text(await self.ask("GET", "/tokens", bob)))
        self.assertEqual(
            (await self.ask("POST", "/tokens", bob, form={"name": "graphs", "role": "viewer"})).status, 422
        )
        self.assertEqual((await self.ask("POST", "/tokens", bob, form={"name": "x", "role": "admin"})).status, 403)
        eve = await self.user(Role.VIEWER, "eve")
        self.assertNotIn("graphs", text(await self.ask("GET", "/tokens", eve)))
        await self.ask("POST", "/tokens/remove", eve, form={"name": "graphs"})
        self.assertIsNotNone(await self.parts.tokens.find(secret))
        await self.ask("POST", "/tokens/remove", bob, form={"name": "graphs"})
        self.assertIsNone(await self.parts.tokens.find(secret))


class SettingsTests(WebTestCase):
    """What the server was told, and what can be set while it runs."""

    async def test_what_it_was_told(self) -> None:
        """An admin sees what is set, with the keys of the configuration; others do not."""
        page = text(await self.ask("GET", "/settings", await self.user(Role.ADMIN)))
        for key in ("storage.keep_raw", "backup.every", "web.https", "ssh.listen", "tls.listen", "log.level"):
            self.assertIn(key, page)
        self.assertIn("730 days", page)
        self.assertEqual((await self.ask("GET", "/settings", await self.user(Role.OPERATOR))).status, 403)

    async def test_how_long_a_series_is_kept(self) -> None:
        """An admin gives a series a rule of its own, and takes it away again; what is no number of days is said so."""
        _, attachment = await self.device()
        await self.report(attachment, Reading("temperature", 21.5))
        admin = await self.user(Role.ADMIN)
        form = {"device": "kitchen-pi", "series": "temperature", "raw": "30", "minutes": "", "hours": "0", "days": ""}
        answer = await self.ask("POST", "/settings/retention", admin, form=form)
        self.assertEqual((answer.status, answer.header("location")), (303, "/settings?device=kitchen-pi#retention"))
        rules = (await self.ask("GET", "/api/v1/devices/kitchen-pi/retention", admin)).json()
        self.assertEqual(rules["temperature"], {"raw": 30, "minutes": None, "hours": 0, "days": None})
        for wrong in ("soon", "-1", "1.5", "9" * 30):
            answer = await self.ask("POST", "/settings/retention", admin, form={**form, "raw": wrong})
            self.assertEqual(answer.status, 422)
            self.assertIn("fault-temperature", text(answer))
        for field in ("device", "series"):
            answer = await self.ask("POST", "/settings/retention", admin, form={**form, field: "nothing"})
            self.assertEqual(answer.status, 404)
